package mongodb

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/techmart/techmart/services/products"
)

// TestAuditAndRepair spoils stock as no code of ours does, and sees it found and put right.
func TestAuditAndRepair(t *testing.T) {
	t.Parallel()
	berlin, rotterdam := products.Locations[0].ID, products.Locations[1].ID
	now := time.Now().UTC().Truncate(time.Millisecond)
	for name, c := range map[string]struct {
		spoil  func(order uuid.UUID) bson.M
		found  []products.DriftKind
		left   []products.DriftKind
		levels string // after the repair
	}{
		"sound stock stays as it is": {func(uuid.UUID) bson.M { return bson.M{"$set": bson.M{"productId": uuid.New()}} }, nil, nil, "[[5 5] [5 2]]"},
		"reserved was counted twice": {func(uuid.UUID) bson.M { return bson.M{"$inc": bson.M{"levels.0.reserved": 2, "available": -2}} },
			[]products.DriftKind{products.DriftReserved}, nil, "[[5 5] [5 2]]"},
		"reserved was forgotten": {func(uuid.UUID) bson.M { return bson.M{"$set": bson.M{"levels.1.reserved": 0}} },
			[]products.DriftKind{products.DriftReserved, products.DriftAvailable}, nil, "[[5 5] [5 2]]"},
		"available is another": {func(uuid.UUID) bson.M { return bson.M{"$set": bson.M{"available": 9}} },
			[]products.DriftKind{products.DriftAvailable}, nil, "[[5 5] [5 2]]"},
		"a reservation does not know what it holds": {func(uuid.UUID) bson.M { return bson.M{"$set": bson.M{"reservations.0.held": 1}} },
			[]products.DriftKind{products.DriftReservation}, nil, "[[5 5] [5 2]]"},
		"a reservation is gone": {func(order uuid.UUID) bson.M { return bson.M{"$pull": bson.M{"reservations": bson.M{"orderId": order}}} },
			[]products.DriftKind{products.DriftReserved, products.DriftReserved}, nil, "[[5 0] [5 0]]"},
		"a level is gone": {func(uuid.UUID) bson.M {
			return bson.M{"$pull": bson.M{"levels": bson.M{"locationId": rotterdam}}, "$set": bson.M{"available": 0}}
		},
			[]products.DriftKind{products.DriftReserved}, []products.DriftKind{products.DriftOversold}, "[[5 5] [0 2]]"},
		"the shelf is emptier than it should be": {func(uuid.UUID) bson.M { return bson.M{"$set": bson.M{"levels.0.onHand": 4, "available": 2}} },
			[]products.DriftKind{products.DriftOversold}, []products.DriftKind{products.DriftOversold}, "[[4 5] [5 2]]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openEmpty(t)
			variant, order := uuid.New(), uuid.New()
			for _, place := range []uuid.UUID{berlin, rotterdam} {
				if _, _, err := s.SetOnHand(t.Context(), products.SetOnHand{ID: uuid.Must(uuid.NewV7()), VariantID: variant, ProductID: uuid.New(), LocationID: place, OnHand: 5, Reason: products.Received, At: now}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.Reserve(t.Context(), order, uuid.Nil, []products.StockLine{{VariantID: variant, Quantity: 7}}, now); err != nil {
				t.Fatal(err)
			}
			audit := func() (products.Audit, []products.DriftKind) {
				t.Helper()
				var a products.Audit
				if err := s.Audit(t.Context(), &a); err != nil {
					t.Fatal(err)
				}
				var kinds []products.DriftKind
				for _, d := range a.Drifts {
					if d.VariantID != variant {
						t.Errorf("another variant drifts: %v", d)
					}
					kinds = append(kinds, d.Kind)
				}
				return a, kinds
			}
			before, _ := audit()
			if before.Count != 0 || before.OnHand != before.Reserved+before.Available || before.Reserved < 7 || before.Reservations < 1 {
				t.Fatalf("before anything is spoilt: %+v", before)
			}
			if _, err := s.inventory().UpdateOne(t.Context(), bson.M{"_id": variant}, c.spoil(order)); err != nil {
				t.Fatal(err)
			}
			if _, got := audit(); !slices.Equal(got, c.found) {
				t.Errorf("found %v; want %v", got, c.found)
			}
			changed, err := s.Repair(t.Context())
			if repaired := slices.ContainsFunc(c.found, products.DriftKind.Repairable); err != nil || (len(changed) == 1) != repaired {
				t.Errorf("repaired %v, %v", changed, err)
			}
			if _, got := audit(); !slices.Equal(got, c.left) {
				t.Errorf("left %v; want %v", got, c.left)
			}
			found, err := s.Stock(t.Context(), []uuid.UUID{variant})
			var levels [][2]int
			for _, l := range found[variant].Levels {
				levels = append(levels, [2]int{l.OnHand, l.Reserved})
			}
			if got := fmt.Sprint(levels); err != nil || got != c.levels {
				t.Errorf("levels %s, %v; want %s", got, err, c.levels)
			}
			if _, err := s.Release(t.Context(), order, now); err != nil {
				t.Error(err)
			}
		})
	}
}
