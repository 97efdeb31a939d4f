// Package clients knows the programs that call the graph: their API keys, what they may do without
// an account, and the documents that they have published ("trusted documents").
//
// A key is shown once and kept as a hash. Keys are rotated with an overlap, in which the old and the
// new one are good. A document is published as part of a version of its client and is trusted until
// every version that has it is retired.
//
// [Service] is for the people who run the shop, [Directory] for every request: it answers from
// memory, and follows changes made anywhere within seconds.
package clients

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/viewer"
)

// Mode says which documents a client may run.
type Mode string

// The modes, from the loosest to the strictest.
const (
	Open   Mode = "open"   // any
	Log    Mode = "log"    // any; those that are not trusted are logged and counted
	Prefer Mode = "prefer" // as Log, but what is not trusted is not kept by its hash, and must be cheap
	Only   Mode = "only"   // trusted ones
)

// Known tells whether there is such a mode.
func (m Mode) Known() bool { return m == Open || m == Log || m == Prefer || m == Only }

// Hash is the SHA-256 of a key or of a document's text.
type Hash [sha256.Size]byte

// Client is a program that calls the graph.
type Client struct {
	ID        uuid.UUID
	Name      string // unique: web-shop
	Mode      Mode
	Scopes    []viewer.Scope // what it may do without an account
	Keys      []Key          // the oldest first
	Revision  int64          // grows with each change of its documents
	CreatedAt time.Time
	UpdatedAt time.Time
	RevokedAt time.Time // zero while it is in use
}

// Key is one key of a client.
type Key struct {
	Hash      Hash
	Hint      string // how it begins: tm_k3v9x2q7
	CreatedAt time.Time
	ExpiresAt time.Time // zero for never
	RevokedAt time.Time // zero while it is in use
}

// Document is a text that a client has published under an id.
type Document struct {
	ID   string // as the client names it
	Hash Hash   // of the text
	Text string
	Name string // of its operation; empty for one without
	Kind string // query, mutation or subscription
	Cost int    // estimated, without variables
}

// Release is one version of a client.
type Release struct {
	Version     string
	Documents   int // how many
	PublishedAt time.Time
	RetiredAt   time.Time // zero while it is in use
}

// Deps is what a Service needs.
type Deps struct {
	Store Store
	Clock func() time.Time // nil means time.Now
	Log   *slog.Logger     // nil means slog.Default()
}

// Service is the rules of the domain.
type Service struct {
	store Store
	clock func() time.Time
	log   *slog.Logger
}

// New makes a Service.
func New(d Deps) (*Service, error) {
	if d.Store == nil {
		return nil, errors.New("clients: no store given")
	}
	if d.Clock == nil {
		d.Clock = time.Now
	}
	return &Service{store: d.Store, clock: d.Clock, log: cmp.Or(d.Log, slog.Default())}, nil
}

// now is the time in the store's precision.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }
