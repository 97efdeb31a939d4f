package products

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// DriftKind says how stock contradicts itself.
type DriftKind string

// The kinds. Only OVERSOLD and DOUBLED need people; the others are figures that follow from what is held.
const (
	DriftReserved    DriftKind = "RESERVED"    // reserved at a location is not what reservations hold there
	DriftAvailable   DriftKind = "AVAILABLE"   // what is noted as available is not on hand less reserved
	DriftReservation DriftKind = "RESERVATION" // a reservation's pieces are not those of its locations
	DriftOrphaned    DriftKind = "ORPHANED"    // pieces are held for an order that is over, or never was
	DriftOversold    DriftKind = "OVERSOLD"    // more is held at a location than lies there
	DriftDoubled     DriftKind = "DOUBLED"     // one order has two reservations of a variant
)

// Repairable reports whether a repair puts it right.
func (k DriftKind) Repairable() bool { return k != DriftOversold && k != DriftDoubled }

// Drift is one contradiction in the stock of a variant.
type Drift struct {
	Kind       DriftKind
	VariantID  uuid.UUID // zero for ORPHANED
	LocationID uuid.UUID // zero where it concerns the variant as a whole
	HolderID   uuid.UUID // the order or cart whose reservation it is; zero otherwise
	Cart       bool      // the holder is a cart
	Noted      int       // the figure that the stock shows
	Actual     int       // the figure that follows from the rest
}

// String says what is wrong, for a log.
func (d Drift) String() string {
	text := fmt.Sprintf("%s: variant %s shows %d instead of %d", d.Kind, d.VariantID, d.Noted, d.Actual)
	if d.Kind == DriftOrphaned {
		text = string(d.Kind)
	}
	if d.LocationID != uuid.Nil {
		text += ", location " + d.LocationID.String()
	}
	if d.HolderID != uuid.Nil {
		text += ", order " + d.HolderID.String()
	}
	return text
}

// maxDrifts bounds the drifts that an audit lists; all are counted.
const maxDrifts = 100

// Audit is what a check of all stock found. The sums are over all variants and locations.
type Audit struct {
	At           time.Time
	Variants     int
	Reservations int // that hold pieces
	OnHand       int
	Reserved     int
	Available    int
	Count        int     // of drifts
	Drifts       []Drift // the first of them
}

// Note adds a drift.
func (a *Audit) Note(d Drift) {
	a.Count++
	if len(a.Drifts) < maxDrifts {
		a.Drifts = append(a.Drifts, d)
	}
}

// Repairable reports whether a repair would put something right.
func (a *Audit) Repairable() bool {
	for _, d := range a.Drifts {
		if d.Kind.Repairable() {
			return true
		}
	}
	return false
}

// StockOrders knows which orders may hold stock.
type StockOrders interface {
	// Over gives those of the orders that may hold nothing any more, or that never were.
	Over(ctx context.Context, orderIDs []uuid.UUID) ([]uuid.UUID, error)
}

// AuditInventory checks all stock: at every location reserved is the sum of what live reservations hold,
// on hand is reserved and available, and no order that is over holds anything. It reads everything. It
// needs inventory:read.
func (s *Service) AuditInventory(ctx context.Context) (Audit, error) {
	if err := viewer.FromContext(ctx).Require(viewer.InventoryRead); err != nil {
		return Audit{}, err
	}
	audit := Audit{At: s.now()}
	if err := s.inventory.Audit(ctx, &audit); err != nil {
		return audit, err
	}
	orphans, err := s.orphans(ctx)
	for _, id := range orphans {
		audit.Note(Drift{Kind: DriftOrphaned, HolderID: id})
	}
	return audit, err
}

// orphans gives the orders that hold pieces and may not. One that was over while it was looked at has
// given its pieces back by now, so that it is asked again.
func (s *Service) orphans(ctx context.Context) ([]uuid.UUID, error) {
	if s.orders == nil {
		return nil, nil
	}
	var orphans []uuid.UUID
	for after := uuid.Nil; ; {
		holders, err := s.inventory.Holders(ctx, after, holdersBatch)
		if err != nil || len(holders) == 0 {
			return orphans, err
		}
		after = holders[len(holders)-1]
		over, err := s.orders.Over(ctx, holders)
		if err != nil {
			return orphans, err
		}
		holding, err := s.inventory.Holding(ctx, over)
		if err != nil {
			return orphans, err
		}
		orphans = append(orphans, holding...)
	}
}

// RepairInventory computes anew what follows from the reservations, gives back what orders hold that are
// over, and tells those who watch the stock. It gives what it found before. Only the program itself may
// call it.
func (s *Service) RepairInventory(ctx context.Context) (Audit, error) {
	if !viewer.FromContext(ctx).System {
		return Audit{}, errs.New(errs.Forbidden, "Only the program itself does this.")
	}
	found, err := s.AuditInventory(ctx)
	if err != nil || !found.Repairable() {
		return found, err
	}
	changed, err := s.inventory.Repair(ctx)
	if failed := s.announce(ctx, changed); err == nil {
		err = failed
	}
	if err != nil {
		return found, err
	}
	orphans, err := s.orphans(ctx)
	if err != nil {
		return found, err
	}
	for _, id := range orphans {
		if err := s.Release(ctx, id); err != nil {
			return found, err
		}
	}
	return found, nil
}

// CheckStock gives what is wrong with any variant's stock; nothing when all is well.
func (s *Service) CheckStock(ctx context.Context) ([]string, error) {
	var audit Audit
	err := s.inventory.Audit(ctx, &audit)
	return audit.Texts(), err
}

// Texts gives the drifts for a log.
func (a *Audit) Texts() []string {
	var texts []string
	for _, d := range a.Drifts {
		texts = append(texts, d.String())
	}
	return texts
}
