package promotions

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/pricing"
)

// How old what is known of the automatic promotions may be.
const (
	freshFor    = time.Second // by the machine's clock
	staleFor    = time.Minute // while the store does not answer
	readTimeout = 5 * time.Second
	// maxAutomatic bounds the automatic promotions that are offered.
	maxAutomatic = 100
)

// Normalize gives a code as it is kept: in capitals and without space around it.
func Normalize(code string) string { return strings.ToUpper(strings.TrimSpace(code)) }

// Offers gives the promotions that a customer can use now: first those that need no code, then those of the codes in
// their order; and of the other codes why not. The customer is zero while nobody is signed in. What it reads is one query at
// most, and none without codes unless an automatic promotion is limited.
func (s *Service) Offers(ctx context.Context, customer uuid.UUID, codes []string) ([]pricing.Promotion, map[string]pricing.Reason, error) {
	automatic, err := s.current()
	if err != nil {
		return nil, nil, err
	}
	var limited []uuid.UUID
	for _, p := range automatic {
		if p.limited() {
			limited = append(limited, p.ID)
		}
	}
	var uses []Use
	if len(limited)+len(codes) > 0 {
		if uses, err = s.store.Uses(ctx, limited, codes, customer); err != nil {
			return nil, nil, err
		}
	}
	var (
		now     = s.now()
		known   = byID(uses)
		coded   = byCode(uses)
		offered []pricing.Promotion
		refused map[string]pricing.Reason
	)
	for _, p := range automatic {
		u := Use{Promotion: p}
		if p.limited() {
			if u = known[p.ID]; u.Promotion == nil {
				continue // deleted a moment ago
			}
		}
		if u.Refusal(now, u.Used) == "" {
			offered = append(offered, u.Promotion.Promotion)
		}
	}
	for _, code := range codes {
		reason := pricing.Unknown
		if u, ok := coded[code]; ok {
			if reason = u.Refusal(now, u.Used); reason == "" {
				offered = append(offered, u.Promotion.Promotion)
				continue
			}
		}
		if refused == nil {
			refused = make(map[string]pricing.Reason)
		}
		refused[code] = reason
	}
	return offered, refused, nil
}

// current gives the enabled automatic promotions, as they were at most a moment ago. One caller reads for all, by a
// context of its own: it is no caller's own query.
func (s *Service) current() ([]*Promotion, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	age := time.Since(s.readAt)
	if !s.readAt.IsZero() && age < freshFor {
		return s.automatic, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	list, err := s.store.Automatic(ctx, maxAutomatic)
	if err != nil {
		if !s.readAt.IsZero() && age < staleFor {
			s.log.Warn("automatic promotions not read", "error", err)
			return s.automatic, nil
		}
		return nil, err
	}
	s.automatic, s.readAt = list, time.Now()
	return list, nil
}

// forget makes the next look read anew.
func (s *Service) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readAt = time.Time{}
}

// Redeem reserves a use of each promotion for an order. It may be repeated. It fails with PROMOTION_UNAVAILABLE
// when one has no use left.
func (s *Service) Redeem(ctx context.Context, orderID, customerID uuid.UUID, promotions []uuid.UUID) error {
	return s.store.Redeem(ctx, Redemption{OrderID: orderID, CustomerID: customerID, Promotions: promotions, At: s.now()})
}

// Release gives the uses of an order back. It may be repeated.
func (s *Service) Release(ctx context.Context, orderID uuid.UUID) error {
	return s.store.Release(ctx, orderID, s.now())
}
