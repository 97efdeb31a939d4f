// Package promotions keeps what makes orders cheaper: promotions with a code and promotions that every cart is
// offered, for how long and how often.
//
// What a promotion takes off is the business of package pricing. A use is reserved under the order's id, in one
// transaction that locks the promotion, so that the last use has one winner; an order that comes to nothing gives
// its uses back.
package promotions

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/pricing"
	"github.com/techmart/techmart/services/viewer"
)

// MaxCodes bounds the codes of one look-up.
const MaxCodes = 5

// Promotion is what makes orders cheaper, and when.
type Promotion struct {
	pricing.Promotion // its amounts are in the shop's currency of when it was made
	Enabled           bool
	StartsAt          time.Time
	EndsAt            *time.Time // nil for never
	MaxUses           int        // in all; 0 for no bound
	CustomerUses      int        // of one customer; 0 for no bound
	Uses              int        // reserved and kept
	Version           int
	CreatedAt         time.Time
	UpdatedAt         time.Time
}

// Automatic reports whether the promotion needs no code.
func (p *Promotion) Automatic() bool { return p.Code == "" }

// limited reports whether it can be used up.
func (p *Promotion) limited() bool { return p.MaxUses > 0 || p.CustomerUses > 0 }

// Refusal says why the promotion cannot be used by a customer who has used it so often; empty where it can.
func (p *Promotion) Refusal(now time.Time, used int) pricing.Reason {
	switch {
	case !p.Enabled:
		return pricing.Unknown
	case now.Before(p.StartsAt):
		return pricing.NotStarted
	case p.EndsAt != nil && !now.Before(*p.EndsAt):
		return pricing.Ended
	case p.CustomerUses > 0 && used >= p.CustomerUses:
		return pricing.AlreadyUsed
	case p.MaxUses > 0 && p.Uses >= p.MaxUses:
		return pricing.UsedUp
	}
	return ""
}

// Deps is what a Service needs. Clock and Log have defaults.
type Deps struct {
	Store    Store
	Currency money.Currency   // of the shop
	Clock    func() time.Time // nil for the machine's
	Log      *slog.Logger     // nil for the default
}

// Service holds the rules of promotions. It is safe for concurrent use.
type Service struct {
	store    Store
	currency money.Currency
	clock    func() time.Time
	log      *slog.Logger

	mu        sync.Mutex
	automatic []*Promotion // enabled ones, as they were readAt
	readAt    time.Time    // by the machine's clock; zero for never
}

// New makes a Service.
func New(d Deps) *Service {
	s := &Service{store: d.Store, currency: d.Currency, clock: d.Clock, log: cmp.Or(d.Log, slog.Default())}
	if s.clock == nil {
		s.clock = time.Now
	}
	return s
}

func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

func require(ctx context.Context) error {
	return viewer.FromContext(ctx).Require(viewer.PromotionsWrite)
}

// Use is a promotion and how often a customer has used it.
type Use struct {
	*Promotion
	Used int
}

func byCode(uses []Use) map[string]Use {
	found := make(map[string]Use, len(uses))
	for _, u := range uses {
		if !u.Automatic() {
			found[u.Code] = u
		}
	}
	return found
}

func byID(uses []Use) map[uuid.UUID]Use {
	found := make(map[uuid.UUID]Use, len(uses))
	for _, u := range uses {
		found[u.ID] = u
	}
	return found
}
