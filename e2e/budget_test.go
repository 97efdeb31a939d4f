package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/users"
)

// The pages that a shop sends all day have a budget of calls to the servers behind them, warm and
// without any cache. The test runs alone, as the one of the lists does.
func TestPagesKeepTheirBudgetOfCalls(t *testing.T) {
	s := seeded(t)
	ada := s.signIn("ada@techmart.example", demoPassword)
	var first struct {
		Products struct{ Nodes []struct{ Slug string } }
	}
	s.anonymous().must(&first, `{ products(first: 1) { nodes { slug } } }`, nil)
	slug := first.Products.Nodes[0].Slug
	for name, page := range map[string]struct {
		client *client
		query  string
		most   int
	}{
		"product list": {s.anonymous(), `{ products(first: 20) { nodes { id title category { name }
			priceRange { min { amount } } variants(first: 1) { sku quantityAvailable } } pageInfo { endCursor } } }`, 4},
		"products of a category by slug": {s.anonymous(), `{ products(first: 20, where: {categorySlug: "laptops"}) { nodes { id title category { name }
			variants(first: 1) { sku quantityAvailable } } } }`, 4},
		"product page": {s.anonymous(), `{ product(slug: "` + slug + `") { title descriptionHtml category { name ancestors { name } }
			variants { sku price { amount } quantityAvailable } reviews(first: 5) { nodes { rating body } } rating { average } } }`, 5},
		"search with facets": {s.anonymous(), `{ search(query: "nois cancelling hedphones", first: 20) { correctedQuery
			products { nodes { title category { name } } } facets { key values { value label count } } } }`, 3},
		"search for words that no product has all of": {s.anonymous(), `{ search(query: "laptop espresso", first: 20) {
			products { nodes { title category { name } } } facets { key values { value label count } } } }`, 3},
		"order history": {ada, `{ me { orders(first: 20) { nodes { number lines { title product { slug } } payment { status } } } } }`, 5},
	} {
		t.Run(name, func(t *testing.T) {
			calls, _ := page.client.callsOf(t, page.query, page.most)
			if calls > page.most {
				t.Errorf("it takes %d calls; at most %d are allowed", calls, page.most)
			}
		})
	}
}

// budgeted gives customers and strangers small budgets.
func budgeted(budget string) func(*app.Config) {
	return func(c *app.Config) {
		c.BudgetCustomer, c.MaxCost = budget, 200
	}
}

// left is what extensions.cost of an answer says of the budget.
func (a answer) left(t *testing.T) (requested, actual, available float64) {
	t.Helper()
	var out struct {
		Requested float64 `json:"requestedQueryCost"`
		Actual    float64 `json:"actualQueryCost"`
		Throttle  struct {
			Available float64 `json:"currentlyAvailable"`
		} `json:"throttleStatus"`
	}
	text, err := json.Marshal(a.Extensions["cost"])
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil || out.Throttle.Available == 0 && a.code() != "THROTTLED" {
		t.Fatalf("extensions.cost: %v %v", a.Extensions["cost"], err)
	}
	return out.Requested, out.Actual, out.Throttle.Available
}

// Processes share the budget of an account: together they serve what it allows and no more.
func TestProcessesShareTheBudgetOfAnAccount(t *testing.T) {
	t.Parallel()
	c := config(t)
	budgeted("500/2")(&c)
	one := open(t, c)
	if err := one.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	one.run(false)
	two := open(t, c)
	two.run(false)
	ada, bob := one.as(users.Customer), one.as(users.Customer)
	const query = `{ me { id addresses { id } } }`
	began := time.Now()
	var spent float64
	refused := 0
	for i := 0; refused < 2; i++ {
		s := []*shop{one, two}[i%2]
		a := ada.at(s).do(query, nil)
		requested, actual, available := a.left(t)
		switch {
		case len(a.Errors) == 0:
			if actual > requested || actual < 1 {
				t.Fatalf("estimated at %v, and cost %v", requested, actual)
			}
			spent += actual
			refused = 0
		case a.code() == "THROTTLED" && a.Status == http.StatusTooManyRequests && a.Header.Get("Retry-After") != "":
			if available >= requested {
				t.Fatalf("refused with %v of %v left", available, requested)
			}
			refused++
		default:
			t.Fatalf("%d %+v", a.Status, a.Errors)
		}
		if most := 500 + 2*time.Since(began).Seconds(); spent > most {
			t.Fatalf("%v were spent; there were %v", spent, most)
		}
	}
	if spent < 300 {
		t.Errorf("only %v of 500 could be spent", spent)
	}
	if a := bob.at(two).do(query, nil); len(a.Errors) > 0 {
		t.Errorf("another account is refused too: %+v", a.Errors)
	}
	if a := one.anonymous().do(`{ __typename }`, nil); len(a.Errors) > 0 {
		t.Errorf("strangers are refused too: %+v", a.Errors)
	}
}

// Without Redis requests are served and bounded by each process, and the metrics raise an alarm.
func TestBudgetsWithoutRedis(t *testing.T) {
	t.Parallel()
	var line *cable
	s := setup(t, budgeted("300/1"), func(c *app.Config) {
		line, c.RedisURL = lay(t, c.RedisURL)
		c.LogLevel = "error"
	})
	ada := s.as(users.Customer)
	const query = `{ me { id addresses { id } } }`
	if a := ada.do(query, nil); len(a.Errors) > 0 {
		t.Fatalf("at first: %+v", a.Errors)
	}
	if page := s.page("/metrics"); !strings.Contains(page, "throttle_bank_out 0") || !strings.Contains(page, "throttle_bank_failures_total 0") {
		t.Error("the alarm is raised without need")
	}
	line.cut()
	served := 0
	for a := ada.do(query, nil); a.code() != "THROTTLED"; a = ada.do(query, nil) {
		if len(a.Errors) > 0 {
			t.Fatalf("without Redis: %+v", a.Errors)
		}
		if served++; served > 400 {
			t.Fatal("nothing bounds an account without Redis")
		}
	}
	if served == 0 {
		t.Error("nothing is served without Redis")
	}
	if page := s.page("/metrics"); !strings.Contains(page, "throttle_bank_out 1") || strings.Contains(page, "throttle_bank_failures_total 0") {
		t.Error("the metrics raise no alarm")
	}
	line.mend()
	eventually(t, "budgets are shared again", func() bool {
		s.as(users.Support).do(`{ __typename }`, nil)
		return strings.Contains(s.page("/metrics"), "throttle_bank_out 0")
	})
}

// Each event of a subscription is charged and none refused, over both transports; what comes after
// has to wait.
func TestEventsAreChargedOverEveryTransport(t *testing.T) {
	t.Parallel()
	for name, subscribe := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, budgeted("200/1"))
			camera := s.product("Fjord Camera", "100.00", 1)
			ada := s.as(users.Customer)
			stock := subscribe(ada, `subscription($id: ID!) { stockChanged(variantId: $id) { id product { title category { name } } price { amount } } }`, vars{"id": camera.variantID})
			sig := s.signals()
			channel := "stock:" + bare(t, model.PrefixVariant, camera.variantID)
			sig.listened(channel, true)
			for events := 0; ; events++ {
				if events > 400 {
					t.Fatal("400 events cost nothing")
				}
				sig.send(channel, bare(t, model.PrefixVariant, camera.variantID))
				var f struct{ StockChanged struct{ ID string } }
				if stock.read(&f); f.StockChanged.ID != camera.variantID {
					t.Fatalf("event %d: %+v", events, f)
				}
				if ada.do(`{ __typename }`, nil).code() == "THROTTLED" {
					break
				}
			}
			sig.send(channel, bare(t, model.PrefixVariant, camera.variantID))
			var f struct{ StockChanged struct{ ID string } }
			if stock.read(&f); f.StockChanged.ID != camera.variantID {
				t.Errorf("an event is refused: %+v", f)
			}
		})
	}
}
