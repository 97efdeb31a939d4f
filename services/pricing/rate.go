package pricing

import (
	"fmt"

	"github.com/shopspring/decimal"
)

// ParseRate reads a percentage such as "19" or "25.5"; it fails for more than two decimal places, and for less than 0
// or more than 100.
func ParseRate(percent string) (Rate, error) {
	d, err := decimal.NewFromString(percent)
	if err != nil {
		return 0, fmt.Errorf("%q is not a decimal number", percent)
	}
	d = d.Shift(2)
	if !d.IsInteger() || d.IsNegative() || d.GreaterThan(decimal.NewFromInt(int64(Whole))) {
		return 0, fmt.Errorf("%q is not a percentage from 0 to 100 with at most two decimal places", percent)
	}
	return Rate(d.IntPart()), nil
}

// String gives the rate in percent: "19", "25.5".
func (r Rate) String() string { return decimal.New(int64(r), -2).String() }
