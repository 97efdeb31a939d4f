package resolvers

import (
	"github.com/google/uuid"

	"github.com/techmart/techmart/graph/federation"
	"github.com/techmart/techmart/graph/model"
)

// A referenceFunc makes an entity of its key alone.
type referenceFunc struct {
	prefix string
	of     func(id uuid.UUID) model.Node
}

// references are the entities that parts of the graph name without having them.
var references = map[string]referenceFunc{
	"User":           {model.PrefixUser, func(id uuid.UUID) model.Node { return newUserReference(id) }},
	"Order":          {model.PrefixOrder, func(id uuid.UUID) model.Node { return newOrderReference(id) }},
	"Product":        {model.PrefixProduct, func(id uuid.UUID) model.Node { return newProductReference(id) }},
	"ProductVariant": {model.PrefixVariant, func(id uuid.UUID) model.Node { return newVariantReference(id) }},
}

// reference makes the entity with the key; nil for what is no key of one.
func reference(name, key string) model.Entity {
	r, ok := references[name]
	if !ok {
		return nil
	}
	id, err := model.ParseID(r.prefix, key)
	if err != nil {
		return nil
	}
	return r.of(id)
}

// elsewhere tells whether an entity belongs to a part of the graph that this process does not serve. Then
// its key is all that is answered of it here, and a router asks its own part for the rest, which decides
// whether it is there and whether the viewer may see it.
func (r *Resolver) elsewhere(entity string) bool {
	return r.Subgraph.Graph != nil && r.Subgraph.Entity(entity) != federation.Own
}

func newUserReference(id uuid.UUID) *model.User {
	return &model.User{ID: model.ID(model.PrefixUser, id), UserID: id}
}

func newOrderReference(id uuid.UUID) *model.Order {
	return &model.Order{ID: model.ID(model.PrefixOrder, id), OrderID: id}
}

func newProductReference(id uuid.UUID) *model.Product {
	return &model.Product{ID: model.ID(model.PrefixProduct, id), ProductID: id}
}

func newVariantReference(id uuid.UUID) *model.ProductVariant {
	return &model.ProductVariant{ID: model.ID(model.PrefixVariant, id), VariantID: id}
}
