package promotions

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/pricing"
	"github.com/techmart/techmart/services/viewer"
)

const maxTitle = 100

var codePattern = regexp.MustCompile(`^[A-Z0-9][A-Z0-9_-]{2,39}$`)

// Terms are what staff decide about a promotion.
type Terms struct {
	Code         string // empty for one that needs none
	Title        string
	Kind         pricing.Kind
	Rate         *pricing.Rate // for Percentage
	Amount       *money.Money  // for Amount
	MinSubtotal  *money.Money  // nil for none
	Combinable   bool
	Enabled      bool
	StartsAt     *time.Time // nil for now
	EndsAt       *time.Time // nil for never
	MaxUses      *int       // nil for no bound
	CustomerUses *int       // nil for no bound
	Faults       error      `json:"-"` // what was wrong with the input before it came here, reported with the rest
}

// CreateInput makes a promotion.
type CreateInput struct {
	Terms
	IdempotencyKey string // empty for none
	Replayed       *bool  `json:"-"` // set where this is the answer of an earlier call; nil where nobody asks
}

// Create makes a promotion. All faults are reported at once. It fails with TAKEN, IDEMPOTENCY_REUSED and IN_FLIGHT, and
// needs promotions:write.
func (s *Service) Create(ctx context.Context, in CreateInput) (*Promotion, error) {
	if err := require(ctx); err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	now := s.now()
	p := &Promotion{Version: 1, CreatedAt: now, UpdatedAt: now, StartsAt: now}
	p.ID = id
	if err := errors.Join(p.set(in.Terms, s.currency), checkKey(in.IdempotencyKey)); err != nil {
		return nil, err
	}
	var key *Key
	if in.IdempotencyKey != "" {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		key = &Key{Owner: viewer.FromContext(ctx).Actor(), Operation: "promotionCreate", Key: in.IdempotencyKey, Hash: sum[:]}
	}
	made, replayed, err := s.store.Create(ctx, p, key)
	if err != nil {
		return nil, err
	}
	if in.Replayed != nil {
		*in.Replayed = replayed
	}
	s.forget()
	if made == nil {
		return nil, NotFound()
	}
	return made, nil
}

// maxKey bounds an idempotency key, in characters.
const maxKey = 255

func checkKey(key string) error {
	switch {
	case utf8.RuneCountInString(key) > maxKey:
		return errs.At(errs.TooLong, "A key has at most 255 characters.", "idempotencyKey")
	case strings.ContainsRune(key, 0):
		return errs.At(errs.Invalid, "A key has no NUL characters.", "idempotencyKey")
	}
	return nil
}

// Purge removes idempotency keys that nobody needs any more, and gives their number.
func (s *Service) Purge(ctx context.Context) (int, error) {
	const (
		keep  = 30 * 24 * time.Hour
		batch = 1000
	)
	return s.store.Purge(ctx, s.now().Add(-keep), batch)
}

// Update replaces a promotion's terms. What orders have used stays counted. It fails with NOT_FOUND and CONFLICT, and
// needs promotions:write.
func (s *Service) Update(ctx context.Context, id uuid.UUID, expectedVersion *int, t Terms) (*Promotion, error) {
	if err := require(ctx); err != nil {
		return nil, err
	}
	p, err := s.store.Update(ctx, id, func(p *Promotion) error {
		if expectedVersion != nil && *expectedVersion != p.Version {
			return conflict(p.Version)
		}
		p.Version, p.UpdatedAt = p.Version+1, s.now()
		return p.set(t, s.currency)
	})
	if errs.CodeOf(err) == errs.NotFound {
		return nil, NotFound("id")
	}
	if err != nil {
		return nil, err
	}
	s.forget()
	return p, nil
}

// Delete removes a promotion that no order has used. It fails with NOT_FOUND and INVALID_STATE, and needs
// promotions:write.
func (s *Service) Delete(ctx context.Context, id uuid.UUID) error {
	if err := require(ctx); err != nil {
		return err
	}
	err := s.store.Delete(ctx, id)
	if errs.CodeOf(err) == errs.NotFound {
		return NotFound("id")
	}
	s.forget()
	return err
}

// ByIDs gives promotions by id; it needs promotions:write, and gives none to others.
func (s *Service) ByIDs(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Promotion, error) {
	if require(ctx) != nil {
		return nil, nil
	}
	list, err := s.store.ByIDs(ctx, ids)
	found := make(map[uuid.UUID]*Promotion, len(list))
	for _, p := range list {
		found[p.ID] = p
	}
	return found, err
}

// List gives a page of promotions, the newest first. It needs promotions:write.
func (s *Service) List(ctx context.Context, r page.Request) (page.Page[*Promotion], error) {
	if err := require(ctx); err != nil {
		return page.Page[*Promotion]{}, err
	}
	return s.store.List(ctx, r)
}

// Count counts promotions. It needs promotions:write.
func (s *Service) Count(ctx context.Context) (int, error) {
	if err := require(ctx); err != nil {
		return 0, err
	}
	return s.store.Count(ctx)
}

// set replaces the terms, and finds everything that is wrong with them.
func (p *Promotion) set(t Terms, currency money.Currency) error {
	var c errs.Collector
	c.Merge(t.Faults)
	fault := func(code errs.Code, message, field string) {
		if !errs.Blames(t.Faults, "promotion", field) {
			c.Add(code, message, "promotion", field)
		}
	}
	p.Code, p.Title, p.Kind, p.Combinable, p.Enabled = Normalize(t.Code), strings.TrimSpace(t.Title), t.Kind, t.Combinable, t.Enabled
	if p.Code != "" && !codePattern.MatchString(p.Code) {
		fault(errs.Invalid, "A code has 3 to 40 letters from A to Z, digits, - and _, and begins with a letter or digit.", "code")
	}
	switch n := utf8.RuneCountInString(p.Title); {
	case n == 0:
		fault(errs.Required, "This is needed.", "title")
	case n > maxTitle:
		fault(errs.TooLong, "This has at most 100 characters.", "title")
	case !utf8.ValidString(p.Title) || strings.ContainsFunc(p.Title, unicode.IsControl):
		fault(errs.Invalid, "This holds characters that cannot be printed.", "title")
	}
	p.Rate, p.Amount, p.MinSubtotal = 0, money.New(0, currency), money.New(0, currency)
	switch {
	case t.Rate == nil && p.Kind == pricing.Percentage:
		fault(errs.Required, "A percentage needs this.", "percent")
	case t.Rate != nil && p.Kind != pricing.Percentage:
		fault(errs.Invalid, "Only a percentage has this.", "percent")
	case t.Rate != nil && (*t.Rate < 1 || *t.Rate > pricing.Whole):
		fault(errs.OutOfRange, "This is more than 0 and at most 100.", "percent")
	case t.Rate != nil:
		p.Rate = *t.Rate
	}
	switch {
	case t.Amount == nil && p.Kind == pricing.Amount:
		fault(errs.Required, "An amount needs this.", "amount")
	case t.Amount != nil && p.Kind != pricing.Amount:
		fault(errs.Invalid, "Only an amount has this.", "amount")
	case t.Amount != nil && t.Amount.Currency != currency:
		fault(errs.Invalid, "This is not in the shop's currency.", "amount")
	case t.Amount != nil && t.Amount.Amount <= 0:
		fault(errs.OutOfRange, "This is more than 0.", "amount")
	case t.Amount != nil:
		p.Amount = *t.Amount
	}
	switch m := t.MinSubtotal; {
	case m == nil:
	case m.Currency != currency:
		fault(errs.Invalid, "This is not in the shop's currency.", "minSubtotal")
	case m.Amount < 0:
		fault(errs.OutOfRange, "This is 0 or more.", "minSubtotal")
	default:
		p.MinSubtotal = *m
	}
	if t.StartsAt != nil {
		p.StartsAt = t.StartsAt.UTC().Truncate(time.Microsecond)
	}
	p.EndsAt = nil
	if t.EndsAt != nil {
		ends := t.EndsAt.UTC().Truncate(time.Microsecond)
		if p.EndsAt = &ends; !ends.After(p.StartsAt) {
			fault(errs.OutOfRange, "It ends after it starts.", "endsAt")
		}
	}
	uses := func(n *int, field string) int {
		if n == nil {
			return 0
		}
		if *n < 1 || *n > math.MaxInt32 {
			fault(errs.OutOfRange, "This is 1 or more.", field)
		}
		return *n
	}
	p.MaxUses, p.CustomerUses = uses(t.MaxUses, "maxUses"), uses(t.CustomerUses, "maxUsesPerCustomer")
	return c.Err()
}
