package cost_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	gql "github.com/vektah/gqlparser/v2/ast"
)

// answerer answers an operation with things of any type and lists of any length within their
// bounds, and counts what they cost. It collects fields by the executor's own function.
type answerer struct {
	schema *gql.Schema
	exec   *graphql.OperationContext
	root   *gql.Definition
	rand   *rand.Rand
	left   int // things that may be answered
	out    bytes.Buffer
	unsure bool
}

// answer is what an operation answered.
type answer struct {
	data   []byte
	cost   int
	unsure bool // of which type something is cannot always be told from the data
}

func newAnswerer(schema *gql.Schema, o operation, seed uint64) *answerer {
	root := schema.Query
	switch o.op.Operation {
	case gql.Mutation:
		root = schema.Mutation
	case gql.Subscription:
		root = schema.Subscription
	}
	return &answerer{
		schema: schema, root: root, rand: rand.New(rand.NewPCG(seed, 1)), left: 2000,
		exec: &graphql.OperationContext{Doc: o.doc, Operation: o.op, Variables: o.variables},
	}
}

func (r *answerer) answer() answer {
	total := r.object(r.root, r.exec.Operation.SelectionSet)
	return answer{data: r.out.Bytes(), cost: int(total), unsure: r.unsure}
}

// object writes what is selected on an object, and gives what it costs.
func (r *answerer) object(def *gql.Definition, set gql.SelectionSet) float64 {
	satisfies := []string{def.Name}
	for _, abstract := range r.schema.Types {
		if abstract.IsAbstractType() && slices.Contains(r.schema.GetPossibleTypes(abstract), def) {
			satisfies = append(satisfies, abstract.Name)
		}
	}
	var total float64
	r.out.WriteByte('{')
	for i, f := range graphql.CollectFields(r.exec, set, satisfies) {
		if i > 0 {
			r.out.WriteByte(',')
		}
		r.out.WriteString(strconv.Quote(f.Alias) + ":")
		total += r.field(def, f)
	}
	r.out.WriteByte('}')
	return total
}

func (r *answerer) field(parent *gql.Definition, f graphql.CollectedField) float64 {
	switch f.Name {
	case "__typename":
		r.out.WriteString(strconv.Quote(parent.Name))
		return 0
	case "__schema":
		r.out.WriteString(`{"types":[{"name":"A"}]}`)
		return 50
	case "__type":
		r.out.WriteString("null")
		return 5
	}
	def := parent.Fields.ForName(f.Name)
	total := weightOf(def.Directives, 0)
	for _, arg := range def.Arguments {
		if w := weightOf(arg.Directives, 0); w != 0 && f.Arguments.ForName(arg.Name) != nil {
			total += w
		}
	}
	if def.Type.NamedType == "" {
		return total + r.list(f, r.bound(def, f))
	}
	sized := def.Directives.ForName("listSize")
	if sized == nil {
		return total + r.item(f, nil, 0)
	}
	return total + r.item(f, sized, r.bound(def, f))
}

// list writes a list within its bound.
func (r *answerer) list(f graphql.CollectedField, bound int) float64 {
	var total float64
	r.out.WriteByte('[')
	for i := range r.rand.IntN(min(bound, 4) + 1) {
		if i > 0 {
			r.out.WriteByte(',')
		}
		total += r.item(f, nil, 0)
	}
	r.out.WriteByte(']')
	return total
}

// item writes one thing. sized is the @listSize whose fields hold so many items.
func (r *answerer) item(f graphql.CollectedField, sized *gql.Directive, bound int) float64 {
	def := r.schema.Types[f.Definition.Type.Name()]
	if r.left--; r.left < 0 || r.rand.IntN(8) == 0 {
		r.out.WriteString("null")
		return 0
	}
	if !def.IsCompositeType() {
		r.out.WriteString([]string{`"a \" text\\"`, "12.5", "true", `{"a":[1,"}"]}`}[r.rand.IntN(4)])
		return weightOf(def.Directives, 0)
	}
	if def.IsAbstractType() {
		r.unsure = true
		possible := r.schema.GetPossibleTypes(def)
		def = possible[r.rand.IntN(len(possible))]
	}
	own := weightOf(def.Directives, 1)
	if sized == nil {
		return own + r.object(def, f.Selections)
	}
	fields := sized.Arguments.ForName("sizedFields")
	if fields == nil {
		return own + r.object(def, f.Selections)
	}
	var names []string
	for _, child := range fields.Value.Children {
		names = append(names, child.Value.Raw)
	}
	return own + r.connection(def, f.Selections, names, bound)
}

// connection is object where some fields are lists with the same bound.
func (r *answerer) connection(def *gql.Definition, set gql.SelectionSet, sized []string, bound int) float64 {
	var total float64
	r.out.WriteByte('{')
	for i, f := range graphql.CollectFields(r.exec, set, []string{def.Name}) {
		if i > 0 {
			r.out.WriteByte(',')
		}
		r.out.WriteString(strconv.Quote(f.Alias) + ":")
		if slices.Contains(sized, f.Name) {
			total += r.list(f, bound)
		} else {
			total += r.field(def, f)
		}
	}
	r.out.WriteByte('}')
	return total
}

// bound is how long a list may be by its @listSize.
func (r *answerer) bound(def *gql.FieldDefinition, f graphql.CollectedField) int {
	d := def.Directives.ForName("listSize")
	if d == nil {
		return 10
	}
	largest := -1
	given := f.ArgumentMap(r.exec.Variables)
	if slicing := d.Arguments.ForName("slicingArguments"); slicing != nil {
		for _, child := range slicing.Value.Children {
			switch v := given[child.Value.Raw].(type) {
			case int64:
				largest = max(largest, int(max(0, v)))
			case []any:
				largest = max(largest, len(v))
			case string:
				largest = max(largest, 1)
			}
		}
	}
	if assumed := d.Arguments.ForName("assumedSize"); assumed != nil && largest < 0 {
		largest, _ = strconv.Atoi(assumed.Value.Raw)
	}
	return largest
}

func weightOf(list gql.DirectiveList, standard float64) float64 {
	d := list.ForName("cost")
	if d == nil {
		return standard
	}
	w, err := strconv.ParseFloat(strings.TrimSpace(d.Arguments.ForName("weight").Value.Raw), 64)
	if err != nil {
		return standard
	}
	return w
}
