package cost

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// field is what the schema says of a field's cost.
type field struct {
	coordinate string // Type.field
	returns    string // the name of the type
	weight     float64
	depth      int  // how deep its lists are nested; 0 for one thing
	hasSize    bool // @listSize is there
	assumed    int  // -1 where not given
	slicing    []slicingArgument
	one        bool // exactly one slicing argument has to be given
	sized      map[string]bool
	arguments  []argument // those that can cost something
}

// slicingArgument is the path of an argument, or of a field within an input object, that says how
// long a list is: first, or input.first.
type slicingArgument struct {
	path     []string
	defaults []any // of each step
	isList   bool  // its length counts
}

// argument is one whose use costs something.
type argument struct {
	name string
	cost input
}

// input is what a place for a value costs: an argument or a field of an input object.
type input struct {
	weight float64 // once for the place
	own    bool    // the place has a weight: the type's own does not count
	typ    *inputType
}

// inputType is what a value of a type costs.
type inputType struct {
	weight float64
	fields map[string]input // of an input object: those that can cost something
	costly bool             // it, or something in it, has a weight
}

// readInputs reads the weights of scalars, enums and input objects. A weight within an input object
// makes every type costly that contains it.
func readInputs(schema *ast.Schema, weights map[string]float64) map[string]*inputType {
	all := make(map[string]*inputType)
	for name, def := range schema.Types {
		if def.IsInputType() {
			w := weights[name]
			all[name] = &inputType{weight: w, costly: w > 0}
		}
	}
	for changed := true; changed; {
		changed = false
		for name, t := range all {
			for _, f := range schema.Types[name].Fields {
				if schema.Types[name].Kind != ast.InputObject {
					break
				}
				place := readInput(f.Directives, f.Type, all)
				if _, known := t.fields[f.Name]; known || !place.costly() {
					continue
				}
				if t.fields == nil {
					t.fields = make(map[string]input)
				}
				t.fields[f.Name], t.costly, changed = place, true, true
			}
		}
	}
	return all
}

func readInput(list ast.DirectiveList, t *ast.Type, all map[string]*inputType) input {
	w, own := weight(list)
	return input{weight: w, own: own, typ: all[t.Name()]}
}

func (i input) costly() bool { return i.own || i.typ != nil && i.typ.costly }

// of gives what a value costs at the place. An own weight counts once, that of the type for every
// item of a list.
func (i input) of(value any) float64 {
	if i.typ == nil || !i.typ.costly {
		return i.weight
	}
	return i.weight + i.typ.of(value, !i.own)
}

func (t *inputType) of(value any, weigh bool) float64 {
	if value == nil {
		return 0
	}
	if items, ok := items(value); ok {
		var total float64
		for _, item := range items {
			total += t.of(item, weigh)
		}
		return total
	}
	var total float64
	if weigh {
		total = t.weight
	}
	if object, ok := value.(map[string]any); ok {
		for name, place := range t.fields {
			if v, given := object[name]; given {
				total += place.of(v)
			}
		}
	}
	return total
}

func (a *Analyzer) readField(parent string, f *ast.FieldDefinition) *field {
	out := &field{coordinate: parent + "." + f.Name, returns: f.Type.Name(), assumed: -1}
	for t := f.Type; t.NamedType == ""; t = t.Elem {
		out.depth++
	}
	out.weight, _ = weight(f.Directives)
	for _, arg := range f.Arguments {
		if place := readInput(arg.Directives, arg.Type, a.inputs); place.costly() {
			out.arguments = append(out.arguments, argument{arg.Name, place})
		}
	}
	d := f.Directives.ForName("listSize")
	if d == nil {
		return out
	}
	out.hasSize, out.one = true, true
	if arg := d.Arguments.ForName("assumedSize"); arg != nil {
		if n, err := strconv.Atoi(arg.Value.Raw); err == nil {
			out.assumed = max(0, n)
		}
	}
	if arg := d.Arguments.ForName("requireOneSlicingArgument"); arg != nil {
		out.one = arg.Value.Raw == "true"
	}
	for _, text := range texts(d, "slicingArguments") {
		if s, ok := a.readSlicing(f, strings.Split(text, ".")); ok {
			out.slicing = append(out.slicing, s)
		}
	}
	out.one = out.one && len(out.slicing) > 0
	for _, name := range texts(d, "sizedFields") {
		if out.sized == nil {
			out.sized = make(map[string]bool)
		}
		out.sized[name] = true
	}
	return out
}

// readSlicing follows the path of a slicing argument through input objects; false where it leads
// nowhere.
func (a *Analyzer) readSlicing(f *ast.FieldDefinition, path []string) (slicingArgument, bool) {
	s := slicingArgument{path: path}
	var t *ast.Type
	for i, name := range path {
		var standard *ast.Value
		if i == 0 {
			arg := f.Arguments.ForName(name)
			if arg == nil {
				return s, false
			}
			t, standard = arg.Type, arg.DefaultValue
		} else {
			def := a.schema.Types[t.Name()]
			if def == nil || def.Kind != ast.InputObject || def.Fields.ForName(name) == nil {
				return s, false
			}
			within := def.Fields.ForName(name)
			t, standard = within.Type, within.DefaultValue
		}
		var value any
		if standard != nil {
			value, _ = standard.Value(nil)
		}
		s.defaults = append(s.defaults, value)
	}
	s.isList = t.NamedType == ""
	return s, true
}

// weight reads @cost; false where it is not there.
func weight(list ast.DirectiveList) (float64, bool) {
	d := list.ForName("cost")
	if d == nil {
		return 0, false
	}
	arg := d.Arguments.ForName("weight")
	if arg == nil {
		return 0, false
	}
	w, err := strconv.ParseFloat(arg.Value.Raw, 64)
	return w, err == nil
}

func texts(d *ast.Directive, name string) []string {
	arg := d.Arguments.ForName(name)
	if arg == nil {
		return nil
	}
	var out []string
	for _, child := range arg.Value.Children {
		out = append(out, child.Value.Raw)
	}
	return out
}

// same tells whether two fields cost the same.
func (f *field) same(g *field) bool {
	if f == nil || g == nil || f == g {
		return f == g
	}
	a, b := *f, *g
	a.coordinate, b.coordinate = "", ""
	return reflect.DeepEqual(a, b)
}
