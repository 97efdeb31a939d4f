package orders

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/pricing"
	"github.com/techmart/techmart/services/viewer"
)

// maxKey bounds an idempotency key, in characters.
const maxKey = 255

// PlaceInput orders what is in the viewer's cart.
type PlaceInput struct {
	IdempotencyKey    string    // empty for none
	ShippingAddressID uuid.UUID // of the address book; this or ShippingAddress
	ShippingAddress   *Address
	PaymentToken      string       // of the payment provider
	ExpectedTotal     *money.Money // what the customer saw; nil for not to check
	Faults            error        `json:"-"` // what was wrong with the input before it came here, reported with the rest
	Replayed          *bool        `json:"-"` // set where this is the answer of an earlier call; nil where nobody asks
}

// Place orders what is in the viewer's cart, and answers once the order is durable (PENDING). The same key, or the
// same cart, gives the same order. All faults are reported at once: INVALID and its like for the
// input, CART_EMPTY, INSUFFICIENT_STOCK for each line of the cart that is short, PRICE_CHANGED,
// IDEMPOTENCY_REUSED, IN_FLIGHT.
func (s *Service) Place(ctx context.Context, in PlaceInput) (*Order, error) {
	v := viewer.FromContext(ctx)
	if v.UserID == uuid.Nil {
		return nil, errs.New(errs.Unauthenticated, "Sign in to order.")
	}
	p := placing{in: in, config: s.config}
	p.faults.Merge(in.Faults)
	p.faults.Merge(checkKey(in.IdempotencyKey))
	var key *Key
	if p.faults.Err() == nil {
		var err error
		if key, err = newKey(v.UserID, "orderPlace", in.IdempotencyKey, in); err != nil {
			return nil, err
		}
	}
	kept := false // whether the key stays with the new order
	err := s.gather(ctx, v.UserID, key, &p)
	defer func() {
		if p.start.Taken && !kept {
			s.giveUp(ctx, *key)
		}
	}()
	if errors.Is(err, ErrKeyBusy) {
		return nil, inFlight()
	}
	if err != nil {
		return nil, err
	}
	if p.start.Used != nil {
		order, err := s.replay(ctx, *key, *p.start.Used)
		note(in.Replayed, err == nil)
		return order, err
	}
	if err := s.check(ctx, v.UserID, &p); err != nil {
		return nil, err
	}
	if made, err := s.hold(ctx, v.UserID, key, &p); made != nil || err != nil {
		note(in.Replayed, made != nil)
		return made, err
	}
	d, err := p.draft(v.UserID, s)
	if err != nil {
		return nil, err
	}
	if key != nil {
		d.Key, d.Result = key, d.Order.ID
	}
	order, err := s.insert(ctx, d)
	if err != nil {
		return nil, err
	}
	kept = order.ID == d.Order.ID
	note(in.Replayed, !kept)
	if !kept {
		s.letGo(ctx, order)
	}
	if err := s.complete(ctx, order, d); err != nil {
		s.log.WarnContext(ctx, "the cart of an order is not closed yet; its saga does it", "order", order.ID, "error", err)
	}
	return order, nil
}

// giveUp lets the next call have the key of one that came to nothing, also when ctx has ended.
func (s *Service) giveUp(ctx context.Context, key Key) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.store.GiveUp(ctx, key); err != nil {
		s.log.WarnContext(ctx, "an idempotency key stays taken until its lease ends", "error", err)
	}
}

// complete closes the cart of an order, which is the draft's or one that was made before.
func (s *Service) complete(ctx context.Context, o *Order, d *Draft) error {
	if o.ID == d.Order.ID {
		return s.completeCart(ctx, o, d.Lines)
	}
	lines, err := s.store.Lines(ctx, []uuid.UUID{o.ID}, Audience{Customer: o.CustomerID})
	if err != nil {
		return err
	}
	return s.completeCart(ctx, o, lines[o.ID])
}

// insert writes the order, or gives the one that the same cart or key made a moment ago.
func (s *Service) insert(ctx context.Context, d *Draft) (*Order, error) {
	err := s.store.Insert(ctx, d)
	switch {
	case err == nil:
		return d.Order, nil
	case errors.Is(err, ErrKeyUsed):
		used, err := s.store.Used(ctx, *d.Key)
		if err != nil {
			return nil, err
		}
		return s.replay(ctx, *d.Key, used)
	case errors.Is(err, ErrOrdered):
		return s.ordered(ctx, d.Key, d.Order.CartID, d.Order.CustomerID)
	}
	return nil, err
}

// ordered gives the order that the key, or else the cart, made before. It fails with NOT_FOUND.
func (s *Service) ordered(ctx context.Context, key *Key, cartID, customerID uuid.UUID) (*Order, error) {
	if key != nil {
		used, err := s.store.Used(ctx, *key)
		if err == nil {
			return s.replay(ctx, *key, used)
		}
		if errs.CodeOf(err) != errs.NotFound {
			return nil, err
		}
	}
	order, err := s.store.ByCart(ctx, cartID)
	if err != nil {
		return nil, err
	}
	if order.CustomerID != customerID {
		return nil, errs.New(CodeCartEmpty, "The cart is empty.")
	}
	return order, nil
}

// replay gives the order that the key made.
func (s *Service) replay(ctx context.Context, key Key, used Used) (*Order, error) {
	if err := key.same(&used); err != nil {
		return nil, err
	}
	found, err := s.store.ByIDs(ctx, []uuid.UUID{used.Result}, Audience{Customer: key.Owner})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, NotFound()
	}
	return found[0], nil
}

// placing is what Place has learned before it decides.
type placing struct {
	in       PlaceInput
	config   Config
	start    Start
	cart     Cart
	customer Customer
	address  Address
	faults   errs.Collector
	lines    []*Line
	quote    pricing.Quote
}

// gather reads what an order needs, all at once.
func (s *Service) gather(ctx context.Context, userID uuid.UUID, key *Key, p *placing) error {
	var (
		all      sync.WaitGroup
		failures [4]error
	)
	all.Go(func() { p.start, failures[0] = s.store.Start(ctx, key, s.config.KeyLease) })
	all.Go(func() { p.cart, failures[1] = s.carts.Checkout(ctx, userID, false) })
	all.Go(func() { p.customer, failures[2] = s.customers.Customer(ctx, userID) })
	if p.in.ShippingAddressID != uuid.Nil {
		all.Go(func() { p.address, failures[3] = s.customers.Address(ctx, userID, p.in.ShippingAddressID) })
	}
	all.Wait()
	if errs.CodeOf(failures[1]) == errs.NotFound {
		failures[1] = nil // an empty cart
	}
	if errs.CodeOf(failures[3]) == errs.NotFound {
		failures[3] = nil
		p.faults.Add(errs.NotFound, "There is no such address in your address book.", "shippingAddressId")
	}
	return errors.Join(failures[:]...)
}

// check finds everything that is wrong with the order. What the cart's hold would find out is looked up where it does not
// come to that.
func (s *Service) check(ctx context.Context, userID uuid.UUID, p *placing) error {
	p.check()
	if p.faults.Err() != nil && len(p.cart.Lines) > 0 {
		cart, err := s.carts.Checkout(ctx, userID, true)
		if err != nil && errs.CodeOf(err) != errs.NotFound {
			return err
		}
		p.cart = cart
	}
	p.checkStock()
	return p.faults.Err()
}

// checkStock finds the lines that are short of stock.
func (p *placing) checkStock() {
	for i, l := range p.cart.Lines {
		if l.Available < l.Quantity {
			p.faults.Merge(shortOf(i, l))
		}
	}
}

// check finds what is wrong with the order apart from its stock.
func (p *placing) check() {
	switch in := p.in; {
	case in.ShippingAddress != nil && in.ShippingAddressID != uuid.Nil:
		p.faults.Add(errs.Invalid, "Give shippingAddressId or shippingAddress, not both.", "shippingAddress")
	case in.ShippingAddress != nil:
		p.address = in.ShippingAddress.normalize()
		p.faults.Merge(p.address.check("shippingAddress"))
	case in.ShippingAddressID == uuid.Nil && !errs.Blames(in.Faults, "shippingAddressId"):
		p.faults.Add(errs.Required, "Give shippingAddressId or shippingAddress.", "shippingAddress")
	}
	p.faults.Merge(checkToken(p.in.PaymentToken))
	if len(p.cart.Lines) == 0 {
		p.faults.Add(CodeCartEmpty, "The cart is empty.")
		return
	}
	for i, l := range p.cart.Lines {
		p.lines = append(p.lines, &Line{
			Position: i, VariantID: l.VariantID, ProductID: l.ProductID, SKU: l.SKU, Title: l.Title,
			VariantTitle: l.VariantTitle, Quantity: l.Quantity, UnitPrice: l.UnitPrice, Total: l.UnitPrice.Times(l.Quantity),
		})
	}
	for _, u := range p.cart.Unusable {
		p.faults.Add(CodePromotionUnavailable, "The code "+u.Code+" cannot be used any more. Take it out to order.", "cart", "discountCodes", strconv.Itoa(u.Position))
	}
	p.quote = p.config.Terms().Quote(pricing.Request{
		Lines: totals(p.lines), Promotions: p.cart.Promotions, Country: p.address.CountryCode, Method: p.cart.Method,
	})
	if !p.quote.Sendable() {
		p.faults.Add(errs.Invalid, "The shop does not send to this country in this way. Choose another one.", "cart", "shippingMethod")
	}
	if want := p.in.ExpectedTotal; want != nil && *want != p.quote.Total {
		p.faults.Add(CodePriceChanged, "The total is "+p.quote.Total.String()+" now. Look at the cart again.", "expectedTotal")
	}
}

// shortOf says that a line of the cart, its i-th, is short of stock.
func shortOf(i int, l CartLine) error {
	name := l.Title
	if name == "" {
		name = "An article"
	}
	message := name + " is not available any more."
	if l.Available > 0 {
		message = fmt.Sprintf("Of %s only %d are available.", name, l.Available)
	}
	return errs.At(CodeInsufficientStock, message, "cart", "lines", strconv.Itoa(i)).
		With("variantId", l.VariantID).With("available", max(l.Available, 0))
}

// draft makes the new order with all that is written along with it.
func (p *placing) draft(userID uuid.UUID, s *Service) (*Draft, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	now := s.now()
	o := &Order{
		ID: id, Number: p.start.Number, CustomerID: userID, CartID: p.cart.ID,
		Email: p.customer.Email, DisplayName: p.customer.DisplayName, Status: Pending, Stage: StageReserve,
		Address: p.address, CaptureNow: p.config.CaptureNow, PlacedAt: now, UpdatedAt: now,
	}
	for _, l := range p.lines {
		if l.ID, err = uuid.NewV7(); err != nil {
			return nil, err
		}
		l.OrderID = id
	}
	price(o, p.lines, p.quote)
	d := NewDraft(o, p.lines, nil, p.in.PaymentToken)
	d.begin(now)
	if err := d.log(EntryPlaced, "The order was placed."); err != nil {
		return nil, err
	}
	d.enqueue(causePlaced)
	return d, d.emit(EventPlaced, nil)
}

// newKey makes the key of a call, whose input stands for its hash; nil where no key is given.
func newKey(owner uuid.UUID, operation, key string, input any) (*Key, error) {
	if key == "" {
		return nil, nil
	}
	body, err := json.Marshal(input)
	if err != nil {
		return nil, fmt.Errorf("orders: hash the input: %w", err)
	}
	holder, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return &Key{Owner: owner, Operation: operation, Key: key, Hash: sum[:], Holder: holder}, nil
}

// same fails with IDEMPOTENCY_REUSED where the key came with another input before.
func (k Key) same(used *Used) error {
	if string(used.Hash) != string(k.Hash) {
		return KeyReused()
	}
	return nil
}

// note tells a caller who asks whether it gets the answer of an earlier call.
func note(flag *bool, replayed bool) {
	if flag != nil {
		*flag = replayed
	}
}

func checkKey(key string) error {
	if utf8.RuneCountInString(key) > maxKey {
		return errs.At(errs.TooLong, "A key has at most 255 characters.", "idempotencyKey")
	}
	if strings.ContainsRune(key, 0) {
		return errs.At(errs.Invalid, "A key has no NUL characters.", "idempotencyKey")
	}
	return nil
}
