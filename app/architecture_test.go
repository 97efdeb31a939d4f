package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/techmart/techmart/"

// pkg is a package of ours and what it imports, tests apart.
type pkg struct {
	ImportPath string
	Imports    []string
}

// packages asks the go command for all packages of the module.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = ".."
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, complaints.String())
	}
	var list []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// leaf is the vocabulary that every domain shares.
var leaf = []string{"services/errs", "services/money", "services/page", "services/pricing", "services/viewer"}

// allowed tells what a package may import of ours: paths, or trees where they end in "/...".
// The second value is false for a package that nobody has decided about.
func allowed(path string) ([]string, bool) {
	top, rest, _ := strings.Cut(path, "/")
	switch top {
	case "app", "bench", "cmd", "e2e", "scripts":
		return []string{"..."}, true
	case "clients", "docs":
		return []string{"platform/site"}, true
	case "gateway":
		if path == "gateway" {
			return []string{"gateway/...", "graph/request", "platform/site", "platform/telemetry", "services/errs", "services/viewer"}, true
		}
		return nil, true
	case "graph":
		if path == "graph/generated" {
			return []string{"graph/model"}, true
		}
		return nil, true
	case "resolvers":
		return append([]string{"graph/...", "dataloaders", "services/*"}, leaf...), true
	case "dataloaders":
		return append([]string{"services/*"}, leaf...), true
	case "platform":
		return []string{"platform/..."}, true
	case "migrations", "devstack":
		return []string{"devstack"}, true
	case "seed":
		return append([]string{"services/*", "services/payments/sandbox"}, leaf...), true
	case "services":
		domain, part, _ := strings.Cut(rest, "/")
		if part == "" { // the rules of a domain, or the leaf vocabulary
			return leaf, true
		}
		return append([]string{"services/" + domain + "/...", "platform/...", "migrations", "devstack/stacktest"}, leaf...), true
	}
	return nil, false
}

// matches tells whether a path is in a pattern: "a/..." is a and all beneath, "a/*" what is directly in a.
func matches(pattern, path string) bool {
	if tree, ok := strings.CutSuffix(pattern, "..."); ok {
		return strings.HasPrefix(path+"/", tree)
	}
	if dir, ok := strings.CutSuffix(pattern, "/*"); ok {
		return filepath.Dir(path) == dir
	}
	return pattern == path
}

// drivers are what only stores and platform may know.
var drivers = []string{
	"database/sql", "github.com/jackc/pgx", "go.mongodb.org/mongo-driver", "github.com/redis/go-redis",
	"github.com/rabbitmq/amqp091-go", "github.com/riverqueue/river",
}

// driverless tells whether a package must not know how anything is stored.
func driverless(path string) bool {
	top, rest, _ := strings.Cut(path, "/")
	return top == "gateway" || top == "graph" || top == "resolvers" || top == "dataloaders" || top == "seed" ||
		top == "services" && !strings.Contains(rest, "/")
}

// Who may import whom: docs/adr/0001 and the design say why.
func TestImports(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		list, decided := allowed(path)
		if !decided {
			t.Errorf("%s: no rule says what it may import", path)
		}
		for _, imported := range p.Imports {
			if driverless(path) && slices.ContainsFunc(drivers, func(d string) bool { return strings.HasPrefix(imported, d) }) {
				t.Errorf("%s must not know %s", path, imported)
			}
			ours, ok := strings.CutPrefix(imported, module)
			if ok && !slices.ContainsFunc(list, func(pattern string) bool { return matches(pattern, ours) }) {
				t.Errorf("%s must not import %s", path, ours)
			}
		}
	}
}

// executor are the ways to the executor's state.
var executor = regexp.MustCompile(`graphql\.(GetFieldContext|GetOperationContext|GetPath|GetRootFieldContext|CollectFields|CollectAllFields|CollectFieldsCtx)`)

// Resolvers, loaders and services know nothing of the executor: it is to be replaced for known
// documents.
func TestResolversDoNotKnowTheExecutor(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"resolvers", "dataloaders", "services"} {
		err := filepath.WalkDir(filepath.Join("..", dir), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
				return err
			}
			text, err := os.ReadFile(path)
			if found := executor.Find(text); found != nil {
				t.Errorf("%s uses %s", path, found)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
