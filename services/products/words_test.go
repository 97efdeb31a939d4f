package products_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/techmart/techmart/services/products"
)

func TestMakeSlug(t *testing.T) {
	t.Parallel()
	for title, want := range map[string]string{
		"Nordlicht X14 Laptop":    "nordlicht-x14-laptop",
		"  Größe & Maß — Café!  ": "grosse-and-mass-cafe",
		"It's 5\" wide":           "its-5-wide",
		"日本":                      "",
		strings.Repeat("ab ", 80): strings.TrimSuffix(strings.Repeat("ab-", 33)+"a", "-"),
	} {
		if got := products.MakeSlug(title); got != want {
			t.Errorf("%q gives %q; want %q", title, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		slug := products.MakeSlug(rapid.String().Draw(t, "title"))
		if len(slug) > 100 || strings.HasPrefix(slug, "-") || strings.HasSuffix(slug, "-") || strings.Contains(slug, "--") ||
			strings.Trim(slug, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Fatalf("%q is no slug", slug)
		}
		if again := products.MakeSlug(slug); again != slug {
			t.Fatalf("%q became %q", slug, again)
		}
	})
}

// TestDeletionKeys checks what the dictionary relies on: words with few mistakes between them share a key.
func TestDeletionKeys(t *testing.T) {
	t.Parallel()
	letter := rapid.RuneFrom([]rune("abcdeö"))
	rapid.Check(t, func(t *rapid.T) {
		word := []rune(rapid.StringOfN(letter, 6, 14, -1).Draw(t, "word"))
		wrong := slices.Clone(word)
		for range rapid.IntRange(0, 2).Draw(t, "mistakes") {
			i := rapid.IntRange(0, len(wrong)-2).Draw(t, "at")
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				wrong = slices.Delete(wrong, i, i+1)
			case 1:
				wrong = slices.Insert(wrong, i, letter.Draw(t, "letter"))
			case 2:
				wrong[i] = letter.Draw(t, "letter")
			default:
				wrong[i], wrong[i+1] = wrong[i+1], wrong[i]
			}
		}
		if len(wrong) < 6 {
			return
		}
		a, b := products.DeletionKeys(string(word)), products.DeletionKeys(string(wrong))
		if !slices.ContainsFunc(a, func(k string) bool { return slices.Contains(b, k) }) {
			t.Fatalf("%q and %q share no key", string(word), string(wrong))
		}
	})
	for _, word := range []string{"usb", "x14pro", ""} {
		if keys := products.DeletionKeys(word); keys != nil {
			t.Errorf("%q has the keys %q", word, keys)
		}
	}
}

func TestEditDistance(t *testing.T) {
	t.Parallel()
	for pair, want := range map[[2]string]int{
		{"laptop", "laptop"}: 0, {"labtop", "laptop"}: 1, {"keybaord", "keyboard"}: 1, {"", "abc"}: 3, {"größe", "grösse"}: 2,
	} {
		if got := products.EditDistance(pair[0], pair[1]); got != want {
			t.Errorf("%q: %d; want %d", pair, got, want)
		}
	}
	text := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 0, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		d := products.EditDistance(a, b)
		if d != products.EditDistance(b, a) || (d == 0) != (a == b) || d > max(len(a), len(b)) || d < max(len(a)-len(b), len(b)-len(a)) {
			t.Fatalf("%q to %q: %d", a, b, d)
		}
	})
}

func TestSplitWords(t *testing.T) {
	t.Parallel()
	if got := products.SplitWords(`Café-Größe 14.5" USB_C (x14) ` + strings.Repeat("y", 41)); !slices.Equal(got, []string{"cafe", "große", "14", "5", "usb_c", "x14"}) {
		t.Errorf("split into %q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		for _, w := range products.SplitWords(rapid.String().Draw(t, "text")) {
			if again := products.SplitWords(w); w == "" || !utf8.ValidString(w) || len(again) > 1 {
				t.Fatalf("%q splits into %q", w, again)
			}
		}
	})
}

func TestStem(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"laptops": "laptop", "batteries": "battery", "boxes": "box", "glasses": "glass", "watches": "watch",
		"wireless": "wireless", "bus": "bus", "chassis": "chassis", "lamp": "lamp", "pcs": "pcs",
	} {
		if got := products.Stem(word); got != want {
			t.Errorf("%s gives %s; want %s", word, got, want)
		}
	}
}

func TestPlainText(t *testing.T) {
	t.Parallel()
	for html, want := range map[string]string{
		"plain  text":                                     "plain text",
		"<p>One</p><p>Two &amp; three</p>":                "One\nTwo & three",
		"<ul><li>a</li><li>b</li></ul>":                   "a\nb",
		"<table><tr><td>x</td><td>y</td></tr></table>":    "x y",
		"a<br/>b<script>alert(1)</script>":                "a\nb",
		`<a href="javascript:x" onclick="y()">link</a>ed`: "linked",
	} {
		if got := products.PlainText(products.SafeHTML(html)); got != want {
			t.Errorf("%q gives %q; want %q", html, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		safe := products.SafeHTML(rapid.String().Draw(t, "html"))
		if again := products.SafeHTML(safe); again != safe {
			t.Fatalf("%q became %q", safe, again)
		}
	})
}
