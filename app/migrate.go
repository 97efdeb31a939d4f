package app

import (
	"context"
	"fmt"

	"github.com/techmart/techmart/migrations"
	"github.com/techmart/techmart/platform/postgres"
)

// Migrate brings every store to the state that this version needs. It may run in many processes at
// once, and changes nothing where all is done.
func (a *App) Migrate(ctx context.Context) error {
	for _, domain := range migrations.Domains {
		if err := postgres.Migrate(ctx, a.pool(domain), migrations.FS(domain), domain); err != nil {
			return err
		}
	}
	if err := a.migrateJobs(ctx); err != nil {
		return fmt.Errorf("job queue: %w", err)
	}
	return a.stores.catalogue.EnsureIndexes(ctx)
}
