// Package storetest is the suite that every [clients.Store] passes.
package storetest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/clients"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

var epoch = time.Date(2026, 3, 1, 9, 30, 0, 123456000, time.UTC)

// NewClient makes a client with one key.
func NewClient(name string) *clients.Client {
	return &clients.Client{
		ID: uuid.Must(uuid.NewV7()), Name: name, Mode: clients.Open, Scopes: []viewer.Scope{viewer.OrdersRead, viewer.UsersRead},
		Keys: []clients.Key{NewKey(name)}, CreatedAt: epoch, UpdatedAt: epoch,
	}
}

// NewKey makes the key of a text.
func NewKey(text string) clients.Key {
	return clients.Key{Hash: clients.HashOf(text), Hint: "tm_" + text, CreatedAt: epoch}
}

// NewDocument makes a document of its id.
func NewDocument(id, text string) clients.Document {
	return clients.Document{ID: id, Hash: clients.HashOf(text), Text: text, Name: "Name" + id, Kind: "query", Cost: 7}
}

// Run runs the suite; open gives an empty store.
func Run(t *testing.T, open func(t *testing.T) clients.Store) {
	for name, test := range map[string]func(*testing.T, clients.Store){
		"clients are created and listed":         created,
		"a client is updated under a lock":       updated,
		"a version is published and read":        published,
		"a version never changes":                immutable,
		"retired versions trust no documents":    retired,
		"documents of all clients by their hash": trustedOfAll,
		"what is not there":                      missing,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func create(t *testing.T, s clients.Store, name string) *clients.Client {
	t.Helper()
	c := NewClient(name)
	if err := s.Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return c
}

func publish(t *testing.T, s clients.Store, name, version string, documents ...clients.Document) {
	t.Helper()
	if err := s.Publish(t.Context(), name, version, documents, epoch); err != nil {
		t.Fatal(err)
	}
}

func trusted(t *testing.T, s clients.Store, id uuid.UUID) map[string]clients.Hash {
	t.Helper()
	ids, err := s.Trusted(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func created(t *testing.T, s clients.Store) {
	if list, err := s.Clients(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("an empty store has %d clients, %v", len(list), err)
	}
	web := create(t, s, "web")
	app := create(t, s, "app")
	list, err := s.Clients(t.Context())
	if err != nil || !reflect.DeepEqual(list, []*clients.Client{app, web}) {
		t.Errorf("%+v, %v", list, err)
	}
	again := NewClient("web")
	again.Keys = []clients.Key{NewKey("another")}
	if err := s.Create(t.Context(), again); errs.CodeOf(err) != errs.Taken {
		t.Errorf("a name that is in use: %v", err)
	}
}

func updated(t *testing.T, s clients.Store) {
	c := create(t, s, "web")
	var group sync.WaitGroup
	for i := range 5 {
		group.Go(func() {
			_, err := s.Update(t.Context(), "web", func(c *clients.Client) error {
				c.Keys = append(c.Keys, NewKey(fmt.Sprint("key", i)))
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	later := epoch.Add(time.Hour)
	got, err := s.Update(t.Context(), "web", func(c *clients.Client) error {
		c.Mode, c.Scopes, c.UpdatedAt, c.RevokedAt = clients.Only, nil, later, later
		c.Keys[0].ExpiresAt, c.Keys[1].RevokedAt = later, later
		return nil
	})
	if err != nil || len(got.Keys) != 6 {
		t.Fatalf("%+v, %v", got, err)
	}
	list, err := s.Clients(t.Context())
	if err != nil || len(list) != 1 || !reflect.DeepEqual(list[0], got) || list[0].ID != c.ID || list[0].RevokedAt != later {
		t.Errorf("read back %+v, %v; want %+v", list, err, got)
	}
	refused := errors.New("refused")
	if _, err := s.Update(t.Context(), "web", func(c *clients.Client) error { c.Mode = clients.Log; return refused }); err != refused {
		t.Errorf("a refused change: %v", err)
	}
	if list, _ := s.Clients(t.Context()); list[0].Mode != clients.Only {
		t.Error("a refused change was written")
	}
}

func published(t *testing.T, s clients.Store) {
	c := create(t, s, "web")
	b, a := NewDocument("b", "{ b }"), NewDocument("a", "{ a }")
	publish(t, s, "web", "1", b, a)
	if err := s.Publish(t.Context(), "web", "2", []clients.Document{a}, epoch.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	list, err := s.Documents(t.Context(), "web", "1")
	if err != nil || !reflect.DeepEqual(list, []clients.Document{a, b}) {
		t.Errorf("documents %+v, %v", list, err)
	}
	releases, err := s.Releases(t.Context(), "web")
	want := []clients.Release{{Version: "2", Documents: 1, PublishedAt: epoch.Add(time.Minute)}, {Version: "1", Documents: 2, PublishedAt: epoch}}
	if err != nil || !reflect.DeepEqual(releases, want) {
		t.Errorf("releases %+v, %v", releases, err)
	}
	ids := trusted(t, s, c.ID)
	if len(ids) != 4 || ids["a"] != a.Hash || ids[hexOf(b)] != b.Hash {
		t.Errorf("trusted: %v", ids)
	}
	if text, err := s.Text(t.Context(), a.Hash); err != nil || text != "{ a }" {
		t.Errorf("text %q, %v", text, err)
	}
	if list, _ := s.Clients(t.Context()); list[0].Revision != 2 {
		t.Errorf("revision %d after two versions", list[0].Revision)
	}
	other := create(t, s, "app")
	publish(t, s, "app", "1", NewDocument("a", "{ other }")) // ids are each client's own
	if ids := trusted(t, s, other.ID); ids["a"] == a.Hash || len(ids) != 2 {
		t.Errorf("trusted of another client: %v", ids)
	}
}

func hexOf(d clients.Document) string { return hex.EncodeToString(d.Hash[:]) }

func immutable(t *testing.T, s clients.Store) {
	c := create(t, s, "web")
	a, b := NewDocument("a", "{ a }"), NewDocument("b", "{ b }")
	publish(t, s, "web", "1", a, b)
	publish(t, s, "web", "1", b, a) // the same again
	for what, documents := range map[string][]clients.Document{
		"fewer documents": {a}, "more documents": {a, b, NewDocument("c", "{ c }")}, "others": {a, NewDocument("c", "{ c }")},
		"another text": {a, NewDocument("b", "{ changed }")},
	} {
		if err := s.Publish(t.Context(), "web", "1", documents, epoch); errs.CodeOf(err) != errs.Conflict {
			t.Errorf("%s in the same version: %v", what, err)
		}
	}
	if err := s.Publish(t.Context(), "web", "2", []clients.Document{NewDocument("b", "{ changed }")}, epoch); errs.CodeOf(err) != errs.Conflict {
		t.Errorf("an id with another text in another version: %v", err)
	}
	if ids := trusted(t, s, c.ID); len(ids) != 4 || ids["b"] != b.Hash {
		t.Errorf("what was refused is trusted: %v", ids)
	}
}

func retired(t *testing.T, s clients.Store) {
	c := create(t, s, "web")
	a, b := NewDocument("a", "{ a }"), NewDocument("b", "{ b }")
	publish(t, s, "web", "1", a, b)
	publish(t, s, "web", "2", a)
	for range 2 {
		if err := s.Retire(t.Context(), "web", "1", epoch.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if ids := trusted(t, s, c.ID); len(ids) != 2 || ids["a"] != a.Hash {
		t.Errorf("trusted after a retirement: %v", ids)
	}
	releases, err := s.Releases(t.Context(), "web")
	i := slices.IndexFunc(releases, func(r clients.Release) bool { return r.Version == "1" })
	if err != nil || i < 0 || releases[i].RetiredAt != epoch.Add(time.Hour) {
		t.Errorf("releases %+v, %v", releases, err)
	}
	publish(t, s, "web", "1", a, b) // back into use
	if ids := trusted(t, s, c.ID); len(ids) != 4 {
		t.Errorf("trusted after coming back: %v", ids)
	}
	if list, _ := s.Clients(t.Context()); list[0].Revision != 5 {
		t.Errorf("revision %d after five changes", list[0].Revision)
	}
}

func trustedOfAll(t *testing.T, s clients.Store) {
	create(t, s, "web")
	create(t, s, "app")
	a, b := NewDocument("a", "{ a }"), NewDocument("a", "{ b }")
	publish(t, s, "web", "1", a)
	publish(t, s, "app", "1", b)
	if ids := trusted(t, s, uuid.Nil); len(ids) != 2 || ids[hexOf(a)] != a.Hash || ids[hexOf(b)] != b.Hash {
		t.Errorf("trusted of all: %v", ids)
	}
	if _, err := s.Update(t.Context(), "app", func(c *clients.Client) error { c.Revoke(epoch); return nil }); err != nil {
		t.Fatal(err)
	}
	if ids := trusted(t, s, uuid.Nil); len(ids) != 1 || ids[hexOf(a)] != a.Hash {
		t.Errorf("trusted of all but a revoked client: %v", ids)
	}
}

func missing(t *testing.T, s clients.Store) {
	create(t, s, "web")
	_, update := s.Update(t.Context(), "none", func(*clients.Client) error { return nil })
	_, releases := s.Releases(t.Context(), "none")
	_, documents := s.Documents(t.Context(), "none", "1")
	_, version := s.Documents(t.Context(), "web", "1")
	_, text := s.Text(t.Context(), clients.HashOf("none"))
	for what, err := range map[string]error{
		"update": update, "releases": releases, "documents": documents, "a version's documents": version, "text": text,
		"publish": s.Publish(t.Context(), "none", "1", []clients.Document{NewDocument("a", "{ a }")}, epoch),
		"retire":  s.Retire(t.Context(), "none", "1", epoch), "retire a version": s.Retire(t.Context(), "web", "1", epoch),
	} {
		if errs.CodeOf(err) != errs.NotFound {
			t.Errorf("%s of what is not there: %v", what, err)
		}
	}
	if ids := trusted(t, s, uuid.Must(uuid.NewV7())); len(ids) != 0 {
		t.Errorf("nobody trusts %v", ids)
	}
}
