package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/users"
)

// A world is a shop with somebody of every role, and a customer, Ada, who has something of every kind.
type world struct {
	s    *shop
	sig  signals
	who  map[string]*client
	ids  map[string]any            // what is Ada's or the shop's, and stays
	made map[string]any            // what was made to be tried on, until somebody uses it up
	own  map[string]map[string]any // by role: what is their own

	comingLine string // of the return that is on its way
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s := setup(t, inProduction, unthrottled)
	w := &world{s: s, sig: s.signals(), ids: make(map[string]any), made: make(map[string]any), own: make(map[string]map[string]any)}
	w.who = map[string]*client{
		"anonymous": s.anonymous(), "customer": s.as(users.Customer), "another": s.as(users.Customer),
		"support": s.as(users.Support), "catalog": s.as(users.CatalogManager), "admin": s.as(users.Admin),
	}
	for kind, id := range s.own(w.who["customer"], w.who["support"]) {
		w.ids[kind] = id
	}
	w.ids["paymentTransaction"] = w.ids["transaction"]
	w.ids["password"], w.ids["location"] = password, model.ID(model.PrefixLocation, products.Locations[0].ID)
	w.catalogue()
	w.ids["promotion"] = w.promotion()
	w.ids["webhookEndpoint"], w.ids["webhookDelivery"] = w.webhook()
	w.cart()
	var seen struct {
		Me    struct{ Email string }
		Order struct {
			Lines []struct{ Product struct{ ID string } }
		}
		NotificationDeliveries struct{ Nodes []struct{ ID string } }
	}
	w.who["customer"].must(&seen, `query($id: ID!) { me { email } order(id: $id) { lines { product { id } } } }`, vars{"id": w.ids["order"]})
	w.who["admin"].must(&seen, `{ notificationDeliveries(first: 1) { nodes { id } } }`, nil)
	w.ids["email"], w.ids["boughtProduct"] = seen.Me.Email, seen.Order.Lines[0].Product.ID
	w.ids["notificationDelivery"] = seen.NotificationDeliveries.Nodes[0].ID
	for _, role := range roles {
		w.own[role] = w.possessions(role)
	}
	return w
}

// catalogue makes a tree of two categories with two products, one of them with reviews and stock, and a draft.
func (w *world) catalogue() {
	w.s.t.Helper()
	admin := w.who["admin"]
	var out struct {
		CategoryCreate struct{ Category struct{ ID string } }
		ProductCreate  struct {
			Product struct {
				ID       string
				Variants []struct{ ID string }
			}
		}
		InventoryAdjust struct{ Adjustment struct{ ID string } }
		Product         struct {
			Reviews struct{ Nodes []struct{ ID string } }
		}
	}
	category := func(name string, parent any) string {
		admin.must(&out, `mutation($input: CategoryCreateInput!) { categoryCreate(input: $input) { category { id } } }`, vars{"input": vars{"name": name, "parentId": parent}})
		return out.CategoryCreate.Category.ID
	}
	w.ids["parent"] = category("Light", nil)
	w.ids["category"] = category("Torches", w.ids["parent"])
	product := func(title, status string) (id, variant string) {
		sku := products.MakeSlug(title)
		admin.must(&out, `mutation($input: ProductCreateInput!) { productCreate(input: $input) { product { id variants { id } } } }`, vars{"input": vars{
			"title": title, "vendor": "Nordlicht", "status": status, "categoryId": w.ids["category"], "media": []vars{{"url": "/media/p/1.svg", "alt": "A torch."}},
			"variants": []vars{{"sku": sku, "price": euros("20.00")}},
		}})
		id, variant = out.ProductCreate.Product.ID, out.ProductCreate.Product.Variants[0].ID
		admin.must(&out, `mutation($input: InventoryAdjustInput!) { inventoryAdjust(input: $input) { adjustment { id } } }`, vars{"input": vars{
			"variantId": variant, "locationId": w.ids["location"], "expectedOnHand": 0, "onHand": 1000, "reason": "RECEIVED", "note": "Counted twice."}})
		return id, variant
	}
	product("Fjord Torch Two", "ACTIVE")
	w.ids["draft"], w.ids["draftVariant"] = product("Fjord Torch Draft", "DRAFT")
	w.ids["product"], w.ids["productVariant"] = product("Fjord Torch", "ACTIVE")
	w.ids["inventoryAdjustment"] = out.InventoryAdjust.Adjustment.ID
	w.purchase("customer")
	w.who["customer"].change("reviewCreate", "ReviewCreateInput", vars{"productId": w.ids["product"], "rating": 5})
}

// returnable gives an order of Ada's that has arrived, and its line.
func (w *world) returnable() (order, line string) {
	return w.who["customer"].delivered(w.who["support"], w.s.unique(3).variantID, 1)
}

// asked is a return that Ada asked for.
func (w *world) asked() any {
	order, line := w.returnable()
	return w.who["customer"].mustBack("returnRequest", asking(order, line, 1)).ID
}

// coming is a return of the line that Ada may send.
func (w *world) coming(order, line string) any {
	id := w.who["customer"].mustBack("returnRequest", asking(order, line, 1)).ID
	w.who["support"].mustBack("returnApprove", vars{"id": id})
	w.comingLine = line
	return id
}

// promotion makes a promotion with a code.
func (w *world) promotion() any {
	w.s.t.Helper()
	var out struct {
		PromotionCreate struct{ Promotion struct{ ID string } }
	}
	w.who["admin"].must(&out, `mutation($input: PromotionCreateInput!) { promotionCreate(input: $input) { promotion { id } } }`,
		vars{"input": vars{"promotion": vars{"code": "W-" + uuid.NewString(), "title": "Free shipping", "kind": "FREE_SHIPPING"}}})
	return out.PromotionCreate.Promotion.ID
}

// purchase orders one of the product, and waits for the confirmation.
func (w *world) purchase(role string) string {
	w.s.t.Helper()
	c := w.who[role]
	id := c.buy(w.ids["productVariant"].(string), 1, "tok_visa")
	eventually(w.s.t, "the order is confirmed", func() bool { return c.orderStatus(id) == "CONFIRMED" })
	return id
}

// cart makes an anonymous cart whose token everybody has, and fills Ada's anew.
func (w *world) cart() {
	w.s.t.Helper()
	w.ids["cartToken"] = w.thing("newCartToken", "customer")
	delete(w.made, "newCartToken")
	w.ids["cart"], w.ids["cartLine"] = w.line()
}

// line puts something into Ada's cart.
func (w *world) line() (cart, line string) {
	w.s.t.Helper()
	var out struct {
		CartLinesAdd struct {
			Cart struct {
				ID    string
				Lines []struct{ ID string }
			}
		}
	}
	w.who["customer"].must(&out, `mutation($input: CartLinesAddInput!) { cartLinesAdd(input: $input) { cart { id lines { id } } } }`,
		vars{"input": vars{"lines": []vars{{"variantId": w.ids["productVariant"]}}}})
	return out.CartLinesAdd.Cart.ID, out.CartLinesAdd.Cart.Lines[0].ID
}

// possessions are an order and a notification of somebody's own; Ada's are those that others are tried on.
func (w *world) possessions(role string) map[string]any {
	w.s.t.Helper()
	switch role {
	case "anonymous":
		return nil
	case "customer":
		return w.ids
	}
	order := w.purchase(role)
	return map[string]any{"order": order, "notification": w.notified(role)}
}

// notified gives the newest notification of an account.
func (w *world) notified(role string) string {
	w.s.t.Helper()
	var out struct {
		Me struct {
			Notifications struct{ Nodes []struct{ ID string } }
		}
	}
	eventually(w.s.t, role+" is notified", func() bool {
		w.who[role].must(&out, `{ me { notifications(unreadOnly: true) { nodes { id } } } }`, nil)
		return len(out.Me.Notifications.Nodes) > 0
	})
	return out.Me.Notifications.Nodes[0].ID
}

// news gives the channel that a subscription of a role listens to, and what to send there: first what is Ada's, then
// what is their own. What comes is read anew under the viewer's rights.
func (w *world) news(field, role string, variables vars) (channel string, payloads []string) {
	t := w.s.t
	t.Helper()
	both := func(kind, prefix string) []string {
		list := []string{bare(t, prefix, w.ids[kind].(string))}
		if own := w.own[role][kind]; own != nil {
			list = append(list, bare(t, prefix, own.(string)))
		}
		return list
	}
	account := ""
	if role != "anonymous" {
		account = bare(t, model.PrefixUser, w.who[role].userID)
	}
	switch field {
	case "orderUpdated":
		if variables["order"] != nil {
			return "", nil // it begins with the order as it is
		}
		if role == "support" || role == "admin" {
			return "staff-orders", both("order", model.PrefixOrder)
		}
		return "customer-orders:" + account, both("order", model.PrefixOrder)
	case "notificationReceived":
		return "inbox:" + account, both("notification", model.PrefixNotification)
	case "stockChanged":
		for _, id := range variables {
			variant := bare(t, model.PrefixVariant, id.(string))
			return "stock:" + variant, []string{variant}
		}
	}
	t.Fatalf("access_things_test.go knows no news for the subscription %s: say there how to make some", field)
	return "", nil
}

// thing gives what a variable of an operation stands for.
func (w *world) thing(name, role string) any {
	w.s.t.Helper()
	if id, ok := w.ids[name]; ok {
		return id
	}
	if id, ok := w.made[name]; ok {
		return id
	}
	if make, ok := w.eachTime(role)[name]; ok {
		return make()
	}
	make, ok := w.toBeUsedUp()[name]
	if !ok {
		w.s.t.Fatalf("access_things_test.go does not know what $%s is", name)
	}
	w.made[name] = make()
	return w.made[name]
}

// number reads one number as admin.
func (w *world) number(query, id string) any {
	w.s.t.Helper()
	var out map[string]map[string]any
	w.who["admin"].must(&out, query, vars{"id": w.ids[id]})
	for _, v := range out {
		return v[itself]
	}
	return nil
}

// eachTime are the things that are made, or read, for every single try.
func (w *world) eachTime(role string) map[string]func() any {
	c := w.who[role]
	return map[string]func() any{
		"word":          func() any { return "w-" + uuid.NewString() },
		"otherPassword": func() any { return "Battery-" + uuid.NewString() },
		"anHourAgo":     func() any { return time.Now().UTC().Add(-time.Hour).Format(time.RFC3339) },
		"now":           func() any { return time.Now().UTC().Format(time.RFC3339) },
		"newEmail":      func() any { return uuid.NewString() + "@example.com" },
		"checkout": func() any { // a key for an order; the cart of who tries is filled
			if role != "anonymous" {
				c.change("cartLinesAdd", "CartLinesAddInput", vars{"lines": []vars{{"variantId": w.ids["productVariant"]}}})
			}
			return uuid.NewString()
		},
		"secondSession": func() any { // true; who tries has another session
			if role != "anonymous" {
				w.s.signInAgain(c)
			}
			return true
		},
		"productVersion":  func() any { return w.number(`query($id: ID!) { product(id: $id) { it: version } }`, "product") },
		"categoryVersion": func() any { return w.number(`query($id: ID!) { category(id: $id) { it: version } }`, "category") },
		"onHand": func() any {
			var out struct {
				ProductVariant struct{ InventoryLevels []struct{ OnHand int } }
			}
			w.who["admin"].must(&out, `query($id: ID!) { productVariant(id: $id) { inventoryLevels { onHand } } }`, vars{"id": w.ids["productVariant"]})
			return out.ProductVariant.InventoryLevels[0].OnHand
		},
	}
}

// toBeUsedUp are the things that are made anew once somebody has used them up.
func (w *world) toBeUsedUp() map[string]func() any {
	ada, support := w.who["customer"], w.who["support"]
	made := func(c *client, query string, variables vars, path string) func() any {
		return func() any {
			var out any
			c.must(&out, query, variables)
			for step := range strings.SplitSeq(path, ".") {
				out = out.(map[string]any)[step]
			}
			return out
		}
	}
	signIn := func(path string) func() any {
		return made(w.s.anonymous(), `mutation($input: SessionCreateInput!) { sessionCreate(input: $input) { tokens { refreshToken } } }`,
			vars{"input": vars{"email": w.ids["email"], "password": password}}, path)
	}
	return map[string]func() any{
		"newCartToken": made(w.s.anonymous(), `mutation($input: CartLinesAddInput!) { cartLinesAdd(input: $input) { cart { token } } }`,
			vars{"input": vars{"lines": []vars{{"variantId": w.ids["productVariant"]}}}}, "cartLinesAdd.cart.token"),
		"newCartLine":     func() any { _, line := w.line(); return line },
		"newNotification": func() any { w.purchase("customer"); return w.notified("customer") },
		"confirmedOrder":  func() any { return w.purchase("customer") },
		"sentOrder": func() any {
			id := w.purchase("customer")
			support.change("orderFulfill", "OrderFulfillInput", vars{"orderId": id})
			return id
		},
		"authorizedPayment": func() any { return support.order(w.purchase("customer")).Payment.ID },
		"newProduct":        func() any { return w.s.unique(1).productID },
		"newCategory": func() any {
			return made(w.who["admin"], `mutation($input: CategoryCreateInput!) { categoryCreate(input: $input) { category { id } } }`,
				vars{"input": vars{"name": "Lamps " + uuid.NewString()}}, "categoryCreate.category.id")()
		},
		"newReview": made(ada, `mutation($input: ReviewCreateInput!) { reviewCreate(input: $input) { review { id } } }`,
			vars{"input": vars{"productId": w.ids["boughtProduct"], "rating": 3}}, "reviewCreate.review.id"),
		"newAddress": made(ada, `mutation($input: AddressCreateInput!) { addressCreate(input: $input) { address { id } } }`,
			vars{"input": vars{"address": ackerstr}}, "addressCreate.address.id"),
		"newRefreshToken": signIn("sessionCreate.tokens.refreshToken"),
		"newSession": func() any {
			var out struct {
				Me struct{ Sessions []struct{ ID string } }
			}
			w.s.signInAgain(ada).must(&out, `{ me { sessions { id } } }`, nil)
			return out.Me.Sessions[0].ID
		},
		"returnable":        func() any { order, _ := w.returnable(); return order },
		"returnableLine":    func() any { return w.who["support"].order(w.made["returnable"].(string)).Lines[0].ID },
		"askedReturn":       w.asked,
		"rejectableReturn":  w.asked,
		"cancellableReturn": w.asked,
		"comingReturn":      func() any { order, line := w.returnable(); return w.coming(order, line) },
		"comingLine":        func() any { return w.comingLine },
		"refusedReturn": func() any {
			_, _, id := w.s.refused(ada, support)
			eventually(w.s.t, "the refusal is noted", func() bool { return support.theReturn(id).RefundProblem != nil })
			return id
		},
		"newPromotion":       w.promotion,
		"newWebhookEndpoint": func() any { id, _ := w.webhook(); return id },
		"newUser":            func() any { return w.s.as(users.Customer).userID },
	}
}

// webhook makes a webhook endpoint of another administrator, with a delivery that is under way.
func (w *world) webhook() (endpoint, delivery any) {
	w.s.t.Helper()
	owner := w.s.as(users.Admin)
	id, _ := owner.hook(vars{"url": "https://hooks.invalid/", "eventTypes": allOfOrders})
	return id, owner.testWebhook(id)
}
