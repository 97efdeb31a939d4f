package payments

import (
	"strings"
	"unicode/utf8"

	"github.com/techmart/techmart/services/errs"
)

const (
	maxToken     = 255
	minCardRun   = 13 // digits of the shortest card numbers
	maxCardRun   = 19 // and of the longest
	tokenField   = "paymentToken"
	maxReason    = 500
	maxKeyLength = 255
)

// CheckToken refuses a text that is no provider's token, above all one with a card number in it, so
// that none is ever stored. It fails with REQUIRED, TOO_LONG or INVALID at paymentToken.
func CheckToken(token string) error {
	switch {
	case strings.TrimSpace(token) == "":
		return errs.At(errs.Required, "Give the token that the payment provider issued.", tokenField)
	case utf8.RuneCountInString(token) > maxToken:
		return errs.At(errs.TooLong, "A payment token has at most 255 characters.", tokenField)
	case looksLikeCard(token):
		return errs.At(errs.Invalid, "This looks like a card number. Send the payment provider's token instead, never a card number.", tokenField)
	}
	return nil
}

// looksLikeCard finds a run of 13 to 19 digits, with spaces, dots, dashes or slashes between them or not, that is the
// whole text or passes the Luhn check of card numbers in any of its windows.
func looksLikeCard(text string) bool {
	var run []byte
	other := false
	found := false
	flush := func() {
		found = found || hasLuhnWindow(run)
		run = run[:0]
	}
	total := 0
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9':
			run = append(run, byte(r-'0'))
			total++
		case strings.ContainsRune(" .-/\t\u00a0", r):
		default:
			other = true
			flush()
		}
	}
	flush()
	return found || !other && total >= minCardRun-1
}

func hasLuhnWindow(digits []byte) bool {
	for from := 0; from+minCardRun <= len(digits); from++ {
		for to := from + minCardRun; to <= min(len(digits), from+maxCardRun); to++ {
			if luhn(digits[from:to]) {
				return true
			}
		}
	}
	return false
}

func luhn(digits []byte) bool {
	sum := 0
	for i, d := range digits {
		v := int(d)
		if (len(digits)-i)%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0 && sum > 0
}
