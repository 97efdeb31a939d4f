package app

import (
	"fmt"

	"github.com/99designs/gqlgen/graphql"

	"github.com/techmart/techmart/graph/federation"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/resolvers"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/page"
)

// graphs are the whole graph, for the program's own use, and the part of it that is served.
type graphs struct {
	whole, part graphql.ExecutableSchema
	costs       *queryCosts
}

func (a *App) newGraph() (graphs, error) {
	parts, err := federation.Parse(a.config.Subgraph)
	if err != nil {
		return graphs{}, err
	}
	g := graphs{costs: new(queryCosts)}
	whole := a.newResolver(g.costs)
	g.whole = generated.NewExecutableSchema(generated.Config{Resolvers: whole, Directives: resolvers.Directives()})
	if whole.Subgraph, err = a.newSubgraph(nil); err != nil {
		return graphs{}, err
	}
	if g.part = g.whole; len(parts) == 0 && whole.Subgraph.Schema() == g.whole.Schema() {
		return g, nil
	}
	part := a.newResolver(g.costs)
	if part.Subgraph, err = a.newSubgraph(parts); err != nil {
		return graphs{}, err
	}
	g.part = generated.NewExecutableSchema(generated.Config{Schema: part.Subgraph.Schema(), Resolvers: part, Directives: resolvers.Directives()})
	return g, nil
}

func (a *App) newResolver(costs *queryCosts) *resolvers.Resolver {
	s := a.Services
	return &resolvers.Resolver{
		Users: s.Users, Products: s.Products, Carts: s.Carts, Orders: s.Orders, Payments: s.Payments, Notifications: s.Notifications, Promotions: s.Promotions, Webhooks: s.Webhooks,
		Cursors: page.NewCursors([]byte(a.config.CursorSecret)), Currency: money.Currency(a.config.Currency), Costs: costs,
	}
}

func (a *App) newSubgraph(parts []federation.Part) (resolvers.Subgraph, error) {
	g, err := Subgraph(parts...)
	return resolvers.Subgraph{Graph: g, Open: a.config.Mode == Development}, err
}

// Subgraph gives what this program has of the parts of the graph; all of it for none. It needs no server.
func Subgraph(parts ...federation.Part) (*federation.Graph, error) {
	g, err := federation.Project(generated.NewExecutableSchema(generated.Config{}).Schema(), parts...)
	if err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	return g, nil
}
