package carts

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
)

// Stock is where carts hold pieces.
type Stock interface {
	// Hold makes what the cart holds, for a time, as many pieces of each variant as there are, and nothing else.
	Hold(ctx context.Context, cartID uuid.UUID, quantities map[uuid.UUID]int, lasts time.Duration) error
	// Held gives what carts hold, by cart and variant.
	Held(ctx context.Context, cartIDs []uuid.UUID) (map[uuid.UUID]map[uuid.UUID]int, error)
}

// holding reports whether carts hold what is put into them.
func (s *Service) holding() bool { return s.stock != nil && s.holdFor > 0 }

// hold has a cart hold what is in it. A cart that cannot hold is still a cart: its warnings tell what is short.
func (s *Service) hold(ctx context.Context, c *Stored) {
	quantities := make(map[uuid.UUID]int, len(c.Lines))
	for _, l := range c.Lines {
		quantities[l.VariantID] += l.Quantity
	}
	if err := s.stock.Hold(ctx, c.ID, quantities, s.holdFor); err != nil {
		s.log.WarnContext(ctx, "a cart holds no stock", "cart", c.ID, "error", err)
	}
}

// addHeld adds what the cart itself holds to what is available to it. It asks only where a line is short: nobody else
// is told of more than there is.
func (s *Service) addHeld(ctx context.Context, c *Stored, variants map[uuid.UUID]Variant) error {
	if s.stock == nil || !short(c, variants) {
		return nil
	}
	held, err := s.stock.Held(ctx, []uuid.UUID{c.ID})
	if err != nil {
		return err
	}
	for id, n := range held[c.ID] {
		if v, ok := variants[id]; ok {
			v.Available += n
			variants[id] = v
		}
	}
	return nil
}

func short(c *Stored, variants map[uuid.UUID]Variant) bool {
	for _, l := range c.Lines {
		if v, ok := variants[l.VariantID]; ok && v.Available < l.Quantity {
			return true
		}
	}
	return false
}

// letGo gives back what the anonymous cart of a token holds, which is about to be merged into another.
func (s *Service) letGo(ctx context.Context, hash []byte) error {
	c, err := s.store.Find(ctx, Selector{TokenHash: hash}, s.now())
	if errs.CodeOf(err) == errs.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return s.stock.Hold(ctx, c.ID, nil, s.holdFor)
}
