package clients

import (
	"cmp"
	"context"
	"encoding/hex"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/techmart/techmart/services/errs"
)

// How old what a Directory remembers may be.
const (
	newAfter   = time.Second / 4  // it is read anew for a key or document that is not known
	renewAfter = time.Second      // it is read anew on the side
	freshFor   = 4 * time.Second  // it is read anew before anything is answered
	staleFor   = 60 * time.Second // it still answers while the store does not
)

// Bounds of what a Directory remembers.
const (
	maxKeptTexts  = 2000
	maxKeptSets   = 200
	readTimeout   = 5 * time.Second
	anyClientName = "any"
)

// DirectoryStore is what a Directory reads; see [Store].
type DirectoryStore interface {
	Clients(ctx context.Context) ([]*Client, error)
	Trusted(ctx context.Context, clientID uuid.UUID) (map[string]Hash, error)
	Text(ctx context.Context, hash Hash) (string, error)
}

// Directory answers for every request whose key it is and which documents are trusted. It keeps all
// clients in memory, so that a key or an id that nobody knows costs no query, and reads them anew
// every few seconds while it is asked. It may be used by many goroutines.
type Directory struct {
	store DirectoryStore
	clock func() time.Time
	log   *slog.Logger

	clients  atomic.Pointer[snapshot]
	sets     *lru.Cache[uuid.UUID, trusted]
	texts    *lru.Cache[Hash, string]
	reading  singleflight.Group
	renewing atomic.Bool    // a reading on the side is under way
	renewed  sync.WaitGroup // readings on the side
}

// snapshot is all clients at one time.
type snapshot struct {
	at       time.Time
	byKey    map[Hash]keyed
	byID     map[uuid.UUID]*Client
	revision int64 // of all
}

type keyed struct {
	client *Client
	key    Key
}

// trusted is what the ids of a client stand for.
type trusted struct {
	revision int64
	ids      map[string]Hash
}

// NewDirectory makes a Directory; nil for the clock means time.Now, for the log slog.Default().
func NewDirectory(store DirectoryStore, clock func() time.Time, log *slog.Logger) *Directory {
	if clock == nil {
		clock = time.Now
	}
	d := &Directory{store: store, clock: clock, log: cmp.Or(log, slog.Default())}
	d.sets, _ = lru.New[uuid.UUID, trusted](maxKeptSets) // fails for sizes below 1 only
	d.texts, _ = lru.New[Hash, string](maxKeptTexts)
	return d
}

// ByKey gives the client of a key, and the key's hint. It fails with UNAUTHENTICATED for a key that
// is not good; any other failure means that it could not be told.
func (d *Directory) ByKey(ctx context.Context, key string) (c *Client, hint string, err error) {
	hash := HashOf(key)
	s, err := d.current(ctx, freshFor)
	if err != nil {
		return nil, "", err
	}
	if _, known := s.byKey[hash]; !known { // it may be new
		if s, err = d.current(ctx, newAfter); err != nil {
			return nil, "", err
		}
	}
	found, known := s.byKey[hash]
	if !known || !found.client.Active() || !found.key.GoodAt(d.clock()) {
		return nil, "", errKey
	}
	return found.client, found.key.Hint, nil
}

// Active fails with UNAUTHENTICATED once the client, or its key with the hint, is no longer good; any
// other failure means that it could not be told.
func (d *Directory) Active(ctx context.Context, id uuid.UUID, hint string) error {
	s, err := d.current(ctx, freshFor)
	if err != nil {
		return err
	}
	c := s.byID[id]
	if c == nil || !c.Active() || !slices.ContainsFunc(c.Keys, func(k Key) bool { return k.Hint == hint && k.GoodAt(d.clock()) }) {
		return errKey
	}
	return nil
}

// ByID gives a client that is in use. It fails with NOT_FOUND; any other failure means that it could not be told.
func (d *Directory) ByID(ctx context.Context, id uuid.UUID) (*Client, error) {
	s, err := d.current(ctx, renewAfter)
	if err != nil {
		return nil, err
	}
	c := s.byID[id]
	if c == nil || !c.Active() {
		return nil, errs.New(errs.NotFound, "There is no such API client.")
	}
	return c, nil
}

// Document gives the text that a trusted document's id, or the hash of its text in hexadecimal,
// stands for; for the zero client id a text that any client has published, by its hash only. It
// fails with NOT_FOUND for one that is not trusted; any other failure means that it could not be told.
func (d *Directory) Document(ctx context.Context, clientID uuid.UUID, id string) (string, error) {
	hash, err := d.lookUp(ctx, clientID, id)
	if err != nil {
		return "", err
	}
	if text, ok := d.texts.Get(hash); ok {
		return text, nil
	}
	text, err := d.store.Text(ctx, hash)
	if err != nil {
		return "", err
	}
	d.texts.Add(hash, text)
	return text, nil
}

// Trusts tells whether the client has published the text; for the zero id whether any client has.
func (d *Directory) Trusts(ctx context.Context, clientID uuid.UUID, text string) (bool, error) {
	own := HashOf(text)
	found, err := d.lookUp(ctx, clientID, hex.EncodeToString(own[:]))
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	return err == nil && found == own, err
}

func (d *Directory) lookUp(ctx context.Context, clientID uuid.UUID, id string) (Hash, error) {
	for _, age := range []time.Duration{freshFor, newAfter} { // what is not known may be new
		ids, err := d.trusted(ctx, clientID, age)
		if err != nil {
			return Hash{}, err
		}
		if hash, known := ids[id]; known {
			return hash, nil
		}
	}
	return Hash{}, NoSuchText()
}

// trusted gives the trusted documents of a client, as they were at most so long ago.
func (d *Directory) trusted(ctx context.Context, clientID uuid.UUID, age time.Duration) (map[string]Hash, error) {
	s, err := d.current(ctx, age)
	if err != nil {
		return nil, err
	}
	revision := s.revision
	name := anyClientName
	if clientID != uuid.Nil {
		c := s.byID[clientID]
		if c == nil {
			return nil, NoSuchText()
		}
		revision, name = c.Revision, c.ID.String()
	}
	kept, known := d.sets.Get(clientID)
	if known && kept.revision == revision {
		return kept.ids, nil
	}
	read, err, _ := d.reading.Do("documents of "+name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		ids, err := d.store.Trusted(ctx, clientID)
		if err == nil {
			// What was read is at least as new as the revision; a newer one is read once more.
			d.sets.Add(clientID, trusted{revision, ids})
		}
		return ids, err
	})
	if err == nil {
		return read.(map[string]Hash), nil
	}
	if known && d.clock().Sub(s.at) < staleFor {
		d.log.WarnContext(ctx, "trusted documents not read", "error", err)
		return kept.ids, nil
	}
	return nil, err
}

// current gives all clients, as they were at most so long ago.
func (d *Directory) current(ctx context.Context, age time.Duration) (*snapshot, error) {
	s := d.clients.Load()
	now := d.clock()
	if s != nil && now.Sub(s.at) < age {
		if now.Sub(s.at) >= renewAfter && d.renewing.CompareAndSwap(false, true) {
			d.renewed.Go(func() {
				defer d.renewing.Store(false)
				_, _ = d.read(context.Background()) // no request's own call; a failure shows when it is asked for
			})
		}
		return s, nil
	}
	fresh, err := d.read(ctx)
	if err == nil {
		return fresh, nil
	}
	if s != nil && now.Sub(s.at) < staleFor {
		d.log.WarnContext(ctx, "API clients not read", "error", err)
		return s, nil
	}
	return nil, err
}

// read reads all clients anew; callers at the same time share one reading.
func (d *Directory) read(ctx context.Context) (*snapshot, error) {
	read, err, _ := d.reading.Do("clients", func() (any, error) {
		// The context keeps its values: the reading counts as a call of the request that waits for it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		at := d.clock()
		list, err := d.store.Clients(ctx)
		if err != nil {
			return nil, err
		}
		s := &snapshot{at: at, byKey: make(map[Hash]keyed), byID: make(map[uuid.UUID]*Client, len(list))}
		for _, c := range list {
			s.byID[c.ID] = c
			s.revision += c.Revision
			if !c.Active() {
				s.revision++ // it takes its documents from those of all
			}
			for _, k := range c.Keys {
				s.byKey[k.Hash] = keyed{c, k}
			}
		}
		d.clients.Store(s)
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	return read.(*snapshot), nil
}

// Close waits for what is being read.
func (d *Directory) Close() { d.renewed.Wait() }
