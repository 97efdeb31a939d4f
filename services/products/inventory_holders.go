package products

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

const holdersBatch = 500

// ReleaseWhere gives back what orders hold that wrong names: it is asked for some of them at a time.
// It gives the orders that were released. Only the program itself may call it.
func (s *Service) ReleaseWhere(ctx context.Context, wrong func(ctx context.Context, orderIDs []uuid.UUID) ([]uuid.UUID, error)) ([]uuid.UUID, error) {
	if !viewer.FromContext(ctx).System {
		return nil, errs.New(errs.Forbidden, "Only the program itself does this.")
	}
	var released []uuid.UUID
	for after := uuid.Nil; ; {
		holders, err := s.inventory.Holders(ctx, after, holdersBatch)
		if err != nil || len(holders) == 0 {
			return released, err
		}
		after = holders[len(holders)-1]
		found, err := wrong(ctx, holders)
		if err != nil {
			return released, err
		}
		for _, id := range found {
			if err := s.Release(ctx, id); err != nil {
				return released, err
			}
			released = append(released, id)
		}
	}
}
