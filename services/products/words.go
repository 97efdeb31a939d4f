package products

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// Bounds of words and slugs.
const (
	maxWordSize   = 40  // runes; longer ones are no words
	maxWords      = 600 // of one product
	maxSlugSize   = 100 // bytes
	minFuzzySize  = 4   // runes; shorter words are not corrected
	spellPrefix   = 7   // runes that deletion keys look at
	maxDeletions  = 2
	farFuzzySize  = 6 // runes from which on two mistakes are tolerated
	maxQueryWords = 12
)

// Fold gives a text in lower case without diacritics.
func Fold(text string) string {
	plain := true
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		return strings.ToLower(text)
	}
	t := transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC)
	folded, _, err := transform.String(t, text)
	if err != nil {
		folded = text
	}
	return strings.ToLower(folded)
}

// TitleKey gives a title as lists sort it.
func TitleKey(title string) string { return Fold(title) }

// SplitWords gives the folded words of a text, in order: runs of letters, digits and underscores.
func SplitWords(text string) []string {
	all := strings.FieldsFunc(Fold(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && r != '_'
	})
	return slices.DeleteFunc(all, func(w string) bool { return utf8.RuneCountInString(w) > maxWordSize })
}

// WordsOf gives the distinct words by which a product is found, those of its title first.
// categoryNames are the names of the categories of its path.
func WordsOf(p *Product, categoryNames []string) []string {
	seen := make(map[string]bool)
	words := make([]string, 0, 64)
	add := func(text string) {
		for _, w := range SplitWords(text) {
			if !seen[w] && len(words) < maxWords {
				seen[w] = true
				words = append(words, w)
			}
		}
	}
	add(p.Title)
	add(p.Vendor)
	for _, name := range categoryNames {
		add(name)
	}
	for i := range p.Variants {
		add(p.Variants[i].SKU)
	}
	for _, a := range p.Attributes {
		add(a.Value)
	}
	add(p.Description)
	return words
}

// Stem gives the singular of an English plural, and any other word as it is.
func Stem(word string) string {
	n := len(word)
	switch {
	case n > 4 && strings.HasSuffix(word, "ies"):
		return word[:n-3] + "y"
	case n > 4 && (strings.HasSuffix(word, "sses") || strings.HasSuffix(word, "xes") || strings.HasSuffix(word, "ches") || strings.HasSuffix(word, "shes")):
		return word[:n-2]
	case n > 3 && word[n-1] == 's' && !strings.HasSuffix(word, "ss") && !strings.HasSuffix(word, "us") && !strings.HasSuffix(word, "is"):
		return word[:n-1]
	}
	return word
}

// DeletionKeys gives what is left of the beginning of a word when up to two letters are deleted,
// the beginning itself included. Two words with at most that many mistakes between them share a
// key. Words that are short or have a digit have none: they are not corrected.
func DeletionKeys(word string) []string {
	letters := []rune(word)
	if len(letters) < minFuzzySize || strings.ContainsFunc(word, unicode.IsNumber) {
		return nil
	}
	deletions := mistakes(len(letters))
	if len(letters) > spellPrefix {
		letters = letters[:spellPrefix]
	}
	seen := map[string]bool{string(letters): true}
	keys := []string{string(letters)}
	level := keys
	for range deletions {
		var next []string
		for _, k := range level {
			r := []rune(k)
			for i := range r {
				shorter := string(r[:i]) + string(r[i+1:])
				if !seen[shorter] {
					seen[shorter] = true
					next = append(next, shorter)
				}
			}
		}
		keys = append(keys, next...)
		level = next
	}
	return keys
}

// mistakes gives how many mistakes are tolerated in a word of n runes.
func mistakes(n int) int {
	switch {
	case n < minFuzzySize:
		return 0
	case n < farFuzzySize:
		return 1
	}
	return maxDeletions
}

// EditDistance counts the insertions, deletions, replacements and swaps of neighbours that lead
// from a to b, no part being changed twice.
func EditDistance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}

// MakeSlug makes the part of an address from a title: lower case ASCII letters and digits with
// single hyphens between. It gives "" for a title with none of them.
func MakeSlug(title string) string {
	folded := strings.NewReplacer("ß", "ss", "æ", "ae", "ø", "o", "œ", "oe", "ł", "l", "&", " and ").Replace(Fold(title))
	var b strings.Builder
	gap := false
	for _, r := range folded {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			gap = false
			b.WriteRune(r)
		} else if r != '\'' && r != '’' {
			gap = true
		}
		if b.Len() >= maxSlugSize {
			break
		}
	}
	slug := b.String()
	return strings.Trim(slug[:min(len(slug), maxSlugSize)], "-")
}
