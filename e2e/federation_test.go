package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/e2e/node"
	"github.com/techmart/techmart/graph/federation"
	"github.com/techmart/techmart/services/clients"
	"github.com/techmart/techmart/services/viewer"
)

// federationDir holds composition and routers, as npm packages, and the operations that are run over both the
// whole graph and its parts.
const federationDir = "federation"

// startTimeout bounds the start of a process.
const startTimeout = 30 * time.Second

// A split is the graph as five processes, one for each part, on the stores of a shop.
type split struct {
	*shop
	parts      map[string]*subgraph
	supergraph string // the file
	router     string // the address of the one in front
}

// A subgraph is one process, and what is seen of the requests to it.
type subgraph struct {
	address string // of the process
	url     string // of what counts before it

	mu    sync.Mutex
	tally tally
}

// A tally is what answering took.
type tally struct {
	requests int // to the graph
	entities int // of them, those for entities
	calls    int // to the servers behind it
}

func (a tally) plus(b tally) tally {
	return tally{a.requests + b.requests, a.entities + b.entities, a.calls + b.calls}
}

// splitUp starts the five processes as in production, and composes what they say of themselves.
func splitUp(t *testing.T, s *shop) *split {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "techmart")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../cmd/techmart").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out := &split{shop: s, parts: make(map[string]*subgraph)}
	for _, part := range federation.Parts() {
		address := freeAddress(t)
		process := exec.Command(binary, "serve", "--subgraph="+string(part))
		process.Env = append(environ(s.config), "TECHMART_MODE=production", "TECHMART_SMTP_URL=smtp://127.0.0.1:25", "TECHMART_HTTP_ADDR="+address)
		launch(t, process)
		sub := &subgraph{address: "http://" + address}
		sub.count(t)
		out.parts[string(part)] = sub
	}
	for name, sub := range out.parts {
		eventually(t, name+" is ready", func() bool {
			resp, err := http.Get(sub.address + "/readyz")
			if err != nil {
				return false
			}
			defer resp.Body.Close() // nothing is read
			return resp.StatusCode == http.StatusOK
		})
	}
	out.compose(t)
	return out
}

// launch starts a program that ends with the test, and gives the first line that it prints.
func launch(t *testing.T, process *exec.Cmd) *bufio.Reader {
	t.Helper()
	var complaints bytes.Buffer
	process.Stderr = &complaints
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill() // it may have ended
		_ = process.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", process, complaints.String())
		}
	})
	return bufio.NewReader(stdout)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // for the process to take it
	return l.Addr().String()
}

// count stands before a subgraph and counts.
func (s *subgraph) count(t *testing.T) {
	t.Helper()
	target, err := url.Parse(s.address)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		ModifyResponse: func(r *http.Response) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.tally.calls += backendCalls(answer{Header: r.Header})
			return nil
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.mu.Lock()
		s.tally.requests++
		if bytes.Contains(body, []byte("_entities")) {
			s.tally.entities++
		}
		s.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
}

// backendCalls gives the calls to servers that an answer took.
func backendCalls(a answer) int {
	calls := 0
	for part := range strings.FieldsSeq(a.Header.Get("X-TechMart-Backend-Calls")) {
		backend, text, _ := strings.Cut(part, "=")
		if n, err := strconv.Atoi(text); err == nil && backend != perTime {
			calls += n
		}
	}
	return calls
}

// taken gives what all parts have seen since it was asked last, and which of them have.
func (s *split) taken() (all tally, parts []string) {
	for _, name := range federation.Parts() {
		sub := s.parts[string(name)]
		sub.mu.Lock()
		if sub.tally.requests > 0 {
			parts = append(parts, string(name))
		}
		all = all.plus(sub.tally)
		sub.tally = tally{}
		sub.mu.Unlock()
	}
	return all, parts
}

// compose reads the SDL of every process, as a router's API client, and composes the supergraph.
func (s *split) compose(t *testing.T) {
	t.Helper()
	key, err := s.CreateClient(t.Context(), "router", clients.Open, []viewer.Scope{viewer.SchemaRead})
	if err != nil {
		t.Fatal(err)
	}
	type input struct {
		Name string `json:"name"`
		URL  string `json:"url"`
		SDL  string `json:"sdl"`
	}
	var inputs []input
	for _, part := range federation.Parts() {
		sub := s.parts[string(part)]
		var out struct {
			Service struct{ SDL string } `json:"_service"`
		}
		at := *s.shop
		at.url = sub.address
		a := at.anonymous().do(`{ _service { sdl } }`, nil, "X-API-Key", key)
		if err := json.Unmarshal(a.Data, &out); err != nil || out.Service.SDL == "" {
			t.Fatalf("%s says nothing of itself: %v %+v", part, err, a.Errors)
		}
		inputs = append(inputs, input{string(part), sub.url + "/graphql", out.Service.SDL})
	}
	text, err := json.Marshal(inputs)
	if err != nil {
		t.Fatal(err)
	}
	s.supergraph = filepath.Join(t.TempDir(), "supergraph.graphql")
	if err := os.WriteFile(s.supergraph, []byte(composed(t, text)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// composed runs the composition; it has no error, and no hint without an explanation.
func composed(t *testing.T, subgraphs []byte) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", "compose.mjs")
	cmd.Dir, cmd.Stdin = federationDir, bytes.NewReader(subgraphs)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("compose.mjs: %v\n%s", err, out)
	}
	type hint struct{ Code, Coordinate, Message string }
	var result struct {
		Supergraph string
		Errors     []string
		Hints      []hint
	}
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatal(err)
	}
	if len(result.Errors) > 0 {
		t.Fatalf("the parts do not compose:\n%s", strings.Join(result.Errors, "\n"))
	}
	var explained []struct{ Code, Coordinate, Reason string }
	text, err := os.ReadFile(filepath.Join(federationDir, "hints.json"))
	if err == nil {
		err = json.Unmarshal(text, &explained)
	}
	if err != nil {
		t.Fatal(err)
	}
	met := make(map[int]bool)
	for _, h := range result.Hints {
		i := slices.IndexFunc(explained, func(e struct{ Code, Coordinate, Reason string }) bool {
			return e.Code == h.Code && e.Coordinate == h.Coordinate && e.Reason != ""
		})
		if i < 0 {
			t.Errorf("the composition hints at %s of %s: %s; mend it, or explain it in e2e/federation/hints.json", h.Code, h.Coordinate, h.Message)
		}
		met[i] = true
	}
	for i, e := range explained {
		if !met[i] {
			t.Errorf("hints.json explains %s of %s, at which nothing hints any more", e.Code, e.Coordinate)
		}
	}
	return result.Supergraph
}

// route starts a router over the parts.
func (s *split) route(t *testing.T, script string) *split {
	t.Helper()
	process := exec.Command("node", script, s.supergraph)
	process.Dir = federationDir
	process.Env = append(os.Environ(), "NODE_ENV=production")
	out := launch(t, process)
	address := make(chan string, 1)
	go func() {
		line, _ := out.ReadString('\n') // an end without a line is told below
		address <- strings.TrimSpace(line)
	}()
	routed := *s
	select {
	case routed.router = <-address:
	case <-time.After(startTimeout):
	}
	if !strings.HasPrefix(routed.router, "http://") {
		t.Fatalf("%s does not start: %q", script, routed.router)
	}
	return &routed
}

// The five parts compose, and a router over their processes answers every operation as the single process
// does, at a cost that is told side by side.
func TestFederation(t *testing.T) {
	node.Install(t, federationDir)
	s := open(t, config(t))
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.run(true)
	if err := s.Seed(t.Context(), 1, func(string) {}); err != nil {
		t.Fatal(err)
	}
	whole := splitUp(t, s)
	t.Run("rights", whole.rights)
	t.Run("batches", whole.batches)
	for _, router := range []struct {
		script string
		events bool // whether it has subscriptions
	}{{"hive.mjs", true}, {"apollo.mjs", false}} {
		t.Run(router.script, func(t *testing.T) {
			routed := whole.route(t, router.script)
			files, err := filepath.Glob(filepath.Join(federationDir, "*.graphql"))
			if err != nil || len(files) == 0 {
				t.Fatal("no operations", err)
			}
			for _, file := range files {
				t.Run(filepath.Base(file), func(t *testing.T) { routed.compare(t, file, router.events) })
			}
		})
	}
}

// The SDL that `techmart schema` prints of the parts composes as it stands, too.
func TestSchemaCommandComposes(t *testing.T) {
	t.Parallel()
	node.Install(t, federationDir)
	var inputs []map[string]string
	for _, part := range federation.Parts() {
		g, err := app.Subgraph(part)
		if err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, map[string]string{"name": string(part), "url": "http://" + string(part) + "/graphql", "sdl": g.SDL()})
	}
	text, err := json.Marshal(inputs)
	if err != nil {
		t.Fatal(err)
	}
	if supergraph := composed(t, text); !strings.Contains(supergraph, fmt.Sprintf("%q", "http://users/graphql")) {
		t.Error("the supergraph does not say where users are")
	}
}
