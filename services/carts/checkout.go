package carts

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/pricing"
	"github.com/techmart/techmart/services/viewer"
)

// CodePromotionUnavailable is what a code answers that cannot be used now.
const CodePromotionUnavailable errs.Code = "PROMOTION_UNAVAILABLE"

// codePattern is what a code may look like, in capitals.
var codePattern = regexp.MustCompile(`^[A-Z0-9][A-Z0-9_-]{2,39}$`)

// CodesInput replaces the codes of a cart.
type CodesInput struct {
	Token string   // empty for the viewer's own cart
	Codes []string // in any case; none to remove all
}

// MethodInput says how and where a cart is to be sent.
type MethodInput struct {
	Token   string // empty for the viewer's own cart
	Method  string // code of a way of sending; empty for the usual one
	Country string // empty for not known yet
}

// SetCodes replaces the codes of promotions. It fails for each code that nobody knows (NOT_FOUND) or that cannot be used
// now (PROMOTION_UNAVAILABLE); one that the cart is too small for, or that another is better than, is kept: it may
// count later.
func (s *Service) SetCodes(ctx context.Context, in CodesInput) (*Cart, error) {
	codes, err := s.checkCodes(ctx, in)
	if err != nil {
		return nil, err
	}
	return s.edit(ctx, in.Token, repeat{}, func(c *Stored) error {
		c.Codes = codes
		return nil
	})
}

func (s *Service) checkCodes(ctx context.Context, in CodesInput) ([]string, error) {
	var (
		c     errs.Collector
		codes []string
		at    = make(map[string]int, len(in.Codes))
	)
	if len(in.Codes) > MaxCodes {
		return nil, errs.At(errs.TooLong, "A cart has at most 5 codes.", "codes")
	}
	for i, code := range in.Codes {
		code = strings.ToUpper(strings.TrimSpace(code))
		switch {
		case !codePattern.MatchString(code):
			c.Merge(refusal(i, pricing.Unknown))
		case !slices.Contains(codes, code):
			codes, at[code] = append(codes, code), i
		}
	}
	if len(codes) > 0 {
		customer := viewer.FromContext(ctx).UserID
		if in.Token != "" {
			customer = uuid.Nil // an anonymous cart is nobody's yet
		}
		_, refused, err := s.promotions.Offers(ctx, customer, codes)
		if err != nil {
			return nil, err
		}
		for _, code := range codes {
			if reason, ok := refused[code]; ok {
				c.Merge(refusal(at[code], reason))
			}
		}
	}
	return codes, c.Err()
}

// refusal is what a code answers that is not taken.
func refusal(i int, reason pricing.Reason) error {
	field := []string{"codes", strconv.Itoa(i)}
	if reason == pricing.Unknown {
		return errs.At(errs.NotFound, "This code is not known.", field...)
	}
	message := map[pricing.Reason]string{
		pricing.NotStarted:  "This code is not valid yet.",
		pricing.Ended:       "This code is not valid any more.",
		pricing.UsedUp:      "This code is used up.",
		pricing.AlreadyUsed: "You have used this code already.",
	}[reason]
	return errs.At(CodePromotionUnavailable, message, field...)
}

// SelectMethod chooses how and where the cart is to be sent, for its shipping and tax. It fails with INVALID for what
// is no country, and where the shop does not send there in this way.
func (s *Service) SelectMethod(ctx context.Context, in MethodInput) (*Cart, error) {
	country := strings.ToUpper(strings.TrimSpace(in.Country))
	if country != "" && !pricing.KnownCountry(country) {
		return nil, errs.At(errs.Invalid, "This is no ISO 3166-1 country code such as DE.", "countryCode")
	}
	if _, ok := s.terms.Method(in.Method, country); !ok {
		return nil, errs.At(errs.Invalid, "There is no such way of sending to this country.", "method")
	}
	return s.edit(ctx, in.Token, repeat{}, func(c *Stored) error {
		c.Method, c.Country = in.Method, country
		return nil
	})
}

// Methods gives the ways of sending to a country, and what each costs for the cart as it is; to that of the cart for
// none.
func (s *Service) Methods(c *Cart, country string) ([]pricing.Quote, error) {
	country = strings.ToUpper(strings.TrimSpace(country))
	if country == "" {
		country = c.Country
	}
	if country != "" && !pricing.KnownCountry(country) {
		return nil, errs.At(errs.BadInput, "This is no ISO 3166-1 country code such as DE.", "countryCode")
	}
	r := pricing.Request{Promotions: c.Promotions, Country: country}
	for _, l := range c.Lines {
		r.Lines = append(r.Lines, l.Total)
	}
	var list []pricing.Quote
	for _, m := range s.terms.MethodsTo(country) {
		r.Method = m.Code
		list = append(list, s.terms.Quote(r))
	}
	return list, nil
}
