// Package redis keeps the revocations of sessions in Redis, where every process finds them at once.
package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"

	"github.com/techmart/techmart/platform/group"
	"github.com/techmart/techmart/platform/redis"
	"github.com/techmart/techmart/services/users"
)

// Revocations is users.Revocations over Redis: one key for a session, gone when it is no longer needed.
type Revocations struct {
	client *redis.Client
	looks  *group.Group[uuid.UUID, bool]
}

var _ users.Revocations = (*Revocations)(nil)

// New makes revocations on the client.
func New(client *redis.Client) *Revocations {
	r := &Revocations{client: client}
	r.looks = redis.Group(client, "session checks", r.look)
	return r
}

func (r *Revocations) key(sessionID uuid.UUID) string {
	return r.client.Key("users", "revoked", sessionID.String())
}

// Revoke remembers the sessions until the time given, in one round trip.
func (r *Revocations) Revoke(ctx context.Context, until time.Time, sessionIDs ...uuid.UUID) error {
	if len(sessionIDs) == 0 {
		return nil
	}
	_, err := r.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for _, id := range sessionIDs {
			p.SetArgs(ctx, r.key(id), 1, goredis.SetArgs{ExpireAt: until})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("users: revoke sessions: %w", err)
	}
	return nil
}

// Revoked reports whether the session is remembered. Calls at the same time share a command, which begins after them.
func (r *Revocations) Revoked(ctx context.Context, sessionID uuid.UUID) (bool, error) {
	revoked, err := r.looks.Do(ctx, sessionID)
	if err != nil {
		return false, fmt.Errorf("users: look for a revoked session: %w", err)
	}
	return revoked, nil
}

func (r *Revocations) look(ctx context.Context, sessionIDs []uuid.UUID) ([]group.Result[bool], error) {
	keys := make([]string, len(sessionIDs))
	for i, id := range sessionIDs {
		keys[i] = r.key(id)
	}
	found, err := r.client.MGet(ctx, keys...).Result()
	if err != nil {
		return nil, err
	}
	results := make([]group.Result[bool], len(sessionIDs))
	for i, v := range found {
		results[i].Value = v != nil
	}
	return results, nil
}
