package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/techmart/techmart/app"
	techmart "github.com/techmart/techmart/clients/go"
	"github.com/techmart/techmart/services/clients"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
)

// forgetful stands before a shop and loses the answers of the first calls: the shop has done what it was asked.
func (s *shop) forgetful(lost int32) (address string, calls *atomic.Int32) {
	s.t.Helper()
	target, err := url.Parse(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	calls = new(atomic.Int32)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(*http.Response) error {
			if calls.Add(1) <= lost {
				return errors.New("the answer is lost")
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(proxy)
	s.t.Cleanup(server.Close)
	return server.URL + "/graphql", calls
}

// The Go client repeats an order whose answer was lost: there is one order.
func TestGoClientRepeatsSafely(t *testing.T) {
	t.Parallel()
	s := setup(t)
	camera := s.product("Fjord Camera", "100.00", 10)
	customer := s.as(users.Customer)
	customer.change("cartLinesAdd", "CartLinesAddInput", vars{"lines": []vars{{"variantId": camera.variantID, "quantity": 2}}})
	address, calls := s.forgetful(2)
	token := techmart.Options{Token: techmart.StaticToken(customer.token)}

	placed, err := techmart.OrderPlace(t.Context(), techmart.New(address, token), techmart.OrderPlaceInput{
		PaymentToken:    "tok_visa",
		ShippingAddress: &techmart.AddressInput{Recipient: "Ada Lovelace", Line1: "Ackerstr. 1", PostalCode: "10115", City: "Berlin", CountryCode: "DE"},
	})
	if err := techmart.Check(err, placed.OrderPlace.UserErrors); err != nil {
		t.Fatal(err)
	}
	if !placed.OrderPlace.Replayed || calls.Load() != 3 {
		t.Errorf("after %d calls: replayed %v", calls.Load(), placed.OrderPlace.Replayed)
	}
	id := placed.OrderPlace.Order.Id
	eventually(t, "the order is confirmed", func() bool { return customer.orderStatus(id) == "CONFIRMED" })
	if n := s.available(camera.variantID); n != 8 {
		t.Errorf("of 10 pieces, after one order of 2, %d are available", n)
	}

	// What takes no key is not repeated: nobody knows whether it was done.
	address, calls = s.forgetful(1)
	_, err = techmart.UserRegister(t.Context(), techmart.New(address, token), techmart.UserRegisterInput{Email: "a@example.com", Password: password, DisplayName: "A"})
	var failed *techmart.Error
	if !errors.As(err, &failed) || failed.Status != http.StatusBadGateway || calls.Load() != 1 {
		t.Errorf("after %d calls: %v", calls.Load(), err)
	}

	// A key of one's own goes on where the program was stopped.
	ctx := techmart.WithIdempotencyKey(t.Context(), "cart-1")
	for _, replayed := range []bool{false, true} {
		added, err := techmart.CartLinesAdd(ctx, customer.typed(), techmart.CartLinesAddInput{Lines: []techmart.CartLineInput{{VariantId: camera.variantID, Quantity: 1}}})
		if err := techmart.Check(err, added.CartLinesAdd.UserErrors); err != nil || added.CartLinesAdd.Replayed != replayed || added.CartLinesAdd.Cart.TotalQuantity != 1 {
			t.Errorf("%+v: %v", added.CartLinesAdd, err)
		}
	}
	refused, err := techmart.CartLinesAdd(ctx, customer.typed(), techmart.CartLinesAddInput{Lines: []techmart.CartLineInput{{VariantId: camera.variantID, Quantity: 2}}})
	var mistake techmart.UserError
	if err := techmart.Check(err, refused.CartLinesAdd.UserErrors); !errors.As(err, &mistake) || mistake.Code != "IDEMPOTENCY_REUSED" {
		t.Errorf("another input with the same key: %v", err)
	}
}

// The Go client waits as long as the shop asks it to, and tells why a call failed.
func TestGoClientWaitsAndTells(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *app.Config) { c.MaxCost, c.BudgetAnonymous = 150, "150/60" })
	for i := range 20 {
		s.product(fmt.Sprintf("Fjord Camera %d", i), "100.00", 10)
	}
	watched := new(refusals)
	patient := techmart.New(s.url+"/graphql", techmart.Options{HTTP: &http.Client{Transport: watched, Timeout: 30 * time.Second}})
	for i := range 4 {
		start := time.Now()
		if _, err := techmart.Products(t.Context(), patient, pointer(20), nil, nil); err != nil {
			t.Fatalf("call %d, after %v: %v", i+1, time.Since(start), err)
		}
	}
	if watched.throttled.Load() == 0 {
		t.Error("the budget was never used up: nothing was waited for")
	}
	_, err := techmart.Orders(t.Context(), techmart.New(s.url+"/graphql", techmart.Options{}), pointer(1), nil, nil)
	var failed *techmart.Error
	if !errors.As(err, &failed) || failed.Code != "FORBIDDEN" && failed.Code != "UNAUTHENTICATED" || failed.RequestID == "" {
		t.Errorf("a stranger who lists orders gets %v", err)
	}
}

// An integration with a key of its own runs nothing but the client's published documents, by their ids.
func TestGoClientTrusted(t *testing.T) {
	t.Parallel()
	s := setup(t)
	camera := s.product("Fjord Camera", "100.00", 10)
	key := s.apiClient("erp", clients.Only, viewer.OrdersRead)
	manifest, err := os.Open("../clients/go/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	defer manifest.Close() // it was only read
	client := techmart.New(s.url+"/graphql", techmart.Options{APIKey: key, Trusted: true})
	if _, err := techmart.Stock(t.Context(), client, camera.variantID); err == nil {
		t.Error("a document runs that is not published")
	}
	if _, err := s.PublishDocuments(t.Context(), "erp", "1.0.0", manifest); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the documents are known", func() bool {
		stock, err := techmart.Stock(t.Context(), client, camera.variantID)
		return err == nil && stock.ProductVariant.QuantityAvailable == 10
	})
	orders, err := techmart.Orders(t.Context(), client, pointer(5), nil, nil)
	if err != nil || len(orders.Orders.Nodes) != 0 {
		t.Errorf("%+v: %v", orders, err)
	}
}

// refusals counts the answers that ask a client to wait.
type refusals struct{ throttled atomic.Int32 }

func (r *refusals) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err == nil && answer.StatusCode == http.StatusTooManyRequests {
		r.throttled.Add(1)
	}
	return answer, err
}

func pointer[T any](v T) *T { return &v }
