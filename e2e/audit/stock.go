package audit

import (
	"context"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// stock is the document of a variant.
type stock struct {
	ID        uuid.UUID `bson:"_id"`
	Available int       `bson:"available"`
	Levels    []struct {
		LocationID uuid.UUID `bson:"locationId"`
		OnHand     int       `bson:"onHand"`
		Reserved   int       `bson:"reserved"`
	} `bson:"levels"`
	Reservations []struct {
		Holder      uuid.UUID `bson:"orderId"`
		Held        int       `bson:"held"`
		Expires     any       `bson:"expires"` // of a cart's
		Allocations []struct {
			LocationID uuid.UUID `bson:"locationId"`
			Quantity   int       `bson:"quantity"`
		} `bson:"allocations"`
	} `bson:"reservations"`
	Pending []struct {
		LocationID uuid.UUID `bson:"locationId"`
		Delta      int       `bson:"delta"`
	} `bson:"pending"`
}

// place is a variant at a location.
type place struct{ variant, location uuid.UUID }

// stock checks that reserved is what live orders hold, that nothing is oversold, and that what lies on the shelf is the
// sum of all changes.
func (r *Report) stock(ctx context.Context, db *mongo.Database, orders map[uuid.UUID]*order) error {
	cursor, err := db.Collection("inventory").Find(ctx, bson.M{})
	if err != nil {
		return err
	}
	var stocks []stock
	if err := cursor.All(ctx, &stocks); err != nil {
		return err
	}
	cursor, err = db.Collection("inventory_adjustments").Find(ctx, bson.M{})
	if err != nil {
		return err
	}
	var changes []struct {
		VariantID  uuid.UUID `bson:"variantId"`
		LocationID uuid.UUID `bson:"locationId"`
		Delta      int       `bson:"delta"`
	}
	if err := cursor.All(ctx, &changes); err != nil {
		return err
	}
	shelf := make(map[place]int)
	for _, c := range changes {
		shelf[place{c.VariantID, c.LocationID}] += c.Delta
	}
	r.Variants = len(stocks)
	known := make(map[uuid.UUID]bool)
	for _, s := range stocks {
		known[s.ID] = true
		for _, p := range s.Pending {
			shelf[place{s.ID, p.LocationID}] += p.Delta
		}
		r.levels(&s, shelf)
		r.holders(&s, orders)
	}
	for id, o := range orders {
		for variant, l := range o.lines {
			if o.alive() && l.quantity > l.fulfilled && !known[variant] {
				r.blame("order %s holds %d of variant %s, which has no stock", id, l.quantity-l.fulfilled, variant)
			}
		}
	}
	return nil
}

// levels checks a variant's figures against each other.
func (r *Report) levels(s *stock, shelf map[place]int) {
	held := make(map[uuid.UUID]int)
	for _, h := range s.Reservations {
		sum := 0
		for _, a := range h.Allocations {
			held[a.LocationID] += a.Quantity
			sum += a.Quantity
		}
		if sum != h.Held {
			r.blame("variant %s: %s holds %d, and %d by location", s.ID, h.Holder, h.Held, sum)
		}
	}
	available := 0
	for _, l := range s.Levels {
		if l.Reserved != held[l.LocationID] || l.OnHand < l.Reserved || l.Reserved < 0 {
			r.blame("variant %s at %s: %d on hand, %d reserved, %d held", s.ID, l.LocationID, l.OnHand, l.Reserved, held[l.LocationID])
		}
		if sum := shelf[place{s.ID, l.LocationID}]; sum != l.OnHand {
			r.blame("variant %s at %s: %d on hand, the changes add up to %d", s.ID, l.LocationID, l.OnHand, sum)
		}
		available += l.OnHand - l.Reserved
	}
	if available != s.Available {
		r.blame("variant %s: %d available, %d noted", s.ID, available, s.Available)
	}
}

// holders compares what is held of a variant with what live orders have still to get.
func (r *Report) holders(s *stock, orders map[uuid.UUID]*order) {
	held := make(map[uuid.UUID]int)
	for _, h := range s.Reservations {
		if h.Expires == nil && h.Held > 0 {
			held[h.Holder] += h.Held
		}
	}
	for id, n := range held {
		if orders[id] == nil {
			r.blame("variant %s: %d held for %s, which is no order", s.ID, n, id)
		}
	}
	for id, o := range orders {
		want := 0
		if l := o.lines[s.ID]; l != nil && o.alive() {
			want = l.quantity - l.fulfilled
		}
		if held[id] != want {
			r.blame("variant %s: order %s (%s) holds %d of the %d that it has still to get", s.ID, id, o.Status, held[id], want)
		}
	}
}
