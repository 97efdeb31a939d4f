package resolvers

import (
	"encoding/json"

	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/page"
)

// pageArgs reads the four arguments of a connection field.
func pageArgs(first *int, after *string, last *int, before *string) page.Args {
	return page.Args{First: first, After: after, Last: last, Before: before}
}

// listName names a list for its cursors: the field and everything that filters or orders it.
func listName(field string, by ...any) string {
	text, err := json.Marshal(by)
	if err != nil {
		panic("resolvers: a list's arguments always marshal: " + err.Error())
	}
	return field + string(text)
}

// edges gives one edge per item of a page, and where the page stands.
// cursorKey gives an item's position in the list; edge makes the edge of a node.
func edges[T, E any](cursors *page.Cursors, list string, p page.Page[T], cursorKey func(T) page.Key, edge func(cursor string, item T) E) ([]E, *model.PageInfo) {
	info := &model.PageInfo{HasNextPage: p.HasNext, HasPreviousPage: p.HasPrevious}
	out := make([]E, len(p.Items))
	for i, item := range p.Items {
		cursor := cursors.Encode(list, cursorKey(item))
		out[i] = edge(cursor, item)
		if i == 0 {
			info.StartCursor = &cursor
		}
		if i == len(p.Items)-1 {
			info.EndCursor = &cursor
		}
	}
	return out, info
}
