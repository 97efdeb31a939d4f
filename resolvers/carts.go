package resolvers

import (
	"context"
	"strconv"

	"github.com/google/uuid"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/carts"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

type cartLineResolver struct{ r *Resolver }

// CartLine gives the resolver of the lines of carts.
func (r *Resolver) CartLine() generated.CartLineResolver { return cartLineResolver{r} }

// Cart answers Query.cart.
func (q queryResolver) Cart(ctx context.Context, token *string) (*model.Cart, error) {
	c, err := q.r.Carts.Get(ctx, text(token))
	if err != nil {
		return absent[model.Cart](nil, err)
	}
	return q.r.newCart(c), nil
}

// Cart answers User.cart.
func (u userResolver) Cart(ctx context.Context, user *model.User) (*model.Cart, error) {
	c, found, err := dataloaders.Find(ctx, dataloaders.For(ctx).Carts.ByUser, user.UserID)
	if err != nil || !found {
		return nil, err
	}
	return u.r.newCart(c), nil
}

// Variant answers CartLine.variant.
func (l cartLineResolver) Variant(ctx context.Context, line *model.CartLine) (*model.ProductVariant, error) {
	return l.r.findVariant(ctx, line.VariantID)
}

// CartLinesAdd answers Mutation.cartLinesAdd.
func (m mutationResolver) CartLinesAdd(ctx context.Context, input model.CartLinesAddInput) (*model.CartLinesAddPayload, error) {
	in := carts.AddInput{
		IdempotencyKey: request.IdempotencyKey(ctx, input.IdempotencyKey), Token: text(input.CartToken),
		Lines: make([]carts.LineInput, len(input.Lines)),
	}
	var faults errs.Collector
	for i, l := range input.Lines {
		variant, err := id(model.PrefixVariant, l.VariantID, "lines", strconv.Itoa(i), "variantId")
		faults.Merge(err)
		in.Lines[i] = carts.LineInput{VariantID: variant, Quantity: l.Quantity}
	}
	in.Faults = faults.Err()
	var replayed bool
	in.Replayed = &replayed
	cart, wrong, err := m.changedCart(func() (*carts.Cart, error) { return m.r.Carts.Add(ctx, in) })
	if err != nil {
		return nil, err
	}
	return &model.CartLinesAddPayload{Cart: cart, Replayed: replayed, UserErrors: wrong}, nil
}

// CartLinesUpdate answers Mutation.cartLinesUpdate.
func (m mutationResolver) CartLinesUpdate(ctx context.Context, input model.CartLinesUpdateInput) (*model.CartLinesUpdatePayload, error) {
	in := carts.UpdateInput{IdempotencyKey: request.IdempotencyKey(ctx, input.IdempotencyKey), Token: text(input.CartToken), Lines: make([]carts.LineUpdate, len(input.Lines))}
	var faults errs.Collector
	for i, l := range input.Lines {
		line, err := id(model.PrefixCartLine, l.LineID, "lines", strconv.Itoa(i), "lineId")
		faults.Merge(err)
		in.Lines[i] = carts.LineUpdate{LineID: line, Quantity: l.Quantity}
	}
	in.Faults = faults.Err()
	var replayed bool
	in.Replayed = &replayed
	cart, wrong, err := m.changedCart(func() (*carts.Cart, error) { return m.r.Carts.Update(ctx, in) })
	if err != nil {
		return nil, err
	}
	return &model.CartLinesUpdatePayload{Cart: cart, Replayed: replayed, UserErrors: wrong}, nil
}

// CartLinesRemove answers Mutation.cartLinesRemove.
func (m mutationResolver) CartLinesRemove(ctx context.Context, input model.CartLinesRemoveInput) (*model.CartLinesRemovePayload, error) {
	in := carts.RemoveInput{IdempotencyKey: request.IdempotencyKey(ctx, input.IdempotencyKey), Token: text(input.CartToken), LineIDs: make([]uuid.UUID, len(input.LineIds))}
	var faults errs.Collector
	for i, lineID := range input.LineIds {
		line, err := id(model.PrefixCartLine, lineID, "lineIds", strconv.Itoa(i))
		faults.Merge(err)
		in.LineIDs[i] = line
	}
	in.Faults = faults.Err()
	var replayed bool
	in.Replayed = &replayed
	cart, wrong, err := m.changedCart(func() (*carts.Cart, error) { return m.r.Carts.Remove(ctx, in) })
	if err != nil {
		return nil, err
	}
	return &model.CartLinesRemovePayload{Cart: cart, Replayed: replayed, UserErrors: wrong}, nil
}

// CartMerge answers Mutation.cartMerge.
func (m mutationResolver) CartMerge(ctx context.Context, input model.CartMergeInput) (*model.CartMergePayload, error) {
	cart, wrong, err := m.changedCart(func() (*carts.Cart, error) { return m.r.Carts.Merge(ctx, input.CartToken) })
	if err != nil {
		return nil, err
	}
	return &model.CartMergePayload{Cart: cart, UserErrors: wrong}, nil
}

// changedCart makes a change, and converts what came of it.
func (m mutationResolver) changedCart(change func() (*carts.Cart, error)) (*model.Cart, []model.UserError, error) {
	cart, err := change()
	wrong, err := userErrors(err)
	if err != nil || cart == nil {
		return nil, wrong, err
	}
	return m.r.newCart(cart), wrong, nil
}

// cartNodes are the look-ups of this domain for node(id).
func (r *Resolver) cartNodes() map[string]nodeFunc {
	return map[string]nodeFunc{
		model.PrefixCart: func(ctx context.Context, id uuid.UUID) (model.Node, error) {
			// The only cart that an id opens is the viewer's own.
			c, err := dataloaders.Load(ctx, dataloaders.For(ctx).Carts.ByUser, viewer.FromContext(ctx).UserID)
			if err != nil {
				return nil, err
			}
			if c.ID != id {
				return nil, carts.NotFound()
			}
			return r.newCart(c), nil
		},
	}
}

// newCart gives the graph's form of a cart.
func (r *Resolver) newCart(c *carts.Cart) *model.Cart {
	out := &model.Cart{
		ID: model.ID(model.PrefixCart, c.ID), CartID: c.ID, Token: optional(c.Token), Subtotal: newMoney(c.Subtotal),
		TotalQuantity: c.TotalQuantity, UpdatedAt: c.UpdatedAt, ExpiresAt: c.ExpiresAt,
		Lines: make([]*model.CartLine, len(c.Lines)), Warnings: make([]*model.CartWarning, len(c.Warnings)),
	}
	for i, l := range c.Lines {
		out.Lines[i] = &model.CartLine{
			ID: model.ID(model.PrefixCartLine, l.ID), VariantID: l.VariantID, Quantity: l.Quantity,
			UnitPrice: newMoney(l.UnitPrice), Total: newMoney(l.Total),
		}
	}
	for i, w := range c.Warnings {
		out.Warnings[i] = &model.CartWarning{
			Code: model.CartWarningCode(w.Code), Message: w.Message, LineID: model.ID(model.PrefixCartLine, w.LineID),
		}
		switch w.Code {
		case carts.InsufficientStock:
			out.Warnings[i].Available = &c.Warnings[i].Available
		case carts.PriceChanged:
			out.Warnings[i].PreviousPrice = newMoney(w.PreviousPrice)
		}
	}
	r.quoteCart(out, c)
	return out
}
