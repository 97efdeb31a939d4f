package resolvers

import (
	"context"
	"fmt"
	"reflect"
	"runtime/debug"
	"strconv"
	"sync"

	"github.com/techmart/techmart/graph/federation"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// maxRepresentations bounds those of one _entities field: as many as a loader fetches at once.
const maxRepresentations = 1000

// A Subgraph is what a process gives to a federated graph.
type Subgraph struct {
	*federation.Graph
	Open bool // whether everybody may read its SDL
}

var _ generated.FederationResolver = (*Resolver)(nil)

// Service answers Query._service.
func (r *Resolver) Service(ctx context.Context) (*model.Service, error) {
	if !r.Subgraph.Open {
		if err := viewer.FromContext(ctx).Require(viewer.SchemaRead); err != nil {
			return nil, err
		}
	}
	return &model.Service{Sdl: r.Subgraph.SDL()}, nil
}

// Entities answers Query._entities. The look-ups run side by side, so that their loaders gather them.
func (r *Resolver) Entities(ctx context.Context, representations []map[string]any) ([]model.Entity, map[int]error) {
	found, failures := make([]model.Entity, len(representations)), make(map[int]error)
	if len(representations) > maxRepresentations {
		failures[0] = errs.At(errs.BadInput, "Ask for at most 1,000 entities.", "representations")
		return found, failures
	}
	var mu sync.Mutex
	var group sync.WaitGroup
	for i, representation := range representations {
		group.Go(func() {
			e, err := r.entity(ctx, i, representation)
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failures[i] = err
				return
			}
			found[i] = e
		})
	}
	group.Wait()
	return found, failures
}

// entity looks one entity up, as node does. Of one that belongs to another part of the graph there is no
// more here than its key, for which nothing is looked up: the fields that this part adds decide by
// themselves what the viewer gets.
func (r *Resolver) entity(ctx context.Context, i int, representation map[string]any) (e model.Entity, err error) {
	defer func() {
		if p := recover(); p != nil { // a panic here would be out of the executor's reach
			err = fmt.Errorf("resolvers: entity: panic: %v\n%s", p, debug.Stack())
		}
	}()
	at := func(field, message string) error {
		return errs.At(errs.BadInput, message, "representations", strconv.Itoa(i), field)
	}
	name, ok := representation["__typename"].(string)
	if !ok {
		return nil, at("__typename", "A representation needs the __typename of an entity.")
	}
	key, ok := representation["id"].(string)
	if !ok {
		return nil, at("id", "A representation needs the id of an entity.")
	}
	switch r.Subgraph.Entity(name) {
	case federation.Own:
		n, err := r.node(ctx, key)
		if err != nil || n == nil || typeName(n) != name {
			return nil, err
		}
		return n, nil
	case federation.Extended:
		return reference(name, key), nil
	}
	return nil, at("__typename", "There is no entity of this name here.")
}

// typeName gives the name that a thing has in the graph: that of its model.
func typeName(n model.Node) string {
	t := reflect.TypeOf(n)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}
