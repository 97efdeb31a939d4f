package payments

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
)

func eur(minor int64) money.Money { return money.New(minor, "EUR") }

// TestStates runs any sequence of intents and answers, in any order of answers, and holds
// 0 <= refunded <= captured <= authorized, the ledger balanced, and the status true to the amounts.
func TestStates(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		p := &Payment{ID: uuid.New(), Status: Pending, Amount: eur(1000), Authorized: eur(0), Captured: eur(0), Refunded: eur(0), Token: "tok"}
		open := []*Transaction{{ID: uuid.New(), PaymentID: p.ID, Kind: Authorize, Status: Unsettled, Amount: p.Amount}}
		ledger := map[Account]int64{}
		sequence := int64(0)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if len(open) > 0 && rapid.Bool().Draw(t, "answer") {
				i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
				tr := open[i]
				open = append(open[:i:i], open[i+1:]...)
				r := DeclinedFor("no", "No.")
				if rapid.IntRange(0, 3).Draw(t, "approved") > 0 {
					r = ApprovedAs("ref")
				}
				if err := p.Settle(tr, r, now); err != nil {
					t.Fatalf("settling %s of %s: %v", tr.Kind, tr.Amount, err)
				}
				if p.Settle(tr, r, now) == nil {
					t.Fatal("a transaction was settled twice")
				}
				for _, e := range Postings(tr) {
					if e.Debit {
						ledger[e.Account] += e.Amount.Amount
					} else {
						ledger[e.Account] -= e.Amount.Amount
					}
				}
				if e, ok := p.happened(tr, uuid.New()); ok {
					if sequence++; e.Sequence != sequence || e.Data.Status != p.Status {
						t.Fatalf("event %+v is not number %d", e, sequence)
					}
				}
			} else {
				kind := rapid.SampledFrom([]Kind{Capture, Void, Refund}).Draw(t, "kind")
				var amount *money.Money
				if rapid.Bool().Draw(t, "part") {
					m := eur(rapid.Int64Range(-1, 1200).Draw(t, "amount"))
					amount = &m
				}
				tr, err := p.Intend(kind, amount, open, uuid.New(), now)
				switch code := errs.CodeOf(err); {
				case err == nil:
					open = append(open, tr)
				case code != errs.InvalidState && code != AmountExceeded && code != errs.OutOfRange:
					t.Fatalf("intending to %s: %v", kind, err)
				}
			}
			if err := p.check(); err != nil || p.Refunded.Amount < 0 {
				t.Fatalf("%+v: %v", p, err)
			}
			if ledger[ProviderClearing] != p.Captured.Amount-p.Refunded.Amount || ledger[Sales] != -p.Captured.Amount || ledger[Refunds] != p.Refunded.Amount {
				t.Fatalf("ledger %v of %+v", ledger, p)
			}
			if p.Status == Voided && p.Captured.Amount > 0 || p.Status == Captured && p.Captured != p.Authorized || p.Status == Declined && p.Authorized.Amount > 0 {
				t.Fatalf("status of %+v", p)
			}
		}
	})
}

func TestOtherCurrency(t *testing.T) {
	t.Parallel()
	p := &Payment{Status: Authorized, Amount: eur(100), Authorized: eur(100), Captured: eur(0), Refunded: eur(0)}
	usd := money.New(1, "USD")
	if _, err := p.Intend(Capture, &usd, nil, uuid.New(), time.Time{}); errs.CodeOf(err) != errs.Invalid {
		t.Errorf("dollars of a payment in euros: %v", err)
	}
}

func TestCheckToken(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]errs.Code{
		"tok_visa":                       "",
		"tok_1NirD82eZvKYlo2CIvbtLWuY":   "",
		"pm_1234567890":                  "",
		"":                               errs.Required,
		"   ":                            errs.Required,
		strings.Repeat("ä", 255):         "",
		strings.Repeat("ä", 256):         errs.TooLong,
		"4242424242424242":               errs.Invalid,
		"4242 4242 4242 4242":            errs.Invalid,
		"4242-4242-4242-4241":            errs.Invalid, // fails the check of digits, and is nothing but digits
		"card 5555 5555 5555 4444 12/29": errs.Invalid,
		"tok_378282246310005":            errs.Invalid,
		"0000000000000":                  errs.Invalid,
	} {
		if got := errs.CodeOf(CheckToken(token)); got != want {
			t.Errorf("CheckToken(%q) = %q, want %q", token, got, want)
		}
	}
}
