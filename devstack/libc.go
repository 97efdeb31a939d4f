package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// neededGlibc is the C library 2.x that the MongoDB engine needs.
const neededGlibc = 38

// library says from where a newer C library is fetched for a distribution: the
// release must be at least neededGlibc, and the keyring be the distribution's.
type library struct {
	release, mirror, armMirror, keyring string
}

var libraries = map[string]library{
	"debian": {"trixie", "http://deb.debian.org/debian", "http://deb.debian.org/debian", "/usr/share/keyrings/debian-archive-keyring.gpg"},
	"ubuntu": {"noble", "http://archive.ubuntu.com/ubuntu", "http://ports.ubuntu.com/ubuntu-ports", "/usr/share/keyrings/ubuntu-archive-keyring.gpg"},
}

// loader returns the words to put before a command that needs a newer C
// library than the machine's: the dynamic loader of a newer release of the same
// distribution, fetched with apt and its signature check, but not installed.
// Where the machine's own library will do it returns none.
func (p *place) loader(ctx context.Context, say sayFunc) ([]string, error) {
	if runtime.GOOS != "linux" {
		return nil, nil
	}
	out, err := exec.CommandContext(ctx, "getconf", "GNU_LIBC_VERSION").Output()
	if err != nil {
		return nil, errors.New("the MongoDB engine needs the GNU C library, which this machine does not have")
	}
	version := strings.TrimSpace(string(out)) // such as "glibc 2.36"
	_, minor, _ := strings.Cut(version, "2.")
	if n, err := strconv.Atoi(minor); err == nil && n >= neededGlibc {
		return nil, nil
	}
	lib, ok := libraries[distribution()]
	if !ok {
		return nil, fmt.Errorf("the MongoDB engine needs glibc 2.%d or newer, and this machine has %s", neededGlibc, version)
	}
	target := filepath.Join(p.cache, "glibc-"+lib.release)
	err = p.once(ctx, target, func(fresh string) error {
		say("downloading the C library of %s with apt, as this machine has %s", lib.release, version)
		return lib.fetch(ctx, fresh)
	})
	if err != nil {
		return nil, err
	}
	triplet, name := "x86_64-linux-gnu", "ld-linux-x86-64.so.2"
	if runtime.GOARCH == "arm64" {
		triplet, name = "aarch64-linux-gnu", "ld-linux-aarch64.so.1"
	}
	dir := filepath.Join(target, "root", "usr", "lib", triplet)
	return []string{filepath.Join(dir, name), "--library-path", dir}, nil
}

// distribution returns the ID of /etc/os-release.
func distribution() string {
	b, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "ID="); ok {
			return strings.Trim(id, `"`)
		}
	}
	return ""
}

// fetch unpacks the library under dir/root. apt keeps all of its state in dir,
// so it needs no root and does not touch the machine's.
func (l library) fetch(ctx context.Context, dir string) error {
	state := filepath.Join(dir, "apt")
	for _, d := range []string{"lists/partial", "cache/archives/partial", "log", "etc/sources.list.d", "etc/preferences.d", "debs"} {
		if err := os.MkdirAll(filepath.Join(state, d), 0o755); err != nil {
			return err
		}
	}
	mirror := l.mirror
	if runtime.GOARCH == "arm64" {
		mirror = l.armMirror
	}
	files := map[string]string{
		"status":           "",
		"etc/sources.list": fmt.Sprintf("deb [signed-by=%s] %s %s main\n", l.keyring, mirror, l.release),
		"apt.conf": fmt.Sprintf(`Dir::State %[1]q;
Dir::State::lists %[2]q;
Dir::State::status %[3]q;
Dir::Cache %[4]q;
Dir::Log %[5]q;
Dir::Etc::sourcelist %[6]q;
Dir::Etc::sourceparts %[7]q;
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts %[8]q;
APT::Sandbox::User "";
APT::Update::Post-Invoke-Success "";
Acquire::Languages "none";
Acquire::Retries "3";
`, state, filepath.Join(state, "lists"), filepath.Join(state, "status"), filepath.Join(state, "cache"),
			filepath.Join(state, "log"), filepath.Join(state, "etc/sources.list"),
			filepath.Join(state, "etc/sources.list.d"), filepath.Join(state, "etc/preferences.d")),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(state, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	debs := filepath.Join(state, "debs")
	run := func(args ...string) error {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Dir = debs
		cmd.Env = append(os.Environ(), "APT_CONFIG="+filepath.Join(state, "apt.conf"), "LC_ALL=C")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if _, err := capture(ctx, cmd); err != nil {
			return fmt.Errorf("cannot fetch the C library that the MongoDB engine needs, check the network and the disk: %w", err)
		}
		return nil
	}
	if err := run("apt-get", "-q", "update"); err != nil {
		return err
	}
	if err := run("apt-get", "-q", "download", "libc6", "libstdc++6", "libgcc-s1"); err != nil {
		return err
	}
	packages, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil || len(packages) != 3 {
		return fmt.Errorf("apt fetched %d packages of the C library instead of 3: try again", len(packages))
	}
	for _, deb := range packages {
		if err := run("dpkg-deb", "-x", deb, filepath.Join(dir, "root")); err != nil {
			return err
		}
	}
	return os.RemoveAll(state)
}
