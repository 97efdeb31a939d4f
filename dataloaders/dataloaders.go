// Package dataloaders batches and caches the look-ups of one request.
//
// Every resolver of a related thing goes through a loader, so that a list costs as many calls to
// the stores as it has kinds of relations, however long it is. Loaders live as long as one
// response: a subscription gets new ones for every event.
package dataloaders

import (
	"context"

	"github.com/graph-gophers/dataloader/v7"

	"github.com/techmart/techmart/services/errs"
)

// batchSize bounds the keys of one fetch.
const batchSize = 1000

// newLoader makes a loader of fetch, which gives what it found by key; a key that is missing there
// answers NOT_FOUND. A failure of fetch is the failure of every key.
func newLoader[K comparable, V any](fetch func(ctx context.Context, keys []K) (map[K]V, error)) *dataloader.Loader[K, V] {
	g := &gatherer[K, V]{fetch: fetch}
	batch := func(ctx context.Context, keys []K) []*dataloader.Result[V] {
		results := make([]*dataloader.Result[V], len(keys))
		found, err := g.load(ctx, keys)
		for i, key := range keys {
			value, ok := found[key]
			switch {
			case err != nil:
				results[i] = &dataloader.Result[V]{Error: err}
			case !ok:
				results[i] = &dataloader.Result[V]{Error: errs.New(errs.NotFound, "There is no such thing.")}
			default:
				results[i] = &dataloader.Result[V]{Data: value}
			}
		}
		return results
	}
	return dataloader.NewBatchedLoader(batch,
		dataloader.WithWait[K, V](0), // the gatherer waits
		dataloader.WithInputCapacity[K, V](batchSize))
}

// Load waits for the value of one key. It fails with NOT_FOUND when nothing is there.
func Load[K comparable, V any](ctx context.Context, l *dataloader.Loader[K, V], key K) (V, error) {
	return l.Load(ctx, key)()
}

// Find is Load for a relation that may be missing: then it gives false and no error.
func Find[K comparable, V any](ctx context.Context, l *dataloader.Loader[K, V], key K) (V, bool, error) {
	v, err := l.Load(ctx, key)()
	if errs.CodeOf(err) == errs.NotFound {
		return v, false, nil
	}
	return v, err == nil, err
}

type contextKey struct{}

// NewContext gives a context that carries the loaders of a response.
func NewContext(ctx context.Context, l *Loaders) context.Context {
	return context.WithValue(ctx, contextKey{}, l)
}

// For gives the loaders of the response. It panics where there are none, which is a fault of the wiring.
func For(ctx context.Context) *Loaders { return ctx.Value(contextKey{}).(*Loaders) }
