package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/techmart/techmart/services/users"
)

// A step is one operation of a file of the corpus. Comments before it say how it is run:
//
//	# as: customer          who asks; nobody where it is not said
//	# has: path             there is something at the path of the answer
//	# keep: name = path     what is there is the variable of that name from then on
//	# until: path = value   it is asked, or listened to, until the path has the value
//	# fails: CODE           the code of the error; without it there is none
type step struct {
	op    *ast.OperationDefinition
	as    string
	has   []string
	keep  [][2]string
	until *[2]string
	fails string
}

// steps reads a file of the corpus.
func steps(t *testing.T, text string) []step {
	t.Helper()
	doc, err := parser.ParseQuery(&ast.Source{Input: text})
	if err != nil {
		t.Fatal(err)
	}
	var list []step
	for _, op := range doc.Operations {
		one := step{op: op, as: "nobody"}
		if op.Comment == nil {
			op.Comment = &ast.CommentGroup{}
		}
		for _, line := range op.Comment.List {
			key, value, ok := strings.Cut(strings.TrimSpace(strings.TrimLeft(line.Value, "# ")), ": ")
			if !ok {
				continue
			}
			left, right, _ := strings.Cut(value, " = ")
			switch key {
			case "as":
				one.as = value
			case "has":
				one.has = append(one.has, value)
			case "keep":
				one.keep = append(one.keep, [2]string{left, right})
			case "until":
				one.until = &[2]string{left, right}
			case "fails":
				one.fails = value
			}
		}
		list = append(list, one)
	}
	return list
}

// A run is one walk through a file, at the single process or over a router.
type run struct {
	t      *testing.T
	url    string
	text   string
	vars   vars
	people map[string]*client
	known  map[string]string // what differs from run to run, by its value: a name for it
}

// walk starts a run with a customer of its own.
func (s *split) walk(t *testing.T, url, text string) *run {
	t.Helper()
	in := s.within(t)
	account := in.account(users.Customer)
	var first struct {
		Products struct{ Nodes []struct{ Slug string } }
	}
	in.anonymous().must(&first, `{ products(first: 1, where: {available: true, statuses: [ACTIVE]}, sortBy: {field: BEST_SELLING}) { nodes { slug } } }`, nil)
	r := &run{
		t: t, url: url, text: text, known: make(map[string]string),
		vars: vars{
			"slug": first.Products.Nodes[0].Slug, "words": "nois cancelling hedphones", "key": fmt.Sprint(time.Now().UnixNano()),
			"email": account.Email, "password": account.Password,
		},
		people: map[string]*client{
			"nobody": in.anonymous(), "customer": in.signIn(account.Email, account.Password), "ada": in.signIn("ada@techmart.example", demoPassword),
			"support": in.signIn("support@techmart.example", demoPassword), "manager": in.signIn("catalog@techmart.example", demoPassword),
		},
	}
	r.known[account.Email] = "<email>"
	return r
}

// compare runs a file at the single process and over the router. Both answer the same, whatever is made
// anew in each run apart, and the router's way is as short as can be.
func (s *split) compare(t *testing.T, file string, events bool) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	all := steps(t, text)
	if !events && slices.ContainsFunc(all, func(one step) bool { return one.op.Operation == ast.Subscription }) {
		return // this router has none
	}
	single, routed := s.walk(t, s.url+"/graphql", text), s.walk(t, s.router, text)
	for _, one := range all {
		want, calls := single.do(one)
		s.taken()
		got, _ := routed.do(one)
		tally, parts := s.taken()
		for _, d := range differences(one.op.Name, got, want) {
			t.Error(d)
		}
		t.Logf("%-16s single: 1 request, %2d calls; federated: %d requests (%d for entities) to %v, %d calls",
			one.op.Name, calls, tally.requests, tally.entities, parts, tally.calls)
		if one.until == nil && tally.entities > len(parts) {
			t.Errorf("%s takes %d round trips for entities, and is about %d domains: %v", one.op.Name, tally.entities, len(parts), parts)
		}
		if one.until == nil && tally.requests == 0 {
			t.Errorf("%s was answered without the parts", one.op.Name)
		}
	}
}

// differences tells where an answer over the router is another one than that of the single process.
func differences(path string, got, want any) []string {
	if got == nil && want == nil {
		return nil
	}
	a, b := reflect.ValueOf(got), reflect.ValueOf(want)
	if !a.IsValid() || !b.IsValid() || a.Kind() != b.Kind() {
		return []string{fmt.Sprintf("%s is %s over the router, and %s at the single process", path, pretty(got), pretty(want))}
	}
	var out []string
	switch left := got.(type) {
	case map[string]any:
		right := want.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(left)) {
			if _, ok := right[key]; !ok {
				out = append(out, fmt.Sprintf("%s.%s is there over the router alone", path, key))
			}
		}
		for _, key := range slices.Sorted(maps.Keys(right)) {
			if other, ok := left[key]; ok {
				out = append(out, differences(path+"."+key, other, right[key])...)
			} else {
				out = append(out, fmt.Sprintf("%s.%s is not there over the router", path, key))
			}
		}
	case []any:
		right := want.([]any)
		if len(left) != len(right) {
			return []string{fmt.Sprintf("%s has %d items over the router, and %d at the single process", path, len(left), len(right))}
		}
		for i := range left {
			out = append(out, differences(path+"."+strconv.Itoa(i), left[i], right[i])...)
		}
	default:
		if !reflect.DeepEqual(got, want) {
			out = append(out, fmt.Sprintf("%s is %s over the router, and %s at the single process", path, pretty(got), pretty(want)))
		}
	}
	return out
}

func pretty(v any) string {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// do runs a step, and gives its answer without what differs from run to run, and the calls behind it.
func (r *run) do(one step) (any, int) {
	r.t.Helper()
	if one.op.Operation == ast.Subscription {
		return r.listen(one), 0
	}
	deadline := time.Now().Add(patience)
	for {
		data, codes, calls := r.ask(one)
		if want := one.fails; want != "" && !slices.Equal(codes, []string{want}) || want == "" && len(codes) > 0 {
			r.t.Fatalf("%s at %s: codes %v: %s", one.op.Name, r.url, codes, pretty(data))
		}
		if one.until != nil && fmt.Sprint(valueAt(data, one.until[0])) != one.until[1] {
			if time.Now().After(deadline) {
				r.t.Fatalf("%s at %s: %s does not become %s: %s", one.op.Name, r.url, one.until[0], one.until[1], pretty(data))
			}
			<-time.After(20 * time.Millisecond)
			continue
		}
		for _, path := range one.has {
			if valueAt(data, path) == nil {
				r.t.Fatalf("%s at %s: nothing at %s: %s", one.op.Name, r.url, path, pretty(data))
			}
		}
		for _, k := range one.keep {
			r.vars[k[0]] = valueAt(data, k[1])
		}
		return []any{r.plain("", data), codes}, calls
	}
}

func (r *run) request(ctx context.Context, one step, accept string) *http.Request {
	r.t.Helper()
	given := vars{}
	for _, v := range one.op.VariableDefinitions {
		if value, ok := r.vars[v.Variable]; ok {
			given[v.Variable] = value
		}
	}
	body, err := json.Marshal(map[string]any{"query": r.text, "operationName": one.op.Name, "variables": given})
	if err != nil {
		r.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", accept)
	who, ok := r.people[one.as]
	if !ok {
		r.t.Fatalf("%s: nobody is called %s", one.op.Name, one.as)
	}
	if who.token != "" {
		req.Header.Set("Authorization", "Bearer "+who.token)
	}
	return req
}

// ask gives data, the codes of errors, and the calls behind them.
func (r *run) ask(one step) (data any, codes []string, calls int) {
	r.t.Helper()
	resp, err := http.DefaultClient.Do(r.request(r.t.Context(), one, "application/json"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close() // it is read to its end
	var a struct {
		Data   any
		Errors []graphError
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		r.t.Fatalf("%s at %s: %d %v", one.op.Name, r.url, resp.StatusCode, err)
	}
	for _, e := range a.Errors {
		code, _ := e.Extensions["code"].(string)
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return a.Data, slices.Compact(codes), backendCalls(answer{Header: resp.Header})
}

// listen follows a subscription until it says what it is to say, and gives that event.
func (r *run) listen(one step) any {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	resp, err := http.DefaultClient.Do(r.request(ctx, one, "text/event-stream"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close() // the client leaves
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "data:")
		if text = strings.TrimSpace(text); !ok || text == "" {
			continue
		}
		var event struct {
			Data   any
			Errors []graphError
		}
		if err := json.Unmarshal([]byte(text), &event); err != nil || len(event.Errors) > 0 {
			r.t.Fatalf("%s at %s: %v: %s", one.op.Name, r.url, err, text)
		}
		if fmt.Sprint(valueAt(event.Data, one.until[0])) == one.until[1] {
			return r.plain("", event.Data)
		}
	}
	r.t.Fatalf("%s at %s ends with status %d and without %s: %v", one.op.Name, r.url, resp.StatusCode, one.until[1], lines.Err())
	return nil
}

// valueAt gives what is at a path such as products.nodes.0.id; nil for nothing.
func valueAt(data any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		switch v := data.(type) {
		case map[string]any:
			data = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(v) {
				return nil
			}
			data = v[i]
		default:
			return nil
		}
	}
	return data
}

var (
	someID    = regexp.MustCompile(`\b[a-z]+_[0-9a-hjkmnp-tv-z]{26}\b`)
	someTime  = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT[0-9:.]+Z`)
	someOrder = regexp.MustCompile(`\bT-\d+\b`)
)

// plain gives the value without what differs from run to run: ids, times, numbers of orders, tokens and
// cursors. The same id stays the same.
func (r *run) plain(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			out[key] = r.plain(key, v[key])
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = r.plain(name, item)
		}
		return out
	case string:
		switch name {
		case "cursor", "startCursor", "endCursor", "token", "accessToken":
			return "<" + name + ">"
		}
		if known, ok := r.known[v]; ok && !someID.MatchString(v) {
			return known
		}
		v = someID.ReplaceAllStringFunc(v, func(id string) string {
			if r.known[id] == "" {
				r.known[id] = fmt.Sprintf("<id %d>", len(r.known))
			}
			return r.known[id]
		})
		return someOrder.ReplaceAllString(someTime.ReplaceAllString(v, "<time>"), "<order>")
	}
	return v
}
