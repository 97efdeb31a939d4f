package resolvers

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/pricing"
	"github.com/techmart/techmart/services/promotions"
)

type promotionConnectionResolver struct{}

// PromotionConnection gives the resolver of lists of promotions.
func (r *Resolver) PromotionConnection() generated.PromotionConnectionResolver {
	return promotionConnectionResolver{}
}

// TotalCount answers PromotionConnection.totalCount.
func (promotionConnectionResolver) TotalCount(ctx context.Context, c *model.PromotionConnection) (int, error) {
	return c.Count(ctx)
}

// Promotion answers Query.promotion.
func (q queryResolver) Promotion(ctx context.Context, promotionID string) (*model.Promotion, error) {
	u, err := id(model.PrefixPromotion, promotionID)
	if err != nil {
		return absent[model.Promotion](nil, err)
	}
	return absent(loadPromotion(ctx, u))
}

func loadPromotion(ctx context.Context, id uuid.UUID) (*model.Promotion, error) {
	p, err := dataloaders.Load(ctx, dataloaders.For(ctx).Promotions.ByID, id)
	if err != nil {
		return nil, err
	}
	return newPromotion(p), nil
}

// Promotions answers Query.promotions.
func (q queryResolver) Promotions(ctx context.Context, first *int, after *string, last *int, before *string) (*model.PromotionConnection, error) {
	list := listName("promotions")
	request, err := q.r.Cursors.Request(list, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	p, err := q.r.Promotions.List(ctx, request)
	if err != nil {
		return nil, err
	}
	connection := &model.PromotionConnection{Nodes: make([]*model.Promotion, 0, len(p.Items)), Count: q.r.Promotions.Count}
	connection.Edges, connection.PageInfo = edges(q.r.Cursors, list, p, promotions.KeyOf, func(cursor string, p *promotions.Promotion) *model.PromotionEdge {
		node := newPromotion(p)
		connection.Nodes = append(connection.Nodes, node)
		return &model.PromotionEdge{Cursor: cursor, Node: node}
	})
	return connection, nil
}

// PromotionCreate answers Mutation.promotionCreate.
func (m mutationResolver) PromotionCreate(ctx context.Context, input model.PromotionCreateInput) (*model.PromotionCreatePayload, error) {
	var replayed bool
	p, err := m.r.Promotions.Create(ctx, promotions.CreateInput{
		Terms: promotionTerms(input.Promotion), IdempotencyKey: request.IdempotencyKey(ctx, input.IdempotencyKey), Replayed: &replayed,
	})
	promotion, wrong, err := changedPromotion(p, err)
	if err != nil {
		return nil, err
	}
	return &model.PromotionCreatePayload{Promotion: promotion, Replayed: replayed, UserErrors: wrong}, nil
}

// PromotionUpdate answers Mutation.promotionUpdate.
func (m mutationResolver) PromotionUpdate(ctx context.Context, input model.PromotionUpdateInput) (*model.PromotionUpdatePayload, error) {
	u, fault := id(model.PrefixPromotion, input.ID, "id")
	var p *promotions.Promotion
	err := fault
	if fault == nil {
		p, err = m.r.Promotions.Update(ctx, u, input.ExpectedVersion, promotionTerms(input.Promotion))
	}
	promotion, wrong, err := changedPromotion(p, err)
	if err != nil {
		return nil, err
	}
	return &model.PromotionUpdatePayload{Promotion: promotion, UserErrors: wrong}, nil
}

// PromotionDelete answers Mutation.promotionDelete.
func (m mutationResolver) PromotionDelete(ctx context.Context, input model.PromotionDeleteInput) (*model.PromotionDeletePayload, error) {
	u, err := id(model.PrefixPromotion, input.ID, "id")
	if err == nil {
		err = m.r.Promotions.Delete(ctx, u)
	}
	out := &model.PromotionDeletePayload{}
	if err == nil {
		out.DeletedID = &input.ID
	}
	if out.UserErrors, err = userErrors(err); err != nil {
		return nil, err
	}
	return out, nil
}

// changedPromotion converts what came of a change.
func changedPromotion(p *promotions.Promotion, err error) (*model.Promotion, []model.UserError, error) {
	wrong, err := userErrors(err)
	if err != nil || p == nil {
		return nil, wrong, err
	}
	return newPromotion(p), wrong, nil
}

// promotionTerms reads the terms of a promotion, with what is wrong with them.
func promotionTerms(in *model.PromotionInput) promotions.Terms {
	t := promotions.Terms{
		Code: text(in.Code), Title: in.Title, Kind: pricing.Kind(in.Kind), Combinable: in.Combinable, Enabled: in.Enabled,
		StartsAt: in.StartsAt, EndsAt: in.EndsAt, MaxUses: in.MaxUses, CustomerUses: in.MaxUsesPerCustomer,
	}
	var (
		c   errs.Collector
		err error
	)
	if in.Percent != nil {
		rate, err := pricing.ParseRate(*in.Percent)
		if err != nil {
			c.Add(errs.Invalid, "This is no percentage up to 100 with at most two decimal places.", "promotion", "percent")
		} else {
			t.Rate = &rate
		}
	}
	t.Amount, err = moneyInput(in.Amount, "promotion", "amount")
	c.Merge(err)
	t.MinSubtotal, err = moneyInput(in.MinSubtotal, "promotion", "minSubtotal")
	c.Merge(err)
	t.Faults = c.Err()
	return t
}

// promotionNodes are the look-ups of this domain for node(id).
func (r *Resolver) promotionNodes() map[string]nodeFunc {
	return map[string]nodeFunc{
		model.PrefixPromotion: func(ctx context.Context, id uuid.UUID) (model.Node, error) { return loadPromotion(ctx, id) },
	}
}

// newPromotion gives the graph's form of a promotion.
func newPromotion(p *promotions.Promotion) *model.Promotion {
	out := &model.Promotion{
		ID: model.ID(model.PrefixPromotion, p.ID), Code: optional(p.Code), Title: p.Title, Kind: model.DiscountKind(p.Kind),
		MinSubtotal: newMoney(p.MinSubtotal), Combinable: p.Combinable, Enabled: p.Enabled, StartsAt: p.StartsAt, EndsAt: p.EndsAt,
		Uses: p.Uses, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, Version: p.Version,
	}
	switch p.Kind {
	case pricing.Percentage:
		out.Percent = optional(p.Rate.String())
	case pricing.Amount:
		out.Amount = newMoney(p.Amount)
	}
	if p.MaxUses > 0 {
		out.MaxUses = &p.MaxUses
	}
	if p.CustomerUses > 0 {
		out.MaxUsesPerCustomer = &p.CustomerUses
	}
	return out
}
