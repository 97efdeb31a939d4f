package mongodb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// shelves remembers the stock of variants as it was read last, for plans that are written only where it still is
// that. The zero value remembers nothing yet.
type shelves struct {
	mu   sync.Mutex
	last map[uuid.UUID]seen
}

type seen struct {
	*shelf
	at time.Time
}

const (
	mostSeen = 4096        // bounds the variants that are remembered; beyond it all are forgotten
	seenFor  = time.Second // what was seen before is likely to be another by now, and a plan on it in vain
)

// put remembers what was read.
func (s *shelves) put(list []*shelf) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil || len(s.last)+len(list) > mostSeen {
		s.last = make(map[uuid.UUID]seen)
	}
	now := time.Now()
	for _, f := range list {
		s.last[f.ID] = seen{f, now}
	}
}

// take gives what was read last, once: it is about to change.
func (s *shelves) take(id uuid.UUID) (*shelf, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, ok := s.last[id]
	delete(s.last, id)
	return last.shelf, ok && time.Since(last.at) < seenFor
}

// tryStock runs conditional updates in one command, and reports whether all of them found their document.
func (s *Store) tryStock(ctx context.Context, models []mongo.WriteModel) (all bool, err error) {
	if len(models) == 0 {
		return true, nil
	}
	result, err := s.inventory().BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	if one := (mongo.BulkWriteException{}); errors.As(err, &one) && one.WriteConcernError == nil {
		return false, nil // some could not be written: their callers hear why when they go alone
	}
	if err != nil {
		return false, fmt.Errorf("mongodb: write %s: %w", inventoryName, err)
	}
	return result.ModifiedCount == int64(len(models)), nil
}
