package users

import (
	"strings"
	"testing"

	"github.com/techmart/techmart/services/errs"
)

func TestCheckEmail(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]errs.Code{
		"ada@example.com":            "",
		" Ada.L+shop@EXAMPLE.co.uk ": "",
		"o'brien@example.com":        "",
		"":                           errs.Required,
		"  ":                         errs.Required,
		"ada":                        errs.Invalid,
		"@example.com":               errs.Invalid,
		"ada@":                       errs.Invalid,
		"ada@@example.com":           errs.Invalid,
		"ada@example..com":           errs.Invalid,
		"Ada <ada@example.com>":      errs.Invalid,
		"<ada@example.com>":          errs.Invalid,
		"ada@example.com, b@c.de":    errs.Invalid,
		`"ada l"@example.com`:        errs.Invalid,
		"ada@[127.0.0.1]":            errs.Invalid,
		"ada@example.com\r\nBcc: x":  errs.Invalid,
		"ada (x)@example.com":        errs.Invalid,
		"аda@example.com":            errs.Invalid, // Cyrillic
		strings.Repeat("a", 250) + "@example.com": errs.TooLong,
	} {
		var c errs.Collector
		got := checkEmail(&c, text, "email")
		if code := errs.CodeOf(c.Err()); code != want {
			t.Errorf("checkEmail(%q) gives %q, want %q", text, code, want)
		}
		if got != strings.ToLower(strings.TrimSpace(text)) {
			t.Errorf("checkEmail(%q) gives %q", text, got)
		}
	}
}

func TestCheckPassword(t *testing.T) {
	t.Parallel()
	for password, want := range map[string]errs.Code{
		"a quiet long winter":         "",
		"зима была долгой":            "",
		strings.Repeat("äb", 64):      "",
		"":                            errs.Required,
		"elevenchars":                 errs.TooShort,
		strings.Repeat("ab", 65):      errs.TooLong,
		"PassWord1234":                errs.Invalid,
		"xxxxxxxxxxxxxxxx":            errs.Invalid,
		"Ada.Lovelace@example.de":     errs.Invalid,
		"ada.lovelace":                errs.Invalid,
		"LADY ADA LOVELACE":           errs.Invalid,
		"\xff\xff\xff\xff a password": errs.Invalid,
	} {
		var c errs.Collector
		checkPassword(&c, normalizePassword(password), "ada.lovelace@example.de", "Lady Ada Lovelace", "password")
		if code := errs.CodeOf(c.Err()); code != want {
			t.Errorf("checkPassword(%q) gives %q, want %q", password, code, want)
		}
	}
	if normalizePassword("a\u0308 password") != "ä password" {
		t.Error("two ways of typing a password are two passwords")
	}
	for _, p := range commonPasswords {
		if len([]rune(p)) < minPassword || strings.ToLower(p) != p {
			t.Errorf("the list of common passwords has %q, which it need not or cannot match", p)
		}
	}
	if len(countries) != 249 {
		t.Errorf("%d countries, ISO 3166-1 has 249", len(countries))
	}
}

func TestShorten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "abc": "abc", "abcdef": "abcd", "abcé": "abc", "a\x00\xffb\n": "ab"} {
		if got := shorten(text, 4); got != want {
			t.Errorf("shorten(%q) gives %q, want %q", text, got, want)
		}
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	if got := Scopes([]Role{Customer}); len(got) != 0 {
		t.Errorf("customers have scopes %v", got)
	}
	both := Scopes([]Role{Support, CatalogManager})
	for i, s := range both {
		if i > 0 && both[i-1] >= s {
			t.Errorf("scopes %v are not each once, in order", both)
		}
	}
	if all := Scopes([]Role{Admin}); len(all) != 15 {
		t.Errorf("administrators have %d scopes, want all 12", len(all))
	}
}
