package cost

import (
	"reflect"

	"github.com/vektah/gqlparser/v2/ast"
)

// value is an argument as the operation gives it, without the operation's text: a literal, a
// variable, or a list or object with variables in it.
type value struct {
	literal  any
	variable string
	list     []value
	object   map[string]value
}

func readValue(v *ast.Value) value {
	switch {
	case v.Kind == ast.Variable:
		return value{variable: v.Raw}
	case !hasVariables(v):
		literal, _ := v.Value(nil)
		return value{literal: literal}
	case v.Kind == ast.ListValue:
		out := value{list: make([]value, 0, len(v.Children))}
		for _, child := range v.Children {
			out.list = append(out.list, readValue(child.Value))
		}
		return out
	}
	out := value{object: make(map[string]value, len(v.Children))}
	for _, child := range v.Children {
		out.object[child.Name] = readValue(child.Value)
	}
	return out
}

func hasVariables(v *ast.Value) bool {
	if v.Kind == ast.Variable {
		return true
	}
	for _, child := range v.Children {
		if hasVariables(child.Value) {
			return true
		}
	}
	return false
}

func (v value) fixed() bool { return v.variable == "" && v.list == nil && v.object == nil }

// in gives the value with these variables; false for a variable that is left out.
func (v value) in(variables map[string]any) (any, bool) {
	switch {
	case v.variable != "":
		got, given := variables[v.variable]
		return got, given
	case v.list != nil:
		out := make([]any, 0, len(v.list))
		for _, item := range v.list {
			got, _ := item.in(variables)
			out = append(out, got)
		}
		return out, true
	case v.object != nil:
		out := make(map[string]any, len(v.object))
		for name, member := range v.object {
			if got, given := member.in(variables); given {
				out[name] = got
			}
		}
		return out, true
	}
	return v.literal, true
}

// items gives the items of a list, whatever kind of slice it is.
func items(v any) ([]any, bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case nil, string, bool, int, int64, float64, map[string]any:
		return nil, false
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Slice {
		return nil, false
	}
	out := make([]any, r.Len())
	for i := range out {
		out[i] = r.Index(i).Interface()
	}
	return out, true
}

// number reads a slicing argument: a number, or the length of a list. False for null.
func number(v any, isList bool) (int, bool) {
	if isList {
		if all, ok := items(v); ok {
			return len(all), true
		}
		return 1, v != nil // a single value stands for a list of it
	}
	var n int64
	switch v := v.(type) {
	case int:
		n = int64(v)
	case int32:
		n = int64(v)
	case int64:
		n = v
	case float64:
		n = int64(min(max(0, v), TooDear))
	case interface{ Int64() (int64, error) }: // json.Number
		var err error
		if n, err = v.Int64(); err != nil {
			return TooDear, true
		}
	default:
		return 0, false
	}
	return int(min(max(0, n), TooDear)), true
}
