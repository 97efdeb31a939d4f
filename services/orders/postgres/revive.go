package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/postgres"
)

const (
	reviveOrders = `UPDATE orders.orders SET claimed_by = NULL, claimed_until = NULL WHERE claimed_by IS NOT NULL`
	reviveJobs   = `UPDATE orders.river_job SET state = 'available' WHERE state = 'running'`
)

// Revive takes back what workers had taken that are certainly gone: those of the shop that a backup was
// made of. Without it their orders wait until the workers' time is over.
func (s *Store) Revive(ctx context.Context) error {
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, reviveOrders); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, reviveJobs)
		return err
	})
	if err != nil {
		return fmt.Errorf("postgres: revive orders: %w", err)
	}
	return nil
}
