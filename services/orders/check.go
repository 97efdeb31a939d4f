package orders

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/techmart/techmart/services/errs"
)

var (
	phonePattern = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	// digitRuns finds what may be a card number, as people write them.
	digitRuns = regexp.MustCompile(`[0-9](?:[ -]?[0-9]){11,18}`)
)

// maxToken bounds a payment token, in bytes.
const maxToken = 255

// checkToken refuses what cannot be a provider's token, and above all a card number.
func checkToken(token string) error {
	switch {
	case token == "":
		return errs.At(errs.Required, "Give the payment provider's token.", "paymentToken")
	case holdsCardNumber(token):
		return errs.At(errs.Invalid, "A card number is not accepted. Give the token that the payment provider made of it.", "paymentToken")
	case len(token) > maxToken:
		return errs.At(errs.TooLong, "A token has at most 255 characters.", "paymentToken")
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errs.At(errs.Invalid, "A token holds printable ASCII characters and no spaces.", "paymentToken")
	}
	return nil
}

// holdsCardNumber reports whether a text is, but for spaces and dashes, 12 to 19 digits, or holds such a run with a
// valid check digit.
func holdsCardNumber(text string) bool {
	for _, run := range digitRuns.FindAllString(text, -1) {
		if run == strings.TrimSpace(text) || luhn(run) {
			return true
		}
	}
	return false
}

func luhn(text string) bool {
	sum, double := 0, false
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] < '0' || text[i] > '9' {
			continue
		}
		n := int(text[i] - '0')
		if double {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum, double = sum+n, !double
	}
	return sum%10 == 0
}

// normalize gives the address without space around its fields, and its country in capitals.
func (a Address) normalize() Address {
	for _, f := range []*string{&a.Recipient, &a.Line1, &a.Line2, &a.PostalCode, &a.City, &a.Region, &a.CountryCode, &a.Phone} {
		*f = strings.TrimSpace(*f)
	}
	a.CountryCode = strings.ToUpper(a.CountryCode)
	return a
}

// check finds everything that is wrong with an address at the path.
func (a Address) check(path ...string) error {
	var c errs.Collector
	text := func(value, field string, required bool, most int) {
		at := append(append([]string(nil), path...), field)
		switch n := utf8.RuneCountInString(value); {
		case required && n == 0:
			c.Add(errs.Required, "This is needed.", at...)
		case n > most:
			c.Addf(at, errs.TooLong, "This has at most %d characters.", most)
		case !printable(value):
			c.Add(errs.Invalid, "This holds characters that cannot be printed.", at...)
		}
	}
	text(a.Recipient, "recipient", true, 100)
	text(a.Line1, "line1", true, 200)
	text(a.Line2, "line2", false, 200)
	text(a.PostalCode, "postalCode", true, 20)
	text(a.City, "city", true, 100)
	text(a.Region, "region", false, 100)
	if !knownCountry(a.CountryCode) {
		c.Add(errs.Invalid, "This is no ISO 3166-1 country code such as DE.", append(append([]string(nil), path...), "countryCode")...)
	}
	if a.Phone != "" && !phonePattern.MatchString(a.Phone) {
		c.Add(errs.Invalid, "A phone number starts with its country code: +49301234567.", append(append([]string(nil), path...), "phone")...)
	}
	return c.Err()
}

func knownCountry(code string) bool {
	if len(code) != 2 {
		return false
	}
	region, err := language.ParseRegion(code)
	return err == nil && region.IsCountry() && region.String() == code
}

// printable reports whether a text is valid and has no control characters.
func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// checkText bounds an optional one-line text.
func checkText(c *errs.Collector, value, field string, most int) {
	switch {
	case utf8.RuneCountInString(value) > most:
		c.Addf([]string{field}, errs.TooLong, "This has at most %d characters.", most)
	case !printable(value):
		c.Add(errs.Invalid, "This holds characters that cannot be printed.", field)
	}
}

// checkTrackingURL accepts absolute https addresses only.
func checkTrackingURL(c *errs.Collector, text string) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	switch {
	case len(text) > 2000:
		c.Add(errs.TooLong, "An address has at most 2000 characters.", "trackingUrl")
	case err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || !printable(text):
		c.Add(errs.Invalid, "This is no address that starts with https://.", "trackingUrl")
	}
}
