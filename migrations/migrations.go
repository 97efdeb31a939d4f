// Package migrations holds the numbered SQL of each domain that lives in PostgreSQL (goose format).
// A domain's tables are in the schema of its name.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed users/*.sql carts/*.sql orders/*.sql payments/*.sql notifications/*.sql clients/*.sql promotions/*.sql webhooks/*.sql
var files embed.FS

// Domains are the domains with migrations. None refers to another's tables, so any order is right.
var Domains = []string{"users", "carts", "orders", "payments", "notifications", "clients", "promotions", "webhooks"}

// FS gives the migrations of one of Domains.
func FS(domain string) fs.FS {
	sub, err := fs.Sub(files, domain)
	if err != nil {
		panic("migrations: " + err.Error())
	}
	return sub
}
