package money_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/techmart/techmart/services/money"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"12.90": 1290, "0": 0, "0.01": 1, "-3": -300, "12.9": 1290, "1e2": 10000} {
		m, err := money.Parse(text, "EUR")
		if err != nil || m.Amount != want {
			t.Errorf("Parse(%q) = %v, %v; want %d minor units", text, m, err, want)
		}
	}
	for _, text := range []string{"", "abc", "1.234", "NaN", "99999999999999999999", "1,50"} {
		if m, err := money.Parse(text, "EUR"); err == nil {
			t.Errorf("Parse(%q) = %v; want an error", text, m)
		}
	}
	if m, err := money.Parse("1500", "JPY"); err != nil || m.Amount != 1500 || m.Decimal() != "1500" {
		t.Errorf("a currency without minor units: %v, %v", m, err)
	}
	if _, err := money.Parse("1", "XXX"); err == nil {
		t.Error("an unknown currency was taken")
	}
}

func TestDecimalIsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom([]money.Currency{"EUR", "JPY", "KWD"}).Draw(t, "currency")
		m := money.New(rapid.Int64Range(-1e15, 1e15).Draw(t, "minor"), c)
		got, err := money.Parse(m.Decimal(), c)
		if err != nil || got != m {
			t.Fatalf("%v was read back as %v, %v", m, got, err)
		}
	})
}

func TestSharesAddUpWithinOneUnit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := money.New(rapid.Int64Range(0, 1e12).Draw(t, "minor"), "EUR")
		den := rapid.Int64Range(1, 1000).Draw(t, "den")
		num := rapid.Int64Range(0, den).Draw(t, "num")
		sum := m.Share(num, den).Add(m.Share(den-num, den))
		if d := sum.Amount - m.Amount; d < 0 || d > 1 {
			t.Fatalf("%d/%d of %v and the rest sum up to %v", num, den, m, sum)
		}
	})
}

func TestShareRoundsHalfAwayFromZero(t *testing.T) {
	t.Parallel()
	for minor, want := range map[int64]int64{5: 3, 4: 2, -5: -3, 1: 1} {
		if got := money.New(minor, "EUR").Share(1, 2).Amount; got != want {
			t.Errorf("half of %d is %d; want %d", minor, got, want)
		}
	}
}

func TestArithmeticRefusesNonsense(t *testing.T) {
	t.Parallel()
	eur := money.New(1<<62, "EUR")
	for name, f := range map[string]func(){
		"currencies": func() { eur.Add(money.New(1, "USD")) },
		"sum":        func() { eur.Add(eur) },
		"product":    func() { eur.Times(4) },
		"difference": func() { eur.Sub(money.New(-1<<63, "EUR")) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
	if got := money.New(250, "EUR").Times(3).Sub(money.New(50, "EUR")).String(); got != "7.00 EUR" {
		t.Errorf("3 x 2.50 - 0.50 = %s", got)
	}
}
