package devstack

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// place is where a stack keeps its files and as whom its servers run.
type place struct {
	opts     Options
	root     string // data of all servers
	cache    string // downloads
	runtime  string // sockets: a short path, gone with the stack
	password string
	lock     *os.File
	account  *account // nil: the servers run as the present user
}

// account is the ordinary user for servers that a root process starts.
type account struct {
	name     string
	uid, gid int
}

const (
	systemData  = "/var/lib/techmart"
	systemCache = "/var/cache/techmart"
	// runtimePrefix starts the directories of sockets.
	runtimePrefix = "/tmp/techmart-"
	// lockWait is how long a stack that is being stopped may take.
	lockWait = 20 * time.Second
)

func newPlace(ctx context.Context, o Options, say sayFunc) (*place, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot create the data directory, choose another one: %w", err)
	}
	p := &place{opts: o, root: dir, cache: o.CacheDir}
	if os.Geteuid() == 0 {
		if p.account, err = ordinaryUser(); err != nil {
			return nil, err
		}
		if !reachable(dir) {
			p.root = elsewhere(dir)
			say("data is in %s, as the servers' user cannot reach %s", p.root, dir)
		}
	}
	if p.cache == "" {
		if p.cache, err = defaultCache(p.account != nil); err != nil {
			return nil, err
		}
	}
	for _, d := range []string{p.root, p.cache} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("cannot create %s: %w", d, err)
		}
	}
	if err := p.takeLock(ctx, say); err != nil {
		return nil, err
	}
	if err := errors.Join(p.empty(), p.prepare(dir)); err != nil {
		return nil, errors.Join(err, p.unlock())
	}
	if free, err := freeSpace(p.root); err == nil && free < littleSpace {
		say("only %d MiB are free in %s: MongoDB builds no index with less than 500, RabbitMQ takes no message with less than 50",
			free>>20, p.root)
	}
	return p, nil
}

// littleSpace is what the servers have used up soon, in bytes.
const littleSpace = 2 << 30

// freeSpace gives the bytes that are free to ordinary users where path is.
func freeSpace(path string) (uint64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(path, &fs); err != nil {
		return 0, err
	}
	return uint64(fs.Bavail) * uint64(fs.Bsize), nil
}

// empty deletes what a temporary stack left, gigabytes after a long test; what an ephemeral one has written without care for a
// crash cannot be relied upon, either.
func (p *place) empty() error {
	if !p.opts.Ephemeral && !p.opts.Temporary {
		return nil
	}
	var errs []error
	for _, data := range []string{"postgres", "postgres.new", "mongodb", "redis", "rabbitmq"} {
		errs = append(errs, os.RemoveAll(filepath.Join(p.root, data)))
	}
	return errors.Join(errs...)
}

func (p *place) prepare(dir string) (err error) {
	if p.root != dir {
		if err := os.WriteFile(filepath.Join(dir, "location"), []byte(p.root+"\n"), 0o644); err != nil {
			return err
		}
	}
	if p.password, err = p.secret(); err != nil {
		return err
	}
	// What a stack that was killed could not remove.
	mark := filepath.Join(p.root, "runtime")
	if old, err := os.ReadFile(mark); err == nil && strings.HasPrefix(string(old), runtimePrefix) {
		if err := os.RemoveAll(filepath.Clean(string(old))); err != nil {
			return err
		}
	}
	// A Unix socket's path has at most 103 bytes on some systems.
	if p.runtime, err = os.MkdirTemp(filepath.Dir(runtimePrefix), filepath.Base(runtimePrefix)); err != nil {
		return err
	}
	if err := os.WriteFile(mark, []byte(p.runtime), 0o600); err != nil {
		return err
	}
	return p.own(p.runtime)
}

// ordinaryUser picks the account for servers that root starts.
func ordinaryUser() (*account, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil && uid > 0 {
			return &account{name, uid, gid}, nil
		}
	}
	return nil, errors.New("PostgreSQL refuses to run as root and there is no user postgres or nobody: run as an ordinary user")
}

// reachable tells whether everybody may pass through all parents of path.
func reachable(path string) bool {
	for p := path; ; p = filepath.Dir(p) {
		info, err := os.Stat(p)
		if err != nil || (info.IsDir() && info.Mode().Perm()&0o001 == 0) {
			return false
		}
		if p == filepath.Dir(p) {
			return true
		}
	}
}

// elsewhere is where root keeps the data of a directory out of reach.
func elsewhere(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(systemData, hex.EncodeToString(sum[:6]))
}

func defaultCache(root bool) (string, error) {
	if root {
		return systemCache, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cannot tell the cache directory, set HOME: %w", err)
	}
	return filepath.Join(dir, "techmart"), nil
}

var errInUse = errors.New("another stack is running there")

// takeLock makes this the only stack of its directory. The servers inherit the
// lock, so it is free only when all of them are gone.
func (p *place) takeLock(ctx context.Context, say sayFunc) error {
	f, err := os.OpenFile(filepath.Join(p.root, "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(lockWait)
	for waited := false; ; waited = true {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return fmt.Errorf("cannot lock %s: %w", f.Name(), err)
		}
		if p.opts.ifFree {
			f.Close()
			return errInUse
		}
		if !waited {
			say("waiting for the servers of an earlier start to stop")
		}
		if time.Now().After(deadline) || !wait(ctx, pollInterval) {
			owner, _ := os.ReadFile(f.Name())
			f.Close()
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return fmt.Errorf("another stack is running in %s (process %s): stop it, or use another directory", p.root, strings.TrimSpace(string(owner)))
		}
	}
	if err := errors.Join(f.Truncate(0), writeString(f, strconv.Itoa(os.Getpid())+"\n")); err != nil {
		f.Close()
		return err
	}
	p.lock = f
	return nil
}

func writeString(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

// unlock removes the sockets and what is ephemeral, gives the directory free, and waits until the
// last process that inherited the lock is gone.
func (p *place) unlock() error {
	var errs []error
	if p.runtime != "" {
		errs = append(errs, os.RemoveAll(p.runtime))
	}
	errs = append(errs, p.empty(), p.lock.Close())
	for deadline := time.Now().Add(stopTimeout); Running(p.root); {
		owner, err := os.ReadFile(p.lock.Name())
		if err != nil || strings.TrimSpace(string(owner)) != strconv.Itoa(os.Getpid()) {
			break // somebody else's by now
		}
		if time.Now().After(deadline) {
			errs = append(errs, fmt.Errorf("some process of the stack in %s did not stop", p.root))
			break
		}
		wait(context.Background(), pollInterval)
	}
	return errors.Join(errs...)
}

// secret returns the password of this stack, made at its first start.
func (p *place) secret() (string, error) {
	name := filepath.Join(p.root, "password")
	b, err := os.ReadFile(name)
	if err == nil && len(b) > 0 {
		return strings.TrimSpace(string(b)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	s := rand.Text()
	return s, os.WriteFile(name, []byte(s+"\n"), 0o600)
}

// dir creates a directory that belongs to the servers' user.
func (p *place) dir(elements ...string) (string, error) {
	d := filepath.Join(append([]string{p.root}, elements...)...)
	if err := os.MkdirAll(d, 0o700); err != nil {
		return "", err
	}
	return d, p.own(d)
}

// file writes a private file that belongs to the servers' user.
func (p *place) file(name, content string) error {
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		return err
	}
	return p.own(name)
}

func (p *place) own(name string) error {
	if p.account == nil {
		return nil
	}
	return os.Chown(name, p.account.uid, p.account.gid)
}

// roots lists where the data of the stack in dir may be.
func roots(dir string) []string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return []string{dir}
	}
	if os.Geteuid() == 0 && !reachable(abs) {
		return []string{elsewhere(abs), abs}
	}
	return []string{abs}
}

// Reset deletes the data of all stacks in and below dir. It refuses while one
// of them is running.
func Reset(dir string) error {
	var stacks []string
	for _, pattern := range []string{"", "*", "*/*"} {
		for _, mark := range []string{"lock", "location"} {
			found, err := filepath.Glob(filepath.Join(dir, pattern, mark))
			if err != nil {
				return err
			}
			for _, f := range found {
				stacks = append(stacks, filepath.Dir(f))
			}
		}
	}
	for _, stack := range stacks {
		if Running(stack) {
			return fmt.Errorf("a stack is running in %s: stop it first", stack)
		}
	}
	errs := []error{}
	for _, stack := range append(stacks, dir) {
		for _, root := range roots(stack) {
			errs = append(errs, os.RemoveAll(root))
		}
	}
	return errors.Join(errs...)
}

// wait waits for d and tells whether ctx is still alive.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
