package app

import (
	"context"

	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/resolvers"
)

// queryCosts lets the graph ask its edge what operations would cost.
type queryCosts struct{ edge *gateway.Gateway }

var _ resolvers.QueryCosts = (*queryCosts)(nil)

// QueryCost asks the edge.
func (c *queryCosts) QueryCost(ctx context.Context, document, operationName string, variables map[string]any) (*model.QueryCost, error) {
	got, err := c.edge.QueryCost(ctx, document, operationName, variables)
	if err != nil {
		return nil, err
	}
	out := &model.QueryCost{Total: got.Total, Limit: got.Limit}
	for _, f := range got.Breakdown {
		out.Breakdown = append(out.Breakdown, &model.QueryCostField{
			Path: f.Path, Field: f.Field, Times: f.Times, Items: f.Items, Cost: f.Cost, Total: f.Total,
		})
	}
	return out, nil
}
