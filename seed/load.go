package seed

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/payments"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
)

// OrderImporter takes orders in bulk.
type OrderImporter interface {
	// Import adds orders; those that are there already stay as they are.
	Import(ctx context.Context, list []*orders.Record) error
}

// PaymentImporter takes payments in bulk.
type PaymentImporter interface {
	// Import adds payments; those that are there already stay as they are.
	Import(ctx context.Context, list []*payments.Record) error
}

// StockImporter takes stock in bulk.
type StockImporter interface {
	// InsertStock adds the stock of variants that have none; that which is there already stays as it is.
	InsertStock(ctx context.Context, changes []products.SetOnHand) error
}

// IndexSuspender makes a load of many products fast.
type IndexSuspender interface {
	// SuspendIndexes drops indexes of products, and gives what builds them again, one by one.
	SuspendIndexes(ctx context.Context) (resume []func(context.Context) error, err error)
}

// Deps is where the shop is loaded to. All of them are needed; schemas and indexes have to be there.
type Deps struct {
	Users     *users.Service
	Products  *products.Service
	Inventory products.InventoryStore
	Stock     StockImporter
	Indexes   IndexSuspender
	Orders    OrderImporter
	Payments  PaymentImporter
}

// Progress says how far the loading is.
type Progress struct {
	Step  string // what is being loaded, such as "products"
	Done  int
	Total int
}

// Options say what to load.
type Options struct {
	Scale    int // 1 to MaxScale; 0 means 1
	Terms    orders.Config
	Progress func(Progress) // called from one goroutine; nil for none
}

const (
	batchSize = 500
	// catalogBatch is larger: the words of a batch are counted once, and most products share most of theirs.
	catalogBatch = 2000
	// patience is how long there may be no news while something goes on.
	patience = 2 * time.Second
)

// Load fills an empty shop. It does nothing where a shop was loaded before, and carries on where a
// loading was interrupted. Nobody else may write to the shop meanwhile.
func Load(ctx context.Context, d Deps, o Options) error {
	if o.Scale < 0 || o.Scale > MaxScale {
		return fmt.Errorf("seed: the scale lies between 1 and %d", MaxScale)
	}
	l := &loader{Deps: d, shop: New(o.Scale, o.Terms), report: o.Progress, sold: map[uuid.UUID]int{}}
	if l.report == nil {
		l.report = func(Progress) {}
	}
	ctx = viewer.NewContext(ctx, viewer.System)
	done, err := l.seeded(ctx)
	if done || err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{l.customers, l.history, l.catalog, l.stock, l.afterwards, l.demoAccounts} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("seed: %w", err)
		}
	}
	return nil
}

type loader struct {
	Deps
	shop   *Shop
	report func(Progress)
	sold   map[uuid.UUID]int // pieces by product
	hash   string            // of the one password

	resumed bool // some of the products were there
}

// seeded reports whether the last of the accounts is there.
func (l *loader) seeded(ctx context.Context) (bool, error) {
	marker := l.shop.markerID()
	found, err := l.Users.UsersByID(ctx, []uuid.UUID{marker})
	return found[marker] != nil, err
}

// during does something, and says again and again how far the loading is while it goes on.
func (l *loader) during(p Progress, do func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- do() }()
	news := time.NewTicker(patience)
	defer news.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-news.C:
			l.report(p)
		}
	}
}

// each gives what a sequence yields to load in batches, and reports the progress.
func each[T any](l *loader, step string, total, size int, list iter.Seq[T], load func([]T) error) error {
	done := 0
	l.report(Progress{Step: step, Total: total})
	batch := make([]T, 0, size)
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := l.during(Progress{Step: step, Done: done, Total: total}, func() error { return load(batch) }); err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
		done += len(batch)
		l.report(Progress{Step: step, Done: done, Total: total})
		batch = batch[:0]
		return nil
	}
	for one := range list {
		if batch = append(batch, one); len(batch) == size {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// customers share one hash of the password: making one takes its time.
func (l *loader) customers(ctx context.Context) error {
	var err error
	if l.hash, err = l.Users.HashPassword(ctx, Password); err != nil {
		return err
	}
	return each(l, "customers", l.shop.Customers()-1, batchSize, l.shop.People(), func(list []users.NewAccount) error {
		for i := range list {
			list[i].PasswordHash = l.hash
		}
		_, err := l.Users.ImportAccounts(ctx, list)
		return err
	})
}

// history loads orders and payments, and counts what was sold.
func (l *loader) history(ctx context.Context) error {
	return each(l, "orders", l.shop.Orders(), batchSize, l.shop.History(), func(list []*Order) error {
		records, paid := make([]*orders.Record, 0, len(list)), make([]*payments.Record, 0, len(list))
		for _, o := range list {
			records = append(records, &o.Record)
			if o.Payment != nil {
				paid = append(paid, o.Payment)
			}
			for _, line := range o.Lines {
				l.sold[line.ProductID] += line.Fulfilled
			}
		}
		return errors.Join(l.Orders.Import(ctx, records), l.Payments.Import(ctx, paid))
	})
}

// catalog loads the categories, the products and their indexes.
func (l *loader) catalog(ctx context.Context) error {
	var tree []*products.Category
	for c := range Categories() {
		tree = append(tree, c)
	}
	if _, err := l.Products.ImportCategories(ctx, tree); err != nil {
		return err
	}
	indexes, err := l.Indexes.SuspendIndexes(ctx)
	if err != nil {
		return err
	}
	err = l.products(ctx)
	if ctx.Err() != nil {
		return err
	}
	at := Progress{Step: "indexes of products", Total: len(indexes)}
	for _, build := range indexes { // also where a part of the products is missing
		l.report(at)
		err = errors.Join(err, l.during(at, func() error { return build(ctx) }))
		at.Done++
	}
	l.report(at)
	if err != nil || !l.resumed {
		return err
	}
	// The words of what was loaded last may not have been counted.
	return l.during(at, func() error { return l.Products.RebuildSearch(ctx) })
}

func (l *loader) products(ctx context.Context) error {
	return each(l, "products", l.shop.Products(), catalogBatch, l.shop.Catalog(), func(list []*products.Product) error {
		for _, p := range list {
			p.SoldCount = l.sold[p.ID]
		}
		outcomes, err := l.Products.ImportProducts(ctx, list)
		if err != nil {
			return err
		}
		for i, o := range outcomes {
			if o.Err != nil {
				return fmt.Errorf("%s: %w", list[i].Slug, o.Err)
			}
			l.resumed = l.resumed || !o.Created
		}
		return nil
	})
}

// stock loads what lies on the shelves.
func (l *loader) stock(ctx context.Context) error {
	if err := l.Inventory.EnsureLocations(ctx, products.Locations); err != nil {
		return err
	}
	return each(l, "stock", l.shop.Products(), batchSize, counted(l.shop.Products()), func(numbers []int) error {
		var changes []products.SetOnHand
		for _, i := range numbers {
			p := l.shop.Product(i)
			for v := range p.Variants {
				level := l.shop.Stock(i, v)
				for at, n := range []int{level.Berlin, level.Rotterdam} {
					place := products.Locations[at]
					changes = append(changes, products.SetOnHand{
						ID: adjustmentID(i, v, place.ID), VariantID: p.Variants[v].ID, ProductID: p.ID, LocationID: place.ID,
						OnHand: n, Reason: products.Received, Note: "First delivery.", At: p.CreatedAt,
					})
				}
			}
		}
		return l.Stock.InsertStock(ctx, changes)
	})
}

// afterwards loads what needs products and stock: reservations of open orders, and reviews.
func (l *loader) afterwards(ctx context.Context) error {
	return each(l, "reservations and reviews", l.shop.Orders(), batchSize, l.shop.History(), func(list []*Order) error {
		var reviews []*products.Review
		seen := map[[2]uuid.UUID]bool{}
		for _, o := range list {
			for _, r := range o.Reviews {
				if key := [2]uuid.UUID{r.AuthorID, r.ProductID}; !seen[key] {
					seen[key] = true
					reviews = append(reviews, r)
				}
			}
			if err := l.reserve(ctx, o); err != nil {
				return fmt.Errorf("order %s: %w", o.Order.Number, err)
			}
		}
		if len(reviews) == 0 {
			return nil
		}
		return l.Products.ImportReviews(ctx, reviews)
	})
}

func (l *loader) reserve(ctx context.Context, o *Order) error {
	if len(o.Reserve) == 0 {
		return nil
	}
	if _, err := l.Inventory.Reserve(ctx, o.Order.ID, uuid.Nil, o.Reserve, o.Order.PlacedAt); err != nil {
		return err
	}
	if o.Ship == nil {
		return nil
	}
	_, err := l.Inventory.Fulfill(ctx, *o.Ship)
	return err
}

// demoAccounts come last: the last of them says that the shop is loaded.
func (l *loader) demoAccounts(ctx context.Context) error {
	accounts := l.shop.DemoAccounts()
	l.report(Progress{Step: "accounts", Total: len(accounts)})
	for i, a := range accounts {
		a.PasswordHash = l.hash
		if _, err := l.Users.CreateAccount(ctx, a); err != nil && !errs.Is(err, errs.Taken) {
			return err
		}
		l.report(Progress{Step: "accounts", Done: i + 1, Total: len(accounts)})
	}
	return nil
}

// counted gives the numbers from 0 to n-1.
func counted(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}
