package users

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"runtime"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/techmart/techmart/services/errs"
)

// Passwords hashes and checks passwords. Both fail with UNAVAILABLE when too many are at it.
type Passwords interface {
	// Hash makes the hash to keep.
	Hash(ctx context.Context, password string) (string, error)
	// Check reports whether the password is the one of the hash, and whether the hash ought to be made
	// anew with today's parameters. An empty hash takes as long as any and is no password's.
	Check(ctx context.Context, password, hash string) (match, outdated bool, err error)
}

// HasherConfig are the parameters of argon2id; a zero field takes its default, which is OWASP's advice.
type HasherConfig struct {
	MemoryKiB   uint32        // 19456
	Iterations  uint32        // 2
	Parallelism uint8         // 1
	Concurrent  int           // hashes at a time; the number of CPUs
	Wait        time.Duration // for a turn; 5 s
}

// Hasher is Passwords by argon2id. It bounds how many hashes are made at a time, so that sign-ins
// cannot use up memory and CPUs.
type Hasher struct {
	params argon2id.Params
	wait   time.Duration
	turns  chan struct{}
	dummy  string // a hash of no password
}

// NewHasher makes a hasher.
func NewHasher(c HasherConfig) *Hasher {
	p := argon2id.Params{
		Memory:      cmp.Or(c.MemoryKiB, 19*1024),
		Iterations:  cmp.Or(c.Iterations, 2),
		Parallelism: cmp.Or(c.Parallelism, 1),
		SaltLength:  16,
		KeyLength:   32,
	}
	return &Hasher{
		params: p,
		wait:   cmp.Or(c.Wait, 5*time.Second),
		turns:  make(chan struct{}, cmp.Or(c.Concurrent, runtime.GOMAXPROCS(0))),
		dummy: fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", p.Memory, p.Iterations, p.Parallelism,
			randomBase64(p.SaltLength), randomBase64(p.KeyLength)),
	}
}

func randomBase64(n uint32) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.RawStdEncoding.EncodeToString(b)
}

// Hash makes the hash to keep.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	return argon2id.CreateHash(password, &h.params)
}

// Check reports whether the password is the one of the hash, and whether the hash is outdated.
func (h *Hasher) Check(ctx context.Context, password, hash string) (match, outdated bool, err error) {
	if err := h.enter(ctx); err != nil {
		return false, false, err
	}
	defer h.leave()
	match, params, err := argon2id.CheckHash(password, cmp.Or(hash, h.dummy))
	if err != nil {
		return false, false, fmt.Errorf("users: stored password hash: %w", err)
	}
	return match && hash != "", *params != h.params, nil
}

func (h *Hasher) enter(ctx context.Context) error {
	select {
	case h.turns <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(h.wait)
	defer timer.Stop()
	select {
	case h.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return errs.New(errs.Unavailable, "Too many people are signing in: try again in a moment.")
	}
}

func (h *Hasher) leave() { <-h.turns }
