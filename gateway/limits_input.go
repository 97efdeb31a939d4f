package gateway

import (
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// input measures input values: variables as JSON has them, and literals.
type input struct {
	most  int // items of all lists together
	items int
	deep  bool
}

// fault says what is out of bounds.
func (in *input) fault(what string) *gqlerror.Error {
	switch {
	case in.deep:
		return coded(codeInputDepth, "%s nest lists and objects deeper than %d levels.", what, maxInputDepth)
	case in.items > in.most:
		return coded(codeLists, "%s have more than %d list items.", what, in.most)
	}
	return nil
}

// enter tells whether to look deeper.
func (in *input) enter(depth int) bool {
	in.deep = in.deep || depth > maxInputDepth
	return !in.deep && in.items <= in.most
}

func (in *input) object(fields map[string]any, depth int) {
	for _, v := range fields {
		in.value(v, depth+1)
	}
}

func (in *input) value(v any, depth int) {
	switch v := v.(type) {
	case map[string]any:
		if in.enter(depth) {
			in.object(v, depth)
		}
	case []any:
		if in.items += len(v); in.enter(depth) {
			for _, item := range v {
				in.value(item, depth+1)
			}
		}
	}
}

func (in *input) literal(v *ast.Value, depth int) {
	if v == nil || v.Kind != ast.ListValue && v.Kind != ast.ObjectValue {
		return
	}
	if v.Kind == ast.ListValue {
		in.items += len(v.Children)
	}
	if depth++; !in.enter(depth) {
		return
	}
	for _, child := range v.Children {
		in.literal(child.Value, depth)
	}
}
