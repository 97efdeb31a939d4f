package gateway_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/techmart/techmart/gateway"
)

const typename = `{"query":"{ __typename }"}`

func TestHTTP(t *testing.T) {
	t.Parallel()
	e := setup(t)
	get := func(params ...string) string {
		q := url.Values{}
		for i := 0; i < len(params); i += 2 {
			q.Set(params[i], params[i+1])
		}
		return "/graphql?" + q.Encode()
	}
	const modern, legacy = "application/graphql-response+json", "application/json"
	for _, c := range []struct {
		name           string
		method, target string
		contentType    string
		accept         string
		body           string
		status         int
		code           string
		answer         string // media type
	}{
		{"query", "POST", "/graphql", legacy, modern, typename, 200, "", modern},
		{"legacy query", "POST", "/graphql", legacy, legacy, typename, 200, "", legacy},
		{"no accept", "POST", "/graphql", legacy, "", typename, 200, "", legacy},
		{"accepts anything", "POST", "/graphql", legacy, "*/*", typename, 200, "", legacy},
		{"by quality", "POST", "/graphql", legacy, "application/json;q=0.5, application/graphql-response+json", typename, 200, "", modern},
		{"charset", "POST", "/graphql", "application/json; charset=UTF-8", modern, typename, 200, "", modern},
		{"GET", "GET", get("query", "{ __typename }"), "", modern, "", 200, "", modern},
		{"GET by name", "GET", get("query", "query A { __typename } query B { __typename }", "operationName", "B"), "", modern, "", 200, "", modern},
		{"GET with variables", "GET", get("query", "query($s: Boolean!) { __typename @skip(if: $s) }", "variables", `{"s":false}`), "", modern, "", 200, "", modern},
		{"GET of a mutation", "GET", get("query", "mutation { cartLinesAdd(input: {lines: []}) { __typename } }"), "", modern, "", 405, "BAD_REQUEST", legacy},
		{"PUT", "PUT", "/graphql", legacy, modern, typename, 405, "BAD_REQUEST", legacy},
		{"accepts nothing we have", "POST", "/graphql", legacy, "text/html", typename, 406, "BAD_REQUEST", legacy},
		{"form", "POST", "/graphql", "application/x-www-form-urlencoded", modern, "query={__typename}", 415, "BAD_REQUEST", legacy},
		{"other charset", "POST", "/graphql", "application/json; charset=utf-16", modern, typename, 415, "BAD_REQUEST", legacy},
		{"no content type", "POST", "/graphql", "", modern, typename, 415, "BAD_REQUEST", legacy},
		{"bad JSON", "POST", "/graphql", legacy, modern, `{"query"`, 400, "BAD_REQUEST", legacy},
		{"more than JSON", "POST", "/graphql", legacy, modern, typename + "x", 400, "BAD_REQUEST", legacy},
		{"empty batch", "POST", "/graphql", legacy, modern, "[]", 400, "BAD_REQUEST", legacy},
		{"batch of a number", "POST", "/graphql", legacy, modern, "[" + typename + ",1]", 400, "BAD_REQUEST", legacy},
		{"name twice", "POST", "/graphql", legacy, modern, `{"query":"{ __typename }","query":"{ me { id } }"}`, 400, "BAD_REQUEST", legacy},
		{"name twice, escaped", "POST", "/graphql", legacy, modern, `{"query":"{ __typename }","\u0071uery":"{ me { id } }"}`, 400, "BAD_REQUEST", legacy},
		{"variable twice", "POST", "/graphql", legacy, modern, `{"query":"{ __typename }","variables":{"a":1,"a":2}}`, 400, "BAD_REQUEST", legacy},
		{"other case", "POST", "/graphql", legacy, modern, `{"Query":"{ __typename }"}`, 400, "BAD_REQUEST", legacy},
		{"not UTF-8", "POST", "/graphql", legacy, modern, "{\"query\":\"{ __typename }\",\"operationName\":\"\xff\"}", 400, "BAD_REQUEST", legacy},
		{"half a surrogate pair", "POST", "/graphql", legacy, modern, `{"query":"{ __typename } # \ud83d"}`, 400, "BAD_REQUEST", legacy},
		{"documentId is a number", "POST", "/graphql", legacy, modern, `{"documentId":7}`, 400, "BAD_REQUEST", legacy},
		{"parameter twice", "GET", get("query", "{ __typename }") + "&query=1", "", modern, "", 400, "BAD_REQUEST", legacy},
		{"query that is no query", "GET", "/graphql?query=%zz", "", modern, "", 400, "BAD_REQUEST", legacy},
		{"GET, not UTF-8", "GET", "/graphql?query=%ff", "", modern, "", 400, "BAD_REQUEST", legacy},
		{"GET, variables with more behind", "GET", get("query", "{ __typename }", "variables", "{} x"), "", modern, "", 400, "BAD_REQUEST", legacy},
		{"excluded type", "POST", "/graphql", legacy, "*/*, application/json;q=0", typename, 200, "", modern},
		{"quality 0 only", "POST", "/graphql", legacy, "application/json;q=0", typename, 406, "BAD_REQUEST", legacy},
		{"named before a range", "POST", "/graphql", legacy, "*/*, application/graphql-response+json", typename, 200, "", modern},
		{"charset we do not write", "POST", "/graphql", legacy, "application/json; charset=latin1", typename, 406, "BAD_REQUEST", legacy},
		{"urql", "POST", "/graphql", legacy, "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed", typename, 200, "", modern},
		{"Apollo", "POST", "/graphql", legacy, "multipart/mixed;deferSpec=20220824,application/graphql-response+json,application/json;q=0.9", typename, 200, "", modern},
		{"multipart subscriptions", "POST", "/graphql", legacy, `multipart/mixed;boundary="graphql";subscriptionSpec="1.0"`, typename, 406, "BAD_REQUEST", legacy},
		{"no query", "POST", "/graphql", legacy, modern, `{}`, 400, "BAD_REQUEST", legacy},
		{"query is a number", "POST", "/graphql", legacy, modern, `{"query":1}`, 400, "BAD_REQUEST", legacy},
		{"variables are a list", "POST", "/graphql", legacy, modern, `{"query":"{ __typename }","variables":[]}`, 400, "BAD_REQUEST", legacy},
		{"nulls", "POST", "/graphql", legacy, modern, `{"query":"{ __typename }","variables":null,"operationName":null,"extensions":null}`, 200, "", modern},
		{"does not parse", "POST", "/graphql", legacy, modern, `{"query":"{"}`, 400, "GRAPHQL_PARSE_FAILED", modern},
		{"does not parse, legacy", "POST", "/graphql", legacy, legacy, `{"query":"{"}`, 200, "GRAPHQL_PARSE_FAILED", legacy},
		{"is not valid", "POST", "/graphql", legacy, modern, `{"query":"{ nothing }"}`, 400, "GRAPHQL_VALIDATION_FAILED", modern},
		{"no such operation", "POST", "/graphql", legacy, modern, `{"query":"query A { __typename } query B { __typename }","operationName":"C"}`, 400, "GRAPHQL_VALIDATION_FAILED", modern},
		{"a number for a string", "POST", "/graphql", legacy, modern, `{"query":"query($n: String!) { __type(name: $n) { name } }","variables":{"n":7}}`, 400, "GRAPHQL_VALIDATION_FAILED", modern},
		{"a fraction for a string", "POST", "/graphql", legacy, modern, `{"query":"query($n: String!) { __type(name: $n) { name } }","variables":{"n":7.5}}`, 400, "GRAPHQL_VALIDATION_FAILED", modern},
		{"a number for an ID", "POST", "/graphql", legacy, modern, `{"query":"query($id: ID!) { node(id: $id) { id } }","variables":{"id":7}}`, 200, "", modern},
		{"variable of a wrong type", "POST", "/graphql", legacy, modern, `{"query":"query($id: ID!) { node(id: $id) { id } }","variables":{"id":null}}`, 400, "GRAPHQL_VALIDATION_FAILED", modern},
		{"subscription as plain JSON", "POST", "/graphql", legacy, modern, `{"query":"subscription { stockChanged(variantId: \"v\") { sku } }"}`, 406, "BAD_REQUEST", legacy},
		{"too large", "POST", "/graphql", legacy, modern, `{"query":"` + strings.Repeat(" ", 20<<10) + `"}`, 413, "REQUEST_TOO_LARGE", legacy},
		{"elsewhere", "GET", "/elsewhere", "", "", "", 404, "NOT_FOUND", legacy},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			headers := []string{"Accept", c.accept, "Content-Type", c.contentType}
			if c.accept == "" {
				headers = []string{"Content-Type", c.contentType}
			}
			if c.contentType == "" {
				headers = headers[:len(headers)-2]
			}
			a := e.do(t, c.method, c.target, c.body, headers...)
			if a.status != c.status || a.code() != c.code {
				t.Errorf("got %d %q, want %d %q: %s", a.status, a.code(), c.status, c.code, a.text)
			}
			if got := a.header.Get("Content-Type"); got != c.answer+"; charset=utf-8" {
				t.Errorf("media type %q, want %q", got, c.answer)
			}
			if c.status != 200 && strings.Contains(a.text, `"data"`) {
				t.Errorf("a refusal has data: %s", a.text)
			}
			if c.status == 405 && a.header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
		})
	}
}

func TestVariableByName(t *testing.T) {
	t.Parallel()
	e := setup(t)
	a := e.post(t, `query { a: __typename b: categories { name } }`)
	if a.status != 200 || a.Data["a"] != "Query" {
		t.Errorf("got %d %s", a.status, a.text)
	}
	if got := a.Extensions["cost"].(map[string]any)["requestedQueryCost"]; got == nil || got.(float64) <= 0 {
		t.Errorf("cost: %v", a.Extensions)
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	e := setup(t)
	for _, c := range []struct {
		name, header string
		status       int
		code         string
		signedIn     bool
	}{
		{"none", "", 200, "", false},
		{"good", "Bearer customer", 200, "", true},
		{"in lower case", "bearer customer", 200, "", true},
		{"bad", "Bearer stolen", 401, "UNAUTHENTICATED", false},
		{"other scheme", "Basic YTpi", 401, "UNAUTHENTICATED", false},
		{"empty", "Bearer ", 401, "UNAUTHENTICATED", false},
		{"cannot be told", "Bearer down", 503, "UNAVAILABLE", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var headers []string
			if c.header != "" {
				headers = []string{"Authorization", c.header}
			}
			a := e.post(t, "{ me { id } }", headers...)
			if a.status != c.status || a.code() != c.code || (a.Data["me"] != nil) != c.signedIn {
				t.Errorf("got %d %s", a.status, a.text)
			}
			if c.status == 401 && a.header.Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
			if strings.Contains(a.text, "secret") {
				t.Errorf("shown: %s", a.text)
			}
		})
	}
	e.Close() // waits for the last line of the log
	if log := e.log.String(); strings.Contains(log, "stolen") || !strings.Contains(log, customer.UserID.String()) {
		t.Error("the log shows a token, or not the viewer")
	}
}

func TestCrossSiteRequests(t *testing.T) {
	t.Parallel()
	e := setup(t)
	for _, c := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"program", nil, 200},
		{"own page", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"other page", []string{"Sec-Fetch-Site", "cross-site"}, 400},
		{"same site only", []string{"Sec-Fetch-Site", "same-site"}, 400},
		{"old browser", []string{"Origin", "https://evil.example"}, 400},
		{"other page with a simple content type", []string{"Sec-Fetch-Site", "cross-site", "Content-Type", "text/plain"}, 400},
		{"other page after a preflight", []string{"Sec-Fetch-Site", "cross-site", "Apollo-Require-Preflight", "1"}, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if a := e.do(t, "GET", "/graphql?query={__typename}", "", c.headers...); a.status != c.status {
				t.Errorf("got %d, want %d: %s", a.status, c.status, a.text)
			}
		})
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	e := setup(t, func(c *gateway.Config, _ *gateway.Deps) { c.AllowedOrigins = []string{"https://shop.example"} })
	ask := func(origin string) http.Header {
		return e.do(t, "OPTIONS", "/graphql", "", "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type").header
	}
	if got := ask("https://shop.example").Get("Access-Control-Allow-Origin"); got != "https://shop.example" {
		t.Errorf("allowed origin: %q", got)
	}
	h := ask("https://evil.example")
	if h.Get("Access-Control-Allow-Origin") != "" || h.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("foreign origin: %v", h)
	}
}
