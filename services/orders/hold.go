package orders

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
)

// hold has the cart hold all that is ordered, until the saga takes it over. It gives the order that the same
// cart made a moment ago, whose saga may hold the last pieces by now; nil where there is none. It fails with
// INSUFFICIENT_STOCK for each line that cannot be had.
func (s *Service) hold(ctx context.Context, customerID uuid.UUID, key *Key, p *placing) (*Order, error) {
	err := s.inventory.Hold(ctx, p.cart.ID, articles(p.lines))
	if !errs.Is(err, CodeInsufficientStock) {
		return nil, err
	}
	made, failed := s.ordered(ctx, key, p.cart.ID, customerID)
	if errs.CodeOf(failed) == errs.NotFound {
		return nil, p.short(err)
	}
	return made, failed
}

// letGo gives back what the cart holds once more though its order has its stock already: this call was too late.
// Before that the hold is the order's to take over. Where it fails the hold ends by itself.
func (s *Service) letGo(ctx context.Context, made *Order) {
	if made.Stage == StageReserve {
		return
	}
	if err := s.inventory.Hold(ctx, made.CartID, nil); err != nil {
		s.log.WarnContext(ctx, "what a cart holds is not given back yet", "order", made.ID, "error", err)
	}
}

// short says of each line of the cart that it is short of stock, from what the inventory answered.
func (p *placing) short(err error) error {
	available := make(map[uuid.UUID]int)
	for _, e := range errs.All(err) {
		id, _ := e.Data["variantId"].(uuid.UUID)
		available[id], _ = e.Data["available"].(int)
	}
	var c errs.Collector
	for i, l := range p.cart.Lines {
		n, found := available[l.VariantID]
		if !found {
			continue
		}
		l.Available = n
		c.Merge(shortOf(i, l))
	}
	return c.Err()
}
