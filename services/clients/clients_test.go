package clients_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/migrations"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/clients"
	clientspostgres "github.com/techmart/techmart/services/clients/postgres"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// clock is a time that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)} }

func setup(t *testing.T) (*clients.Service, *clientspostgres.Store, *clock) {
	t.Helper()
	pool, err := postgres.Open(t.Context(), postgres.Config{URL: stacktest.Postgres(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := postgres.Migrate(t.Context(), pool, migrations.FS("clients"), "clients"); err != nil {
		t.Fatal(err)
	}
	store, c := clientspostgres.New(pool), newClock()
	s, err := clients.New(clients.Deps{Store: store, Clock: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return s, store, c
}

func program(t *testing.T) context.Context { return viewer.NewContext(t.Context(), viewer.System) }

func TestKeys(t *testing.T) {
	t.Parallel()
	s, store, _ := setup(t)
	c, key, err := s.Create(program(t), "web-shop", clients.Log, []viewer.Scope{viewer.OrdersRead, viewer.OrdersRead})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(key, "tm_") || len(key) != 55 || !strings.HasPrefix(key, c.Keys[0].Hint) || len(c.Keys[0].Hint) != 11 {
		t.Errorf("the key has %d characters, its hint is %s", len(key), c.Keys[0].Hint)
	}
	list, err := store.Clients(t.Context())
	if err != nil || list[0].Keys[0].Hash != clients.HashOf(key) || !slices.Equal(list[0].Scopes, []viewer.Scope{viewer.OrdersRead}) {
		t.Errorf("kept: %+v, %v", list, err)
	}
	other, err := s.Rotate(program(t), "web-shop", time.Hour)
	if err != nil || other == key {
		t.Errorf("the new key is the old one: %t, %v", other == key, err)
	}
}

// What is wrong with an input is told all at once, and only the program manages clients.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s, _, _ := setup(t)
	_, _, err := s.Create(program(t), "Web Shop", "strict", []viewer.Scope{"everything"})
	if len(errs.All(err)) != 3 || !errs.Blames(err, "name") || !errs.Blames(err, "mode") || !errs.Blames(err, "scopes") {
		t.Errorf("a client that is wrong: %v", err)
	}
	if _, _, err := s.Create(program(t), "web", clients.Open, nil); err != nil {
		t.Fatal(err)
	}
	document := func(id, text string) clients.Document { return clients.Document{ID: id, Text: text, Kind: "query"} }
	publish := func(version string, d ...clients.Document) error { return s.Publish(program(t), "web", version, d) }
	_, _, taken := s.Create(program(t), "web", clients.Open, nil)
	_, short := s.Rotate(program(t), "web", -time.Second)
	_, long := s.Rotate(program(t), "web", clients.MaxOverlap+1)
	for what, c := range map[string]struct {
		err  error
		want errs.Code
	}{
		"a name that is in use": {taken, errs.Taken}, "an overlap below 0": {short, errs.OutOfRange}, "an overlap above 90 days": {long, errs.OutOfRange},
		"a mode":               {s.SetMode(program(t), "web", "strict"), errs.Invalid},
		"a scope":              {s.SetScopes(program(t), "web", []viewer.Scope{"everything"}), errs.Invalid},
		"a key":                {s.Revoke(program(t), "web", "tm_nothing"), errs.NotFound},
		"a client":             {s.Revoke(program(t), "none", ""), errs.NotFound},
		"no version":           {publish("", document("a", "{ a }")), errs.Invalid},
		"a version with space": {publish("1 0", document("a", "{ a }")), errs.Invalid},
		"a long version":       {publish(strings.Repeat("1", 65), document("a", "{ a }")), errs.Invalid},
		"no documents":         {publish("1"), errs.Required},
		"no id":                {publish("1", document("", "{ a }")), errs.Invalid},
		"a long id":            {publish("1", document(strings.Repeat("a", 257), "{ a }")), errs.Invalid},
		"an id twice":          {publish("1", document("a", "{ a }"), document("a", "{ b }")), errs.Invalid},
		"no text":              {publish("1", document("a", "")), errs.TooLong},
		"a long text":          {publish("1", document("a", strings.Repeat("a", clients.MaxText+1))), errs.TooLong},
		"too many documents":   {publish("1", make([]clients.Document, clients.MaxDocuments+1)...), errs.TooLong},
	} {
		if code := errs.CodeOf(c.err); code != c.want {
			t.Errorf("%s: %q (%v); want %s", what, code, c.err, c.want)
		}
	}
	if err := publish(strings.Repeat("1", 64), document(strings.Repeat("a", 256), strings.Repeat("a", clients.MaxText))); err != nil {
		t.Errorf("at the bounds: %v", err)
	}
	ctx := viewer.NewContext(t.Context(), viewer.Viewer{UserID: uuid.New(), Scopes: viewer.Scopes()})
	_, _, create := s.Create(ctx, "b", clients.Open, nil)
	_, list := s.List(ctx)
	_, rotate := s.Rotate(ctx, "web", 0)
	_, releases := s.Releases(ctx, "web")
	_, documents := s.Documents(ctx, "web", "1")
	for what, err := range map[string]error{
		"create": create, "list": list, "rotate": rotate, "releases": releases, "documents": documents, "mode": s.SetMode(ctx, "web", clients.Only),
		"revoke": s.Revoke(ctx, "web", ""), "publish": s.Publish(ctx, "web", "1", nil), "retire": s.Retire(ctx, "web", "1"), "scopes": s.SetScopes(ctx, "web", nil),
	} {
		if errs.CodeOf(err) != errs.Forbidden {
			t.Errorf("%s by an administrator's account: %v", what, err)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	now := newClock().now()
	key := func(text string) clients.Key {
		return clients.Key{Hash: clients.HashOf(text), Hint: text, CreatedAt: now}
	}
	c := &clients.Client{Name: "web", Keys: []clients.Key{key("a")}}
	if err := c.Rotate(key("b"), time.Hour, now); err != nil {
		t.Fatal(err)
	}
	if a := c.Keys[0]; !a.GoodAt(now.Add(time.Hour-1)) || a.GoodAt(now.Add(time.Hour)) || !c.Keys[1].GoodAt(now.Add(1000*time.Hour)) {
		t.Errorf("keys after a rotation: %+v", c.Keys)
	}
	if err := c.Rotate(key("c"), 2*time.Hour, now); err != nil || !c.Keys[0].ExpiresAt.Equal(now.Add(time.Hour)) {
		t.Errorf("a longer overlap revives a key: %+v, %v", c.Keys[0], err)
	}
	for i := range 7 {
		if err := c.Rotate(key(string(rune('d'+i))), time.Hour, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Rotate(key("y"), time.Hour, now); errs.CodeOf(err) != errs.LimitExceeded {
		t.Errorf("an eleventh good key: %v", err)
	}
	if err := c.Rotate(key("z"), 0, now); err != nil || len(slices.DeleteFunc(slices.Clone(c.Keys), func(k clients.Key) bool { return !k.GoodAt(now) })) != 1 {
		t.Errorf("without an overlap one key is good: %+v, %v", c.Keys, err)
	}
	c.Revoke(now)
	c.Revoke(now.Add(time.Hour))
	if c.Active() || !c.RevokedAt.Equal(now) || c.Keys[len(c.Keys)-1].GoodAt(now) {
		t.Errorf("a revoked client: %+v", c)
	}
	if err := errors.Join(c.SetMode(clients.Only, now), c.Rotate(key("q"), 0, now), c.SetScopes(nil, now)); len(errs.All(err)) != 3 {
		t.Errorf("a revoked client changes: %v", err)
	}
	if err := c.RevokeKey("tm_q", now); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("a key that is not there: %v", err)
	}
}
