// Package products is the catalogue: products with their variants, the category tree, search,
// stock and reviews.
//
// A product is one document with its variants in it. What lists filter and sort by (price span,
// availability, rating, pieces sold, the path of categories) is kept on the product; stock and
// reviews live apart and refresh those values.
package products

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/viewer"
)

// Status says where in its life a product is.
type Status string

// The states of a product.
const (
	Draft    Status = "DRAFT"    // being prepared; only staff see it
	Active   Status = "ACTIVE"   // in the shop
	Archived Status = "ARCHIVED" // out of the shop; kept for orders
)

// Product is something that the shop sells, in one or more variants.
type Product struct {
	ID              uuid.UUID
	Version         int // grows with each change by staff
	Slug            string
	Title           string
	DescriptionHTML string // sanitised
	Description     string // plain text, derived from DescriptionHTML
	Vendor          string
	Status          Status
	CategoryID      uuid.UUID   // zero for none
	CategoryPath    []uuid.UUID // the top category first, CategoryID last; kept by the store
	Options         []Option
	Variants        []Variant
	Media           []Media
	Attributes      []Attribute
	Tags            []string
	PriceMin        money.Money // cheapest variant; derived
	PriceMax        money.Money // dearest variant; derived
	Available       bool        // whether any variant can be bought; refreshed by stock changes
	Rating          Rating      // refreshed by reviews
	SoldCount       int         // pieces sold; counted by fulfilment
	PublishedAt     time.Time   // when it first became ACTIVE; zero before
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// Option is one thing that variants differ in.
type Option struct {
	Name   string
	Values []string
}

// Variant is one thing that can be put into a cart.
type Variant struct {
	ID          uuid.UUID
	SKU         string
	Title       string // its choices in one line; derived
	Options     []SelectedOption
	Price       money.Money
	CompareAt   *money.Money // what it used to cost
	Barcode     string
	WeightGrams *int
	Image       *Media
}

// SelectedOption is what a variant has for one option.
type SelectedOption struct{ Name, Value string }

// Media is a picture.
type Media struct {
	URL           string
	Alt           string
	Width, Height *int // pixels
}

// Attribute is one technical fact.
type Attribute struct {
	Key   string // the same in all products: screen_size
	Name  string
	Value string
	Unit  string // "" for none
}

// Rating sums up the reviews of a product.
type Rating struct {
	Count int
	Sum   int // of all stars
}

// Tenths gives the mean of the stars in tenths, rounded half up; 0 without a review.
func (r Rating) Tenths() int {
	if r.Count == 0 {
		return 0
	}
	return (20*r.Sum + r.Count) / (2 * r.Count)
}

// Category is a part of the assortment.
type Category struct {
	ID          uuid.UUID
	Version     int
	Slug        string
	Name        string
	Description string
	ParentID    uuid.UUID   // zero at the top
	Path        []uuid.UUID // ancestors, the top one first, without itself
	Position    int         // among its siblings
}

// ProductVariant is a variant together with its product.
type ProductVariant struct {
	Product *Product
	Variant *Variant // points into Product.Variants
}

// Find gives the variant with the id, or nil.
func (p *Product) Find(variantID uuid.UUID) *Variant {
	for i := range p.Variants {
		if p.Variants[i].ID == variantID {
			return &p.Variants[i]
		}
	}
	return nil
}

// Signals tells other processes of changes; the payload is only an id.
type Signals interface {
	Publish(ctx context.Context, channel string, payload []byte) error
	Subscribe(ctx context.Context, channel string) (<-chan []byte, error)
}

// Purchases knows what was bought by whom.
type Purchases interface {
	// HasBought reports whether an order of the user with the product was delivered or paid.
	HasBought(ctx context.Context, userID, productID uuid.UUID) (bool, error)
}

// Authors knows the names of those who write reviews.
type Authors interface {
	// DisplayName gives the name to show. It fails with NOT_FOUND for an unknown account.
	DisplayName(ctx context.Context, userID uuid.UUID) (string, error)
}

// Deps is what a [Service] needs; all but Clock and Log.
type Deps struct {
	Catalog   CatalogStore
	Inventory InventoryStore
	Reviews   ReviewStore
	Signals   Signals
	Purchases Purchases
	Authors   Authors
	Orders    StockOrders      // nil where no order is known
	Currency  money.Currency   // of all prices
	Clock     func() time.Time // default time.Now
	Log       *slog.Logger     // default slog.Default
	KeyLease  time.Duration    // how long a key stays taken by a call whose process was killed; default 15 s
}

// Service holds the rules of the catalogue.
type Service struct {
	catalog   CatalogStore
	inventory InventoryStore
	reviews   ReviewStore
	signals   Signals
	purchases Purchases
	authors   Authors
	orders    StockOrders
	currency  money.Currency
	clock     func() time.Time
	log       *slog.Logger
	keyLease  time.Duration
}

// New makes a Service.
func New(d Deps) *Service {
	s := &Service{
		catalog: d.Catalog, inventory: d.Inventory, reviews: d.Reviews, signals: d.Signals,
		purchases: d.Purchases, authors: d.Authors, orders: d.Orders, currency: d.Currency, clock: d.Clock, log: d.Log,
		keyLease: cmp.Or(d.KeyLease, 15*time.Second),
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	return s
}

// now gives the time as MongoDB keeps it.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Millisecond) }

// visible reports whether the viewer may know of the product.
func visible(ctx context.Context, p *Product) bool {
	return p.Status == Active || viewer.FromContext(ctx).Can(viewer.CatalogWrite)
}

// visibleOnly drops from found what the viewer may not know of.
func visibleOnly[K comparable](ctx context.Context, found map[K]*Product) map[K]*Product {
	for key, p := range found {
		if !visible(ctx, p) {
			delete(found, key)
		}
	}
	return found
}

// Product gives the product with the id. It fails with NOT_FOUND.
func (s *Service) Product(ctx context.Context, id uuid.UUID) (*Product, error) {
	found, err := s.Products(ctx, []uuid.UUID{id})
	return one(found, id, err)
}

// Products gives those of the products with the ids that the viewer may know of, in one command.
func (s *Service) Products(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Product, error) {
	found, err := s.catalog.Products(ctx, ids)
	return visibleOnly(ctx, found), err
}

// ProductBySlug gives the product with the slug. It fails with NOT_FOUND.
func (s *Service) ProductBySlug(ctx context.Context, slug string) (*Product, error) {
	found, err := s.catalog.ProductsBySlug(ctx, []string{slug})
	return one(visibleOnly(ctx, found), slug, err)
}

// ProductBySKU gives the product one of whose variants has the SKU. It fails with NOT_FOUND.
func (s *Service) ProductBySKU(ctx context.Context, sku string) (*Product, error) {
	found, err := s.catalog.ProductsBySKU(ctx, []string{sku})
	return one(visibleOnly(ctx, found), sku, err)
}

// VariantBySKU gives the variant with the SKU. It fails with NOT_FOUND.
func (s *Service) VariantBySKU(ctx context.Context, sku string) (ProductVariant, error) {
	p, err := s.ProductBySKU(ctx, sku)
	if err != nil {
		return ProductVariant{}, err
	}
	for i := range p.Variants {
		if p.Variants[i].SKU == sku {
			return ProductVariant{p, &p.Variants[i]}, nil
		}
	}
	return ProductVariant{}, errNotFound()
}

// Variants gives those of the variants with the ids that the viewer may know of, in one command.
func (s *Service) Variants(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]ProductVariant, error) {
	list, err := s.catalog.ProductsByVariant(ctx, ids)
	if err != nil {
		return nil, err
	}
	found := make(map[uuid.UUID]ProductVariant, len(ids))
	for _, id := range ids {
		if p := list[id]; p != nil && visible(ctx, p) {
			found[id] = ProductVariant{p, p.Find(id)}
		}
	}
	return found, nil
}

// one gives the value of key, or fails with NOT_FOUND.
func one[K comparable, V any](found map[K]*V, key K, err error) (*V, error) {
	if err != nil {
		return nil, err
	}
	if v := found[key]; v != nil {
		return v, nil
	}
	return nil, errNotFound()
}

func errNotFound() error { return errs.New(errs.NotFound, "There is no such thing.") }
