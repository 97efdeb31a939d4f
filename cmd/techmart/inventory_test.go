package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/viewer"
)

// Pieces held for an order that is not there are shown, and given back on request only.
func TestInventoryCheck(t *testing.T) {
	t.Parallel()
	environ := environment(t)
	do := func(want int, args ...string) string {
		t.Helper()
		code, out, complaints := output(t, environ, args...)
		if code != want {
			t.Fatalf("%v: exit %d, %s %s", args, code, out, complaints)
		}
		return out
	}
	do(0, "migrate")
	if out := do(0, "inventory", "check"); !strings.Contains(out, "0 variants: 0 on hand = 0 available + 0 reserved by 0 reservations; 0 contradictions.") {
		t.Error(out)
	}
	program := program{environ: environ}
	ctx := viewer.NewContext(t.Context(), viewer.System)
	err := program.with(ctx, func(a *app.App, _ app.Config) error {
		shop := a.Services.Products
		made, err := shop.ImportProducts(ctx, []*products.Product{{Title: "Lens", Vendor: "Nordlicht", Status: products.Active, Variants: []products.Variant{{SKU: "LENS", Price: money.New(100, "EUR")}}}})
		if err != nil {
			return err
		}
		p, err := shop.Product(ctx, made[0].ID)
		if err != nil {
			return err
		}
		in := products.AdjustInput{VariantID: p.Variants[0].ID, LocationID: products.Locations[0].ID, OnHand: 5, Reason: products.Received}
		if _, _, err := shop.AdjustInventory(ctx, in); err != nil {
			return err
		}
		return shop.Reserve(ctx, uuid.Must(uuid.NewV7()), []products.StockLine{{VariantID: in.VariantID, Quantity: 2}})
	})
	if err != nil {
		t.Fatal(err)
	}
	if out := do(1, "inventory", "check"); !strings.Contains(out, "ORPHANED") || !strings.Contains(out, "5 on hand = 3 available + 2 reserved by 1 reservations; 1 contradictions.") {
		t.Error(out)
	}
	if out := do(0, "inventory", "check", "--repair"); !strings.Contains(out, "Repaired.") || !strings.Contains(out, "5 on hand = 5 available + 0 reserved by 0 reservations; 0 contradictions.") {
		t.Error(out)
	}
}
