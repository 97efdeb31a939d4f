package gateway_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/techmart/techmart/gateway"
)

// batch sends operations as a list, and reads the list of their answers.
func (e *edge) batch(t *testing.T, body string, headers ...string) (answer, []answer) {
	t.Helper()
	a := e.do(t, http.MethodPost, "/graphql", body, append([]string{"Content-Type", "application/json", "Accept", "application/graphql-response+json"}, headers...)...)
	var list []answer
	if strings.HasPrefix(a.text, "[") {
		if err := json.Unmarshal([]byte(a.text), &list); err != nil {
			t.Fatalf("%v: %s", err, a.text)
		}
	}
	return a, list
}

func TestBatch(t *testing.T) {
	t.Parallel()
	e := setup(t, func(c *gateway.Config, _ *gateway.Deps) { c.Limits.Batch = 3 })
	a, list := e.batch(t, `[{"query":"{ __typename }"},{"query":"{ nothing }"},{"query":"query($n: Boolean!) { me @include(if: $n) { id } }","variables":{"n":true}}]`, "Authorization", "Bearer customer")
	if a.status != 200 || a.header.Get("Cache-Control") != "no-store" || len(list) != 3 {
		t.Fatalf("%d %v: %s", a.status, a.header, a.text)
	}
	if list[0].Data["__typename"] != "Query" || list[1].code() != "GRAPHQL_VALIDATION_FAILED" || list[1].Data != nil || list[2].Data["me"] == nil {
		t.Errorf("answers: %s", a.text)
	}
	for _, i := range []int{0, 2} {
		if _, ok := list[i].Extensions["cost"]; !ok {
			t.Errorf("answer %d does not tell what it was charged: %s", i, a.text)
		}
	}
	one := `{"query":"{ __typename }"}`
	if a, list := e.batch(t, "["+one+","+one+","+one+"]"); len(list) != 3 {
		t.Errorf("at the bound: %d %s", a.status, a.text)
	}
	if a := e.do(t, http.MethodPost, "/graphql", "["+one+","+one+","+one+","+one+"]", "Content-Type", "application/json"); a.status != 400 || a.code() != "BATCH_TOO_LARGE" || a.Errors[0].Extensions["maximumBatchSize"] != 3.0 {
		t.Errorf("one past the bound: %d %s", a.status, a.text)
	}
	a, list = e.batch(t, `[{"query":"subscription { stockChanged(variantId: \"v\") { sku } }"},`+one+`]`)
	if len(list) != 2 || list[0].code() != "BAD_REQUEST" || list[1].Data == nil {
		t.Errorf("a subscription in a batch: %s", a.text)
	}
	if a, _ := e.batch(t, "["+one+"]", "Accept", "text/event-stream"); a.status != 406 {
		t.Errorf("as event stream: %d %s", a.status, a.text)
	}
	a, list = e.batch(t, `[{"query":"{ categories { name ... @defer { slug } } }"}]`, "Accept", "multipart/mixed, application/json")
	if len(list) != 1 || len(list[0].Errors) > 0 {
		t.Errorf("@defer in a batch: %s", a.text)
	}
}

func TestBatchSharesItsTime(t *testing.T) {
	t.Parallel()
	e := setup(t, func(c *gateway.Config, _ *gateway.Deps) { c.OperationTimeout = 50 * time.Millisecond })
	a, list := e.batch(t, `[{"query":"{ node(id: \"slow\") { id } }"},{"query":"{ __typename }"}]`)
	if len(list) != 2 || list[0].code() != "TIMEOUT" || list[1].code() != "TIMEOUT" || list[1].Data != nil {
		t.Errorf("answers: %s", a.text)
	}
}

func TestBatchKeysAreDistinct(t *testing.T) {
	t.Parallel()
	keys := make(chan string, 3)
	e := setup(t, func(_ *gateway.Config, d *gateway.Deps) { d.Loaders = noteKeys(keys) })
	one := `{"query":"{ __typename }"}`
	e.batch(t, "["+one+","+one+","+one+"]", "Idempotency-Key", "k")
	got := []string{<-keys, <-keys, <-keys}
	if !slices.Equal(got, []string{"k", "k/1", "k/2"}) {
		t.Errorf("keys: %q", got)
	}
}
