package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// prepare reads what the scenarios need, and opens an account for each concurrent buyer.
func prepare(ctx context.Context, c *client, levels []int) (shop, error) {
	var s shop
	var found struct {
		Products struct {
			Nodes []struct {
				Slug     string
				Variants []struct {
					ID                string
					QuantityAvailable int
				}
			}
		}
	}
	const query = `{ products(first: 50, where: {available: true}) { nodes { slug variants(first: 1) { id quantityAvailable } } } }`
	if _, err := c.do(ctx, "", query, nil, &found); err != nil {
		return s, err
	}
	for _, p := range found.Products.Nodes {
		s.slugs = append(s.slugs, p.Slug)
		if len(p.Variants) > 0 && p.Variants[0].QuantityAvailable > 0 {
			s.variants = append(s.variants, p.Variants[0].ID)
		}
	}
	if len(s.slugs) == 0 || len(s.variants) == 0 {
		return s, errors.New("the demo data has nothing to buy")
	}
	staff, _, err := c.signIn(ctx, demoStaff, demoPassword)
	if err != nil {
		return s, err
	}
	if err := c.restock(ctx, staff, s.variants); err != nil {
		return s, err
	}
	if s.customer, _, err = c.signIn(ctx, demoCustomer, demoPassword); err != nil {
		return s, err
	}
	s.buyers, err = c.signInBuyers(ctx, staff, slices.Max(levels))
	return s, err
}

// restock puts a million pieces of each variant on the shelf.
func (c *client) restock(ctx context.Context, staff string, variants []string) error {
	const read = `query($id: ID!) { productVariant(id: $id) { inventoryLevels { onHand location { id } } } }`
	const write = `mutation($variant: ID!, $location: ID!, $was: Int!) { inventoryAdjust(input: {variantId: $variant, locationId: $location, expectedOnHand: $was, onHand: 1000000, reason: RECEIVED}) { userErrors { message } } }`
	for _, v := range variants {
		var got struct {
			ProductVariant struct {
				InventoryLevels []struct {
					OnHand   int
					Location struct{ ID string }
				}
			}
		}
		if _, err := c.do(ctx, staff, read, map[string]any{"id": v}, &got); err != nil {
			return err
		}
		if len(got.ProductVariant.InventoryLevels) == 0 {
			return fmt.Errorf("variant %s has no stock", v)
		}
		level := got.ProductVariant.InventoryLevels[0]
		if _, err := c.do(ctx, staff, write, map[string]any{"variant": v, "location": level.Location.ID, "was": level.OnHand}, nil); err != nil {
			return err
		}
	}
	return nil
}

// signInBuyers signs demo customers in, one for each concurrent buyer: a cart belongs to one.
func (c *client) signInBuyers(ctx context.Context, staff string, n int) ([]string, error) {
	var emails []string
	var after *string
	for len(emails) < n {
		var page struct {
			Users struct {
				Nodes    []struct{ Email string }
				PageInfo struct {
					HasNextPage bool
					EndCursor   *string
				}
			}
		}
		const query = `query($after: String) { users(first: 100, after: $after, where: {role: CUSTOMER}) { nodes { email } pageInfo { hasNextPage endCursor } } }`
		if _, err := c.do(ctx, staff, query, map[string]any{"after": after}, &page); err != nil {
			return nil, err
		}
		for _, u := range page.Users.Nodes {
			if u.Email != demoCustomer && u.Email != demoStaff {
				emails = append(emails, u.Email)
			}
		}
		if !page.Users.PageInfo.HasNextPage {
			break
		}
		after = page.Users.PageInfo.EndCursor
	}
	if len(emails) < n {
		return nil, fmt.Errorf("the demo data has %d customers, and %d are needed", len(emails), n)
	}
	tokens := make([]string, n)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	slots := make(chan struct{}, 2)
	for i := range n {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			token, _, err := c.signIn(ctx, emails[i], demoPassword)
			mu.Lock()
			defer mu.Unlock()
			tokens[i] = token
			if err != nil && first == nil {
				first = err
			}
		})
	}
	wg.Wait()
	return tokens, first
}
