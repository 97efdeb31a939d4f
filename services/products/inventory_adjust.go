package products

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// Bounds of stock.
const (
	maxOnHand    = 1_000_000
	maxStockNote = 500
	maxKey       = 255 // characters of an idempotency key
	settleBatch  = 100
)

// AdjustInput changes stock on hand by compare-and-swap.
type AdjustInput struct {
	IdempotencyKey string // none when empty
	VariantID      uuid.UUID
	LocationID     uuid.UUID
	ExpectedOnHand int
	OnHand         int
	Reason         Reason
	Note           string
	Faults         error `json:"-"` // what was wrong with the input before it came here, reported with the rest
	Replayed       *bool `json:"-"` // set where this is the answer of an earlier call; nil where nobody asks
}

// AdjustInventory sets the stock on hand of a variant at a location. It needs inventory:write. It
// fails with CONFLICT at expectedOnHand when the stock is another, with OUT_OF_RANGE at onHand when
// more is reserved, with NOT_FOUND at variantId or locationId, and for each field out of its bounds.
func (s *Service) AdjustInventory(ctx context.Context, in AdjustInput) (_ ProductVariant, _ *Adjustment, err error) {
	v := viewer.FromContext(ctx)
	if err := v.Require(viewer.InventoryWrite); err != nil {
		return ProductVariant{}, nil, err
	}
	in.Note = strings.TrimSpace(in.Note)
	variant, err := s.checkAdjust(ctx, in)
	if err != nil {
		return ProductVariant{}, nil, err
	}
	id := newID()
	key := IdempotencyKey{Owner: v.Actor(), Operation: "inventoryAdjust", Key: in.IdempotencyKey}
	if key.Hash, err = hashOf(in); err != nil {
		return ProductVariant{}, nil, err
	}
	if key.Key != "" {
		claim, failed := s.catalog.ClaimKey(ctx, key, id, s.keyLease)
		if failed != nil {
			return ProductVariant{}, nil, failed
		}
		defer func() { s.finish(ctx, key, claim, err) }()
		id = claim.ID
		if in.Replayed != nil {
			*in.Replayed = !claim.First
		}
	}
	stock, adjustment, err := s.inventory.SetOnHand(ctx, SetOnHand{
		ID: id, VariantID: in.VariantID, ProductID: variant.Product.ID, LocationID: in.LocationID,
		Expected: in.ExpectedOnHand, OnHand: in.OnHand, Reason: in.Reason, Note: in.Note, ActorID: v.Actor(), At: s.now(),
	})
	if err != nil {
		return ProductVariant{}, nil, err
	}
	if err := s.announce(ctx, []Stock{stock}); err != nil {
		s.log.ErrorContext(ctx, "a stock change is not on its product yet", "variant", in.VariantID, "error", err)
	}
	return variant, adjustment, nil
}

// checkAdjust checks every field and gives the variant.
func (s *Service) checkAdjust(ctx context.Context, in AdjustInput) (ProductVariant, error) {
	var faults errs.Collector
	faults.Merge(in.Faults)
	if utf8.RuneCountInString(in.IdempotencyKey) > maxKey {
		faults.Addf([]string{"idempotencyKey"}, errs.TooLong, "A key has at most %d characters.", maxKey)
	}
	if in.ExpectedOnHand < 0 || in.ExpectedOnHand > maxOnHand {
		faults.Addf([]string{"expectedOnHand"}, errs.OutOfRange, "Stock is 0 to %d pieces.", maxOnHand)
	}
	if in.OnHand < 0 || in.OnHand > maxOnHand {
		faults.Addf([]string{"onHand"}, errs.OutOfRange, "Stock is 0 to %d pieces.", maxOnHand)
	}
	switch in.Reason {
	case Received, Counted, Damaged, Lost, Returned:
	case Corrected:
		if in.Note == "" {
			faults.Add(errs.Required, "Say in the note what was wrong.", "note")
		}
	case Fulfilled:
		faults.Add(errs.Invalid, "FULFILLED is written by fulfilment only.", "reason")
	default:
		faults.Add(errs.Invalid, "There is no such reason.", "reason")
	}
	if utf8.RuneCountInString(in.Note) > maxStockNote {
		faults.Addf([]string{"note"}, errs.TooLong, "A note has at most %d characters.", maxStockNote)
	}
	locations, err := s.inventory.Locations(ctx)
	if err != nil {
		return ProductVariant{}, err
	}
	if !faultAt(in.Faults, "locationId") && !slices.ContainsFunc(locations, func(l Location) bool { return l.ID == in.LocationID }) {
		faults.Add(errs.NotFound, "There is no such location.", "locationId")
	}
	if faultAt(in.Faults, "variantId") {
		return ProductVariant{}, faults.Err()
	}
	found, err := s.catalog.ProductsByVariant(ctx, []uuid.UUID{in.VariantID})
	if err != nil {
		return ProductVariant{}, err
	}
	p := found[in.VariantID]
	if p == nil {
		faults.Add(errs.NotFound, "There is no such variant.", "variantId")
		return ProductVariant{}, faults.Err()
	}
	return ProductVariant{p, p.Find(in.VariantID)}, faults.Err()
}

// faultAt reports whether one of the faults is at the field.
func faultAt(faults error, field string) bool {
	return slices.ContainsFunc(errs.All(faults), func(e *errs.Error) bool { return len(e.Field) == 1 && e.Field[0] == field })
}

// StockChannel names the channel of a variant's stock changes.
func StockChannel(variantID uuid.UUID) string { return "stock:" + variantID.String() }

// WatchStock gives a signal for each change of what is available of the variant, until ctx ends. It
// fails with NOT_FOUND at variantId.
func (s *Service) WatchStock(ctx context.Context, variantID uuid.UUID) (<-chan []byte, error) {
	found, err := s.Variants(ctx, []uuid.UUID{variantID})
	if err != nil {
		return nil, err
	}
	if _, ok := found[variantID]; !ok {
		return nil, errs.At(errs.NotFound, "There is no such variant.", "variantId")
	}
	return s.signals.Subscribe(ctx, StockChannel(variantID))
}

// announce tells the world of changed stock: the products whose availability flipped, and those who
// watch the variants. Only the former can fail.
func (s *Service) announce(ctx context.Context, changed []Stock) error {
	err := s.settle(ctx, changed)
	s.publish(ctx, changed)
	return err
}

// publish tells those who watch the variants.
func (s *Service) publish(ctx context.Context, changed []Stock) {
	for _, stock := range changed {
		if err := s.signals.Publish(ctx, StockChannel(stock.VariantID), []byte(stock.VariantID.String())); err != nil {
			s.log.WarnContext(ctx, "a stock change was not announced", "variant", stock.VariantID, "error", err)
		}
	}
}

// settle brings the availability of the products of flipped stocks up to date.
func (s *Service) settle(ctx context.Context, changed []Stock) error {
	var flipped []Stock
	done := make(map[uuid.UUID]bool)
	for _, stock := range changed {
		if stock.Flipped == uuid.Nil {
			continue
		}
		flipped = append(flipped, stock)
		if done[stock.ProductID] {
			continue
		}
		done[stock.ProductID] = true
		if err := s.refreshAvailable(ctx, stock.ProductID); err != nil {
			return err
		}
	}
	if len(flipped) == 0 {
		return nil
	}
	return s.inventory.Settle(ctx, flipped)
}

// refreshAvailable brings the availability on the product up to date.
func (s *Service) refreshAvailable(ctx context.Context, productID uuid.UUID) error {
	return s.catalog.RefreshAvailable(ctx, productID, func(ctx context.Context) (bool, error) {
		available, err := s.availability(ctx, []uuid.UUID{productID})
		return available[productID], err
	})
}

// EnsureInventory adds the shop's locations, and finishes what a crash left half done: lines missing
// in the history, and products that do not know yet whether they can be bought.
func (s *Service) EnsureInventory(ctx context.Context) error {
	if err := s.inventory.EnsureLocations(ctx, Locations); err != nil {
		return err
	}
	if err := s.inventory.SweepHistory(ctx); err != nil {
		return err
	}
	for {
		list, err := s.inventory.Flipped(ctx, settleBatch)
		if err != nil || len(list) == 0 {
			return err
		}
		if err := s.settle(ctx, list); err != nil {
			return err
		}
	}
}
