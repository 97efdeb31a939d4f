package carts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/viewer"
)

// tokenSize is the number of random bytes of a cart's token.
const tokenSize = 32

// LineInput is a variant and how many of it to put in.
type LineInput struct {
	VariantID uuid.UUID
	Quantity  int
}

// AddInput puts variants into a cart.
type AddInput struct {
	IdempotencyKey string // empty for none
	Token          string // empty for the viewer's own cart, or a new one
	Lines          []LineInput
	Faults         error // what was wrong with the input before it came here, reported with the rest
	Replayed       *bool // set where this is the answer of an earlier call; nil where nobody asks
}

// LineUpdate is a line and its new quantity; 0 removes it.
type LineUpdate struct {
	LineID   uuid.UUID
	Quantity int
}

// UpdateInput changes quantities.
type UpdateInput struct {
	IdempotencyKey string // empty for none
	Token          string // empty for the viewer's own cart
	Lines          []LineUpdate
	Faults         error // what was wrong with the input before it came here, reported with the rest
	Replayed       *bool // set where this is the answer of an earlier call; nil where nobody asks
}

// RemoveInput removes lines.
type RemoveInput struct {
	IdempotencyKey string // empty for none
	Token          string // empty for the viewer's own cart
	LineIDs        []uuid.UUID
	Faults         error // what was wrong with the input before it came here, reported with the rest
	Replayed       *bool // set where this is the answer of an earlier call; nil where nobody asks
}

// Get gives the anonymous cart of the token, or the viewer's own for none. It fails with NOT_FOUND.
func (s *Service) Get(ctx context.Context, token string) (*Cart, error) {
	by, err := selector(ctx, token)
	if err != nil {
		return nil, err
	}
	return s.find(ctx, by, token)
}

// ByUsers gives the open carts of those users that are the viewer, by user.
func (s *Service) ByUsers(ctx context.Context, users []uuid.UUID) (map[uuid.UUID]*Cart, error) {
	v := viewer.FromContext(ctx)
	var own []uuid.UUID
	for _, id := range users {
		if v.Is(id) {
			own = append(own, id)
		}
	}
	if len(own) == 0 {
		return nil, nil
	}
	stored, err := s.store.FindByUsers(ctx, own)
	if err != nil {
		return nil, err
	}
	carts := make(map[uuid.UUID]*Cart, len(stored))
	for id, c := range stored {
		if carts[id], err = s.price(ctx, c, nil); err != nil {
			return nil, err
		}
	}
	return carts, nil
}

// Checkout gives the open cart of a user, for an order. Where it is not stocked the stock is not looked at: what is
// sold at all seems to be there. It fails with NOT_FOUND.
func (s *Service) Checkout(ctx context.Context, userID uuid.UUID, stocked bool) (*Cart, error) {
	by := Selector{UserID: userID}
	if stocked {
		return s.find(ctx, by, "")
	}
	stored, err := s.store.Find(ctx, by, s.now())
	if err != nil {
		return nil, err
	}
	known, err := s.catalog.Unstocked(ctx, variantIDs(stored))
	if err != nil {
		return nil, err
	}
	return s.offer(ctx, stored, known)
}

// Complete closes a cart of which the quantities, by variant, have become the order. What was put into it since the
// order was made up stays in the account's open cart. Repeated it changes nothing.
func (s *Service) Complete(ctx context.Context, cartID, orderID uuid.UUID, ordered map[uuid.UUID]int) error {
	rest, err := uuid.NewV7()
	if err != nil {
		return err
	}
	return s.store.Complete(ctx, Completion{CartID: cartID, OrderID: orderID, Ordered: ordered, RestID: rest, Now: s.now()})
}

// Add puts variants into a cart, and makes the cart when there is none. More than is available may be put in: the
// cart then carries a warning. A repeat with the same idempotency key gives the cart as it is; the
// key says nothing where an anonymous cart is made, which makes another cart each time.
func (s *Service) Add(ctx context.Context, in AddInput) (*Cart, error) {
	faults := checkAdd(in)
	if errs.Blames(faults, "lines") {
		return nil, faults // too many to be looked up, or none
	}
	by, making, token, err := s.target(ctx, in.Token)
	if err != nil {
		return nil, errors.Join(faults, err)
	}
	ids := make([]uuid.UUID, 0, len(in.Lines))
	for _, l := range in.Lines {
		ids = append(ids, l.VariantID)
	}
	// The lines that are there already are priced by the same call to the catalogue.
	if in.Token != "" || by.UserID != uuid.Nil {
		before, err := s.store.Find(ctx, by, s.now())
		switch {
		case err == nil:
			ids = append(ids, variantIDs(before)...)
		case errs.CodeOf(err) != errs.NotFound || making == nil:
			return nil, errors.Join(faults, at(err, in.Token))
		}
	}
	known, err := s.catalog.Variants(ctx, unique(ids))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(faults, checkVariants(in, known)); err != nil {
		return nil, err
	}
	if in.Token == "" && by.UserID == uuid.Nil {
		in.IdempotencyKey = "" // nobody owns the cart yet
	}
	key, err := newKey(by, "cartLinesAdd", in.IdempotencyKey, in.Lines)
	if err != nil {
		return nil, err
	}
	replayed := true
	stored, err := s.store.Edit(ctx, Edit{Cart: by, Make: making, Key: key, Now: s.now(), Apply: func(c *Stored) error {
		replayed = false
		return c.add(in.Lines, known)
	}})
	if err != nil {
		return nil, at(err, in.Token)
	}
	if note(in.Replayed, replayed); replayed {
		return s.again(ctx, stored, token)
	}
	return s.changed(ctx, stored, known, token)
}

// Update changes quantities; 0 removes a line.
func (s *Service) Update(ctx context.Context, in UpdateInput) (*Cart, error) {
	if err := errors.Join(checkUpdate(in), checkKey(in.IdempotencyKey)); err != nil {
		return nil, err
	}
	r := repeat{"cartLinesUpdate", in.IdempotencyKey, in.Lines, in.Replayed}
	return s.edit(ctx, in.Token, r, func(c *Stored) error { return c.update(in.Lines) })
}

// Remove removes lines.
func (s *Service) Remove(ctx context.Context, in RemoveInput) (*Cart, error) {
	if err := errors.Join(in.Faults, checkKey(in.IdempotencyKey), checkCount(len(in.LineIDs), "lineIds")); err != nil {
		return nil, err
	}
	r := repeat{"cartLinesRemove", in.IdempotencyKey, in.LineIDs, in.Replayed}
	return s.edit(ctx, in.Token, r, func(c *Stored) error { return c.remove(in.LineIDs) })
}

// Merge moves the lines of an anonymous cart into the viewer's own. It may be repeated. It fails with
// NOT_FOUND, and with LIMIT_EXCEEDED, changing nothing, when the lines do not fit into one cart.
func (s *Service) Merge(ctx context.Context, token string) (*Cart, error) {
	v := viewer.FromContext(ctx)
	if v.UserID == uuid.Nil {
		return nil, errs.New(errs.Unauthenticated, "Sign in to do this.")
	}
	return s.MergeFor(ctx, v.UserID, token)
}

// MergeFor is Merge for a user who is just signing in.
func (s *Service) MergeFor(ctx context.Context, userID uuid.UUID, token string) (*Cart, error) {
	hash, ok := hashToken(token)
	if !ok {
		return nil, NotFound("cartToken")
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	if s.holding() {
		if err := s.letGo(ctx, hash); err != nil {
			return nil, err
		}
	}
	stored, err := s.store.Merge(ctx, hash, NewCart{ID: id, UserID: userID}, s.now())
	if err != nil {
		return nil, at(err, token)
	}
	return s.changed(ctx, stored, nil, "")
}

// Purge removes carts that have expired or were closed long ago, and gives their number.
func (s *Service) Purge(ctx context.Context) (int, error) {
	const batch = 1000
	now, total := s.now(), 0
	for {
		n, err := s.store.Purge(ctx, now, now.Add(-closedLifetime), batch)
		total += n
		if err != nil || n < batch {
			return total, err
		}
	}
}

func (s *Service) find(ctx context.Context, by Selector, token string) (*Cart, error) {
	stored, err := s.store.Find(ctx, by, s.now())
	if err != nil {
		return nil, err
	}
	return s.again(ctx, stored, token)
}

func (s *Service) edit(ctx context.Context, token string, r repeat, apply func(*Stored) error) (*Cart, error) {
	by, err := selector(ctx, token)
	if err != nil {
		return nil, at(err, token)
	}
	key, err := newKey(by, r.operation, r.key, r.input)
	if err != nil {
		return nil, err
	}
	replayed := true
	stored, err := s.store.Edit(ctx, Edit{Cart: by, Key: key, Now: s.now(), Apply: func(c *Stored) error {
		replayed = false
		return apply(c)
	}})
	if err != nil {
		return nil, at(err, token)
	}
	if note(r.replayed, replayed); replayed {
		return s.again(ctx, stored, token)
	}
	return s.changed(ctx, stored, nil, token)
}

// again prices a cart as it is now, which holds nothing anew. That of an earlier call may be closed.
func (s *Service) again(ctx context.Context, stored *Stored, token string) (*Cart, error) {
	c, err := s.price(ctx, stored, nil)
	if err != nil {
		return nil, err
	}
	c.Token = token
	return c, nil
}

// changed prices a cart after a change, with its warnings, and notes the prices as seen.
func (s *Service) changed(ctx context.Context, stored *Stored, known map[uuid.UUID]Variant, token string) (*Cart, error) {
	if s.holding() {
		s.hold(ctx, stored)
		known = nil // what is available is another now
	}
	c, err := s.price(ctx, stored, known)
	if err != nil {
		return nil, err
	}
	c.Token = token
	seen := make(map[uuid.UUID]money.Money)
	for _, l := range c.Lines {
		if l.UnitPrice != l.Seen {
			seen[l.ID] = l.UnitPrice
		}
	}
	if len(seen) > 0 {
		if err := s.store.Seen(ctx, c.ID, seen); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// target says which cart Add changes, and how to make it when there is none.
func (s *Service) target(ctx context.Context, token string) (by Selector, making *NewCart, newToken string, err error) {
	v := viewer.FromContext(ctx)
	if token != "" {
		hash, ok := hashToken(token)
		if !ok {
			return by, nil, "", NotFound("cartToken")
		}
		return Selector{TokenHash: hash}, nil, token, nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return by, nil, "", err
	}
	if v.UserID != uuid.Nil {
		return Selector{UserID: v.UserID}, &NewCart{ID: id, UserID: v.UserID}, "", nil
	}
	var raw [tokenSize]byte
	_, _ = rand.Read(raw[:]) // never fails
	newToken = base64.RawURLEncoding.EncodeToString(raw[:])
	hash, _ := hashToken(newToken)
	expires := s.now().Add(AnonymousLifetime)
	return Selector{TokenHash: hash}, &NewCart{ID: id, TokenHash: hash, ExpiresAt: &expires}, newToken, nil
}

// selector names the cart of the token, or the viewer's own for none.
func selector(ctx context.Context, token string) (Selector, error) {
	if token != "" {
		hash, ok := hashToken(token)
		if !ok {
			return Selector{}, NotFound()
		}
		return Selector{TokenHash: hash}, nil
	}
	v := viewer.FromContext(ctx)
	if v.UserID == uuid.Nil {
		return Selector{}, NotFound()
	}
	return Selector{UserID: v.UserID}, nil
}

// hashToken gives what is stored of a token; ok is false for a text that can be none.
func hashToken(token string) (hash []byte, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != tokenSize {
		return nil, false
	}
	sum := sha256.Sum256(raw)
	return sum[:], true
}

// at blames the token for a cart that is not there.
func at(err error, token string) error {
	if e, ok := err.(*errs.Error); ok && e.Code == errs.NotFound && len(e.Field) == 0 && token != "" {
		return NotFound("cartToken")
	}
	return err
}

func checkAdd(in AddInput) error {
	var c errs.Collector
	c.Merge(in.Faults)
	c.Merge(checkKey(in.IdempotencyKey))
	c.Merge(checkCount(len(in.Lines), "lines"))
	for i, l := range in.Lines {
		if l.Quantity < 1 || l.Quantity > MaxQuantity {
			c.Add(errs.OutOfRange, "A quantity is 1 to 999.", "lines", strconv.Itoa(i), "quantity")
		}
	}
	return c.Err()
}

func checkUpdate(in UpdateInput) error {
	var c errs.Collector
	c.Merge(in.Faults)
	c.Merge(checkCount(len(in.Lines), "lines"))
	for i, l := range in.Lines {
		if l.Quantity < 0 || l.Quantity > MaxQuantity {
			c.Add(errs.OutOfRange, "A quantity is 0 to 999.", "lines", strconv.Itoa(i), "quantity")
		}
	}
	return c.Err()
}

func checkCount(n int, field string) error {
	switch {
	case n == 0:
		return errs.At(errs.TooShort, "Give at least one.", field)
	case n > maxInput:
		return errs.At(errs.TooLong, "Give at most 50 at once.", field)
	}
	return nil
}

// checkVariants refuses what the catalogue does not sell.
func checkVariants(in AddInput, known map[uuid.UUID]Variant) error {
	var c errs.Collector
	for i, l := range in.Lines {
		field := []string{"lines", strconv.Itoa(i), "variantId"}
		if v, ok := known[l.VariantID]; (!ok || !v.Sellable) && !errs.Blames(in.Faults, field...) {
			c.Add(errs.NotFound, "This variant is not for sale.", field...)
		}
	}
	return c.Err()
}
