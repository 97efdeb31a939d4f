package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// placeholders takes out of the parts of an answer what the executor writes in the place of a
// deferred field: null, which a client would take for its value. A null that is not followed by the
// value was one: it goes out with the last part.
type placeholders struct {
	root  *deferredField
	taken []placeholder
}

// placeholder is a null that was taken out of an object.
type placeholder struct {
	path []any
	key  string
}

// deferredField is a key of the answer with what is selected below it.
type deferredField struct {
	below  map[string]*deferredField
	prompt bool // it is selected outside of deferred fragments too
	late   bool // something below it is not
}

func newPlaceholders(op *ast.OperationDefinition, fragments ast.FragmentDefinitionList) *placeholders {
	p := &placeholders{root: &deferredField{prompt: true}}
	p.root.add(op.SelectionSet, fragments, false)
	return p
}

// add merges a selection into the field.
func (f *deferredField) add(set ast.SelectionSet, fragments ast.FragmentDefinitionList, deferred bool) {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			if f.below == nil {
				f.below = make(map[string]*deferredField)
			}
			child := f.below[s.Alias]
			if child == nil {
				child = new(deferredField)
				f.below[s.Alias] = child
			}
			child.prompt = child.prompt || !deferred
			child.add(s.SelectionSet, fragments, false)
			f.late = f.late || deferred || child.late
		case *ast.InlineFragment:
			f.add(s.SelectionSet, fragments, deferred || s.Directives.ForName("defer") != nil)
		case *ast.FragmentSpread:
			if def := fragments.ForName(s.Name); def != nil {
				f.add(def.SelectionSet, fragments, deferred || s.Directives.ForName("defer") != nil)
			}
		}
	}
}

// at gives the field at the path of a part.
func (f *deferredField) at(path ast.Path) *deferredField {
	for _, step := range path {
		if name, ok := step.(ast.PathName); ok && f != nil {
			f = f.below[string(name)]
		}
	}
	return f
}

// first takes the placeholders out of the first part.
func (p *placeholders) first(data []byte) ([]byte, error) { return p.take(data, p.root, nil, false) }

// next takes those out of a later part, whose own fields are values.
func (p *placeholders) next(data []byte, path ast.Path) ([]byte, error) {
	steps := make([]any, len(path))
	for i, step := range path {
		switch step := step.(type) {
		case ast.PathName:
			steps[i] = string(step)
		case ast.PathIndex:
			steps[i] = int(step)
		}
	}
	if bytes.Equal(data, []byte("null")) { // a field that must not be null failed
		p.taken = slices.DeleteFunc(p.taken, func(t placeholder) bool { return slices.Equal(t.path, steps) })
		return data, nil
	}
	return p.take(data, p.root.at(path), steps, true)
}

// take copies a value without placeholders. values says that the fields of the object itself have
// their values.
func (p *placeholders) take(data []byte, f *deferredField, path []any, values bool) ([]byte, error) {
	if f == nil || len(data) == 0 || data[0] != '{' && data[0] != '[' || !f.late && !values {
		return data, nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	opening, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("gateway: a part of an answer: %w", err)
	}
	out := bytes.NewBuffer(make([]byte, 0, len(data)))
	out.WriteByte(data[0])
	for i := 0; d.More(); i++ {
		step, below := any(i), f
		if opening == json.Delim('{') {
			if step, err = d.Token(); err != nil {
				return nil, fmt.Errorf("gateway: a part of an answer: %w", err)
			}
			below = f.below[step.(string)]
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("gateway: a part of an answer: %w", err)
		}
		if key, ok := step.(string); ok {
			one := placeholder{path, key}
			if values {
				p.taken = slices.DeleteFunc(p.taken, func(t placeholder) bool { return t.key == key && slices.Equal(t.path, path) })
			} else if below != nil && !below.prompt && bytes.Equal(value, []byte("null")) {
				p.taken = append(p.taken, one)
				continue
			}
		}
		if value, err = p.take(value, below, append(slices.Clip(path), step), false); err != nil {
			return nil, err
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		if key, ok := step.(string); ok {
			fmt.Fprintf(out, "%q:", key) // a name of GraphQL needs no escapes
		}
		out.Write(value)
	}
	out.WriteByte(data[0] + 2) // the closing bracket of either kind
	return out.Bytes(), nil
}

// rest gives the nulls that were none: parts of their own, each behind a comma.
func (p *placeholders) rest() ([]byte, error) {
	var out bytes.Buffer
	for _, t := range p.taken {
		path := t.path
		if path == nil {
			path = []any{}
		}
		one, err := json.Marshal(map[string]any{"data": map[string]any{t.key: nil}, "path": path})
		if err != nil {
			return nil, fmt.Errorf("gateway: a part of an answer: %w", err)
		}
		out.WriteByte(',')
		out.Write(one)
	}
	return out.Bytes(), nil
}
