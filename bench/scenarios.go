package main

import (
	"context"
	"encoding/json"
	"fmt"
)

// The operations that are measured: what a shop's pages and apps send all day.
const (
	productListQuery = `query ProductList { products(first: 20) { nodes { id title slug vendor available
  category { id name slug } priceRange { min { amount currencyCode } max { amount currencyCode } }
  variants(first: 1) { id sku price { amount currencyCode } quantityAvailable } } pageInfo { hasNextPage endCursor } } }`

	productPageQuery = `query ProductPage($slug: String!) { product(slug: $slug) { id title descriptionHtml vendor
  category { id name ancestors { id name slug } } options { name values } attributes { name value unit }
  media { url alt } rating { average count }
  variants { id sku title price { amount currencyCode } quantityAvailable }
  reviews(first: 5) { nodes { rating title body authorName createdAt } } } }`

	searchQuery = `query Search($query: String!) { search(query: $query, first: 20) { correctedQuery
  products { nodes { id title slug vendor category { id name } priceRange { min { amount currencyCode } } } }
  facets { key name values { value label count } } } }`

	historyQuery = `query OrderHistory { me { orders(first: 20) { nodes { id number status placedAt
  total { amount currencyCode } lines { title quantity unitPrice { amount currencyCode } product { id slug } }
  payment { status capturedAmount { amount currencyCode } } } pageInfo { hasNextPage endCursor } } } }`

	signInMutation = `mutation SignIn($email: EmailAddress!, $password: String!) {
  sessionCreate(input: {email: $email, password: $password}) { tokens { accessToken } userErrors { code message } } }`
)

// A scenario is one kind of request, ready to be repeated.
type scenario struct {
	name string
	// calls is how many calls to the servers behind it a request may need, warm; 0 where none is promised.
	calls int
	// most bounds the requests of one run.
	most int
	do   func(ctx context.Context, worker, call int) (answer, error)
}

// signIn gives an access token.
func (c *client) signIn(ctx context.Context, email, password string) (string, answer, error) {
	var out struct {
		SessionCreate struct {
			Tokens     *struct{ AccessToken string }
			UserErrors []struct{ Code, Message string }
		}
	}
	a, err := c.do(ctx, "", signInMutation, map[string]any{"email": email, "password": password}, &out)
	if err == nil && out.SessionCreate.Tokens == nil {
		err = fmt.Errorf("signing %s in: %v", email, out.SessionCreate.UserErrors)
	}
	if err != nil {
		return "", answer{}, err
	}
	return out.SessionCreate.Tokens.AccessToken, a, nil
}

// shop is what the scenarios read and buy.
type shop struct {
	slugs    []string
	variants []string // with plenty of stock
	buyers   []string // access tokens, one a worker
	customer string   // access token of a customer with many orders
}

func scenarios(c *client, s shop) []scenario {
	words := []string{"laptop", "wireless headphones", "usb c cable", "gaming monitor", "camera", "labtop"}
	return []scenario{
		{name: "product list (20)", calls: 4, most: 1 << 20, do: func(ctx context.Context, _, _ int) (answer, error) {
			return c.do(ctx, "", productListQuery, nil, nil)
		}},
		{name: "product by slug", calls: 5, most: 1 << 20, do: func(ctx context.Context, _, n int) (answer, error) {
			return c.do(ctx, "", productPageQuery, map[string]any{"slug": s.slugs[n%len(s.slugs)]}, nil)
		}},
		{name: "search with facets", calls: 3, most: 1 << 20, do: func(ctx context.Context, _, n int) (answer, error) {
			return c.do(ctx, "", searchQuery, map[string]any{"query": words[n%len(words)]}, nil)
		}},
		{name: "order history (20)", calls: 5, most: 1 << 20, do: func(ctx context.Context, _, _ int) (answer, error) {
			return c.do(ctx, s.customer, historyQuery, nil, nil)
		}},
		{name: "sign-in", most: 2000, do: func(ctx context.Context, _, _ int) (answer, error) {
			_, a, err := c.signIn(ctx, demoCustomer, demoPassword)
			return a, err
		}},
	}
}

// decode reads JSON that the program itself asked for.
func decode[T any](raw json.RawMessage) (T, error) {
	var v T
	err := json.Unmarshal(raw, &v)
	return v, err
}
