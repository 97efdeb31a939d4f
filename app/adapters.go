package app

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"

	"github.com/techmart/techmart/platform/redis"
	"github.com/techmart/techmart/services/carts"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
)

// The adapters give each domain what it asks of another. What one domain does for another is the
// program's own doing, whoever the viewer is.

func asProgram(ctx context.Context) context.Context { return viewer.NewContext(ctx, viewer.System) }

type userCarts struct{ s *Services }

var _ users.Carts = userCarts{}

// Merge implements users.Carts.
func (a userCarts) Merge(ctx context.Context, userID uuid.UUID, token string) error {
	_, err := a.s.Carts.MergeFor(ctx, userID, token)
	return err
}

type purchases struct{ s *Services }

var _ products.Purchases = purchases{}

// HasBought implements products.Purchases.
func (a purchases) HasBought(ctx context.Context, userID, productID uuid.UUID) (bool, error) {
	return a.s.Orders.HasBought(asProgram(ctx), userID, productID)
}

type authors struct{ s *Services }

var _ products.Authors = authors{}

// DisplayName implements products.Authors.
func (a authors) DisplayName(ctx context.Context, userID uuid.UUID) (string, error) {
	return a.s.Users.DisplayName(asProgram(ctx), userID)
}

type catalog struct{ s *Services }

var _ carts.Catalog = catalog{}

// Variants implements carts.Catalog.
func (a catalog) Variants(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]carts.Variant, error) {
	return asVariants(a.s.Products.Offers(asProgram(ctx), ids))
}

// Unstocked implements carts.Catalog.
func (a catalog) Unstocked(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]carts.Variant, error) {
	return asVariants(a.s.Products.Prices(asProgram(ctx), ids))
}

func asVariants(offers map[uuid.UUID]products.Offer, err error) (map[uuid.UUID]carts.Variant, error) {
	variants := make(map[uuid.UUID]carts.Variant, len(offers))
	for id, o := range offers {
		variants[id] = carts.Variant{
			ID: id, ProductID: o.ProductID, SKU: o.SKU, ProductTitle: o.ProductTitle, VariantTitle: o.VariantTitle,
			Price: o.Price, Available: o.Available, Sellable: o.Sellable,
		}
	}
	return variants, err
}

type orderCarts struct {
	s     *Services
	holds bool // whether a cart that is ordered holds its stock first
}

var _ orders.Carts = orderCarts{}

// Checkout implements orders.Carts.
func (a orderCarts) Checkout(ctx context.Context, userID uuid.UUID, stocked bool) (orders.Cart, error) {
	cart, err := a.s.Carts.Checkout(ctx, userID, stocked || !a.holds)
	if err != nil {
		return orders.Cart{}, err
	}
	out := orders.Cart{ID: cart.ID, Promotions: cart.Promotions, Method: cart.Method, Lines: make([]orders.CartLine, len(cart.Lines))}
	for i, code := range cart.Codes {
		if code.Unusable() {
			out.Unusable = append(out.Unusable, orders.Unusable{Position: i, Code: code.Code})
		}
	}
	for i, l := range cart.Lines {
		out.Lines[i] = orders.CartLine{
			VariantID: l.VariantID, ProductID: l.ProductID, SKU: l.SKU, Title: l.ProductTitle, VariantTitle: l.VariantTitle,
			Quantity: l.Quantity, UnitPrice: l.UnitPrice, Available: l.Available,
		}
	}
	return out, nil
}

// Complete implements orders.Carts.
func (a orderCarts) Complete(ctx context.Context, cartID, orderID uuid.UUID, ordered []orders.StockLine) error {
	quantities := make(map[uuid.UUID]int, len(ordered))
	for _, l := range ordered {
		quantities[l.VariantID] += l.Quantity
	}
	return a.s.Carts.Complete(ctx, cartID, orderID, quantities)
}

type orderInventory struct {
	s       *Services
	holdFor time.Duration // how long a cart that is ordered holds its stock; 0 for not at all
}

var _ orders.Inventory = orderInventory{}

// Reserve implements orders.Inventory.
func (a orderInventory) Reserve(ctx context.Context, orderID, cartID uuid.UUID, lines []orders.StockLine) error {
	return a.s.Products.ReserveFromCart(asProgram(ctx), orderID, cartID, stockLines(lines))
}

// Hold implements orders.Inventory.
func (a orderInventory) Hold(ctx context.Context, cartID uuid.UUID, lines []orders.StockLine) error {
	if a.holdFor == 0 {
		return nil
	}
	return a.s.Products.HoldForCheckout(asProgram(ctx), cartID, stockLines(lines), a.holdFor)
}

// Release implements orders.Inventory.
func (a orderInventory) Release(ctx context.Context, orderID uuid.UUID) error {
	return a.s.Products.Release(asProgram(ctx), orderID)
}

// Fulfill implements orders.Inventory.
func (a orderInventory) Fulfill(ctx context.Context, orderID, fulfillmentID uuid.UUID, lines []orders.StockLine) error {
	return a.s.Products.Fulfill(asProgram(ctx), orderID, fulfillmentID, stockLines(lines))
}

// Location implements orders.Restocking.
func (a orderInventory) Location(ctx context.Context, id uuid.UUID) (uuid.UUID, error) {
	return a.s.Products.RestockLocation(asProgram(ctx), id)
}

// Restock implements orders.Restocking.
func (a orderInventory) Restock(ctx context.Context, r orders.Restock) error {
	back := products.Restock{ID: r.ReturnID, OrderID: r.OrderID, LocationID: r.LocationID, Note: "Return " + r.Number, At: r.At}
	for _, l := range r.Lines {
		back.Lines = append(back.Lines, products.RestockLine(l))
	}
	return a.s.Products.Restock(asProgram(ctx), back)
}

func stockLines(lines []orders.StockLine) []products.StockLine {
	out := make([]products.StockLine, len(lines))
	for i, l := range lines {
		out[i] = products.StockLine{VariantID: l.VariantID, Quantity: l.Quantity}
	}
	return out
}

type orderCustomers struct{ s *Services }

var _ orders.Customers = orderCustomers{}

// Customer implements orders.Customers.
func (a orderCustomers) Customer(ctx context.Context, userID uuid.UUID) (orders.Customer, error) {
	c, err := a.s.Users.Customer(asProgram(ctx), userID)
	return orders.Customer{Email: c.Email, DisplayName: c.DisplayName}, err
}

// Address implements orders.Customers.
func (a orderCustomers) Address(ctx context.Context, userID, addressID uuid.UUID) (orders.Address, error) {
	d, err := a.s.Users.Address(asProgram(ctx), userID, addressID)
	return orders.Address{
		Recipient: d.Recipient, Line1: d.Line1, Line2: d.Line2, PostalCode: d.PostalCode,
		City: d.City, Region: d.Region, CountryCode: d.CountryCode, Phone: d.Phone,
	}, err
}

// persistedQueries is gateway.Store in Redis.
type persistedQueries struct{ client *redis.Client }

func (p persistedQueries) key(hash string) string { return p.client.Key("persisted", hash) }

// Get implements gateway.Store.
func (p persistedQueries) Get(ctx context.Context, hash string) (string, bool, error) {
	text, err := p.client.Client.Get(ctx, p.key(hash)).Result()
	if errors.Is(err, goredis.Nil) {
		return "", false, nil
	}
	return text, err == nil, err
}

// Put implements gateway.Store.
func (p persistedQueries) Put(ctx context.Context, hash, text string, ttl time.Duration) error {
	return p.client.Set(ctx, p.key(hash), text, ttl).Err()
}
