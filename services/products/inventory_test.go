package products_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/devstack/stacktest"
	platform "github.com/techmart/techmart/platform/mongodb"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/products/mongodb"
	"github.com/techmart/techmart/services/viewer"
)

// board is a hub in memory: it keeps what was published.
type board struct {
	mu   sync.Mutex
	sent map[string]int
}

func (b *board) Publish(_ context.Context, channel string, _ []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent[channel]++
	return nil
}

func (b *board) Subscribe(context.Context, string) (<-chan []byte, error) {
	return make(chan []byte), nil
}

func (b *board) count(variantID uuid.UUID) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent[products.StockChannel(variantID)]
}

// buyers says that everyone bought one product.
type buyers struct{ product uuid.UUID }

func (b *buyers) HasBought(_ context.Context, _, productID uuid.UUID) (bool, error) {
	return productID == b.product, nil
}

func (b *buyers) DisplayName(context.Context, uuid.UUID) (string, error) { return "Ada", nil }

// stall is a shop with two products: the first one with two variants, both without stock.
type stall struct {
	*products.Service
	store   *mongodb.Store
	board   *board
	ctx     context.Context // of the program
	product *products.Product
	other   *products.Product
}

func newStall(t *testing.T) *stall {
	t.Helper()
	db, disconnect, err := platform.Open(t.Context(), platform.Config{URL: stacktest.MongoDB(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = disconnect(context.Background()) })
	s := &stall{store: mongodb.New(db), board: &board{sent: make(map[string]int)}, ctx: viewer.NewContext(t.Context(), viewer.System)}
	if err := s.store.EnsureIndexes(s.ctx); err != nil {
		t.Fatal(err)
	}
	bought := &buyers{}
	s.Service = products.New(products.Deps{
		Catalog: s.store, Inventory: s.store, Reviews: s.store, Signals: s.board, Purchases: bought, Authors: bought, Currency: "EUR",
	})
	if err := s.EnsureInventory(s.ctx); err != nil {
		t.Fatal(err)
	}
	add := func(slug string, status products.Status) *products.Product {
		p, err := s.Create(s.ctx, products.NewProduct{Content: products.Product{
			Slug: slug, Title: slug, Vendor: "Nordlicht", Status: status, Options: []products.Option{{Name: "Colour", Values: []string{"Black", "Red"}}},
			Variants: []products.Variant{
				{SKU: slug + "-B", Price: money.New(100, "EUR"), Options: []products.SelectedOption{{Name: "Colour", Value: "Black"}}},
				{SKU: slug + "-R", Price: money.New(100, "EUR"), Options: []products.SelectedOption{{Name: "Colour", Value: "Red"}}},
			},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	s.product, s.other = add("mouse", products.Active), add("draft", products.Draft)
	bought.product = s.product.ID
	return s
}

func (s *stall) as(id uuid.UUID, scopes ...viewer.Scope) context.Context {
	return viewer.NewContext(s.ctx, viewer.Viewer{UserID: id, Scopes: scopes})
}

func (s *stall) received(n int) products.AdjustInput {
	return products.AdjustInput{VariantID: s.product.Variants[0].ID, LocationID: products.Locations[0].ID, OnHand: n, Reason: products.Received}
}

func (s *stall) wantAvailable(t *testing.T, want bool) {
	t.Helper()
	p, err := s.Product(s.ctx, s.product.ID)
	if err != nil || p.Available != want {
		t.Errorf("available %v, %v; want %t", p, err, want)
	}
}

func TestStockTellsTheProductAndItsWatchers(t *testing.T) {
	t.Parallel()
	s := newStall(t)
	variant, order := s.product.Variants[0].ID, uuid.New()
	s.wantAvailable(t, false)
	if _, _, err := s.AdjustInventory(s.ctx, s.received(2)); err != nil {
		t.Fatal(err)
	}
	s.wantAvailable(t, true)
	if err := s.Reserve(s.ctx, order, []products.StockLine{{VariantID: variant, Quantity: 1}, {VariantID: variant, Quantity: 1}}); err != nil {
		t.Fatal(err)
	}
	s.wantAvailable(t, false)
	if err := s.Fulfill(s.ctx, order, uuid.New(), []products.StockLine{{VariantID: variant, Quantity: 1}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Release(s.ctx, order); err != nil {
		t.Fatal(err)
	}
	s.wantAvailable(t, true)
	p, err := s.Product(s.ctx, s.product.ID)
	if err != nil || p.SoldCount != 1 || s.board.count(variant) != 3 {
		t.Errorf("%d sold, %d signals, %v", p.SoldCount, s.board.count(variant), err)
	}
	if wrong, err := s.CheckStock(s.ctx); err != nil || wrong != nil {
		t.Errorf("stock is wrong: %v, %v", wrong, err)
	}
	if err := s.Reserve(s.ctx, uuid.New(), []products.StockLine{{VariantID: variant}}); !errs.Is(err, errs.OutOfRange) {
		t.Errorf("reserved nothing: %v", err)
	}
	if err := s.Fulfill(s.ctx, order, uuid.New(), []products.StockLine{{VariantID: variant, Quantity: -1}}); !errs.Is(err, errs.OutOfRange) {
		t.Errorf("fulfilled less than nothing: %v", err)
	}
}

func TestARefusedReservationLeavesNoTrace(t *testing.T) {
	t.Parallel()
	s := newStall(t)
	if _, _, err := s.AdjustInventory(s.ctx, s.received(1)); err != nil {
		t.Fatal(err)
	}
	err := s.Reserve(s.ctx, uuid.New(), []products.StockLine{{VariantID: s.product.Variants[0].ID, Quantity: 1}, {VariantID: s.product.Variants[1].ID, Quantity: 1}})
	flipped, failed := s.store.Flipped(s.ctx, 5)
	if !errs.Is(err, products.InsufficientStock) || failed != nil || len(flipped) != 0 {
		t.Errorf("refused with %v; %v wait to be settled, %v", err, flipped, failed)
	}
	s.wantAvailable(t, true)
}

func TestAvailabilityIsRightAfterARace(t *testing.T) {
	t.Parallel()
	s := newStall(t)
	lines := []products.StockLine{{VariantID: s.product.Variants[0].ID, Quantity: 1}}
	if _, _, err := s.AdjustInventory(s.ctx, s.received(3)); err != nil {
		t.Fatal(err)
	}
	var sold atomic.Int32
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			order := uuid.New()
			if s.Reserve(s.ctx, order, lines) != nil {
				return
			}
			if i%2 == 0 {
				if err := s.Release(s.ctx, order); err != nil {
					t.Error(err)
				}
			} else {
				sold.Add(1)
			}
		})
	}
	group.Wait()
	s.wantAvailable(t, sold.Load() < 3)
}

func TestACrashIsMadeGoodAtTheStart(t *testing.T) {
	t.Parallel()
	s := newStall(t)
	variant := s.product.Variants[0].ID
	if _, err := s.store.ImportOnHand(s.ctx, []products.SetOnHand{{ // as far as a process comes that dies then
		ID: uuid.Must(uuid.NewV7()), VariantID: variant, ProductID: s.product.ID, LocationID: products.Locations[0].ID, OnHand: 4, Reason: products.Counted,
	}}); err != nil {
		t.Fatal(err)
	}
	s.wantAvailable(t, false)
	if err := s.EnsureInventory(s.ctx); err != nil {
		t.Fatal(err)
	}
	s.wantAvailable(t, true)
}

func TestAdjustIsCheckedWhole(t *testing.T) {
	t.Parallel()
	s := newStall(t)
	wrong := products.AdjustInput{
		IdempotencyKey: fmt.Sprintf("%0256d", 0), VariantID: uuid.New(), LocationID: uuid.New(), ExpectedOnHand: -1, OnHand: 1_000_001,
		Reason: "BORED", Note: fmt.Sprintf("%0501d", 0),
	}
	_, _, err := s.AdjustInventory(s.ctx, wrong)
	var got []string
	for _, e := range errs.All(err) {
		got = append(got, string(e.Code)+" "+e.Field[0])
	}
	want := "[TOO_LONG idempotencyKey OUT_OF_RANGE expectedOnHand OUT_OF_RANGE onHand INVALID reason TOO_LONG note NOT_FOUND locationId NOT_FOUND variantId]"
	if fmt.Sprint(got) != want {
		t.Errorf("refused with %v; want %s", got, want)
	}
	for reason, code := range map[products.Reason]errs.Code{products.Fulfilled: errs.Invalid, products.Corrected: errs.Required} {
		in := s.received(1)
		in.Reason = reason
		if _, _, err := s.AdjustInventory(s.ctx, in); errs.CodeOf(err) != code {
			t.Errorf("%s: %v", reason, err)
		}
	}
	if _, _, err := s.AdjustInventory(s.as(uuid.New(), viewer.InventoryRead), s.received(1)); errs.CodeOf(err) != errs.Forbidden {
		t.Errorf("adjusted without the scope: %v", err)
	}
}

func TestAdjustIsIdempotentUnderItsKey(t *testing.T) {
	t.Parallel()
	s := newStall(t)
	clerk := s.as(uuid.New(), viewer.InventoryWrite, viewer.InventoryRead)
	in := s.received(5)
	in.IdempotencyKey = "delivery 7"
	ids := make(map[uuid.UUID]bool)
	for range 3 {
		v, a, err := s.AdjustInventory(clerk, in)
		if err != nil || v.Variant.ID != in.VariantID || v.Product.ID != s.product.ID || a.Delta != 5 {
			t.Fatal(v, a, err)
		}
		ids[a.ID] = true
	}
	other := in
	other.OnHand = 6
	if _, _, err := s.AdjustInventory(clerk, other); !errs.Is(err, errs.IdempotencyReused) || len(ids) != 1 {
		t.Errorf("another input under the key: %v; %d adjustments", err, len(ids))
	}
	stale := in
	stale.IdempotencyKey = "delivery 8"
	if _, _, err := s.AdjustInventory(clerk, stale); !errs.Is(err, errs.Conflict) {
		t.Errorf("a stale change: %v", err)
	}
	stale.ExpectedOnHand = 5 // a refused call frees its key
	if _, _, err := s.AdjustInventory(clerk, stale); err != nil {
		t.Error(err)
	}
}

func TestWhoMaySeeStock(t *testing.T) {
	t.Parallel()
	s := newStall(t)
	if _, _, err := s.AdjustInventory(s.ctx, s.received(5)); err != nil {
		t.Fatal(err)
	}
	variant := s.product.Variants[0].ID
	asked := []products.Nested{products.NestedIn(variant, page.Request{Limit: 1})}
	see := func(ctx context.Context) []error {
		stocks, err := s.Stock(ctx, []uuid.UUID{variant, s.product.Variants[1].ID})
		if err != nil || stocks[variant].Available() != 5 || len(stocks) != 2 {
			t.Errorf("stock %v, %v", stocks, err)
		}
		_, levels := s.Levels(ctx, stocks[variant])
		_, locations := s.LocationsByID(ctx, []uuid.UUID{products.Locations[1].ID})
		histories, history := s.Histories(ctx, asked)
		var ids []uuid.UUID
		for _, a := range histories[asked[0]].Items {
			ids = append(ids, a.ID)
		}
		_, adjustments := s.Adjustments(ctx, ids)
		return []error{levels, locations, history, adjustments}
	}
	for _, err := range see(s.as(uuid.New())) {
		if errs.CodeOf(err) != errs.Forbidden {
			t.Errorf("a customer may: %v", err)
		}
	}
	for _, err := range see(s.as(uuid.New(), viewer.InventoryRead)) {
		if err != nil {
			t.Errorf("staff may not: %v", err)
		}
	}
	if _, err := s.WatchStock(s.as(uuid.New()), variant); err != nil {
		t.Error(err)
	}
	if _, err := s.WatchStock(s.as(uuid.New()), s.other.Variants[0].ID); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("a draft is watched: %v", err)
	}
}

func TestReviews(t *testing.T) {
	t.Parallel()
	s := newStall(t)
	ada, bob := s.as(uuid.New()), s.as(uuid.New())
	in := products.ReviewInput{ProductID: s.product.ID, Rating: 5, Title: " Fine ", Body: "Good."}
	review, err := s.CreateReview(ada, in)
	if err != nil || review.AuthorName != "Ada" || review.Title != "Fine" || time.Since(review.CreatedAt) > time.Minute {
		t.Fatal(review, err)
	}
	in.Rating = 2
	again, err := s.CreateReview(ada, in)
	if err != nil || again.ID != review.ID {
		t.Fatal(again, err)
	}
	if _, err := s.CreateReview(bob, in); err != nil {
		t.Fatal(err)
	}
	rating := func(want products.Rating) {
		t.Helper()
		p, err := s.Product(s.ctx, s.product.ID)
		counts, failed := s.CountReviews(s.ctx, []uuid.UUID{s.product.ID, s.other.ID})
		if err != nil || failed != nil || p.Rating != want || counts[p.ID] != want.Count || len(counts) != 2 {
			t.Errorf("rating %v, counts %v, %v, %v; want %v", p.Rating, counts, err, failed, want)
		}
	}
	rating(products.Rating{Count: 2, Sum: 4})
	if err := s.DeleteReview(bob, review.ID); !errs.Is(err, errs.NotFound) {
		t.Errorf("deleted another's: %v", err)
	}
	if err := s.DeleteReview(ada, review.ID); err != nil {
		t.Error(err)
	}
	rating(products.Rating{Count: 1, Sum: 2})
	pages, err := s.ProductReviews(bob, []products.Nested{products.NestedIn(s.product.ID, page.Request{Limit: 5})})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if err := s.DeleteReview(s.as(uuid.New(), viewer.CatalogWrite), p.Items[0].ID); err != nil || len(p.Items) != 1 {
			t.Error(p.Items, err)
		}
	}
	rating(products.Rating{})
	for name, try := range map[string]struct {
		ctx  context.Context
		in   products.ReviewInput
		want string
	}{
		"a visitor":     {viewer.NewContext(s.ctx, viewer.Viewer{}), in, "[UNAUTHENTICATED]"},
		"all wrong":     {ada, products.ReviewInput{ProductID: s.other.ID, Rating: 6, Title: fmt.Sprintf("%0121d", 0), Body: fmt.Sprintf("%05001d", 0)}, "[OUT_OF_RANGE TOO_LONG TOO_LONG NOT_FOUND]"},
		"never bought":  {s.as(uuid.New(), viewer.CatalogWrite), products.ReviewInput{ProductID: s.other.ID, Rating: 1}, "[NOT_PURCHASED]"},
		"not even that": {ada, products.ReviewInput{ProductID: uuid.New(), Rating: 1}, "[NOT_FOUND]"},
	} {
		_, err := s.CreateReview(try.ctx, try.in)
		var codes []errs.Code
		for _, e := range errs.All(err) {
			codes = append(codes, e.Code)
		}
		if fmt.Sprint(codes) != try.want {
			t.Errorf("%s: %v; want %s", name, err, try.want)
		}
	}
	if err := s.DeleteReview(viewer.NewContext(s.ctx, viewer.Viewer{}), review.ID); errs.CodeOf(err) != errs.Unauthenticated {
		t.Errorf("a visitor deletes: %v", err)
	}
}

func TestRatingIsRightAfterARace(t *testing.T) {
	t.Parallel()
	s := newStall(t)
	var group sync.WaitGroup
	for i := range 30 {
		group.Go(func() {
			ada := s.as(uuid.New())
			r, err := s.CreateReview(ada, products.ReviewInput{ProductID: s.product.ID, Rating: 1 + i%5})
			if err == nil && i%3 == 0 {
				err = s.DeleteReview(ada, r.ID)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	p, err := s.Product(s.ctx, s.product.ID)
	ratings, failed := s.store.Ratings(s.ctx, []uuid.UUID{s.product.ID})
	if err != nil || failed != nil || p.Rating != ratings[p.ID] || p.Rating.Count != 20 {
		t.Errorf("the product says %v, the reviews %v; %v, %v", p.Rating, ratings[p.ID], err, failed)
	}
}

func TestReviewsAreHiddenWithTheirProduct(t *testing.T) {
	t.Parallel()
	s := newStall(t)
	seen := &products.Review{ID: uuid.New(), ProductID: s.product.ID, AuthorID: uuid.New(), AuthorName: "Ada", Rating: 4, CreatedAt: time.Now()}
	hidden := &products.Review{ID: uuid.New(), ProductID: s.other.ID, AuthorID: uuid.New(), AuthorName: "Ada", Rating: 4, CreatedAt: time.Now()}
	if err := s.ImportReviews(s.ctx, []*products.Review{seen, hidden}); err != nil {
		t.Fatal(err)
	}
	if err := s.ImportReviews(s.as(uuid.New()), nil); errs.CodeOf(err) != errs.Forbidden {
		t.Errorf("a customer imports: %v", err)
	}
	found, err := s.Reviews(s.as(uuid.New()), []uuid.UUID{seen.ID, hidden.ID})
	p, failed := s.Product(s.ctx, s.other.ID)
	if err != nil || failed != nil || len(found) != 1 || found[seen.ID] == nil || p.Rating.Count != 1 {
		t.Errorf("found %v, %v; rating %v, %v", found, err, p.Rating, failed)
	}
}
