package products

import (
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/viewer"
)

// InsufficientStock is the code of an order that asks for more than is available. The error
// carries the Data variantId (uuid.UUID) and available (int).
const InsufficientStock errs.Code = "INSUFFICIENT_STOCK"

// Location is a place where stock is kept.
type Location struct {
	ID   uuid.UUID
	Code string // short name: BER1
	Name string
}

// Locations are the places that every shop starts with; the first one takes stock of unknown place.
var Locations = []Location{
	{ID: uuid.MustParse("01900000-0000-7000-8000-000000000001"), Code: "BER1", Name: "Berlin"},
	{ID: uuid.MustParse("01900000-0000-7000-8000-000000000002"), Code: "ROT1", Name: "Rotterdam"},
}

// Stock is what there is of a variant. The zero value is that of a variant that never had any.
type Stock struct {
	VariantID  uuid.UUID
	ProductID  uuid.UUID
	Levels     []Level
	BackOrders bool      // more may be ordered than there is
	Flipped    uuid.UUID // marks that availability changed and the product was not told yet; zero otherwise
}

// CanBeBought reports whether a piece can be ordered now.
func (s Stock) CanBeBought() bool { return s.BackOrders || s.Available() > 0 }

// Level is the stock of a variant at a location: OnHand >= Reserved >= 0, but for back orders.
type Level struct {
	LocationID uuid.UUID
	OnHand     int // on the shelf
	Reserved   int // promised to orders and carts
}

// Available gives the pieces that can be sold.
func (l Level) Available() int { return l.OnHand - l.Reserved }

// Available gives the pieces that can be sold over all locations.
func (s Stock) Available() int {
	n := 0
	for _, l := range s.Levels {
		n += l.Available()
	}
	return n
}

// OnHand gives the pieces on the shelf at a location.
func (s Stock) OnHand(locationID uuid.UUID) int {
	for _, l := range s.Levels {
		if l.LocationID == locationID {
			return l.OnHand
		}
	}
	return 0
}

// StockLine asks for pieces of a variant.
type StockLine struct {
	VariantID uuid.UUID
	Quantity  int // 1 or more
}

// Reason says why stock on hand was changed.
type Reason string

// The reasons. FULFILLED is written by fulfilment only.
const (
	Received  Reason = "RECEIVED"
	Counted   Reason = "COUNTED"
	Damaged   Reason = "DAMAGED"
	Lost      Reason = "LOST"
	Returned  Reason = "RETURNED"
	Fulfilled Reason = "FULFILLED"
	Corrected Reason = "CORRECTED"
)

// Adjustment is one change of stock on hand.
type Adjustment struct {
	ID          uuid.UUID
	VariantID   uuid.UUID
	LocationID  uuid.UUID
	Delta       int
	OnHandAfter int
	Reason      Reason
	Note        string
	ActorID     uuid.UUID // who did it; zero for the program
	OrderID     uuid.UUID // of a fulfilment or a return; zero otherwise
	ReturnID    uuid.UUID // of a return; zero otherwise
	CreatedAt   time.Time
}

// Key gives the adjustment's position in the history of its variant.
func (a *Adjustment) Key() page.Key { return page.Key{a.ID.String()} }

// SetOnHand sets the stock on hand at a location, if it is what is expected.
type SetOnHand struct {
	ID         uuid.UUID // of the adjustment to be written
	VariantID  uuid.UUID
	ProductID  uuid.UUID
	LocationID uuid.UUID
	Expected   int
	OnHand     int
	Reason     Reason
	Note       string
	ActorID    uuid.UUID
	At         time.Time
}

// Fulfillment takes pieces that an order reserved off the shelf.
type Fulfillment struct {
	ID      uuid.UUID // of the fulfilment; nothing happens twice under one
	OrderID uuid.UUID
	Lines   []StockLine // one for each variant
	At      time.Time
}

// InventoryStore keeps stock: one document a variant, each change one atomic conditional update of it.
type InventoryStore interface {
	// EnsureLocations adds the locations that are not there yet.
	EnsureLocations(ctx context.Context, list []Location) error
	// Locations gives all locations, by code.
	Locations(ctx context.Context) ([]Location, error)
	// Stock gives stock by variant, in one command. A variant that never had any is left out.
	Stock(ctx context.Context, variantIDs []uuid.UUID) (map[uuid.UUID]Stock, error)
	HoldStore
	RestockStore
	// Reserve promises pieces to an order, all or none; again under the same order it does nothing.
	// Each variant stands in one line. What the order's cart holds of them is taken over; cartID may be zero.
	// It gives the stock that it changed, also of lines that it undid.
	// It fails with one INSUFFICIENT_STOCK for each line that cannot be had, and with INVALID_STATE
	// when the order was released.
	Reserve(ctx context.Context, orderID, cartID uuid.UUID, lines []StockLine, at time.Time) ([]Stock, error)
	// Release gives back what the order holds and keeps it from reserving anew. It gives the stock
	// that it changed.
	Release(ctx context.Context, orderID uuid.UUID, at time.Time) ([]Stock, error)
	// Fulfill lowers stock on hand and what the order holds by the same pieces, and writes the history.
	// It gives the pieces taken by product, none for what was taken before. It fails with
	// INVALID_STATE when the order holds fewer.
	Fulfill(ctx context.Context, f Fulfillment) (map[uuid.UUID]int, error)
	// Holders gives at most limit orders that hold pieces for good and whose ids come after one, by id.
	Holders(ctx context.Context, after uuid.UUID, limit int) ([]uuid.UUID, error)
	// SetOnHand changes stock by compare-and-swap and writes the history. It fails with CONFLICT at
	// expectedOnHand (Data onHand) and OUT_OF_RANGE at onHand when more is reserved. Again with the
	// same ID it gives the same answer.
	SetOnHand(ctx context.Context, change SetOnHand) (Stock, *Adjustment, error)
	// ImportOnHand sets stock on hand in bulk, without comparing; what is below the reserved pieces is
	// set to them. Equal stock stays as it is, without a line in the history. It gives the stock of
	// the variants named as it is then.
	ImportOnHand(ctx context.Context, changes []SetOnHand) (map[uuid.UUID]Stock, error)
	// Adjustments gives adjustments by id, in one command.
	Adjustments(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Adjustment, error)
	// History reads for each variant one more than r.Limit adjustments in reading direction, newest
	// first, all in one command.
	History(ctx context.Context, variantIDs []uuid.UUID, r page.Request) (map[uuid.UUID][]*Adjustment, error)
	// SweepHistory writes the lines of the history that a crash kept from being written.
	SweepHistory(ctx context.Context) error
	// Flipped gives at most limit stocks whose mark Flipped is set.
	Flipped(ctx context.Context, limit int) ([]Stock, error)
	// Settle takes the marks Flipped away, unless they were set anew.
	Settle(ctx context.Context, list []Stock) error
	// SetBackOrders says whether more may be reserved of a variant than is on hand: what no location has then
	// waits at its first one, which is locationID where there is none yet.
	SetBackOrders(ctx context.Context, variantID, productID, locationID uuid.UUID, allowed bool) (Stock, error)
	// Audit adds to audit the sums of all stock, and what is wrong with any variant's: OnHand >= Reserved
	// >= 0, and Reserved is the sum of what reservations hold. It reads everything.
	Audit(ctx context.Context, audit *Audit) error
	// Repair sets the figures that follow from reservations to what follows, in each stock that contradicts
	// itself, and gives the stock that it changed.
	Repair(ctx context.Context) ([]Stock, error)
	// Holding gives those of the orders that hold pieces for good.
	Holding(ctx context.Context, orderIDs []uuid.UUID) ([]uuid.UUID, error)
}

// Locations gives where stock is kept, by code. It needs inventory:read.
func (s *Service) Locations(ctx context.Context) ([]Location, error) {
	if err := viewer.FromContext(ctx).Require(viewer.InventoryRead); err != nil {
		return nil, err
	}
	return s.inventory.Locations(ctx)
}

// LocationsByID gives locations by id. It needs inventory:read.
func (s *Service) LocationsByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]Location, error) {
	all, err := s.Locations(ctx)
	if err != nil {
		return nil, err
	}
	found := make(map[uuid.UUID]Location, len(ids))
	for _, l := range all {
		if slices.Contains(ids, l.ID) {
			found[l.ID] = l
		}
	}
	return found, nil
}

// Stock gives the stock of every variant asked for, in one command. Levels are not for everyone:
// [Service.Levels] checks that.
func (s *Service) Stock(ctx context.Context, variantIDs []uuid.UUID) (map[uuid.UUID]Stock, error) {
	found, err := s.inventory.Stock(ctx, variantIDs)
	if err != nil {
		return nil, err
	}
	for _, id := range variantIDs {
		if _, ok := found[id]; !ok {
			found[id] = Stock{VariantID: id}
		}
	}
	return found, nil
}

// Levels gives the levels of a stock, one for each location. It needs inventory:read.
func (s *Service) Levels(ctx context.Context, stock Stock) ([]Level, error) {
	if err := viewer.FromContext(ctx).Require(viewer.InventoryRead); err != nil {
		return nil, err
	}
	return stock.Levels, nil
}

// Adjustments gives adjustments by id. It needs inventory:read.
func (s *Service) Adjustments(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Adjustment, error) {
	if err := viewer.FromContext(ctx).Require(viewer.InventoryRead); err != nil {
		return nil, err
	}
	return s.inventory.Adjustments(ctx, ids)
}

// Histories gives pages of the histories of variants, newest first. It needs inventory:read.
func (s *Service) Histories(ctx context.Context, asked []Nested) (map[Nested]page.Page[*Adjustment], error) {
	if err := viewer.FromContext(ctx).Require(viewer.InventoryRead); err != nil {
		return nil, err
	}
	return nestedPages(ctx, asked, s.inventory.History)
}

// Reserve promises pieces to an order, all or none, however often it is called. Lines of one variant
// add up. It fails with one INSUFFICIENT_STOCK for each variant that cannot be had, and with
// INVALID_STATE when the order was released before.
func (s *Service) Reserve(ctx context.Context, orderID uuid.UUID, lines []StockLine) error {
	return s.ReserveFromCart(ctx, orderID, uuid.Nil, lines)
}

// ReserveFromCart is Reserve for an order that takes over what its cart holds.
func (s *Service) ReserveFromCart(ctx context.Context, orderID, cartID uuid.UUID, lines []StockLine) error {
	merged, err := mergeLines(lines)
	if err != nil {
		return err
	}
	changed, err := s.inventory.Reserve(ctx, orderID, cartID, merged, s.now())
	if failed := s.announce(ctx, changed); failed != nil {
		return failed
	}
	return err
}

// Release gives back what the order holds, and keeps a late Reserve from sticking.
func (s *Service) Release(ctx context.Context, orderID uuid.UUID) error {
	changed, err := s.inventory.Release(ctx, orderID, s.now())
	if err != nil {
		return err
	}
	return s.announce(ctx, changed)
}

// Fulfill takes pieces that the order holds off the shelf, once for each fulfilment id. It fails with
// INVALID_STATE when the order holds fewer.
func (s *Service) Fulfill(ctx context.Context, orderID, fulfillmentID uuid.UUID, lines []StockLine) error {
	merged, err := mergeLines(lines)
	if err != nil {
		return err
	}
	sold, err := s.inventory.Fulfill(ctx, Fulfillment{ID: fulfillmentID, OrderID: orderID, Lines: merged, At: s.now()})
	if err != nil || len(sold) == 0 {
		return err
	}
	return s.catalog.AddSold(ctx, sold)
}

// mergeLines adds the lines of one variant up, in the order of ids, so that any two orders write in one order.
func mergeLines(lines []StockLine) ([]StockLine, error) {
	sum := make(map[uuid.UUID]int, len(lines))
	for _, l := range lines {
		if l.Quantity < 1 {
			return nil, errs.New(errs.OutOfRange, "A line needs a quantity of at least 1.")
		}
		sum[l.VariantID] += l.Quantity
	}
	merged := make([]StockLine, 0, len(sum))
	for id, n := range sum {
		merged = append(merged, StockLine{VariantID: id, Quantity: n})
	}
	slices.SortFunc(merged, func(a, b StockLine) int { return slices.Compare(a.VariantID[:], b.VariantID[:]) })
	return merged, nil
}

// FulfillmentEntryID gives the id of the line in the history that a fulfilment writes for a variant at
// its n-th location: the same whenever it is tried, and in the order of the times.
func FulfillmentEntryID(fulfillmentID, variantID uuid.UUID, n int, at time.Time) uuid.UUID {
	data := binary.BigEndian.AppendUint32(append([]byte("adjustment"), variantID[:]...), uint32(n))
	id := uuid.NewSHA1(fulfillmentID, data)
	ms := uint64(at.UnixMilli())
	id[0], id[1], id[2] = byte(ms>>40), byte(ms>>32), byte(ms>>24)
	id[3], id[4], id[5] = byte(ms>>16), byte(ms>>8), byte(ms)
	id[6] = id[6]&0x0f | 0x70
	return id
}
