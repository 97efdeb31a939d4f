package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/seed"
	"github.com/techmart/techmart/services/users"
)

// DemoPassword opens every account of the demo data.
const DemoPassword = seed.Password

// DemoAccounts are one account of each role. They exist where demo data was seeded: in development.
func DemoAccounts() []gateway.Account {
	list := make([]gateway.Account, len(seed.Demos))
	for i, d := range seed.Demos {
		list[i] = gateway.Account{Role: roleName(d.Roles), Email: d.Email, Password: seed.Password}
	}
	return list
}

// roleName names the role of an account beside that of a customer, which every account has.
func roleName(roles []users.Role) string {
	name := users.Customer
	for _, r := range roles {
		if r != users.Customer {
			name = r
		}
	}
	return strings.ToLower(strings.ReplaceAll(string(name), "_", " "))
}

// Seed fills an empty shop with demo data: scale 1 has 2,100 products. It does nothing where that was done
// before. progress is told, in short lines, how far it is.
func (a *App) Seed(ctx context.Context, scale int, progress func(line string)) error {
	if a.config.Mode == Production {
		return fmt.Errorf("demo accounts have a published password, so there are none in production: set %sMODE=development for this", Prefix)
	}
	terms, err := a.config.terms()
	if err != nil {
		return err
	}
	s := a.Services
	return seed.Load(ctx, seed.Deps{
		Users: s.Users, Products: s.Products, Inventory: a.stores.catalogue, Stock: a.stores.catalogue, Indexes: a.stores.catalogue,
		Orders: a.stores.orders, Payments: a.stores.payments,
	}, seed.Options{Scale: scale, Terms: terms, Progress: func(p seed.Progress) {
		progress(fmt.Sprintf("demo data: %s, %d of %d", p.Step, p.Done, p.Total))
	}})
}
