package users_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/platform/redis"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/users"
	userspg "github.com/techmart/techmart/services/users/postgres"
	usersredis "github.com/techmart/techmart/services/users/redis"
	"github.com/techmart/techmart/services/viewer"
)

const (
	issuer   = "https://techmart.example"
	audience = "techmart"
	password = "a quiet long winter"
)

// clock is a time that only the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// counter counts the hashes that its Passwords make.
type counter struct {
	users.Passwords
	hashes atomic.Int64
}

func (c *counter) Hash(ctx context.Context, password string) (string, error) {
	c.hashes.Add(1)
	return c.Passwords.Hash(ctx, password)
}

func (c *counter) Check(ctx context.Context, password, hash string) (bool, bool, error) {
	c.hashes.Add(1)
	return c.Passwords.Check(ctx, password, hash)
}

// carts records what is merged, and fails with err.
type carts struct {
	mu     sync.Mutex
	merged []string
	viewer viewer.Viewer
	err    error
}

func (c *carts) Merge(ctx context.Context, _ uuid.UUID, token string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.merged, c.viewer = append(c.merged, token), viewer.FromContext(ctx)
	return c.err
}

// metrics counts what a service tells.
type metrics struct {
	mu        sync.Mutex
	throttled map[string]int
	lost      int
}

func (m *metrics) Throttled(action string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.throttled[action]++
}

func (m *metrics) LimitsLost() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lost++
}

func newVault(t *testing.T, keys string) *users.Vault {
	t.Helper()
	v, err := users.NewVault(keys)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// from gives a context of a request from the address.
func from(ctx context.Context, address string) context.Context {
	return users.NewClientContext(ctx, users.Client{IPAddress: address})
}

// env is a service on servers of its own.
type env struct {
	*users.Service
	t         *testing.T
	pool      *pgxpool.Pool
	redis     *redis.Client
	clock     *clock
	metrics   *metrics
	passwords *counter
	keys      *users.KeySet
	carts     *carts
	deps      users.Deps
}

func testHasher() *users.Hasher {
	return users.NewHasher(users.HasherConfig{MemoryKiB: 64, Iterations: 1})
}

func setup(t *testing.T) *env {
	t.Helper()
	ctx := t.Context()
	pool, err := postgres.Open(ctx, postgres.Config{URL: stacktest.Postgres(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := postgres.Migrate(ctx, pool, os.DirFS("../../migrations/users"), userspg.Schema); err != nil {
		t.Fatal(err)
	}
	address, prefix := stacktest.Redis(t)
	client, err := redis.Open(ctx, redis.Config{URL: address, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	keys, err := users.NewKeySet(users.KeyConfig{Keys: users.GenerateKey(), Issuer: issuer, Audience: audience})
	if err != nil {
		t.Fatal(err)
	}
	e := &env{
		t: t, pool: pool, redis: client, keys: keys, carts: &carts{},
		metrics:   &metrics{throttled: make(map[string]int)},
		clock:     &clock{now: time.Now().UTC().Truncate(time.Microsecond)},
		passwords: &counter{Passwords: testHasher()},
	}
	e.deps = users.Deps{
		Store: userspg.New(pool), Passwords: e.passwords, Keys: keys, Revocations: usersredis.New(client),
		Vault: newVault(t, users.GenerateKey()), Limits: usersredis.NewLimits(client), Metrics: e.metrics,
		Carts: e.carts, Clock: e.clock.Now, Log: slog.New(slog.DiscardHandler), Config: users.Config{AnswerFloor: -1},
	}
	e.Service = e.service(nil)
	return e
}

// service gives another process of the same deployment.
func (e *env) service(change func(*users.Deps)) *users.Service {
	e.t.Helper()
	d := e.deps
	if change != nil {
		change(&d)
	}
	s, err := users.New(d)
	if err != nil {
		e.t.Fatal(err)
	}
	return s
}

// account opens an account with the password of the tests.
func (e *env) account(email string, roles ...users.Role) *users.User {
	e.t.Helper()
	u, err := e.CreateAccount(e.t.Context(), users.NewAccount{Email: email, DisplayName: "Ada Lovelace", Password: password, Roles: roles, Verified: true})
	if err != nil {
		e.t.Fatal(err)
	}
	return u
}

func (e *env) signIn(email string) *users.SignedIn {
	e.t.Helper()
	signed, err := e.SignIn(e.t.Context(), users.Credentials{Email: email, Password: password})
	if err != nil {
		e.t.Fatalf("SignIn: %v", err)
	}
	return signed
}

// as gives a context of the viewer of an access token.
func (e *env) as(signed *users.SignedIn) context.Context {
	e.t.Helper()
	v, err := e.Authenticate(e.t.Context(), signed.Tokens.AccessToken)
	if err != nil {
		e.t.Fatalf("Authenticate: %v", err)
	}
	return viewer.NewContext(e.t.Context(), v)
}

// events gives the types of the events of an address, in order.
func (e *env) events(email string) []string {
	e.t.Helper()
	rows, err := e.pool.Query(e.t.Context(), `SELECT type FROM users.outbox WHERE data->>'email' = $1 ORDER BY position`, email)
	if err != nil {
		e.t.Fatal(err)
	}
	defer rows.Close()
	var types []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			e.t.Fatal(err)
		}
		types = append(types, name)
	}
	return types
}

// mailed gives the token of the last event of the type to the address.
func (e *env) mailed(eventType, email string) string {
	e.t.Helper()
	var token string
	err := e.pool.QueryRow(e.t.Context(), `SELECT data->>'token' FROM users.outbox
WHERE type = $1 AND data->>'email' = $2 ORDER BY position DESC LIMIT 1`, eventType, email).Scan(&token)
	if err != nil {
		e.t.Fatalf("no %s for %s: %v", eventType, email, err)
	}
	return token
}

func (e *env) good(what string, signed *users.SignedIn, want bool) {
	e.t.Helper()
	_, err := e.Authenticate(e.t.Context(), signed.Tokens.AccessToken)
	if want && err != nil {
		e.t.Errorf("%s: the access token is refused: %v", what, err)
	}
	if !want && errs.CodeOf(err) != errs.Unauthenticated {
		e.t.Errorf("%s: the access token gives %v, want UNAUTHENTICATED", what, err)
	}
}

func wantCode(t *testing.T, what string, err error, code errs.Code) {
	t.Helper()
	if errs.CodeOf(err) != code {
		t.Errorf("%s: error %v, want %s", what, err, code)
	}
}

// faults gives "code path" of every fault in err.
func faults(err error) []string {
	var out []string
	for _, e := range errs.All(err) {
		out = append(out, string(e.Code)+" "+strings.Join(e.Field, "."))
	}
	return out
}

func wantFaults(t *testing.T, err error, want ...string) {
	t.Helper()
	if got := faults(err); !slices.Equal(got, want) {
		t.Errorf("faults %v, want %v (error %v)", got, want, err)
	}
}

var errBroken = errors.New("broken")
