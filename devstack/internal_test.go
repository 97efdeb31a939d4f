package devstack

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

func TestOnceIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	p := &place{}
	target := filepath.Join(t.TempDir(), "cache", "thing")
	broken := errors.New("cut off")
	err := p.once(t.Context(), target, func(fresh string) error {
		return errors.Join(os.WriteFile(filepath.Join(fresh, "half"), nil, 0o600), broken)
	})
	if !errors.Is(err, broken) {
		t.Fatalf("error %v", err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(target), "*"))
	if err != nil || len(left) != 1 || !strings.HasSuffix(left[0], ".lock") {
		t.Errorf("a download that was cut off left %v, %v", left, err)
	}
	var made atomic.Int64
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			err := p.once(t.Context(), target, func(fresh string) error {
				made.Add(1)
				return os.WriteFile(filepath.Join(fresh, "program"), nil, 0o700)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 {
		t.Errorf("made %d times", made.Load())
	}
	info, err := os.Stat(filepath.Join(target, "program"))
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("mode %v, %v; everybody must be able to run it", info.Mode(), err)
	}
}

func TestRestoreSymlinks(t *testing.T) {
	t.Parallel()
	pkg := t.TempDir()
	if err := restoreSymlinks(pkg); err != nil {
		t.Errorf("a package without links: %v", err)
	}
	lib := filepath.Join(pkg, "native", "lib")
	if err := os.MkdirAll(lib, 0o755); err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(pkg, "native", "pg-symlinks.json")
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(lib, "libpq.so.5.18"), "library")
	write(list, `[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so"}]`)
	for range 2 { // again does no harm
		if err := restoreSymlinks(pkg); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(lib, "libpq.so")); err != nil || string(b) != "library" {
		t.Errorf("through the link: %q, %v", b, err)
	}
	for _, bad := range []string{`[{"source":"../../etc/passwd","target":"native/x"}]`, `{`} {
		write(list, bad)
		if err := restoreSymlinks(pkg); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	for output, want := range map[string]string{
		"x\nLOG: could not bind: Address already in use\ny":  "port was taken",
		"write: No space left on device":                     "disk is full",
		"node: ENOSPC":                                       "disk is full",
		"FATAL: database files are incompatible with server": "another version",
		"Permission denied":                                  "may not read or write",
		"one\ntwo\n3\nfour\n":                                "two | 3 | four",
	} {
		if err := explain(failed, output, "the.log"); !errors.Is(err, failed) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "the.log") {
			t.Errorf("%q was explained as %q", output, err)
		}
	}
}

// script runs a shell script as a server of a new stack, in a directory where it leaves the file "up".
func script(t *testing.T, text string) (pr *process, p *place, up string) {
	t.Helper()
	dir := t.TempDir()
	p, err := newPlace(t.Context(), Options{Dir: dir, CacheDir: filepath.Join(dir, "cache")}, func(string, ...any) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.unlock(), Reset(dir)); err != nil {
			t.Error(err)
		}
	})
	data, err := p.dir("script")
	if err != nil {
		t.Fatal(err)
	}
	pr, err = p.run(command{name: "script", signal: "TERM", dir: data, args: []string{"/bin/sh", "-c", text}})
	if err != nil {
		t.Fatal(err)
	}
	return pr, p, filepath.Join(data, "up")
}

// A server that is deaf until it has come up does not hold up who has changed their mind.
func TestAbandonedStart(t *testing.T) {
	t.Parallel()
	pr, _, up := script(t, "trap '' TERM; : >up; while :; do sleep 1; done")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var began time.Time
	err := pr.await(ctx, func(context.Context) error {
		if _, err := os.Stat(up); err == nil {
			began = time.Now()
			cancel()
		}
		return errors.New("not up yet")
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(began); took > stopTimeout/2 {
		t.Errorf("it took %s", took)
	}
}

// A start that is given up is not a machine without PostgreSQL.
func TestAbandonedSearch(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := &place{cache: t.TempDir()}
	if _, _, err := p.postgresBinaries(ctx, "1", func(string, ...any) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// The last of the servers that stop removes what they share. One that had ended before does so, too.
func TestStopAfterAnotherHasCleanedUp(t *testing.T) {
	t.Parallel()
	pr, p, up := script(t, ": >up; while :; do sleep 1; done")
	if err := pr.await(t.Context(), func(context.Context) error { _, err := os.Stat(up); return err }); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(p.runtime); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := pr.stop(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > stopTimeout/2 {
		t.Errorf("it took %s", took)
	}
}

func TestStandInRedis(t *testing.T) {
	t.Parallel()
	p := &place{password: "secret"}
	s, err := p.standInRedis(func(string, ...any) {})
	if err != nil {
		t.Fatal(err)
	}
	opts, err := goredis.ParseURL(s.url)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(opts)
	defer client.Close()
	if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Error(err)
	}
	if err := s.close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestFoundPrograms(t *testing.T) {
	t.Parallel()
	if program, ok := findProgram([]string{"/no/such/program", "sh"}); !ok || filepath.Base(program) != "sh" {
		t.Errorf("found %q, %v", program, ok)
	}
	if program, ok := findProgram([]string{"/no/such/program"}); ok {
		t.Errorf("found %q", program)
	}
	if got := major("/usr/lib/postgresql/15/bin"); got != 15 {
		t.Errorf("major version %d", got)
	}
	for version, want := range map[string]bool{"PostgreSQL 15.18 (Debian 15.18-0)": true, "PostgreSQL 15": true, "PostgreSQL 18.4": false, "PostgreSQL 1.5": false, "PostgreSQL ": false} {
		if isMajor(version, "15") != want || !isMajor(version, "") {
			t.Errorf("%q is version 15 or any: %v", version, !want)
		}
	}
	if distribution() == "" {
		t.Error("the distribution has no name")
	}
}

// Only a stack that is to leave nothing is emptied.
func TestEmpty(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts Options
		kept bool
	}{"kept": {Options{}, true}, "temporary": {Options{Temporary: true}, false}, "ephemeral": {Options{Ephemeral: true}, false}} {
		p := &place{root: t.TempDir(), opts: c.opts}
		data := filepath.Join(p.root, "mongodb")
		if err := os.MkdirAll(filepath.Join(data, "journal"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := p.empty(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(data); (err == nil) != c.kept {
			t.Errorf("%s: %v", name, err)
		}
	}
}
