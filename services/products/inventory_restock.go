package products

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
)

// Restock puts pieces that customers sent back on the shelf.
type Restock struct {
	ID         uuid.UUID // of the return; nothing happens twice under one
	OrderID    uuid.UUID
	LocationID uuid.UUID
	Note       string        // for the history
	Lines      []RestockLine // one for each variant
	At         time.Time     // when they came; the same each time
}

// RestockLine is a part of a Restock.
type RestockLine struct {
	VariantID uuid.UUID
	ProductID uuid.UUID // for a variant that has no stock any more
	Quantity  int       // 1 or more
}

// RestockStore puts pieces back.
type RestockStore interface {
	// Restock raises stock on hand, once for each return, and writes the history. It gives the stock of all
	// its variants as it is then.
	Restock(ctx context.Context, r Restock) ([]Stock, error)
}

// EntryID gives the id of the line in the history that the restock writes for a variant.
func (r Restock) EntryID(variantID uuid.UUID) uuid.UUID {
	return FulfillmentEntryID(r.ID, variantID, 0, r.At)
}

// RestockLocation gives where pieces go back on the shelf: the location with the id, or the shop's first one for the
// zero id. It fails with NOT_FOUND.
func (s *Service) RestockLocation(ctx context.Context, id uuid.UUID) (uuid.UUID, error) {
	all, err := s.inventory.Locations(ctx)
	if err != nil {
		return uuid.Nil, err
	}
	if id == uuid.Nil {
		id = Locations[0].ID
	}
	if !slices.ContainsFunc(all, func(l Location) bool { return l.ID == id }) {
		return uuid.Nil, errs.New(errs.NotFound, "There is no such location.")
	}
	return id, nil
}

// Restock puts pieces back on the shelf, once for each return, and tells those who watch the stock. It may be repeated.
func (s *Service) Restock(ctx context.Context, r Restock) error {
	sum := make(map[uuid.UUID]RestockLine, len(r.Lines))
	for _, l := range r.Lines {
		if l.Quantity < 1 {
			return errs.New(errs.OutOfRange, "A line needs a quantity of at least 1.")
		}
		l.Quantity += sum[l.VariantID].Quantity
		sum[l.VariantID] = l
	}
	r.Lines = make([]RestockLine, 0, len(sum))
	for _, l := range sum {
		r.Lines = append(r.Lines, l)
	}
	slices.SortFunc(r.Lines, func(a, b RestockLine) int { return slices.Compare(a.VariantID[:], b.VariantID[:]) })
	changed, err := s.inventory.Restock(ctx, r)
	if err != nil {
		return err
	}
	return s.announce(ctx, changed)
}
