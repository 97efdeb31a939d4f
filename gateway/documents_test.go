package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/services/errs"
)

// published are the documents that every client of the tests has published, by id.
type published map[string]string

// Document finds an id; "down" cannot be told.
func (p published) Document(_ context.Context, _ uuid.UUID, id string) (string, error) {
	if id == "down" {
		return "", errors.New("secret-host: connection refused")
	}
	if text, ok := p[id]; ok {
		return text, nil
	}
	return "", errs.New(errs.NotFound, "There is no such document.")
}

// Trusts knows the texts; that of "{ down }" cannot be told.
func (p published) Trusts(_ context.Context, _ uuid.UUID, text string) (bool, error) {
	if text == "{ down: __typename }" {
		return false, errors.New("secret-host: connection refused")
	}
	for _, one := range p {
		if one == text {
			return true, nil
		}
	}
	return false, nil
}

// askJSON posts JSON to the graph.
func (e *edge) askJSON(t *testing.T, body string) answer {
	t.Helper()
	return e.do(t, http.MethodPost, "/graphql", body, "Content-Type", "application/json", "Accept", "application/json")
}

// While it cannot be told which documents are trusted, none is run where only trusted ones may, and
// nothing else stops.
func TestDocumentsThatCannotBeTold(t *testing.T) {
	t.Parallel()
	for mode, want := range map[gateway.DocumentMode]string{
		gateway.DocumentsOpen: "", gateway.DocumentsLog: "", gateway.DocumentsPrefer: "", gateway.DocumentsOnly: "UNAVAILABLE",
	} {
		e := setup(t, func(c *gateway.Config, d *gateway.Deps) {
			c.Documents, d.Documents = mode, published{"a": "{ __typename }"}
		})
		a := e.askJSON(t, `{"query":"{ down: __typename }"}`)
		if a.code() != want {
			t.Errorf("%s, a text: %s; want %q", mode, a.text, want)
		}
		if strings.Contains(a.text, "secret") {
			t.Errorf("%s: the failure is shown: %s", mode, a.text)
		}
		if want := map[bool]string{true: "PERSISTED_QUERY_NOT_FOUND", false: "UNAVAILABLE"}[mode == gateway.DocumentsOpen]; e.askJSON(t, `{"documentId":"down"}`).code() != want {
			t.Errorf("%s, an id: want %s", mode, want)
		}
	}
	if a := setup(t, func(c *gateway.Config, _ *gateway.Deps) { c.Documents = gateway.DocumentsOnly }).askJSON(t, `{"query":"{ __typename }"}`); a.code() != "" {
		t.Errorf("an edge that knows no trusted documents: %s", a.text)
	}
}

// What is not trusted is logged once, by its hash: the text may hold values.
func TestUntrustedDocumentsAreLoggedOnce(t *testing.T) {
	t.Parallel()
	e := setup(t, func(c *gateway.Config, d *gateway.Deps) { c.Documents, d.Documents = gateway.DocumentsLog, published{} })
	for range 3 {
		if a := e.askJSON(t, `{"query":"{ node(id: \"secret-value\") { id } }"}`); a.code() != "" {
			t.Errorf("it does not run: %s", a.text)
		}
	}
	log := e.log.String()
	if n := strings.Count(log, "a document is not trusted"); n != 1 || strings.Contains(log, "secret-value") {
		t.Errorf("%d lines: %s", n, log)
	}
	if lines := e.metric(t, `graphql_documents_total{client="none",kind="untrusted"}`); !strings.HasSuffix(strings.TrimSpace(lines), " 3") {
		t.Errorf("counted: %s", lines)
	}
}

// A text is kept only when all limits let it pass, is not large, and for its time.
func TestWhatIsPersisted(t *testing.T) {
	t.Parallel()
	dear := `{ categories { id products(first: 100) { nodes { id } } } }`
	large := `{ __typename } #` + strings.Repeat("x", 10<<10)
	for name, c := range map[string]struct {
		text string
		code string
		ttl  time.Duration
		kept bool
	}{
		"a good one":    {"{ __typename }", "", time.Hour, true},
		"an old one":    {"{ __typename }", "", time.Nanosecond, false},
		"too dear":      {dear, "COST_LIMIT_EXCEEDED", time.Hour, false},
		"too deep":      {"{ a" + strings.Repeat("{ a", 12) + strings.Repeat(" }", 13), "DEPTH_LIMIT_EXCEEDED", time.Hour, false},
		"not GraphQL":   {"{", "GRAPHQL_PARSE_FAILED", time.Hour, false},
		"a smaller one": {large, "", time.Hour, true},
		"a large one":   {large + strings.Repeat("x", 7<<10), "", time.Hour, false},
	} {
		e := setup(t, func(c0 *gateway.Config, _ *gateway.Deps) {
			c0.PersistedTTL, c0.MaxBodyBytes = c.ttl, 64<<10
		})
		if a := e.askJSON(t, hashed(c.text, c.text)); a.code() != c.code {
			t.Errorf("%s: %.300s; want %q", name, a.text, c.code)
		}
		if a := e.askJSON(t, hashed(c.text, "")); (a.code() == "") != c.kept || !c.kept && a.code() != "PERSISTED_QUERY_NOT_FOUND" {
			t.Errorf("%s, by its hash: %.300s", name, a.text)
		}
	}
}
