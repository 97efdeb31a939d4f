package e2e

import (
	"testing"
)

// The pages that a shop sends all day have a budget of calls to the servers behind them, warm and
// without any cache. The test runs alone, as the one of the lists does.
func TestPagesKeepTheirBudgetOfCalls(t *testing.T) {
	s := seeded(t)
	ada := s.signIn("ada@techmart.example", demoPassword)
	var first struct {
		Products struct{ Nodes []struct{ Slug string } }
	}
	s.anonymous().must(&first, `{ products(first: 1) { nodes { slug } } }`, nil)
	slug := first.Products.Nodes[0].Slug
	for name, page := range map[string]struct {
		client *client
		query  string
		most   int
	}{
		"product list": {s.anonymous(), `{ products(first: 20) { nodes { id title category { name }
			priceRange { min { amount } } variants(first: 1) { sku quantityAvailable } } pageInfo { endCursor } } }`, 4},
		"products of a category by slug": {s.anonymous(), `{ products(first: 20, where: {categorySlug: "laptops"}) { nodes { id title category { name }
			variants(first: 1) { sku quantityAvailable } } } }`, 4},
		"product page": {s.anonymous(), `{ product(slug: "` + slug + `") { title descriptionHtml category { name ancestors { name } }
			variants { sku price { amount } quantityAvailable } reviews(first: 5) { nodes { rating body } } rating { average } } }`, 5},
		"search with facets": {s.anonymous(), `{ search(query: "nois cancelling hedphones", first: 20) { correctedQuery
			products { nodes { title category { name } } } facets { key values { value label count } } } }`, 3},
		"search for words that no product has all of": {s.anonymous(), `{ search(query: "laptop espresso", first: 20) {
			products { nodes { title category { name } } } facets { key values { value label count } } } }`, 3},
		"order history": {ada, `{ me { orders(first: 20) { nodes { number lines { title product { slug } } payment { status } } } } }`, 5},
	} {
		t.Run(name, func(t *testing.T) {
			calls, _ := page.client.callsOf(t, page.query, page.most)
			if calls > page.most {
				t.Errorf("it takes %d calls; at most %d are allowed", calls, page.most)
			}
		})
	}
}
