package products

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/page"
)

// Nested asks for a page of a list that belongs to a parent. It is comparable, so that it can be the
// key of a loader.
type Nested struct {
	Parent   uuid.UUID
	limit    int
	backward bool
	from     string // the key's texts, divided by line feeds
}

// NestedIn asks for a page of the parent's list.
func NestedIn(parent uuid.UUID, r page.Request) Nested {
	return Nested{Parent: parent, limit: r.Limit, backward: r.Backward, from: strings.Join(r.From, "\n")}
}

func (n Nested) request() page.Request {
	r := page.Request{Limit: n.limit, Backward: n.backward}
	if n.from != "" {
		r.From = strings.Split(n.from, "\n")
	}
	return r
}

// nestedPages reads the pages of many parents; those that ask for the same part come from one call of read.
func nestedPages[T any](ctx context.Context, asked []Nested, read func(context.Context, []uuid.UUID, page.Request) (map[uuid.UUID][]T, error)) (map[Nested]page.Page[T], error) {
	parents := make(map[Nested][]uuid.UUID) // by what is asked for, without the parent
	for _, n := range asked {
		part := n
		part.Parent = uuid.Nil
		parents[part] = append(parents[part], n.Parent)
	}
	pages := make(map[Nested]page.Page[T], len(asked))
	for part, ids := range parents {
		r := part.request()
		rows, err := read(ctx, ids, r)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			part.Parent = id
			pages[part] = page.Trim(rows[id], r)
		}
	}
	return pages, nil
}
