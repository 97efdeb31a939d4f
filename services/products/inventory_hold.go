package products

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
)

// Hold is what a cart is to hold until a time: exactly the lines, one for each variant, and nothing else.
type Hold struct {
	CartID  uuid.UUID
	Lines   []StockLine
	Whole   bool // all of every line or nothing; otherwise as many pieces as there are
	Expires time.Time
	At      time.Time
}

// HoldStore keeps what carts hold: reservations that end by themselves. An order takes over what its cart
// holds, see [InventoryStore].Reserve.
type HoldStore interface {
	// Hold makes what the cart holds that of h. It gives the pieces held by variant, and the stock that it
	// changed. Again it only sets the time. Where h.Whole it fails with one INSUFFICIENT_STOCK for each line
	// that cannot be had, and gives back what it took.
	Hold(ctx context.Context, h Hold) (map[uuid.UUID]int, []Stock, error)
	// Held gives what carts hold, by cart and variant, in one command.
	Held(ctx context.Context, cartIDs []uuid.UUID) (map[uuid.UUID]map[uuid.UUID]int, error)
	// Expire gives back what expired by now, of at most limit variants, and gives their stock.
	Expire(ctx context.Context, now time.Time, limit int) ([]Stock, error)
}

// expireBatch bounds the variants of one command.
const expireBatch = 200

// HoldForCart makes what a cart holds, until a time, as many pieces of each line as there are, and nothing
// else. It gives the pieces by variant. No lines give all back.
func (s *Service) HoldForCart(ctx context.Context, cartID uuid.UUID, lines []StockLine, lasts time.Duration) (map[uuid.UUID]int, error) {
	return s.hold(ctx, cartID, lines, lasts, false)
}

// HoldForCheckout makes what a cart holds, until a time, all of its lines. It fails with one
// INSUFFICIENT_STOCK for each variant that cannot be had, and then takes nothing.
func (s *Service) HoldForCheckout(ctx context.Context, cartID uuid.UUID, lines []StockLine, lasts time.Duration) error {
	_, err := s.hold(ctx, cartID, lines, lasts, true)
	return err
}

func (s *Service) hold(ctx context.Context, cartID uuid.UUID, lines []StockLine, lasts time.Duration, whole bool) (map[uuid.UUID]int, error) {
	merged, err := mergeLines(lines)
	if err != nil {
		return nil, err
	}
	now := s.now()
	held, changed, err := s.inventory.Hold(ctx, Hold{CartID: cartID, Lines: merged, Whole: whole, Expires: now.Add(lasts), At: now})
	if failed := s.announce(ctx, changed); failed != nil {
		return nil, failed
	}
	return held, err
}

// HeldByCarts gives what carts hold, by cart and variant.
func (s *Service) HeldByCarts(ctx context.Context, cartIDs []uuid.UUID) (map[uuid.UUID]map[uuid.UUID]int, error) {
	return s.inventory.Held(ctx, cartIDs)
}

// ExpireHolds gives back what carts held for too long, and gives the number of variants.
func (s *Service) ExpireHolds(ctx context.Context) (int, error) {
	changed, err := s.inventory.Expire(ctx, s.now(), expireBatch)
	if err != nil {
		return 0, err
	}
	return len(changed), s.announce(ctx, changed)
}

// Short gives the refusal of a line of which only some pieces can be had.
func Short(variantID uuid.UUID, available int) error {
	return errs.Newf(InsufficientStock, "Only %d pieces are available.", available).With("variantId", variantID).With("available", available)
}
