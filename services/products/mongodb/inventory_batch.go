package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/platform/group"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/products"
)

// The usual checkout is done for many at once: whole holds are planned here on stock as it was read last, and
// written where it still is that stock, one plain update a variant however many want it; orders then put their
// name on what their carts hold. Whatever is not usual goes alone: its updates compute in the document, at a
// multiple of the cost.

// holdRounds bounds how often a batch plans anew because others changed the stock meanwhile.
const holdRounds = 3

// outcome is what became of one hold or take-over in a batch.
type outcome struct {
	held    map[uuid.UUID]int
	changed []products.Stock
	alone   bool      // it was not decided, and is to be done by itself
	attempt uuid.UUID // under which a part of it may be held already
}

// shelf is the stock of a variant on which a batch plans holds.
type shelf struct {
	ID         uuid.UUID     `bson:"_id"`
	ProductID  uuid.UUID     `bson:"productId"`
	Read       bson.RawValue `bson:"levels"`
	Available  int           `bson:"available"`
	BackOrders bool          `bson:"backOrders"`
	Flipped    *uuid.UUID    `bson:"flipped"`

	levels  []levelDoc // as planned
	before  []levelDoc // as read
	free    int        // as planned
	odd     bool       // not to be planned on
	taken   []reservationDoc
	refused bool // somebody wants more than there is
	won     bool // the plan was written
}

// open reads the levels. Stock that contradicts itself, and that of back orders, is left to updates that compute
// in the document.
func (f *shelf) open() error {
	read, ok := f.Read.ArrayOK()
	if !ok {
		f.odd = true // there are none
		return nil
	}
	list, err := read.Values()
	if err != nil {
		return fmt.Errorf("mongodb: levels of %s: %w", f.ID, err)
	}
	for _, v := range list {
		level := v.Document()
		_, location := level.Lookup("locationId").Binary()
		l := levelDoc{OnHand: int(level.Lookup("onHand").AsInt64()), Reserved: int(level.Lookup("reserved").AsInt64())}
		copy(l.LocationID[:], location)
		f.before = append(f.before, l)
	}
	f.levels = slices.Clone(f.before)
	for _, l := range f.levels {
		f.free += l.OnHand - l.Reserved
	}
	f.odd = f.BackOrders || f.free != f.Available
	return nil
}

// take plans that a cart holds pieces, which must be there: from the levels, in their order.
func (f *shelf) take(h products.Hold, quantity int, attempt uuid.UUID) {
	r := reservationDoc{
		OrderID: h.CartID, Attempt: attempt, Quantity: quantity, Held: quantity, Fulfillments: []uuid.UUID{},
		At: h.At, Expires: &h.Expires, Cart: true,
	}
	for i := range f.levels {
		l := &f.levels[i]
		if n := min(quantity, l.OnHand-l.Reserved); n > 0 {
			l.Reserved, f.free, quantity = l.Reserved+n, f.free-n, quantity-n
			r.Allocations = append(r.Allocations, allocationDoc{l.LocationID, n})
		}
	}
	f.taken = append(f.taken, r)
}

// update writes the plan where the stock still is what was read, and none of the carts holds a part of it.
func (f *shelf) update() mongo.WriteModel {
	carts := make(bson.A, len(f.taken))
	for i, r := range f.taken {
		carts[i] = r.OrderID
	}
	set := bson.D{{Key: "available", Value: f.free}}
	for i, l := range f.levels {
		if l.Reserved != f.before[i].Reserved {
			set = append(set, bson.E{Key: fmt.Sprintf("levels.%d.reserved", i), Value: l.Reserved})
		}
	}
	if f.free <= 0 { // it was more, or nothing could have been taken
		mark := uuid.New()
		f.Flipped = &mark
		set = append(set, bson.E{Key: "flipped", Value: mark})
	}
	return mongo.NewUpdateOneModel().
		SetFilter(bson.D{
			{Key: "_id", Value: f.ID}, {Key: "levels", Value: f.Read}, {Key: "available", Value: f.Available},
			{Key: "reservations.orderId", Value: bson.D{{Key: "$nin", Value: carts}}},
		}).
		SetUpdate(bson.D{
			{Key: "$set", Value: set},
			{Key: "$push", Value: bson.D{{Key: "reservations", Value: bson.D{{Key: "$each", Value: f.taken}}}}},
		})
}

// stock is what there is after the plan.
func (f *shelf) stock() products.Stock {
	d := stockDoc{ID: f.ID, ProductID: f.ProductID, Levels: f.levels, Flipped: f.Flipped, BackOrders: f.BackOrders}
	return d.stock()
}

// holdTogether decides many whole holds with two reads at a time and one write, in rounds.
func (s *Store) holdTogether(ctx context.Context, list []products.Hold) ([]group.Result[outcome], error) {
	results := make([]group.Result[outcome], len(list))
	open := make([]int, len(list)) // into list
	for i := range open {
		open[i] = i
	}
	for n := range holdRounds {
		if len(open) == 0 {
			break
		}
		r := &holdRound{store: s, list: list, results: results, attempt: uuid.New(), fresh: n > 0}
		var err error
		if open, err = r.run(ctx, open); err != nil {
			return nil, err
		}
	}
	for _, i := range open {
		results[i].Value.alone, results[i].Value.attempt = true, uuid.New()
	}
	return results, nil
}

// holdRound is one try for all holds of a batch that are not decided.
type holdRound struct {
	store   *Store
	list    []products.Hold
	results []group.Result[outcome]
	attempt uuid.UUID
	shelves map[uuid.UUID]*shelf
	fresh   bool // before read: all has to be; after it: whether all is
}

// run gives the holds that are still open.
func (r *holdRound) run(ctx context.Context, open []int) (again []int, err error) {
	if err := r.read(ctx, open); err != nil {
		return nil, err
	}
	planned := make(map[uuid.UUID]bool)
	var taking, refused []int
	for _, i := range open {
		h := r.list[i]
		switch {
		case planned[h.CartID]: // came twice, and can tell once the first one is decided
			again = append(again, i)
		case r.odd(h):
			r.alone(i, uuid.New())
		case len(r.missing(h)) > 0:
			refused = append(refused, i)
		default:
			for _, l := range h.Lines {
				r.shelves[l.VariantID].take(h, l.Quantity, r.attempt)
			}
			planned[h.CartID] = true
			taking = append(taking, i)
		}
	}
	failed := make(chan error, 1)
	go func() { failed <- r.write(ctx) }()
	holding, err := r.holding(ctx, append(slices.Clone(taking), refused...))
	if err = errors.Join(err, <-failed); err != nil {
		return nil, err
	}
	for _, i := range taking {
		switch {
		case holding[r.list[i].CartID]:
			r.alone(i, r.attempt)
		case !r.settle(i):
			again = append(again, i)
		}
	}
	refused = slices.DeleteFunc(refused, func(i int) bool {
		holds := holding[r.list[i].CartID]
		if holds {
			r.alone(i, uuid.New())
		}
		return holds
	})
	more, err := r.refuse(ctx, refused)
	again = append(again, more...)
	slices.Sort(again) // who came first is first
	return again, err
}

// alone leaves a hold to be done by itself.
func (r *holdRound) alone(i int, attempt uuid.UUID) {
	r.results[i].Value.alone, r.results[i].Value.attempt = true, attempt
}

// read gets the stock of all lines: in the first round as it was seen a moment ago, where somebody looked at it.
func (r *holdRound) read(ctx context.Context, open []int) error {
	var ids []uuid.UUID
	r.shelves = make(map[uuid.UUID]*shelf)
	for _, i := range open {
		for _, l := range r.list[i].Lines {
			if _, known := r.shelves[l.VariantID]; known {
				continue
			}
			r.shelves[l.VariantID] = nil
			if f, ok := r.store.seen.take(l.VariantID); ok && !r.fresh {
				r.shelves[l.VariantID] = f
				continue
			}
			ids = append(ids, l.VariantID)
		}
	}
	r.fresh = len(ids) == len(r.shelves)
	if len(ids) == 0 {
		return nil
	}
	docs, err := r.store.readShelves(ctx, ids)
	for _, f := range docs {
		r.shelves[f.ID] = f
	}
	return err
}

// holding gives those of the carts that hold something already, by another attempt than this one. To hold means to
// hold nothing else.
func (r *holdRound) holding(ctx context.Context, list []int) (map[uuid.UUID]bool, error) {
	carts := make([]uuid.UUID, len(list))
	for n, i := range list {
		carts[n] = r.list[i].CartID
	}
	mine := bson.M{"$filter": bson.M{"input": "$reservations", "cond": bson.M{"$in": bson.A{"$$this.orderId", carts}}}}
	docs, err := find[*stockDoc](ctx, r.store.inventory(), bson.D{{Key: "reservations.orderId", Value: in(carts)}},
		options.Find().SetProjection(bson.M{"_id": 1, "reservations": mine}))
	holding := make(map[uuid.UUID]bool)
	for _, d := range docs {
		for _, held := range d.Reservations {
			if held.Attempt != r.attempt {
				holding[held.OrderID] = true
			}
		}
	}
	return holding, err
}

// readShelves reads the stock of variants.
func (s *Store) readShelves(ctx context.Context, ids []uuid.UUID) ([]*shelf, error) {
	list, err := find[*shelf](ctx, s.inventory(), bson.D{{Key: "_id", Value: in(ids)}}, options.Find().SetProjection(shelfFields))
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		if err := f.open(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

var shelfFields = bson.D{
	{Key: "productId", Value: 1}, {Key: "levels", Value: 1}, {Key: "available", Value: 1}, {Key: "backOrders", Value: 1}, {Key: "flipped", Value: 1},
}

// odd reports whether a line's stock is not to be planned on.
func (r *holdRound) odd(h products.Hold) bool {
	return slices.ContainsFunc(h.Lines, func(l products.StockLine) bool { f := r.shelves[l.VariantID]; return f != nil && f.odd })
}

// missing gives the lines that cannot be had as things are planned, each as an INSUFFICIENT_STOCK.
func (r *holdRound) missing(h products.Hold) []error {
	var faults []error
	for _, l := range h.Lines {
		f := r.shelves[l.VariantID]
		switch {
		case f == nil:
			faults = append(faults, products.Short(l.VariantID, 0))
		case f.free < l.Quantity:
			f.refused = true
			faults = append(faults, products.Short(l.VariantID, max(0, f.free)))
		}
	}
	return faults
}

// write writes all plans in one command, and finds out which came true.
func (r *holdRound) write(ctx context.Context) error {
	var models []mongo.WriteModel
	var tried []*shelf
	var ids []uuid.UUID
	for id, f := range r.shelves {
		if f != nil && len(f.taken) > 0 {
			models, tried, ids = append(models, f.update()), append(tried, f), append(ids, id)
		}
	}
	whole, err := r.store.tryStock(ctx, models)
	if err != nil {
		return err
	}
	if whole {
		for _, f := range tried {
			f.won = true
		}
		return nil
	}
	written, err := find[*stockDoc](ctx, r.store.inventory(), bson.D{{Key: "_id", Value: in(ids)}, {Key: "reservations.attempt", Value: r.attempt}},
		options.Find().SetProjection(bson.M{"_id": 1}))
	for _, d := range written {
		r.shelves[d.ID].won = true
	}
	return err
}

// settle decides a hold that was planned, unless nothing of it came true. A part of it is left to be made whole,
// or given back, alone.
func (r *holdRound) settle(i int) (decided bool) {
	h, got := r.list[i], &r.results[i].Value
	won := 0
	for _, l := range h.Lines {
		if r.shelves[l.VariantID].won {
			won++
		}
	}
	switch won {
	case 0:
		return false
	case len(h.Lines):
		got.held = make(map[uuid.UUID]int, len(h.Lines))
		for _, l := range h.Lines {
			got.held[l.VariantID] = l.Quantity
			got.changed = append(got.changed, r.shelves[l.VariantID].stock())
		}
	default:
		got.alone, got.attempt = true, r.attempt
	}
	return true
}

// refuse decides the holds that want more than there is, which takes fresh figures. What is over is given back first; those holds are then
// open again, and so are those whose plan did not become what it was decided on.
func (r *holdRound) refuse(ctx context.Context, list []int) (again []int, err error) {
	if len(list) == 0 || !r.fresh {
		return list, nil
	}
	var short []uuid.UUID
	var now time.Time
	for id, f := range r.shelves {
		if f != nil && f.refused {
			short = append(short, id)
		}
	}
	for _, i := range list {
		if at := r.list[i].At; at.After(now) {
			now = at
		}
	}
	freed, err := r.store.expire(ctx, bson.M{"_id": in(short)}, now, len(short))
	if err != nil {
		return nil, err
	}
	if len(freed) > 0 {
		first := &r.results[list[0]].Value
		first.changed = append(first.changed, freed...)
		return list, nil
	}
	for _, i := range list {
		if r.lost(r.list[i]) {
			again = append(again, i)
			continue
		}
		var faults errs.Collector
		for _, fault := range r.missing(r.list[i]) {
			faults.Merge(fault)
		}
		r.results[i].Err = faults.Err()
	}
	return again, nil
}

// lost reports whether a plan for one of the lines' variants was not written.
func (r *holdRound) lost(h products.Hold) bool {
	return slices.ContainsFunc(h.Lines, func(l products.StockLine) bool {
		f := r.shelves[l.VariantID]
		return f != nil && len(f.taken) > 0 && !f.won
	})
}
