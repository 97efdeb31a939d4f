// Package node lets tests run what is written in JavaScript: the packages of a lock file, the programs
// among them, and a browser.
package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// InstallTimeout bounds the download of a directory's packages.
const InstallTimeout = 5 * time.Minute

// Install puts the packages of dir's package-lock.json in their place, once for each version of it. Other
// tests and processes that ask for the same directory meanwhile wait.
func Install(t testing.TB, dir string) {
	t.Helper()
	lock, err := os.Open(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close() // and with it ends the lock
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if _, err := want.ReadFrom(lock); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(want.Bytes())
	stamp, mark := filepath.Join(dir, "node_modules", ".techmart"), hex.EncodeToString(sum[:])
	if have, err := os.ReadFile(stamp); err == nil && string(have) == mark {
		return
	}
	if out, err := Run(t, dir, InstallTimeout, nil, "npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"); err != nil {
		t.Fatalf("the packages of %s cannot be installed from the npm registry; check that npm is there and reaches it: %v\n%s", dir, err, out)
	}
	if err := os.WriteFile(stamp, []byte(mark), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Run runs a program in dir, and all that it starts, for so long at most, with environ added to the test's
// own environment. It answers what the program wrote, also beside an error.
func Run(t testing.TB, dir string, timeout time.Duration, environ []string, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), environ...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("%s %s was stopped after %v: %w", name, strings.Join(args, " "), timeout, err)
	}
	return string(out), err
}

// Chromium is the path of the machine's browser, which scripts/test-deps.sh installs. It is for playwright-core's
// executablePath; as root it wants the argument --no-sandbox.
func Chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("Chromium was not found; on Debian or Ubuntu: sudo apt-get install chromium")
	return ""
}
