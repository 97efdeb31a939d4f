package clients_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/clients"
	"github.com/techmart/techmart/services/errs"
)

// counted counts what is read of a store, and can be cut off from it.
type counted struct {
	clients.DirectoryStore
	reads atomic.Int64
	down  atomic.Bool
}

func (c *counted) read() error {
	c.reads.Add(1)
	if c.down.Load() {
		return errors.New("the server does not answer")
	}
	return nil
}

func (c *counted) Clients(ctx context.Context) ([]*clients.Client, error) {
	if err := c.read(); err != nil {
		return nil, err
	}
	return c.DirectoryStore.Clients(ctx)
}

func (c *counted) Trusted(ctx context.Context, id uuid.UUID) (map[string]clients.Hash, error) {
	if err := c.read(); err != nil {
		return nil, err
	}
	return c.DirectoryStore.Trusted(ctx, id)
}

func (c *counted) Text(ctx context.Context, h clients.Hash) (string, error) {
	if err := c.read(); err != nil {
		return "", err
	}
	return c.DirectoryStore.Text(ctx, h)
}

func directory(t *testing.T) (*clients.Directory, *clients.Service, *counted, *clock) {
	t.Helper()
	s, store, c := setup(t)
	counts := &counted{DirectoryStore: store}
	d := clients.NewDirectory(counts, c.now, nil)
	t.Cleanup(d.Close)
	return d, s, counts, c
}

// What a directory knows costs no reading, and neither does a key or an id that nobody knows.
func TestDirectoryAnswersFromMemory(t *testing.T) {
	t.Parallel()
	d, s, counts, _ := directory(t)
	c, key, err := s.Create(program(t), "web", clients.Only, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := "{ categories { name } }"
	if err := s.Publish(program(t), "web", "1", []clients.Document{{ID: "a", Text: text, Kind: "query"}}); err != nil {
		t.Fatal(err)
	}
	ask := func() {
		t.Helper()
		found, hint, err := d.ByKey(t.Context(), key)
		if err != nil || found.ID != c.ID || hint != c.Keys[0].Hint {
			t.Fatalf("%+v, %v", found, err)
		}
		if err := d.Active(t.Context(), c.ID, hint); err != nil {
			t.Error(err)
		}
		if got, err := d.Document(t.Context(), c.ID, "a"); err != nil || got != text {
			t.Errorf("document %q, %v", got, err)
		}
		for asked, want := range map[string]bool{text: true, text + " ": false} {
			if got, err := d.Trusts(t.Context(), c.ID, asked); err != nil || got != want {
				t.Errorf("%q is trusted: %t, %v", asked, got, err)
			}
		}
		if _, _, err := d.ByKey(t.Context(), "tm_"+strings.Repeat("x", 52)); errs.CodeOf(err) != errs.Unauthenticated {
			t.Errorf("an unknown key: %v", err)
		}
		if _, err := d.Document(t.Context(), c.ID, "b"); errs.CodeOf(err) != errs.NotFound {
			t.Errorf("an unknown document: %v", err)
		}
		if _, err := d.Document(t.Context(), uuid.New(), "a"); errs.CodeOf(err) != errs.NotFound {
			t.Errorf("a document of another client: %v", err)
		}
	}
	ask()
	before := counts.reads.Load()
	var group sync.WaitGroup
	for range 20 {
		group.Go(ask)
	}
	group.Wait()
	if n := counts.reads.Load() - before; before > 4 || n != 0 {
		t.Errorf("%d readings, then %d more", before, n)
	}
}

// Changes arrive within seconds; what is new arrives within one when it is asked for.
func TestDirectoryFollowsChanges(t *testing.T) {
	t.Parallel()
	d, s, _, c := directory(t)
	_, key, err := s.Create(program(t), "web", clients.Open, nil)
	if err != nil {
		t.Fatal(err)
	}
	found, hint, err := d.ByKey(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Rotate(program(t), "web", 3*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	c.pass(time.Second)
	if _, _, err := d.ByKey(t.Context(), second); err != nil {
		t.Errorf("a new key after a second: %v", err)
	}
	c.pass(2 * time.Second)
	if _, _, err := d.ByKey(t.Context(), key); errs.CodeOf(err) != errs.Unauthenticated {
		t.Errorf("the old key after its overlap: %v", err)
	}
	if err := d.Active(t.Context(), found.ID, hint); errs.CodeOf(err) != errs.Unauthenticated {
		t.Errorf("a stream with the old key: %v", err)
	}
	if err := s.Revoke(program(t), "web", second); err != nil {
		t.Fatal(err)
	}
	c.pass(5 * time.Second)
	if _, _, err := d.ByKey(t.Context(), second); errs.CodeOf(err) != errs.Unauthenticated {
		t.Errorf("a revoked key: %v", err)
	}
}

// The texts of all clients, by their hash, for whoever has no key.
func TestDirectoryOfAll(t *testing.T) {
	t.Parallel()
	d, s, _, c := directory(t)
	for name, text := range map[string]string{"web": "{ a }", "ios": "{ b }"} {
		if _, _, err := s.Create(program(t), name, clients.Open, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Publish(program(t), name, "1", []clients.Document{{ID: "x", Text: text, Kind: "query"}}); err != nil {
			t.Fatal(err)
		}
	}
	trusts := func(text string) bool {
		t.Helper()
		c.pass(5 * time.Second)
		ok, err := d.Trusts(t.Context(), uuid.Nil, text)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if !trusts("{ a }") || !trusts("{ b }") || trusts("{ c }") {
		t.Error("the texts of all clients, and no others, are trusted")
	}
	if _, err := d.Document(t.Context(), uuid.Nil, "x"); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("an id of a client: %v", err)
	}
	if err := s.Revoke(program(t), "ios", ""); err != nil {
		t.Fatal(err)
	}
	if trusts("{ b }") || !trusts("{ a }") {
		t.Error("a revoked client trusts on")
	}
	if err := s.Retire(program(t), "web", "1"); err != nil {
		t.Fatal(err)
	}
	if trusts("{ a }") {
		t.Error("a retired document is trusted")
	}
}

// While the store does not answer, what is known stays good for a minute, and then nothing is.
func TestDirectoryWithoutItsStore(t *testing.T) {
	t.Parallel()
	d, s, counts, c := directory(t)
	counts.down.Store(true)
	if _, _, err := d.ByKey(t.Context(), "tm_any"); err == nil || errs.CodeOf(err) != "" {
		t.Errorf("a directory that has never read: %v", err)
	}
	counts.down.Store(false)
	found, key, err := s.Create(program(t), "web", clients.Only, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(program(t), "web", "1", []clients.Document{{ID: "x", Text: "{ a }", Kind: "query"}}); err != nil {
		t.Fatal(err)
	}
	if text, err := d.Document(t.Context(), found.ID, "x"); err != nil || text != "{ a }" {
		t.Fatalf("%q, %v", text, err)
	}
	counts.down.Store(true)
	c.pass(59 * time.Second)
	if _, _, err := d.ByKey(t.Context(), key); err != nil {
		t.Errorf("after 59 s: %v", err)
	}
	if text, err := d.Document(t.Context(), found.ID, "x"); err != nil || text != "{ a }" {
		t.Errorf("after 59 s: %q, %v", text, err)
	}
	c.pass(time.Second)
	if _, _, err := d.ByKey(t.Context(), key); err == nil || errs.CodeOf(err) != "" {
		t.Errorf("after a minute: %v", err)
	}
}
