package generated

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"github.com/techmart/techmart/graph/model"
)

// This file alone is written by hand: gqlgen calls two methods of the executor for what a router asks,
// and leaves them to its federation plugin, which knows neither bounds nor codes nor parts of a graph.

// FederationResolver answers what routers ask. A [ResolverRoot] has to be one.
type FederationResolver interface {
	// Entities gives what each representation is of, nil for nothing, and what failed by index.
	Entities(ctx context.Context, representations []map[string]any) ([]model.Entity, map[int]error)
	// Service gives the part of the graph that this process serves.
	Service(ctx context.Context) (*model.Service, error)
}

func (ec *executionContext) federation() FederationResolver {
	return ec.Resolvers.(FederationResolver)
}

func (ec *executionContext) __resolve_entities(ctx context.Context, representations []map[string]any) []model.Entity {
	entities, failures := ec.federation().Entities(ctx, representations)
	for i := range representations {
		if err := failures[i]; err != nil {
			ec.Error(graphql.WithPathContext(ctx, graphql.NewPathWithIndex(i)), err)
		}
	}
	return entities
}

func (ec *executionContext) __resolve__service(ctx context.Context) (model.Service, error) {
	s, err := ec.federation().Service(ctx)
	if err != nil {
		return model.Service{}, err
	}
	return *s, nil
}
