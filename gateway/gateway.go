// Package gateway is the HTTP edge: it authenticates, bounds and answers requests to the graph, and
// shows the machine's view of the process (health, metrics).
//
// It knows the schema but no resolver: the executable schema, the loaders and the stores come in as
// [Deps]. Everything that a stranger can send is bounded here before a resolver runs.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/techmart/techmart/gateway/cost"
	"github.com/techmart/techmart/gateway/throttle"
	"github.com/techmart/techmart/services/viewer"
)

// Config says how the edge behaves.
type Config struct {
	Production       bool           // the public sees no introspection, suggestions, playground or development pages
	AllowedOrigins   []string       // of browsers' pages besides the edge's own: https://shop.example
	TrustedProxies   []netip.Prefix // whose X-Forwarded-For and X-Forwarded-Proto are believed
	MetricsFrom      []netip.Prefix // who may read the metrics; nil for this machine
	TLS              *Certificate   // nil where a proxy speaks TLS, or nobody
	MaxBodyBytes     int64          // of a request
	OperationTimeout time.Duration  // of a query or mutation
	Limits           Limits
	Budgets          Budgets
	Streams          StreamLimits
	ShowBackendCalls bool          // answers carry X-TechMart-Backend-Calls
	KeepAlive        time.Duration // between signs of life on event streams
	InitTimeout      time.Duration // for connection_init on a WebSocket
	Documents        DocumentMode  // of requests without API key; empty means open
	UntrustedCost    int           // of a document that is not trusted, of clients that prefer trusted ones
	PersistedTTL     time.Duration // how long a persisted query is kept since it was last sent in full
}

// Limits bound an operation before it runs.
type Limits struct {
	Cost       int // estimated, see package cost
	Depth      int // of nested fields; introspection apart
	Aliases    int // in the document
	RootFields int // of the operation, fragments included
	Directives int // in the document
	Tokens     int // of the document
	Fragments  int // in the document
	ListItems  int // of all lists in the variables, and in the document's arguments
	Batch      int // operations of one request
}

// Authenticator tells who stands behind an access token. It fails with UNAUTHENTICATED for one that
// is not good; any other failure means that it could not be told.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (viewer.Viewer, error)
	// Active fails with UNAUTHENTICATED once the viewer's session has ended; any other failure means
	// that it could not be told.
	Active(ctx context.Context, v viewer.Viewer) error
}

// Store keeps persisted queries for all processes. A failure is no more than a miss.
type Store interface {
	// Get gives the text with the hash; false where it is not there.
	Get(ctx context.Context, hash string) (text string, found bool, err error)
	// Put keeps the text for so long.
	Put(ctx context.Context, hash, text string, ttl time.Duration) error
}

// Check tells whether a server that the process needs answers; the error is for the log.
type Check func(ctx context.Context) error

// Account is a demo account that the development pages show.
type Account struct{ Role, Email, Password string }

// Deps is what the edge stands on.
type Deps struct {
	Schema        graphql.ExecutableSchema
	Whole         *ast.Schema                           // of the graph of which Schema is a part; nil where it is all of it
	Loaders       func(context.Context) context.Context // puts the loaders of one response into its context
	Authenticator Authenticator
	JWKS          func() []byte    // the JSON Web Key Set of the access tokens
	Clients       Clients          // nil where there are no API clients
	Documents     Documents        // nil where there are no trusted documents
	Budgets       throttle.Bank    // shares the budgets of all processes; nil keeps them in this one
	Persisted     Store            // nil keeps persisted queries in this process only
	Checks        map[string]Check // by component
	Registry      *prometheus.Registry
	Log           *slog.Logger
	Media         http.Handler            // pictures, under /media/; nil where there are none
	Shop          http.Handler            // the shop front, under /shop; nil where there is none
	Docs          http.Handler            // the documentation, under /docs; nil where it is not shown
	Mailbox       http.Handler            // captured e-mails, under /dev/mailbox; development only
	Webhooks      map[string]http.Handler // of payment providers, by name; POST /webhooks/{name}
	Demo          []Account               // shown on the landing page; development only
}

// Gateway is the edge of one process.
type Gateway struct {
	config  Config
	deps    Deps
	log     *slog.Logger
	metrics *metrics
	exec    graphql.GraphExecutor
	cost    *cost.Analyzer
	whole   *ast.Schema    // for which queryCost answers
	costs   *cost.Analyzer // of the whole
	budgets *throttle.Budgets
	proxies proxies
	handler http.Handler

	streams streams
}

// New makes the edge.
func New(c Config, d Deps) (*Gateway, error) {
	switch {
	case d.Schema == nil, d.Loaders == nil, d.Authenticator == nil, d.JWKS == nil, d.Registry == nil:
		return nil, errors.New("gateway: Schema, Loaders, Authenticator, JWKS and Registry are needed")
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	g := &Gateway{
		config: c, deps: d, log: d.Log,
		metrics: newMetrics(d.Registry),
		cost:    cost.New(d.Schema.Schema()),
		proxies: proxies(c.TrustedProxies),
	}
	g.whole, g.costs = d.Schema.Schema(), g.cost
	if d.Whole != nil && d.Whole != g.whole {
		g.whole, g.costs = d.Whole, cost.New(d.Whole)
	}
	g.config.Budgets = c.Budgets.withDefaults()
	g.budgets = throttle.New(throttle.Config{Bank: d.Budgets, Log: d.Log, Registry: d.Registry})
	g.streams.init(c.Streams, d.Registry)
	g.exec = g.newExecutor()
	var err error
	if g.handler, err = g.routes(); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return g, nil
}

// Close gives back what this process holds of budgets. Requests that still run are served.
func (g *Gateway) Close(ctx context.Context) { g.budgets.Close(ctx) }

// Handler answers every route of the edge.
func (g *Gateway) Handler() http.Handler { return g.handler }

func (g *Gateway) routes() (http.Handler, error) {
	mux := http.NewServeMux()
	graph := g.crossOrigin(g.rated(g.graphHandler()))
	mux.Handle("/graphql", route("/graphql", graph))
	g.status(mux)
	mux.Handle("GET /.well-known/jwks.json", route("/.well-known/jwks.json", g.crossOrigin(http.HandlerFunc(g.jwks))))
	if g.deps.Media != nil {
		mux.Handle("GET /media/", route("/media/", embeddable(g.deps.Media)))
	}
	if g.deps.Shop != nil {
		mux.Handle("GET /shop", route("/shop", g.deps.Shop))
		mux.Handle("GET /shop/", route("/shop", g.deps.Shop))
	}
	if g.deps.Docs != nil {
		mux.Handle("GET /docs", route("/docs", g.deps.Docs))
		mux.Handle("GET /docs/", route("/docs", g.deps.Docs))
	}
	for name, handler := range g.deps.Webhooks {
		mux.Handle("POST /webhooks/"+name, route("/webhooks/"+name, handler))
	}
	if !g.config.Production {
		playground, err := newPlayground()
		if err != nil {
			return nil, err
		}
		mux.Handle("GET "+playgroundPrefix, route(playgroundPrefix, playground))
		mux.Handle("GET "+playgroundPrefix+"/", route(playgroundPrefix, playground))
		mux.Handle("GET "+playgroundPrefix+"/accounts.json", route(playgroundPrefix, http.HandlerFunc(g.demoAccounts)))
		mux.Handle("GET /{$}", route("/", http.HandlerFunc(g.landing)))
		if g.deps.Mailbox != nil {
			mux.Handle("/dev/mailbox", route("/dev/mailbox", g.deps.Mailbox))
			mux.Handle("/dev/mailbox/", route("/dev/mailbox", g.deps.Mailbox))
		}
	}
	mux.Handle("/", route("other", http.HandlerFunc(notFound)))
	return g.observed(g.recovered(g.secured(mux))), nil
}

// status adds what tells how the process is.
func (g *Gateway) status(mux *http.ServeMux) {
	mux.Handle("GET /healthz", route("/healthz", http.HandlerFunc(g.healthz)))
	mux.Handle("GET /readyz", route("/readyz", http.HandlerFunc(g.readyz)))
	mux.Handle("GET /metrics", route("/metrics", g.private(promhttp.HandlerFor(g.deps.Registry, promhttp.HandlerOpts{}))))
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	refuse(w, http.StatusNotFound, "NOT_FOUND", "There is nothing here.")
}

func (g *Gateway) jwks(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(g.deps.JWKS()) // the client may have left
}
