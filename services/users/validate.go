package users

import (
	_ "embed"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/techmart/techmart/services/errs"
)

// Bounds of inputs, in characters.
const (
	maxEmail         = 254
	minPassword      = 12
	maxPassword      = 128
	maxDisplayName   = 100
	maxUserAgent     = 200
	maxRecipient     = 100
	maxLine          = 200
	maxPostalCode    = 20
	maxCity          = 100
	maxRegion        = 100
	maxSearch        = 254
	maxPasswordBytes = 4 * 1024 // looked at, before any work is done on it
)

//go:embed passwords.txt
var passwordList string

// commonPasswords are the ones that attackers try first and that are long enough for us, in lower case.
var commonPasswords = strings.Fields(passwordList)

//go:embed countries.txt
var countryList string

// countries are the ISO 3166-1 alpha-2 codes.
var countries = strings.Fields(countryList)

var phonePattern = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// phoneSpacing is what people write between digits.
var phoneSpacing = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", "/", "", ".", "")

// normalizeEmail gives the address as it is kept. It is for look-ups: a text that is no address finds none.
func normalizeEmail(text string) string { return strings.ToLower(strings.TrimSpace(text)) }

// checkEmail gives the address as it is kept, and records a fault where it is none.
func checkEmail(c *errs.Collector, text string, field ...string) string {
	email := normalizeEmail(text)
	parsed, err := mail.ParseAddress(email)
	switch {
	case email == "":
		c.Add(errs.Required, "Give an e-mail address.", field...)
	case len(email) > maxEmail:
		c.Addf(field, errs.TooLong, "An e-mail address has at most %d characters.", maxEmail)
	case err != nil || parsed.Address != email || parsed.Name != "" || strings.ContainsAny(email, "\"[]() <>,;:\\") || !printableASCII(email):
		c.Add(errs.Invalid, "This is not an e-mail address such as ada@example.com.", field...)
	}
	return email
}

func printableASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// normalizePassword makes one password of all the ways in which keyboards compose its characters.
func normalizePassword(password string) string {
	if len(password) > maxPasswordBytes {
		return password
	}
	return norm.NFC.String(password)
}

// checkPassword records a fault where the password, normalized, is a bad one for the account.
func checkPassword(c *errs.Collector, password, email, displayName string, field ...string) {
	n := utf8.RuneCountInString(password)
	lower := strings.ToLower(password)
	local, _, _ := strings.Cut(email, "@")
	switch {
	case n == 0:
		c.Add(errs.Required, "Give a password.", field...)
	case n < minPassword:
		c.Addf(field, errs.TooShort, "A password has at least %d characters.", minPassword)
	case n > maxPassword:
		c.Addf(field, errs.TooLong, "A password has at most %d characters.", maxPassword)
	case !utf8.ValidString(password):
		c.Add(errs.Invalid, "A password is text.", field...)
	case slices.Contains([]string{email, local, strings.ToLower(displayName)}, lower):
		c.Add(errs.Invalid, "A password is not the e-mail address or the name.", field...)
	case slices.Contains(commonPasswords, lower) || strings.Count(lower, string([]rune(lower)[0])) == n:
		c.Add(errs.Invalid, "This password is one of those that are tried first: choose another.", field...)
	}
}

// checkText gives the text trimmed and composed, and records a fault where it is out of bounds.
func checkText(c *errs.Collector, text string, required bool, longest int, field ...string) string {
	text = strings.TrimSpace(text)
	switch n := utf8.RuneCountInString(text); {
	case n == 0 && required:
		c.Add(errs.Required, "This is needed.", field...)
	case n > longest:
		c.Addf(field, errs.TooLong, "This has at most %d characters.", longest)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unprintable):
		c.Add(errs.Invalid, "This is one line of printable text.", field...)
	default:
		return norm.NFC.String(text)
	}
	return text
}

// unprintable are control characters, and those that change the direction or are not seen.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r == '\ufeff'
}

// checkAddress gives the address as it is kept, and records each fault under the field.
func checkAddress(c *errs.Collector, a PostalAddress, field string) PostalAddress {
	out := PostalAddress{
		Recipient:   checkText(c, a.Recipient, true, maxRecipient, field, "recipient"),
		Line1:       checkText(c, a.Line1, true, maxLine, field, "line1"),
		Line2:       checkText(c, a.Line2, false, maxLine, field, "line2"),
		PostalCode:  checkText(c, a.PostalCode, true, maxPostalCode, field, "postalCode"),
		City:        checkText(c, a.City, true, maxCity, field, "city"),
		Region:      checkText(c, a.Region, false, maxRegion, field, "region"),
		CountryCode: strings.ToUpper(strings.TrimSpace(a.CountryCode)),
		Phone:       phoneSpacing.Replace(strings.TrimSpace(a.Phone)),
	}
	if !slices.Contains(countries, out.CountryCode) {
		c.Add(errs.Invalid, "This is not a country code such as DE.", field, "countryCode")
	}
	if out.Phone != "" && !phonePattern.MatchString(out.Phone) {
		c.Add(errs.Invalid, "This is not a phone number with country code such as +49301234567.", field, "phone")
	}
	return out
}

// shorten cuts a text of a client to n bytes of printable text.
func shorten(text string, n int) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unprintable(r) {
			return -1
		}
		return r
	}, text)
	if len(text) <= n {
		return text
	}
	for !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
