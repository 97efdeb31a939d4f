package products

import (
	"github.com/techmart/techmart/services/page"
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
	Words       []Word // the words themselves, those with the same stem and those of similar spelling
	Completions []Word // of the last word, most frequent first
}

// Hit is a product that a search found.
type Hit struct {
	Product *Product
	Score   float64 // how well it matches; larger is better
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
