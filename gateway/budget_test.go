package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/gateway/throttle"
)

// budget gives every class a budget.
func budget(capacity, restore int) func(*gateway.Config, *gateway.Deps) {
	return func(c *gateway.Config, _ *gateway.Deps) {
		class := throttle.Class{Capacity: capacity, Restore: restore}
		c.Budgets = gateway.Budgets{Anonymous: class, Customer: class, Staff: class, Client: class}
	}
}

// spent is extensions.cost.
type spent struct {
	Requested int  `json:"requestedQueryCost"`
	Actual    *int `json:"actualQueryCost"`
	Throttle  struct {
		Maximum   int `json:"maximumAvailable"`
		Available int `json:"currentlyAvailable"`
		Restore   int `json:"restoreRate"`
	} `json:"throttleStatus"`
}

func (a answer) spent(t *testing.T) spent {
	t.Helper()
	var s spent
	text, err := json.Marshal(a.Extensions["cost"])
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil || a.Extensions["cost"] == nil {
		t.Fatalf("extensions.cost is missing (%v) in %s", err, a.text)
	}
	return s
}

var (
	policyForm = regexp.MustCompile(`^"([a-z]+)";q=(\d+);qu="cost";w=(\d+)$`)
	limitForm  = regexp.MustCompile(`^"([a-z]+)";r=(\d+);t=(\d+)$`)
)

// listCategories is a list of which nobody knows the length before.
const listCategories = `{ categories { id name } }`

// An operation is charged with its estimate and given back what it did not need; the answer says
// what is left, in its body and in its headers.
func TestCostIsChargedAndSettled(t *testing.T) {
	t.Parallel()
	e := setup(t, budget(1000, 1))
	a := e.post(t, listCategories)
	s := a.spent(t)
	if s.Actual == nil || s.Requested <= *s.Actual || *s.Actual < 1 || s.Throttle.Maximum != 1000 || s.Throttle.Restore != 1 {
		t.Fatalf("%+v", s)
	}
	if want := 1000 - *s.Actual; s.Throttle.Available != want {
		t.Errorf("%d are left; want %d: only what it cost is charged", s.Throttle.Available, want)
	}
	policy, limit := policyForm.FindStringSubmatch(a.header.Get("RateLimit-Policy")), limitForm.FindStringSubmatch(a.header.Get("RateLimit"))
	if policy == nil || policy[1] != "anonymous" || policy[2] != "1000" || policy[3] != "1000" {
		t.Errorf("RateLimit-Policy: %s", a.header.Get("RateLimit-Policy"))
	}
	if limit == nil || limit[1] != "anonymous" || limit[2] != strconv.Itoa(s.Throttle.Available) || limit[3] == "0" {
		t.Errorf("RateLimit: %s", a.header.Get("RateLimit"))
	}
	if a.header.Get("Retry-After") != "" {
		t.Error("an answer asks to come back later")
	}
	if got := e.do(t, "GET", "/healthz", "").header.Get("RateLimit"); got != "" {
		t.Errorf("the machine's pages have a budget: %s", got)
	}
}

// An empty bucket refuses, says when to come back, and runs nothing.
func TestThrottled(t *testing.T) {
	t.Parallel()
	e := setup(t, budget(30, 1))
	need := e.post(t, listCategories).spent(t).Requested
	var refused answer
	for range 40 {
		if refused = e.post(t, listCategories, "Accept", "application/json"); refused.code() != "" {
			break
		}
	}
	s := refused.spent(t)
	retry, _ := refused.Errors[0].Extensions["retryAfter"].(float64)
	if refused.status != 429 || refused.code() != "THROTTLED" || refused.Data != nil || s.Actual != nil || s.Requested != need || s.Throttle.Available >= need {
		t.Fatalf("%d %s", refused.status, refused.text)
	}
	if want := need - s.Throttle.Available; int(retry) < want-1 || int(retry) > want || refused.header.Get("Retry-After") != strconv.Itoa(int(retry)) {
		t.Errorf("retryAfter %v, Retry-After %s; want %d seconds", retry, refused.header.Get("Retry-After"), want)
	}
	if a := e.post(t, `{ __typename }`); a.code() != "" {
		t.Errorf("what is cheap enough is refused too: %s", a.text)
	}
	if a := e.do(t, "POST", "/graphql", fmt.Sprintf(`{"query":%q}`, listCategories), "Content-Type", "application/json", "Accept", "text/event-stream"); !strings.Contains(a.text, "THROTTLED") {
		t.Errorf("as an event stream: %d %s", a.status, a.text)
	}
}

// Every account has a bucket of its own, and so has every address; staff have theirs.
func TestBucketsAreApart(t *testing.T) {
	t.Parallel()
	class := func(name string, capacity int) throttle.Class {
		return throttle.Class{Name: name, Capacity: capacity, Restore: 1}
	}
	e := setup(t, func(c *gateway.Config, _ *gateway.Deps) {
		c.Budgets = gateway.Budgets{
			Anonymous: class("anonymous", 100), Customer: class("customer", 200), Staff: class("staff", 300), Client: class("client", 400),
		}
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	})
	for name, c := range map[string]struct {
		headers []string
		maximum int
	}{
		"anonymous": {nil, 100},
		"customer":  {[]string{"Authorization", "Bearer customer"}, 200},
		"staff":     {[]string{"Authorization", "Bearer staff"}, 300},
	} {
		a := e.post(t, listCategories, c.headers...)
		if s := a.spent(t); s.Throttle.Maximum != c.maximum || !strings.HasPrefix(a.header.Get("RateLimit-Policy"), `"`+name+`"`) {
			t.Errorf("%s: %+v, %s", name, s, a.header.Get("RateLimit-Policy"))
		}
	}
	left := func(address string) int {
		return e.post(t, listCategories, "X-Forwarded-For", address).spent(t).Throttle.Available
	}
	first := left("2001:db8:1:2::1")
	if next := left("2001:db8:1:2:ffff::9"); next >= first {
		t.Errorf("addresses of one /64 have buckets of their own: %d, then %d", first, next)
	}
	if other := left("2001:db8:1:3::1"); other != first {
		t.Errorf("another /64 shares a bucket: %d", other)
	}
	if other := left("192.0.2.1"); other != first {
		t.Errorf("an IPv4 address shares a bucket: %d", other)
	}
	if mapped := left("::ffff:192.0.2.1"); mapped >= first {
		t.Errorf("the same address written in IPv6 has another bucket: %d", mapped)
	}
}

// The key of a front end is in everybody's hands: one guest does not use up what is the others'.
func TestGuestsOfAClientAreApart(t *testing.T) {
	t.Parallel()
	e := setup(t, budget(200, 1), func(c *gateway.Config, d *gateway.Deps) {
		d.Clients, d.Documents = apiClients{}, published{}
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	})
	left := func(address string, headers ...string) int {
		return e.post(t, listCategories, append(headers, "X-Forwarded-For", address)...).spent(t).Throttle.Available
	}
	first := left("192.0.2.1", "X-API-Key", "tm_good")
	if again := left("192.0.2.1", "X-API-Key", "tm_good"); again >= first {
		t.Errorf("a guest pays nothing: %d, then %d", first, again)
	}
	if other := left("192.0.2.2", "X-API-Key", "tm_good"); other != first {
		t.Errorf("another guest has %d left, not %d", other, first)
	}
	if without := left("192.0.2.1"); without != first {
		t.Errorf("without the key the same address has %d left, not %d", without, first)
	}
}

// Documents that are refused are paid for, so that nobody guesses at the schema without end; an
// empty bucket reads no more.
func TestRefusedDocumentsAreCharged(t *testing.T) {
	t.Parallel()
	e := setup(t, budget(200, 1))
	codes := map[string]int{}
	for i := range 60 {
		codes[e.post(t, fmt.Sprintf(`{ guess%d }`, i)).code()]++
	}
	if got := codes["GRAPHQL_VALIDATION_FAILED"]; got < 20 || got > 22 || codes["THROTTLED"] != 60-got {
		t.Errorf("the answers: %v", codes)
	}
	if a := e.post(t, `{ __typename }`); a.status != 429 || a.code() != "THROTTLED" || a.header.Get("Retry-After") == "" {
		t.Errorf("with nothing left: %d %s", a.status, a.text)
	}
	if a := e.post(t, `{ __typename }`, "Authorization", "Bearer customer"); a.code() != "" {
		t.Errorf("an account pays for its address: %s", a.text)
	}
}

// Every event of a subscription is charged; none is refused.
func TestEventsAreCharged(t *testing.T) {
	t.Parallel()
	e := setup(t, budget(20, 1))
	scanner := e.events(t, follow)
	for i := range 40 {
		e.send(t, strconv.Itoa(i))
		for scanner.Scan() {
			if strings.Contains(scanner.Text(), `"stockChanged"`) {
				break
			}
		}
		if !strings.Contains(scanner.Text(), `"sku":"`+strconv.Itoa(i)+`"`) {
			t.Fatalf("event %d: %s", i, scanner.Text())
		}
	}
	if a := e.post(t, `{ __typename }`); a.status != 429 {
		t.Errorf("40 events cost nothing: %d %s", a.status, a.text)
	}
}

// slowBank never answers in time.
type slowBank struct{}

func (slowBank) Settle(ctx context.Context, _ []throttle.Order) ([]throttle.Balance, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A bank that does not answer delays requests once, and refuses none.
func TestRequestsAreServedWithoutTheBank(t *testing.T) {
	t.Parallel()
	e := setup(t, func(_ *gateway.Config, d *gateway.Deps) { d.Budgets = slowBank{} })
	var all sync.WaitGroup
	began := time.Now()
	for range 20 {
		all.Go(func() {
			if a := e.post(t, listCategories); a.status != 200 || a.code() != "" {
				t.Errorf("%d %s", a.status, a.text)
			}
		})
	}
	all.Wait()
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("20 requests took %v", took)
	}
	if page := e.do(t, "GET", "/metrics", "").text; !strings.Contains(page, "throttle_bank_out 1") {
		t.Error("the metrics do not tell")
	}
}

// What caches hand to others says nothing of the budget of whoever asked first.
func TestPublicAnswersTellNoBudget(t *testing.T) {
	t.Parallel()
	e := setup(t)
	target := "/graphql?query=" + url.QueryEscape(listCategories)
	a := e.do(t, "GET", target, "", "Apollo-Require-Preflight", "1")
	if !strings.HasPrefix(a.header.Get("Cache-Control"), "public") {
		t.Fatalf("it is not public: %v", a.header)
	}
	if a.header.Get("RateLimit") != "" || a.header.Get("RateLimit-Policy") != "" || strings.Contains(a.text, "throttleStatus") {
		t.Errorf("a budget in a public answer: %v %s", a.header, a.text)
	}
	if own := e.do(t, "GET", target, "", "Apollo-Require-Preflight", "1", "Authorization", "Bearer customer"); own.header.Get("RateLimit") == "" {
		t.Errorf("an answer of one's own tells nothing: %v", own.header)
	}
}
