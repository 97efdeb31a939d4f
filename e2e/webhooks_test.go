package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/clients"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
)

// received is one request that a receiver of webhooks got.
type received struct {
	header http.Header
	body   []byte
	Type   string
	// Subject and the rest are of the body.
	Subject    string
	APIVersion string
	Sequence   int
	Data       json.RawMessage
	Errors     []struct{ Extensions struct{ Code string } }
}

// A receiver of webhooks on the loopback.
type receiver struct {
	t   *testing.T
	url string

	mu     sync.Mutex
	got    []received
	answer func(received) (status int, body string)
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{t: t}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		m := received{header: req.Header.Clone(), body: body}
		if err != nil || json.Unmarshal(body, &m) != nil {
			t.Errorf("a request without JSON: %s %v", body, err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, m)
		if r.answer != nil {
			status, text := r.answer(m)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}))
	t.Cleanup(s.Close)
	r.url = s.URL + "/hooks"
	return r
}

// answers sets what comes back from now on.
func (r *receiver) answers(status int, body string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = func(received) (int, string) { return status, body }
}

// all gives what came of a type; any for "".
func (r *receiver) all(eventType string) []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []received
	for _, m := range r.got {
		if eventType == "" || m.Type == eventType {
			list = append(list, m)
		}
	}
	return list
}

// waits gives the first n of a type.
func (r *receiver) waits(eventType string, n int) []received {
	r.t.Helper()
	eventually(r.t, fmt.Sprintf("%d of %q come", n, eventType), func() bool { return len(r.all(eventType)) >= n })
	return r.all(eventType)
}

// signed tells whether a request carries a good signature of the secret, by the official verifier.
func (m received) signed(t *testing.T, secret string) bool {
	t.Helper()
	v, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return v.Verify(m.body, m.header) == nil
}

// calling lets webhooks go to the loopback, and makes waits short.
func calling(c *app.Config) {
	c.WebhookAllowNetworks = []string{"127.0.0.0/8"}
	c.WebhookRetryDelays = []time.Duration{50 * time.Millisecond, 100 * time.Millisecond}
	c.WebhookProbeEvery = 200 * time.Millisecond
}

// integrator is an API client with these scopes.
func (s *shop) integrator(scopes ...viewer.Scope) *client {
	s.t.Helper()
	return &client{s: s, key: s.apiClient("erp-"+uuid.NewString(), clients.Open, scopes...)}
}

type webhookEndpoint struct {
	ID, Status          string
	DisableReason       *string
	ConsecutiveFailures int
	Version             int
	Secrets             []struct{ ExpiresAt *time.Time }
	Deliveries          struct {
		TotalCount int
		Nodes      []webhookDelivery
	}
}

type webhookDelivery struct {
	ID, EventType, SubjectID, Status string
	AttemptCount                     int
	Attempts                         struct {
		Nodes []struct {
			Number          int
			Outcome         string
			ResponseStatus  *int
			Error           *string
			ResponseExcerpt *string
		}
	}
}

// hook makes an endpoint, and gives its id and secret.
func (c *client) hook(input vars) (id, secret string) {
	c.s.t.Helper()
	var out struct {
		WebhookEndpointCreate struct {
			Endpoint   webhookEndpoint
			Secret     string
			UserErrors []userError
		}
	}
	c.must(&out, `mutation($input: WebhookEndpointCreateInput!) { webhookEndpointCreate(input: $input) { endpoint { id } secret userErrors { code message field } } }`, vars{"input": input})
	if made := out.WebhookEndpointCreate; len(made.UserErrors) > 0 {
		c.s.t.Fatalf("%+v", made.UserErrors)
	}
	return out.WebhookEndpointCreate.Endpoint.ID, out.WebhookEndpointCreate.Secret
}

// testWebhook tries an endpoint, and gives the delivery.
func (c *client) testWebhook(id string) string {
	c.s.t.Helper()
	var out struct {
		WebhookEndpointTest struct{ Delivery struct{ ID string } }
	}
	c.must(&out, `mutation($id: ID!) { webhookEndpointTest(input: {id: $id}) { delivery { id } } }`, vars{"id": id})
	return out.WebhookEndpointTest.Delivery.ID
}

// endpoint reads an endpoint with its log.
func (c *client) endpoint(id string) webhookEndpoint {
	c.s.t.Helper()
	var out struct{ WebhookEndpoint webhookEndpoint }
	c.must(&out, `query($id: ID!) { webhookEndpoint(id: $id) { id status disableReason consecutiveFailures version secrets { expiresAt }
		deliveries(first: 100) { totalCount nodes { id eventType subjectId status attemptCount attempts { nodes { number outcome responseStatus error responseExcerpt } } } } } }`, vars{"id": id})
	return out.WebhookEndpoint
}

var allOfOrders = []string{"ORDERS_PLACED", "ORDERS_CONFIRMED"}

// What is sent is shaped by the selection, signed, and in the order of its subject's events; without a selection it is the id alone.
func TestWebhooksTellOfOrders(t *testing.T) {
	t.Parallel()
	s := setup(t, calling)
	erp := s.integrator(viewer.WebhooksRead, viewer.WebhooksWrite, viewer.OrdersRead, viewer.PaymentsRead)
	shaped, plain, both := newReceiver(t), newReceiver(t), newReceiver(t)
	_, secret := erp.hook(vars{"url": shaped.url, "eventTypes": allOfOrders, "payloadSelection": `query ($id: ID!) { node(id: $id) { ... on Order { number total { amount currencyCode } lines { sku quantity } } } }`})
	erp.hook(vars{"url": plain.url, "eventTypes": allOfOrders})
	erp.hook(vars{"url": both.url, "eventTypes": []string{"ORDERS_CONFIRMED", "PAYMENTS_AUTHORIZED"}, "payloadSelection": `query ($id: ID!) { node(id: $id) { __typename ... on Order { number } ... on Payment { status } } }`})
	support := s.as(users.Support)
	id := s.confirmed(support, 2)

	got := shaped.waits("", 2)
	if got[0].Type != "orders.placed" || got[1].Type != "orders.confirmed" || got[0].Sequence >= got[1].Sequence {
		t.Errorf("%s %d, then %s %d", got[0].Type, got[0].Sequence, got[1].Type, got[1].Sequence)
	}
	var out struct{ Order struct{ Number string } }
	support.must(&out, `query($id: ID!) { order(id: $id) { number } }`, vars{"id": id})
	number := out.Order.Number
	for _, m := range got {
		if m.Subject != id || m.APIVersion != "2026-11-01" || !strings.Contains(string(m.Data), `"number":"`+number+`"`) || !strings.Contains(string(m.Data), `"quantity":2`) || len(m.Errors) > 0 {
			t.Errorf("%s", m.body)
		}
		if !m.signed(t, secret) || !strings.HasPrefix(m.header.Get("webhook-id"), "whd_") || m.header.Get("Content-Type") != "application/json" {
			t.Errorf("headers %v", m.header)
		}
		forged := m
		forged.body = append([]byte(" "), m.body...)
		if forged.signed(t, secret) {
			t.Error("the signature is good for another body")
		}
	}
	if m := plain.waits("orders.placed", 1)[0]; string(m.Data) != `{"id":"`+id+`"}` {
		t.Errorf("without a selection: %s", m.body)
	}
	if m := both.waits("payments.authorized", 1)[0]; string(m.Data) != `{"node":{"__typename":"Payment","status":"AUTHORIZED"}}` {
		t.Errorf("of a payment: %s", m.body)
	}
	if m := both.waits("orders.confirmed", 1)[0]; !strings.Contains(string(m.Data), number) {
		t.Errorf("of an order: %s", m.body)
	}
}

// An endpoint never gets what its owner may not read, at the time of each request: rights that are taken away are gone.
func TestWebhooksHaveTheRightsOfTheirOwner(t *testing.T) {
	t.Parallel()
	s := setup(t, calling)
	name := "erp-" + uuid.NewString()
	erp := &client{s: s, key: s.apiClient(name, clients.Open, viewer.WebhooksRead, viewer.WebhooksWrite, viewer.OrdersRead)}
	r := newReceiver(t)
	input := vars{"url": r.url, "eventTypes": []string{"ORDERS_CONFIRMED"}, "payloadSelection": `query ($id: ID!) { node(id: $id) { ... on Order { number customer { email } payment { status } } } }`}
	id, _ := erp.hook(input)
	if errs := erp.try("webhookEndpointCreate", "WebhookEndpointCreateInput", with(input, vars{"eventTypes": []string{"PAYMENTS_CAPTURED"}, "payloadSelection": nil})); len(errs) != 1 || !slices.Equal(errs[0].Field, []string{"input", "eventTypes"}) {
		t.Errorf("payments without payments:read: %+v", errs)
	}
	support := s.as(users.Support)
	order := s.confirmed(support, 1)
	m := r.waits("orders.confirmed", 1)[0]
	if data := string(m.Data); !strings.Contains(data, `"number":"`) || strings.Contains(data, "@") || !strings.Contains(data, `"payment":null`) {
		t.Errorf("it was sent %s", m.body)
	}
	system := viewer.NewContext(t.Context(), viewer.System)
	if err := s.Services.Clients.SetScopes(system, name, []viewer.Scope{viewer.WebhooksRead, viewer.WebhooksWrite}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the scope is gone", func() bool {
		return string(erp.do(`query($id: ID!) { node(id: $id) { id } }`, vars{"id": order}).Data) == `{"node":null}`
	})
	s.confirmed(support, 1)
	eventually(t, "what the owner may not read is given up", func() bool {
		e := erp.endpoint(id)
		return len(e.Deliveries.Nodes) == 2 && e.Deliveries.Nodes[0].Status == "FAILED"
	})
	e := erp.endpoint(id)
	if a := e.Deliveries.Nodes[0].Attempts.Nodes[0]; a.Outcome != "NOT_SENT" || e.Status != "ENABLED" || len(r.all("")) != 1 {
		t.Errorf("%+v, %d requests", e, len(r.all("")))
	}
	if err := s.Services.Clients.SetScopes(system, name, []viewer.Scope{viewer.WebhooksRead, viewer.OrdersRead}); err != nil {
		t.Fatal(err)
	}
	admin := s.as(users.Admin)
	unknown := model.ID(model.PrefixWebhookEndpoint, uuid.New())
	eventually(t, "the scope for webhooks is gone", func() bool {
		return erp.do(`mutation($id: ID!) { webhookEndpointDelete(input: {id: $id}) { deletedId } }`, vars{"id": unknown}).code() == "UNAUTHENTICATED"
	})
	admin.change("webhookEndpointTest", "WebhookEndpointTestInput", vars{"id": id})
	eventually(t, "the endpoint is disabled", func() bool { return admin.endpoint(id).Status == "DISABLED" })
	if e := admin.endpoint(id); e.DisableReason == nil || *e.DisableReason != "OWNER" || len(r.all("")) != 1 {
		t.Errorf("%+v", e)
	}
}

// A failing receiver is tried again under the same id; what was given up can be sent again, and all of it is in the log, without
// the secret.
func TestWebhooksAreTriedAgain(t *testing.T) {
	t.Parallel()
	s := setup(t, calling)
	erp, r := s.integrator(viewer.WebhooksRead, viewer.WebhooksWrite), newReceiver(t)
	admin := s.as(users.Admin)
	id, secret := admin.hook(vars{"url": r.url, "eventTypes": allOfOrders})
	r.answers(http.StatusInternalServerError, "broken: "+secret+strings.Repeat("x", 5000))
	admin.change("webhookEndpointTest", "WebhookEndpointTestInput", vars{"id": id})
	eventually(t, "it is given up", func() bool { return admin.endpoint(id).Deliveries.Nodes[0].Status == "FAILED" })
	e := admin.endpoint(id)
	d := e.Deliveries.Nodes[0]
	got := r.all("webhooks.test")
	if d.AttemptCount != 3 || len(got) != 3 || e.ConsecutiveFailures != 3 || e.Status != "ENABLED" || len(d.Attempts.Nodes) != 3 {
		t.Fatalf("%+v, %d requests", e, len(got))
	}
	for i, m := range got {
		if m.header.Get("webhook-id") != d.ID || !m.signed(t, secret) {
			t.Errorf("request %d: %v", i+1, m.header)
		}
	}
	a := d.Attempts.Nodes[0]
	if a.Number != 3 || a.Outcome != "REFUSED" || *a.ResponseStatus != 500 || !strings.HasPrefix(*a.ResponseExcerpt, "broken: ***xxx") || len(*a.ResponseExcerpt) > 1024 {
		t.Errorf("%+v %s", a, *a.ResponseExcerpt)
	}
	r.answers(http.StatusNoContent, "")
	admin.change("webhookDeliveryRedeliver", "WebhookDeliveryRedeliverInput", vars{"id": d.ID})
	eventually(t, "it is sent again", func() bool { return admin.endpoint(id).Deliveries.Nodes[0].Status == "DELIVERED" })
	if e := admin.endpoint(id); e.ConsecutiveFailures != 0 || e.Deliveries.Nodes[0].AttemptCount != 4 || e.Deliveries.TotalCount != 1 {
		t.Errorf("%+v", e)
	}
	r.answers(http.StatusGone, "")
	admin.change("webhookEndpointTest", "WebhookEndpointTestInput", vars{"id": id})
	eventually(t, "410 disables it", func() bool { return admin.endpoint(id).Status == "DISABLED" })
	if errs := admin.try("webhookEndpointTest", "WebhookEndpointTestInput", vars{"id": id}); len(errs) != 1 || errs[0].Code != "INVALID_STATE" {
		t.Errorf("a test of a disabled endpoint: %+v", errs)
	}
	if errs := erp.try("webhookEndpointUpdate", "WebhookEndpointUpdateInput", vars{"id": id, "enabled": true}); len(errs) != 1 || errs[0].Code != "NOT_FOUND" {
		t.Errorf("somebody else's endpoint: %+v", errs)
	}
	admin.change("webhookEndpointUpdate", "WebhookEndpointUpdateInput", vars{"id": id, "enabled": true})
	other := s.as(users.Admin)
	if errs := other.try("webhookEndpointUpdate", "WebhookEndpointUpdateInput", vars{"id": id, "url": "http://127.0.0.1:9999/"}); len(errs) != 1 || errs[0].Code != "INVALID_STATE" {
		t.Errorf("another's url: %+v", errs)
	}
	if errs := other.try("webhookEndpointRotateSecret", "WebhookEndpointRotateSecretInput", vars{"id": id}); len(errs) != 1 || errs[0].Code != "INVALID_STATE" {
		t.Errorf("another's secret: %+v", errs)
	}
	other.change("webhookEndpointUpdate", "WebhookEndpointUpdateInput", vars{"id": id, "enabled": false})
	other.change("webhookEndpointDelete", "WebhookEndpointDeleteInput", vars{"id": id})
}

// A receiver that stays down is paused: what comes meanwhile waits, its owner is told, and it goes out in order once a probe gets
// through.
func TestWebhooksOfAReceiverThatIsDownWait(t *testing.T) {
	t.Parallel()
	s := setup(t, calling, func(c *app.Config) { c.WebhookPauseAfter, c.WebhookConcurrency = 2, 1 })
	admin, r := s.as(users.Admin), newReceiver(t)
	id, secret := admin.hook(vars{"url": r.url, "eventTypes": allOfOrders})
	r.answers(http.StatusServiceUnavailable, "")
	support := s.as(users.Support)
	first := s.confirmed(support, 1)
	eventually(t, "it is paused", func() bool { return admin.endpoint(id).Status == "PAUSED" })
	second := s.confirmed(support, 1)
	eventually(t, "what comes meanwhile waits", func() bool { return admin.endpoint(id).Deliveries.TotalCount == 4 })
	probes := len(r.all(""))
	eventually(t, "it is probed", func() bool { return len(r.all("")) > probes })
	if e := admin.endpoint(id); e.Status != "PAUSED" || slices.ContainsFunc(e.Deliveries.Nodes, func(d webhookDelivery) bool { return d.Status != "PENDING" }) {
		t.Errorf("%+v", e)
	}
	r.mu.Lock()
	r.got, r.answer = nil, nil
	r.mu.Unlock()
	eventually(t, "all of it goes out", func() bool {
		return !slices.ContainsFunc(admin.endpoint(id).Deliveries.Nodes, func(d webhookDelivery) bool { return d.Status != "DELIVERED" })
	})
	var order []string
	for _, m := range r.all("") {
		if !m.signed(t, secret) {
			t.Errorf("headers %v", m.header)
		}
		order = append(order, m.Subject+" "+m.Type)
	}
	want := []string{first + " orders.placed", first + " orders.confirmed", second + " orders.placed", second + " orders.confirmed"}
	if !slices.Equal(order, want) {
		t.Errorf("they came as %v", order)
	}
	eventually(t, "its owner is told", func() bool {
		kinds := admin.shows(`{ me { notifications { nodes { kind body } } } }`, nil)
		return strings.Contains(kinds, `"WEBHOOK_PAUSED"`) && strings.Contains(kinds, `"WEBHOOK_RESUMED"`) && strings.Contains(kinds, "127.0.0.1")
	})
}

// While a secret is rotated requests carry two signatures; without overlap the old one ends at once.
func TestWebhookSecretsAreRotated(t *testing.T) {
	t.Parallel()
	s := setup(t, calling)
	admin, r := s.as(users.Admin), newReceiver(t)
	id, old := admin.hook(vars{"url": r.url, "eventTypes": allOfOrders})
	rotate := func(hours int) string {
		t.Helper()
		var out struct {
			WebhookEndpointRotateSecret struct{ Secret string }
		}
		admin.must(&out, `mutation($input: WebhookEndpointRotateSecretInput!) { webhookEndpointRotateSecret(input: $input) { secret } }`, vars{"input": vars{"id": id, "overlapHours": hours}})
		return out.WebhookEndpointRotateSecret.Secret
	}
	test := func(n int) received {
		t.Helper()
		admin.change("webhookEndpointTest", "WebhookEndpointTestInput", vars{"id": id})
		return r.waits("webhooks.test", n)[n-1]
	}
	second := rotate(1)
	if m := test(1); !m.signed(t, old) || !m.signed(t, second) || len(admin.endpoint(id).Secrets) != 2 {
		t.Errorf("with overlap: %s", m.header.Get("webhook-signature"))
	}
	third := rotate(0)
	if m := test(2); m.signed(t, old) || m.signed(t, second) || !m.signed(t, third) || len(admin.endpoint(id).Secrets) != 1 {
		t.Errorf("without: %s", m.header.Get("webhook-signature"))
	}
}

// Nothing is sent to the machine's own networks unless the configuration lets it, and an address that makes no sense is refused when
// it is saved.
func TestWebhooksCallNobodyInside(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *app.Config) { c.WebhookRetryDelays = []time.Duration{10 * time.Millisecond} })
	admin, r := s.as(users.Admin), newReceiver(t)
	for _, url := range []string{r.url, strings.Replace(r.url, "127.0.0.1", "localhost", 1), strings.Replace(r.url, "127.0.0.1", "[::ffff:127.0.0.1]", 1)} {
		id, _ := admin.hook(vars{"url": url, "eventTypes": allOfOrders})
		admin.change("webhookEndpointTest", "WebhookEndpointTestInput", vars{"id": id})
		eventually(t, "it is given up", func() bool { return admin.endpoint(id).Deliveries.Nodes[0].Status == "FAILED" })
		if a := admin.endpoint(id).Deliveries.Nodes[0].Attempts.Nodes[0]; a.Outcome != "BLOCKED" || strings.Contains(*a.Error, "127") {
			t.Errorf("%s: %+v", url, a)
		}
	}
	if n := len(r.all("")); n > 0 {
		t.Errorf("%d requests came through", n)
	}
	for field, input := range map[string]vars{
		"url: ftp": {"url": "ftp://hooks.example/"}, "url: account": {"url": "https://user:pass@hooks.example/"}, "url: port": {"url": "https://hooks.example:22/"},
		"url: name": {"url": "https://intranet/"}, "url: internal": {"url": "https://metadata.google.internal/"}, "url: fragment": {"url": "https://hooks.example/#x"},
		"url: long": {"url": "https://hooks.example/" + strings.Repeat("x", 2048)}, "eventTypes: none": {"eventTypes": []string{}}, "apiVersion: unknown": {"apiVersion": "2020-01-01"},
		"payloadSelection: no document": {"payloadSelection": "{"}, "payloadSelection: unknown": {"payloadSelection": `query ($id: ID!) { order(id: $id) { nothing } }`},
		"payloadSelection: a mutation": {"payloadSelection": `mutation ($id: ID!) { orderCancel(input: {id: $id}) { replayed } }`}, "payloadSelection: two fields": {"payloadSelection": `query ($id: ID!) { order(id: $id) { id } me { id } }`},
		"payloadSelection: another subject": {"payloadSelection": `query ($id: ID!) { payment(id: $id) { id } }`}, "payloadSelection: another id": {"payloadSelection": `query ($id: ID!) { order(id: "ord_1") { id } }`},
		"payloadSelection: too dear":  {"payloadSelection": `query ($id: ID!) { order(id: $id) { customer { orders(first: 100) { nodes { lines { product { variants { id } } } } } } } }`},
		"payloadSelection: variables": {"payloadSelection": `query ($id: ID!, $n: Int) { order(id: $id) { id timeline(first: $n) { nodes { id } } } }`},
	} {
		name, _, _ := strings.Cut(field, ":")
		input = with(vars{"url": "https://hooks.example/", "eventTypes": allOfOrders}, input)
		if errs := admin.try("webhookEndpointCreate", "WebhookEndpointCreateInput", input); len(errs) != 1 || !slices.Equal(errs[0].Field, []string{"input", name}) {
			t.Errorf("%s: %+v", field, errs)
		}
	}
	inside := config(t)
	inProduction(&inside)
	calling(&inside)
	if err := inside.Validate(); err == nil || !strings.Contains(err.Error(), "WEBHOOK_ALLOW_NETWORKS") {
		t.Errorf("in production it may be set: %v", err)
	}
}
