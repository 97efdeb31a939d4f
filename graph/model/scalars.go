// Package model holds the Go types of the graph: those that gqlgen makes of the SDL, and the
// scalars and identifiers written by hand.
package model

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/shopspring/decimal"
)

// CountFunc counts all items of a list; totalCount calls it only when asked for.
type CountFunc func(context.Context) (int, error)

// Entity is the GraphQL union _Entity: whatever is found by its id.
type Entity interface{ IsNode() }

// Money is the GraphQL type Money.
type Money struct {
	Amount       string // decimal, major units
	CurrencyCode string // ISO 4217
}

// MarshalDateTime writes a time as RFC 3339 in UTC.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		var buf [40]byte
		b := append(buf[:0], '"')
		b = t.UTC().AppendFormat(b, time.RFC3339Nano)
		_, _ = w.Write(append(b, '"'))
	})
}

// UnmarshalDateTime reads an RFC 3339 time.
func UnmarshalDateTime(v any) (time.Time, error) {
	s, ok := v.(string)
	if !ok {
		return time.Time{}, fmt.Errorf("a DateTime is a string such as 2026-03-01T09:30:00Z")
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("a DateTime is a string such as 2026-03-01T09:30:00Z")
	}
	return t.UTC(), nil
}

// MarshalDecimal writes a decimal number as a string.
func MarshalDecimal(s string) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = io.WriteString(w, strconv.Quote(s)) })
}

// UnmarshalDecimal reads a decimal number from a string or an integer; a float is refused because it may have lost digits.
func UnmarshalDecimal(v any) (string, error) {
	s := fmt.Sprint(v)
	switch v.(type) {
	case string, int, int64, interface{ Int64() (int64, error) }:
	default:
		return "", fmt.Errorf("a Decimal is a string such as \"12.90\"")
	}
	d, err := decimal.NewFromString(s)
	if err != nil || len(s) > 30 || d.Exponent() < -12 || d.Exponent() > 18 {
		return "", fmt.Errorf("a Decimal is a string such as \"12.90\"")
	}
	return d.String(), nil
}

// MethodsFunc gives the ways of sending a cart to a country; to that which was chosen for it for none.
type MethodsFunc func(countryCode string) ([]*ShippingMethod, error)
