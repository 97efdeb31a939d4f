package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/users"
)

// Who is asked in the table of scopes.
const (
	nobody   = "nobody"
	customer = "customer"
	support  = "support"
	catalog  = "catalog"
	admin    = "admin"
)

// A scoped thing is something that only some may do or see. Those who may not are answered FORBIDDEN, or
// UNAUTHENTICATED without an account; where hidden, as if it were not there.
type scoped struct {
	name      string
	operation string
	variables vars
	may       []string // who
	hidden    bool
}

// staffMutation is a mutation for staff with an input that comes to nothing.
func staffMutation(name string, input vars, may ...string) scoped {
	p := mutation(name, false, func(belongings) vars { return input })
	return scoped{name: name, operation: p.operation, variables: vars{"input": input}, may: may}
}

// scopes is the table: what needs a scope, and who has it.
func scopes(p stocked, draft string, b belongings) []scoped {
	no := unknown(b)
	product, category, variant := model.ID(model.PrefixProduct, uuid.New()), model.ID(model.PrefixCategory, uuid.New()), model.ID(model.PrefixVariant, uuid.New())
	location := model.ID(model.PrefixLocation, products.Locations[0].ID)
	list := []scoped{
		{"orders", `{ orders { totalCount nodes { id email customer { email } } } }`, nil, []string{support, admin}, false},
		{"returns", `{ returns { totalCount nodes { id } } }`, nil, []string{support, admin}, false},
		{"payments", `{ payments { totalCount nodes { id } } }`, nil, []string{support, admin}, false},
		{"ledgerBalances", `{ ledgerBalances { account } }`, nil, []string{support, admin}, false},
		{"users", `{ users { totalCount nodes { email } } }`, nil, []string{support, admin}, false},
		{"notificationDeliveries", `{ notificationDeliveries { nodes { id recipient } } }`, nil, []string{support, admin}, false},
		{"locations", `{ locations { code } }`, nil, []string{support, catalog, admin}, false},
		{"inventoryLevels", `query($id: ID!) { productVariant(id: $id) { inventoryLevels { onHand } } }`, vars{"id": p.variantID}, []string{support, catalog, admin}, false},
		{"inventoryHistory", `query($id: ID!) { productVariant(id: $id) { inventoryHistory { nodes { id } } } }`, vars{"id": p.variantID}, []string{support, catalog, admin}, false},
		{"drafts", `{ products(where: {statuses: [DRAFT]}) { nodes { id } } }`, nil, []string{catalog, admin}, false},
		{"products by change", `{ products(where: {updatedAt: {gte: "2020-01-01T00:00:00Z"}}) { nodes { id } } }`, nil, []string{catalog, admin}, false},

		staffMutation("orderFulfill", vars{"orderId": no["order"]}, support, admin),
		staffMutation("orderDeliver", vars{"orderId": no["order"]}, support, admin),
		staffMutation("returnApprove", vars{"id": no["return"]}, support, admin),
		staffMutation("returnReject", vars{"id": no["return"], "reason": "x"}, support, admin),
		staffMutation("returnReceive", vars{"id": no["return"], "lines": []vars{}}, support, admin),
		staffMutation("returnRefund", vars{"id": no["return"]}, support, admin),
		staffMutation("orderNoteAdd", vars{"orderId": no["order"], "note": "x"}, support, admin),
		staffMutation("paymentCapture", vars{"paymentId": no["payment"]}, support, admin),
		staffMutation("paymentVoid", vars{"paymentId": no["payment"]}, support, admin),
		staffMutation("paymentRefund", vars{"paymentId": no["payment"]}, support, admin),
		staffMutation("userSetRoles", vars{"userId": no["user"], "roles": []string{"ADMIN"}}, admin),
		staffMutation("inventoryAdjust", vars{"variantId": variant, "locationId": location, "expectedOnHand": 0, "onHand": 1, "reason": "COUNTED"}, catalog, admin),
		staffMutation("productCreate", vars{"title": "", "vendor": "", "variants": []vars{}}, catalog, admin),
		staffMutation("productUpdate", vars{"id": product, "expectedVersion": 1}, catalog, admin),
		staffMutation("productArchive", vars{"id": product, "expectedVersion": 1}, catalog, admin),
		staffMutation("categoryCreate", vars{"name": ""}, catalog, admin),
		staffMutation("categoryUpdate", vars{"id": category, "expectedVersion": 1}, catalog, admin),
		staffMutation("categoryDelete", vars{"id": category}, catalog, admin),
	}
	node := `query($id: ID!) { node(id: $id) { __typename id } }`
	for _, thing := range []struct {
		name string
		id   string
		may  []string
	}{
		{"node of an order", b["order"], []string{support, admin}},
		{"node of a parcel", b["fulfillment"], []string{support, admin}},
		{"node of a payment", b["payment"], []string{support, admin}},
		{"node of a transaction", b["transaction"], []string{support, admin}},
		{"node of an account", b["user"], []string{support, admin}},
		{"node of an address", b["address"], []string{support, admin}},
		{"node of a delivery", b["delivery"], []string{support, admin}},
		{"node of a stock change", b["adjustment"], []string{support, catalog, admin}},
		{"node of a location", location, []string{support, catalog, admin}},
		{"node of a draft", draft, []string{catalog, admin}},
		{"node of a session", b["session"], nil},
		{"node of a cart", b["cart"], nil},
		{"node of a notification", b["notification"], nil},
	} {
		list = append(list, scoped{thing.name, node, vars{"id": thing.id}, thing.may, true})
	}
	return append(list,
		scoped{"order", `query($id: ID!) { order(id: $id) { email customer { email } payment { id } } }`, vars{"id": b["order"]}, []string{support, admin}, true},
		scoped{"order by number", `query($id: String!) { order(number: $id) { email } }`, vars{"id": b["number"]}, []string{support, admin}, true},
		scoped{"payment", `query($id: ID!) { payment(id: $id) { id order { email } } }`, vars{"id": b["payment"]}, []string{support, admin}, true},
		scoped{"user", `query($id: ID!) { user(id: $id) { email addresses { id } orders { nodes { id } } } }`, vars{"id": b["user"]}, []string{support, admin}, true},
		scoped{"a draft", `query($id: ID!) { product(id: $id) { id } }`, vars{"id": draft}, []string{catalog, admin}, true},
	)
}

// has tells whether data hold anything but nulls.
func has(data json.RawMessage) bool {
	var fields map[string]any
	if json.Unmarshal(data, &fields) != nil {
		return false
	}
	for _, v := range fields {
		if v != nil {
			return true
		}
	}
	return false
}

// Staff see and do what their scopes say, and no more.
func TestScopes(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ada, keeper, helper := s.as(users.Customer), s.as(users.CatalogManager), s.as(users.Support)
	b := s.own(ada, helper)
	p := s.unique(3)
	var made struct {
		ProductCreate          struct{ Product struct{ ID string } }
		NotificationDeliveries struct{ Nodes []struct{ ID string } }
		ProductVariant         struct {
			InventoryHistory struct{ Nodes []struct{ ID string } }
		}
	}
	keeper.must(&made, `mutation { productCreate(input: {title: "Fjord Draft", vendor: "Nordlicht", variants: [{sku: "DRAFT-1", price: {amount: "1.00", currencyCode: "EUR"}}]}) { product { id } } }`, nil)
	helper.must(&made, `query($id: ID!) { notificationDeliveries { nodes { id } } productVariant(id: $id) { inventoryHistory { nodes { id } } } }`, vars{"id": p.variantID})
	b["delivery"], b["adjustment"] = made.NotificationDeliveries.Nodes[0].ID, made.ProductVariant.InventoryHistory.Nodes[0].ID

	for who, c := range map[string]*client{nobody: s.anonymous(), customer: s.as(users.Customer), support: helper, catalog: keeper, admin: s.as(users.Admin)} {
		for _, thing := range scopes(p, made.ProductCreate.Product.ID, b) {
			a := c.do(thing.operation, thing.variables)
			may := slices.Contains(thing.may, who)
			switch {
			case may && (a.code() != "" || !has(a.Data)):
				t.Errorf("%s may: %s, but is answered %s %+v", who, thing.name, a.Data, a.Errors)
			case !may && has(a.Data):
				t.Errorf("%s may not: %s, but is answered %s", who, thing.name, a.Data)
			case !may && !thing.hidden && who == nobody && a.code() != "UNAUTHENTICATED", !may && !thing.hidden && who != nobody && a.code() != "FORBIDDEN":
				t.Errorf("%s, %s: the code is %q: %+v", thing.name, who, a.code(), a.Errors)
			case !may && thing.hidden && a.code() != "" && (who != nobody || a.code() != "UNAUTHENTICATED"):
				t.Errorf("%s, %s: it shows itself by %+v", thing.name, who, a.Errors)
			}
		}
	}

	// What is private stays so for staff who may see the account.
	for who, c := range map[string]*client{support: helper, admin: s.as(users.Admin)} {
		a := c.do(`query($id: ID!) { user(id: $id) { cart { id } sessions { id } unreadNotificationCount notifications { nodes { id } } } }`, vars{"id": b["user"]})
		for _, kind := range []string{"cart", "session", "notification"} {
			if strings.Contains(string(a.Data), b[kind]) {
				t.Errorf("%s sees the %s of a customer: %s", who, kind, a.Data)
			}
		}
	}
}

// A role that is taken away, or given, counts at once: its session has to sign in anew.
func TestRolesCountAtOnce(t *testing.T) {
	t.Parallel()
	s := setup(t)
	boss, helper := s.as(users.Admin), s.as(users.Support)
	boss.change("userSetRoles", "UserSetRolesInput", vars{"userId": helper.userID, "roles": []string{"CUSTOMER"}})
	if a := helper.do(`{ orders { nodes { id } } }`, nil); a.Status != 401 || a.code() != "UNAUTHENTICATED" {
		t.Errorf("the old session is answered %d %s", a.Status, a.code())
	}
	var out struct {
		User struct{ Email string }
	}
	boss.must(&out, `query($id: ID!) { user(id: $id) { email } }`, vars{"id": helper.userID})
	if a := s.signIn(out.User.Email, password).do(`{ orders { nodes { id } } }`, nil); a.code() != "FORBIDDEN" {
		t.Errorf("a new session is answered %s", a.code())
	}
}
