package cost_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/techmart/techmart/gateway/cost"
)

// An operation is planned once for each outcome of its conditions, whatever its variables are.
func TestPlansAreKept(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: sdl})
	a := cost.New(schema)
	o := parse(t, schema, `query($n: Int, $s: Boolean!) { undecided(first: $n) { id } dear @include(if: $s) { id } }`, `{"n": 1, "s": true}`)
	for n := range 100 {
		o.variables = map[string]any{"n": n, "s": n%2 == 0}
		want := n
		if n%2 == 0 {
			want += 6
		}
		if got := o.estimate(a); got != want {
			t.Errorf("%v costs %d, want %d", o.variables, got, want)
		}
	}
	operations, nodes := a.Kept()
	if operations != 1 || nodes < 2 || nodes > 10 {
		t.Errorf("%d operations with %d nodes are kept", operations, nodes)
	}
}

// What is kept is bounded, however many operations come and however large they are.
func TestPlansAreBounded(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: sdl})
	a := cost.New(schema)
	large := strings.Repeat("up { ", 8) + "id" + strings.Repeat(" }", 8)
	var fields strings.Builder
	for i := range 400 {
		fmt.Fprintf(&fields, " f%d: %s", i, large)
	}
	light, heavy := parse(t, schema, `{ one { id } }`, ""), parse(t, schema, `{ one {`+fields.String()+` } }`, "")
	var all []operation // each is another one, as if it were parsed anew
	for i := range cost.KeptOperations + 50 {
		o := light
		if i%10 == 0 {
			o = heavy
		}
		op := *o.op
		o.op = &op
		all = append(all, o)
		if got := o.estimate(a); got < 1 {
			t.Fatalf("operation %d costs %d", i, got)
		}
	}
	operations, nodes := a.Kept()
	if operations > cost.KeptOperations || nodes > cost.KeptNodes || nodes < 0 {
		t.Errorf("%d operations with %d nodes are kept", operations, nodes)
	}
	if got := all[0].estimate(a); got != all[10].estimate(a) {
		t.Errorf("the same operation costs %d once it is forgotten", got)
	}
}

// An operation with more conditions than can be told apart by a number is planned anew each time.
func TestManyConditions(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: sdl})
	a := cost.New(schema)
	var head, body, values []string
	for i := range 70 {
		head = append(head, fmt.Sprintf("$v%d: Boolean!", i))
		body = append(body, fmt.Sprintf("a%d: one @include(if: $v%d) { id }", i, i))
		values = append(values, fmt.Sprintf(`"v%d": %t`, i, i >= 66))
	}
	o := parse(t, schema, "query("+strings.Join(head, ", ")+") { "+strings.Join(body, " ")+" }", "{"+strings.Join(values, ", ")+"}")
	if got := o.estimate(a); got != 4 {
		t.Errorf("got %d", got)
	}
	if operations, _ := a.Kept(); operations != 0 {
		t.Errorf("%d operations are kept", operations)
	}
}

// Many goroutines may ask at once.
func TestConcurrentEstimates(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: sdl})
	a := cost.New(schema)
	var all []operation
	for i := range 50 {
		all = append(all, parse(t, schema, fmt.Sprintf(`query($n: Int, $s: Boolean!) { undecided(first: $n) { id } a%d: dear @skip(if: $s) { id } }`, i), `{"s": true}`))
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 200 {
				o := all[(n*7+g)%len(all)]
				o.variables = map[string]any{"n": n, "s": n%3 == 0}
				want := n + 6
				if n%3 == 0 {
					want = n
				}
				if got := o.estimate(a); got != want {
					t.Errorf("got %d, want %d", got, want)
				}
			}
		})
	}
	wg.Wait()
}

// Answers to every operation of the end-to-end tests cost what they are read as costing.
func TestAnswersOfEndToEndQueries(t *testing.T) {
	t.Parallel()
	schema := graphSchema(t)
	a := cost.New(schema)
	checked := 0
	for _, query := range append(endToEndQueries(t), hostile...) {
		doc, faults := gqlparser.LoadQueryWithRules(schema, query, nil)
		if len(faults) > 0 {
			continue
		}
		for _, op := range doc.Operations {
			for seed := range uint64(20) {
				check(t, schema, a, operation{doc, op, map[string]any{"first": int64(3), "n": int64(2), "s": seed%2 == 0, "ids": []any{"a", "b", "c"}}}, seed, "")
				checked++
			}
		}
	}
	if checked < 1000 {
		t.Errorf("only %d answers were checked", checked)
	}
}

func BenchmarkEstimate(b *testing.B) {
	schema := graphSchema(b)
	a := cost.New(schema)
	doc := gqlparser.MustLoadQueryWithRules(schema, `query($first: Int) { products(first: $first) { nodes { id title category { id name } } } }`, nil)
	variables := map[string]any{"first": int64(20)}
	for b.Loop() {
		a.Estimate(doc, doc.Operations[0], variables)
	}
}

func BenchmarkActual(b *testing.B) {
	schema := graphSchema(b)
	a := cost.New(schema)
	doc := gqlparser.MustLoadQueryWithRules(schema, `{ products(first: 20) { nodes { id title category { id name } } } }`, nil)
	one := `{"id":"prod_01h455vb4pex5vsknk084sn02q","title":"A product with a name","category":{"id":"cat_01h455vb4pex5vsknk084sn02q","name":"Things"}}`
	data := []byte(`{"products":{"nodes":[` + strings.Repeat(one+",", 19) + one + `]}}`)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		a.Actual(doc, doc.Operations[0], nil, data)
	}
}
