// Package money is an amount in integer minor units and its currency.
package money

import (
	"fmt"
	"math"
	"math/big"

	"github.com/shopspring/decimal"
)

// Currency is an ISO 4217 code in capitals, such as "EUR".
type Currency string

// digits gives the number of minor digits of the currencies the shop can trade in (ISO 4217).
var digits = map[Currency]int32{"EUR": 2, "USD": 2, "GBP": 2, "CHF": 2, "SEK": 2, "NOK": 2, "DKK": 2, "PLN": 2, "CZK": 2, "CAD": 2, "AUD": 2, "JPY": 0, "KRW": 0, "KWD": 3}

// Known reports whether the shop can trade in c.
func (c Currency) Known() bool { _, ok := digits[c]; return ok }

// Digits gives the number of minor digits of c: 2 for EUR, 0 for JPY.
func (c Currency) Digits() int32 { return digits[c] }

// Money is an amount of minor units (cents) in a currency. The zero value is "no amount".
type Money struct {
	Amount   int64    // minor units; may be negative in a ledger
	Currency Currency // ISO 4217
}

// New makes a Money from minor units.
func New(minor int64, c Currency) Money { return Money{Amount: minor, Currency: c} }

// Parse reads a decimal amount such as "12.90" in the currency; it fails for more digits
// than the currency has, for an unknown currency and for what does not fit into 64 bits.
func Parse(amount string, c Currency) (Money, error) {
	if !c.Known() {
		return Money{}, fmt.Errorf("unknown currency %q", string(c))
	}
	d, err := decimal.NewFromString(amount)
	if err != nil {
		return Money{}, fmt.Errorf("%q is not a decimal number", amount)
	}
	minor := d.Shift(c.Digits())
	if !minor.IsInteger() {
		return Money{}, fmt.Errorf("%s has at most %d decimal places", c, c.Digits())
	}
	if !minor.BigInt().IsInt64() {
		return Money{}, fmt.Errorf("%q is too large", amount)
	}
	return Money{Amount: minor.IntPart(), Currency: c}, nil
}

// Decimal gives the amount as a decimal string in major units, with all the currency's digits: "12.90".
func (m Money) Decimal() string {
	return decimal.New(m.Amount, -m.Currency.Digits()).StringFixed(m.Currency.Digits())
}

// String gives the amount and its currency: "12.90 EUR".
func (m Money) String() string { return m.Decimal() + " " + string(m.Currency) }

// IsZero reports whether the amount is nothing.
func (m Money) IsZero() bool { return m.Amount == 0 }

// Add gives m + o. It panics when the currencies differ or the sum overflows, which is a fault of the program:
// amounts of different currencies are refused where they enter.
func (m Money) Add(o Money) Money {
	m.same(o)
	sum := m.Amount + o.Amount
	if (sum > m.Amount) != (o.Amount > 0) && o.Amount != 0 {
		panic("money: overflow")
	}
	return Money{Amount: sum, Currency: m.Currency}
}

// Sub gives m - o, as Add.
func (m Money) Sub(o Money) Money {
	m.same(o)
	if o.Amount == math.MinInt64 {
		panic("money: overflow")
	}
	return m.Add(Money{Amount: -o.Amount, Currency: o.Currency})
}

// Times gives m multiplied by a quantity. It panics on overflow.
func (m Money) Times(n int) Money {
	p := new(big.Int).Mul(big.NewInt(m.Amount), big.NewInt(int64(n)))
	if !p.IsInt64() {
		panic("money: overflow")
	}
	return Money{Amount: p.Int64(), Currency: m.Currency}
}

// Share gives the part num/den of m, rounded half up away from zero (the shop's one rounding rule).
func (m Money) Share(num, den int64) Money {
	d := decimal.NewFromInt(m.Amount).Mul(decimal.NewFromInt(num)).DivRound(decimal.NewFromInt(den), 0)
	return Money{Amount: d.IntPart(), Currency: m.Currency}
}

func (m Money) same(o Money) {
	if m.Currency != o.Currency {
		panic(fmt.Sprintf("money: %s and %s do not add up", m.Currency, o.Currency))
	}
}
