package products

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
)

// Bounds of searches.
const (
	maxQuery       = 200
	maxPrefix      = 100
	maxSuggestions = 100
)

// Query is a search as the dictionary understood it: a product matches when it has a word of
// every group, or, with Any, of one group.
type Query struct {
	Groups [][]string
	Any    bool
}

// Word is what the dictionary knows of one spelling.
type Word struct {
	Text  string
	Stem  string
	Count int // products that have it
}

// Vocabulary is what the dictionary knows of the words of a query.
type Vocabulary struct {
	Words       []Word    // the words themselves, those with the same stem and those of similar spelling
	Completions []Word    // of the last word, most frequent first
	Category    uuid.UUID // of the slug that was asked for; zero when there is none
}

// Hit is a product that a search found.
type Hit struct {
	Product    *Product
	Categories []*Category // the product's and those above it, in no order
	Score      float64     // how well it matches; larger is better
}

// Key gives the position of a hit in the list of hits.
func (h Hit) Key() page.Key {
	return page.Key{strconv.FormatFloat(h.Score, 'g', -1, 64), h.Product.ID.String()}
}

// Found is a page of hits, with what was counted over all that matches.
type Found struct {
	Hits   []Hit
	Total  int
	Facets []Facet
}

// Facet is one thing to narrow a search by.
type Facet struct {
	Key    string
	Name   string
	Values []FacetValue // most frequent first
}

// FacetValue is a value to narrow by. Of a category Value is its UUID.
type FacetValue struct {
	Value string
	Label string
	Count int
}

// SearchResult is the answer of a search.
type SearchResult struct {
	Corrected string // the query as it was understood when a spelling was corrected; "" otherwise
	Page      page.Page[Hit]
	Total     int
	Facets    []Facet
}

// Search finds products by words, best match first. It fails with BAD_USER_INPUT, and with
// FORBIDDEN for filters that only staff may use.
func (s *Service) Search(ctx context.Context, text string, w Where, r page.Request) (*SearchResult, error) {
	if n := utf8.RuneCountInString(strings.TrimSpace(text)); n < 1 || n > maxQuery {
		return nil, errs.At(errs.BadInput, "A query has 1 to 200 characters.", "query")
	}
	f, err := w.check(ctx)
	if err != nil {
		return nil, err
	}
	words := SplitWords(text)
	words = words[:min(len(words), maxQueryWords)]
	if len(words) == 0 {
		return &SearchResult{}, nil
	}
	vocabulary, err := s.catalog.LookUpWords(ctx, words, w.CategorySlug)
	if err != nil {
		return nil, err
	}
	if w.CategorySlug != "" {
		f = f.in(vocabulary.Category)
	}
	q, corrected := Understand(words, vocabulary)
	found, err := s.catalog.Search(ctx, q, f, r)
	if err == nil && found.Total == 0 && len(q.Groups) > 1 {
		q.Any = true
		found, err = s.catalog.Search(ctx, q, f, r)
	}
	if err != nil {
		return nil, err
	}
	return &SearchResult{Corrected: corrected, Page: page.Trim(found.Hits, r), Total: found.Total, Facets: found.Facets}, nil
}

// Understand reads the words of a query by the dictionary. A known word stands for all words of
// its stem; the last one also for those that it begins; an unknown one for the word of the most
// similar spelling, if there is one. It gives the corrected query, or "" when nothing was.
func Understand(words []string, v Vocabulary) (q Query, corrected string) {
	byStem := make(map[string][]string)
	known := make(map[string]bool)
	for _, w := range v.Words {
		known[w.Text] = true
		byStem[w.Stem] = append(byStem[w.Stem], w.Text)
	}
	read := slices.Clone(words)
	for i, w := range words {
		group := slices.Clone(byStem[Stem(w)])
		if i == len(words)-1 {
			for _, c := range v.Completions {
				group = append(group, c.Text)
			}
		}
		if len(group) == 0 {
			if best := nearest(w, v.Words); best != "" {
				read[i] = best
				group = slices.Clone(byStem[Stem(best)])
			} else {
				group = []string{w}
			}
		}
		slices.Sort(group)
		q.Groups = append(q.Groups, slices.Compact(group))
	}
	if slices.Equal(read, words) {
		return q, ""
	}
	return q, strings.Join(read, " ")
}

// nearest gives the known word of the most similar spelling, the most frequent of several; "" for none.
func nearest(word string, known []Word) string {
	allowed := mistakes(utf8.RuneCountInString(word))
	if len(DeletionKeys(word)) == 0 {
		return ""
	}
	type candidate struct {
		Word
		distance int
	}
	var near []candidate
	for _, k := range known {
		if strings.ContainsAny(k.Text, "0123456789") {
			continue
		}
		if d := EditDistance(word, k.Text); d <= allowed {
			near = append(near, candidate{k, d})
		}
	}
	if len(near) == 0 {
		return ""
	}
	return slices.MinFunc(near, func(a, b candidate) int {
		return cmp.Or(a.distance-b.distance, b.Count-a.Count, strings.Compare(a.Text, b.Text))
	}).Text
}

// Suggestions completes the beginning of a query, most likely first. It fails with BAD_USER_INPUT.
func (s *Service) Suggestions(ctx context.Context, prefix string, limit int) ([]string, error) {
	if n := utf8.RuneCountInString(strings.TrimSpace(prefix)); n < 1 || n > maxPrefix {
		return nil, errs.At(errs.BadInput, "A prefix has 1 to 100 characters.", "prefix")
	}
	if limit < 1 || limit > maxSuggestions {
		return nil, errs.At(errs.BadInput, "Ask for 1 to 100 suggestions.", "first")
	}
	words := SplitWords(prefix)
	return s.catalog.Suggest(ctx, Fold(strings.TrimSpace(prefix)), words[:min(len(words), maxQueryWords)], limit)
}

// RebuildSearch counts the words of the dictionary anew; for maintenance.
func (s *Service) RebuildSearch(ctx context.Context) error { return s.catalog.RebuildWords(ctx) }
