package resolvers

import (
	"context"

	"github.com/techmart/techmart/graph/model"
)

// QueryCosts tells what operations would cost.
type QueryCosts interface {
	// QueryCost does not run the operation. It fails with BAD_USER_INPUT at the argument that is
	// wrong: document, operationName or variables.
	QueryCost(ctx context.Context, document, operationName string, variables map[string]any) (*model.QueryCost, error)
}

// QueryCost answers what an operation would cost.
func (q queryResolver) QueryCost(ctx context.Context, document string, operationName *string, variables map[string]any) (*model.QueryCost, error) {
	name := ""
	if operationName != nil {
		name = *operationName
	}
	return q.r.Costs.QueryCost(ctx, document, name, variables)
}
