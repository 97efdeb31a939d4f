package app

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/migrations"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/orders/jobs"
	webhooksjobs "github.com/techmart/techmart/services/webhooks/jobs"
)

// Migrate brings every store to the state that this version needs. It may run in many processes at
// once, and changes nothing where all is done.
func (a *App) Migrate(ctx context.Context) error {
	for _, domain := range migrations.Domains {
		if err := postgres.Migrate(ctx, a.pool(domain), migrations.FS(domain), domain); err != nil {
			return err
		}
	}
	if err := jobs.Migrate(ctx, a.pool("orders")); err != nil {
		return err
	}
	if err := webhooksjobs.Migrate(ctx, a.pool("webhooks")); err != nil {
		return err
	}
	if err := a.stores.catalogue.EnsureIndexes(ctx); err != nil {
		return err
	}
	if err := a.Services.Products.EnsureInventory(asProgram(ctx)); err != nil {
		return err
	}
	return a.Services.Products.EnsureRatings(asProgram(ctx))
}

// Migration is one numbered change of a domain's tables.
type Migration struct {
	Domain  string
	Name    string // of its file
	Applied bool
}

// MigrationStatus tells which migrations of PostgreSQL are applied.
func (a *App) MigrationStatus(ctx context.Context) ([]Migration, error) {
	var list []Migration
	for _, domain := range migrations.Domains {
		applied, err := a.appliedVersions(ctx, domain)
		if err != nil {
			return nil, err
		}
		files, err := fs.Glob(migrations.FS(domain), "*.sql")
		if err != nil {
			return nil, err
		}
		for _, name := range files {
			number, _, _ := strings.Cut(name, "_")
			version, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("migration %s/%s has no number", domain, name)
			}
			list = append(list, Migration{Domain: domain, Name: name, Applied: applied[version]})
		}
	}
	return list, nil
}

func (a *App) appliedVersions(ctx context.Context, domain string) (map[int64]bool, error) {
	table := domain + ".goose_db_version"
	var exists bool
	if err := a.pool(domain).QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, table).Scan(&exists); err != nil || !exists {
		return nil, err
	}
	rows, err := a.pool(domain).Query(ctx, `SELECT version_id FROM `+table+` WHERE is_applied`)
	if err != nil {
		return nil, err
	}
	versions, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	applied := make(map[int64]bool, len(versions))
	for _, v := range versions {
		applied[v] = true
	}
	return applied, err
}
