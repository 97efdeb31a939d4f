package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"syscall"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"golang.org/x/sync/errgroup"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/gateway/cost"
)

// edgeQuery is a cheap query: one look-up that every page makes.
const edgeQuery = `query Cheap($first: Int) { products(first: $first) { nodes { id title slug available priceRange { min { amount currencyCode } } } } }`

// How the edge is measured, and what it may add to the CPU time of the executor.
const (
	edgeRounds   = 15
	edgeRequests = 300 // of each kind in a round
	edgeClients  = 8   // that ask at once
	mostEdge     = 1.25
	mostAnalysis = 1.02
)

// edge answers one query by the executor bare and through the whole edge, in one process.
type edge struct {
	app       *app.App
	handler   http.Handler
	exec      *executor.Executor
	loaders   func(context.Context) context.Context
	body      []byte
	token     string
	variables map[string]any
}

// measureEdge prints the CPU time that the edge adds to a cheap persisted query: with everything on,
// as in production, against the same executor, schema, resolvers, loaders and stores without it.
// It tells whether that is too much. profile, if any, is the file for a CPU profile of the edge.
func measureEdge(ctx context.Context, environ []string, profile string) (failed bool, err error) {
	e, err := newEdge(ctx, environ)
	if err != nil {
		return false, fmt.Errorf("preparing the edge: %w", err)
	}
	defer func() { err = errors.Join(err, e.app.Close(context.WithoutCancel(ctx))) }()
	kinds := []struct {
		name string
		most float64
		do   func(context.Context) error
	}{
		{"executor bare", 0, func(ctx context.Context) error { _, err := e.bare(ctx); return err }},
		{"edge, anonymous", mostEdge, func(ctx context.Context) error { _, err := e.through(ctx, ""); return err }},
		{"edge, signed in", mostEdge, func(ctx context.Context) error { _, err := e.through(ctx, e.token); return err }},
	}
	used := make([][]time.Duration, len(kinds))
	for round := range edgeRounds {
		for i, kind := range kinds {
			took, err := cpuTime(ctx, edgeClients, edgeRequests, kind.do)
			if err != nil {
				return false, fmt.Errorf("%s: %w", kind.name, err)
			}
			if round > 0 { // the first only warms up
				used[i] = append(used[i], took)
			}
		}
	}
	analysis, err := e.analysis(ctx)
	if err != nil {
		return false, err
	}
	fmt.Printf("\n%-28s %12s %8s %8s\n", "CPU time of a cheap query", "a request", "ratio", "at most")
	bare := median(used[0])
	for i, kind := range kinds {
		line := fmt.Sprintf("%-28s %12s", kind.name, micro(median(used[i])))
		if kind.most > 0 {
			line, failed = verdict(line, ratio(used[i], used[0]), kind.most, failed)
		}
		fmt.Println(line)
	}
	line, failed := verdict(fmt.Sprintf("%-28s %12s", "cost analysis alone", micro(analysis)), 1+float64(analysis)/float64(bare), mostAnalysis, failed)
	fmt.Println(line)
	if profile != "" {
		err = e.profile(ctx, profile)
	}
	return failed, err
}

func verdict(line string, got, most float64, failed bool) (string, bool) {
	line += fmt.Sprintf(" %8.3f %8.2f", got, most)
	if got > most {
		return line + "  TOO MUCH", true
	}
	return line, failed
}

func newEdge(ctx context.Context, environ []string) (*edge, error) {
	c, err := app.Load(append(slices.Clone(environ), app.Prefix+"LOG_LEVEL=info", app.Prefix+"LOG_FORMAT=json", app.Prefix+"SHOW_BACKEND_CALLS=false"))
	if err != nil {
		return nil, err
	}
	a, err := app.New(ctx, c, app.Options{Log: io.Discard})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(edgeQuery))
	e := &edge{app: a, handler: a.Handler(), variables: map[string]any{"first": json.Number("5")}}
	e.body, err = json.Marshal(map[string]any{"variables": map[string]any{"first": 5}, "extensions": map[string]any{
		"persistedQuery": map[string]any{"version": 1, "sha256Hash": hex.EncodeToString(sum[:])},
	}})
	if err != nil {
		return nil, errors.Join(err, a.Close(ctx))
	}
	schema, loaders := a.Graph()
	e.loaders = loaders
	e.exec = executor.New(schema)
	e.exec.SetQueryCache(lru.New[*ast.QueryDocument](100))
	if err := e.prime(ctx); err != nil {
		return nil, errors.Join(err, a.Close(ctx))
	}
	return e, nil
}

// prime signs in, makes the query known, and sees that both ways give the same.
func (e *edge) prime(ctx context.Context) error {
	signIn, err := json.Marshal(map[string]any{"query": signInMutation, "variables": map[string]any{"email": demoCustomer, "password": demoPassword}})
	if err != nil {
		return err
	}
	raw, err := e.post(ctx, "", signIn)
	if err != nil {
		return err
	}
	session, err := decode[struct {
		Data struct {
			SessionCreate struct{ Tokens struct{ AccessToken string } }
		}
	}](raw)
	if err != nil {
		return err
	}
	e.token = session.Data.SessionCreate.Tokens.AccessToken
	var full map[string]any
	if err := json.Unmarshal(e.body, &full); err != nil {
		return err
	}
	full["query"] = edgeQuery
	first, err := json.Marshal(full)
	if err != nil {
		return err
	}
	if _, err := e.post(ctx, "", first); err != nil {
		return err
	}
	want, err := e.bare(ctx)
	if err != nil {
		return err
	}
	for _, token := range []string{"", e.token} {
		got, err := e.through(ctx, token)
		if err != nil {
			return err
		}
		if !bytes.Contains(got, want) {
			return fmt.Errorf("the edge answers %s, the executor %s", got, want)
		}
	}
	return nil
}

// bare answers the query by the executor alone.
func (e *edge) bare(ctx context.Context) ([]byte, error) {
	ctx = graphql.StartOperationTrace(ctx)
	op, faults := e.exec.CreateOperationContext(ctx, &graphql.RawParams{Query: edgeQuery, Variables: e.variables})
	if faults != nil {
		return nil, faults
	}
	responses, ctx := e.exec.DispatchOperation(e.loaders(ctx), op)
	resp := responses(ctx)
	if len(resp.Errors) > 0 {
		return nil, resp.Errors
	}
	return resp.Data, nil
}

// through sends the hash of the query through the edge.
func (e *edge) through(ctx context.Context, token string) ([]byte, error) {
	return e.post(ctx, token, e.body)
}

func (e *edge) post(ctx context.Context, token string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://shop.example/graphql", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.RemoteAddr = "192.0.2.1:4321"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/graphql-response+json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := &memoryWriter{header: make(http.Header), status: http.StatusOK}
	e.handler.ServeHTTP(w, r)
	if w.status != http.StatusOK || bytes.Contains(w.body.Bytes(), []byte(`"errors"`)) {
		return nil, fmt.Errorf("status %d: %s", w.status, w.body.Bytes())
	}
	return w.body.Bytes(), nil
}

// memoryWriter takes an answer.
type memoryWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header gives the headers of the answer.
func (w *memoryWriter) Header() http.Header { return w.header }

// WriteHeader takes the status.
func (w *memoryWriter) WriteHeader(status int) { w.status = status }

// Write takes a part of the body.
func (w *memoryWriter) Write(b []byte) (int, error) { return w.body.Write(b) }

// analysis gives the CPU time of estimating the query and reading its actual cost.
func (e *edge) analysis(ctx context.Context) (time.Duration, error) {
	data, err := e.bare(ctx)
	if err != nil {
		return 0, err
	}
	schema, _ := e.app.Graph()
	op, faults := e.exec.CreateOperationContext(graphql.StartOperationTrace(ctx), &graphql.RawParams{Query: edgeQuery, Variables: e.variables})
	if faults != nil {
		return 0, faults
	}
	analyzer := cost.New(schema.Schema())
	return cpuTime(ctx, 1, 100_000, func(context.Context) error {
		estimate := analyzer.Estimate(op.Doc, op.Operation, op.Variables)
		if actual := analyzer.Actual(op.Doc, op.Operation, op.Variables, data); actual > estimate {
			return fmt.Errorf("the query costs %d, and is estimated at %d", actual, estimate)
		}
		return analyzer.Check(op.Doc, op.Operation, op.Variables)
	})
}

// profile writes a CPU profile of the edge answering a customer.
func (e *edge) profile(ctx context.Context, file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	_, err = cpuTime(ctx, edgeClients, edgeRounds*edgeRequests, func(ctx context.Context) error {
		_, err := e.through(ctx, e.token)
		return err
	})
	return err
}

// cpuTime gives the CPU time of this process for one of n calls, made by so many at once, with the
// collection of their garbage.
func cpuTime(ctx context.Context, clients, n int, do func(context.Context) error) (time.Duration, error) {
	runtime.GC()
	before, err := processTime()
	if err != nil {
		return 0, err
	}
	group, ctx := errgroup.WithContext(ctx)
	for c := range clients {
		group.Go(func() error {
			for i := c; i < n; i += clients {
				if err := do(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	runtime.GC()
	after, err := processTime()
	return (after - before) / time.Duration(n), err
}

func processTime() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// ratio gives the median of the ratios of each round: what disturbs a round disturbs both of its parts.
func ratio(of, to []time.Duration) float64 {
	all := make([]float64, len(of))
	for i := range of {
		all[i] = float64(of[i]) / float64(to[i])
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func micro(d time.Duration) string { return fmt.Sprintf("%.2fµs", float64(d.Nanoseconds())/1000) }
