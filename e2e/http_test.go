package e2e

import (
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// ask sends a request as it is.
func (s *shop) ask(method, target, body string, headers ...string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+target, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(text)
}

// TestHTTPCaching asks for the catalogue as a cache does.
func TestHTTPCaching(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.product("Kept Lamp", "12.00", 3)
	target := "/graphql?query=" + url.QueryEscape(`{ products(first: 5) { nodes { title priceRange { min { amount } } category { name } } pageInfo { hasNextPage } } }`)
	resp, text := s.ask("GET", target, "")
	if resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "public, max-age=60" || resp.Header.Get("ETag") == "" || !strings.Contains(text, "Kept Lamp") {
		t.Fatalf("%d %v %s", resp.StatusCode, resp.Header, text)
	}
	again, body := s.ask("GET", target, "", "If-None-Match", resp.Header.Get("ETag"))
	if again.StatusCode != 304 || body != "" {
		t.Errorf("unchanged: %d %q", again.StatusCode, body)
	}
	s.product("Another Lamp", "13.00", 3)
	if changed, _ := s.ask("GET", target, "", "If-None-Match", resp.Header.Get("ETag")); changed.StatusCode != 200 || changed.Header.Get("ETag") == resp.Header.Get("ETag") {
		t.Errorf("changed: %d %s", changed.StatusCode, changed.Header.Get("ETag"))
	}
	ada := s.as("CUSTOMER")
	for _, query := range []string{`{ me { email } }`, `{ products(first: 5) { nodes { title } } }`} {
		own, text := s.ask("GET", "/graphql?query="+url.QueryEscape(query), "", "Authorization", "Bearer "+ada.token)
		if control := own.Header.Get("Cache-Control"); own.StatusCode != 200 || control != "private, no-store" || own.Header.Get("ETag") != "" {
			t.Errorf("a viewer's answer: %d %q %s", own.StatusCode, control, text)
		}
	}
	mutation, _ := s.ask("GET", "/graphql?query="+url.QueryEscape(`mutation { sessionRefresh(input: {refreshToken: "x"}) { userErrors { code } } }`), "")
	if mutation.StatusCode != 405 || mutation.Header.Get("Allow") != "POST" {
		t.Errorf("a mutation by GET: %d %v", mutation.StatusCode, mutation.Header)
	}
}

// TestHTTPBatch runs a batch whose operations depend on each other.
func TestHTTPBatch(t *testing.T) {
	t.Parallel()
	s := setup(t)
	lamp := s.product("Batch Lamp", "12.00", 3)
	ada := s.as("CUSTOMER")
	add := `mutation($v: ID!) { cartLinesAdd(input: {lines: [{variantId: $v, quantity: 2}]}) { userErrors { code } } }`
	body, err := json.Marshal([]map[string]any{
		{"query": add, "variables": vars{"v": lamp.variantID}},
		{"query": `{ me { cart { lines { quantity } } } }`},
	})
	if err != nil {
		t.Fatal(err)
	}
	resp, text := s.ask("POST", "/graphql", string(body), "Content-Type", "application/json", "Authorization", "Bearer "+ada.token)
	if resp.StatusCode != 200 || !strings.HasPrefix(text, "[") || !strings.Contains(text, `"quantity":2`) {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	if n := strings.Count(text, "throttleStatus"); n != 2 {
		t.Errorf("%d operations tell what they were charged: %s", n, text)
	}
}

// TestHTTPDefer reads a page whose reviews come later.
func TestHTTPDefer(t *testing.T) {
	t.Parallel()
	s := setup(t)
	lamp := s.product("Slow Lamp", "12.00", 3)
	body, err := json.Marshal(map[string]any{
		"query":     `query($id: ID!) { product(id: $id) { title ... @defer(label: "reviews") { reviews(first: 3) { totalCount nodes { body } } } } }`,
		"variables": vars{"id": lamp.productID},
	})
	if err != nil {
		t.Fatal(err)
	}
	resp, text := s.ask("POST", "/graphql", string(body), "Content-Type", "application/json", "Accept", "multipart/mixed;deferSpec=20220824,application/json")
	kind, attributes, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/mixed" {
		t.Fatalf("%v: %d %v %s", err, resp.StatusCode, resp.Header, text)
	}
	reader := multipart.NewReader(strings.NewReader(text), attributes["boundary"])
	var parts []string
	for {
		p, err := reader.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		one, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, string(one))
	}
	if len(parts) != 2 || !strings.Contains(parts[0], "Slow Lamp") || !strings.Contains(parts[0], `"hasNext":true`) ||
		!strings.Contains(parts[1], `"totalCount":0`) || !strings.Contains(parts[1], `"label":"reviews"`) || !strings.Contains(parts[1], `"hasNext":false`) {
		t.Errorf("parts: %q", parts)
	}
}
