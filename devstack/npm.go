package devstack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// npm returns the node_modules directory that holds the package in this
// version, which it downloads once. npm checks the integrity of what it
// downloads; a download that was cut off leaves nothing behind.
func (p *place) npm(ctx context.Context, name, version string, say sayFunc) (string, error) {
	target := filepath.Join(p.cache, "npm", strings.NewReplacer("@", "", "/", "-").Replace(name)+"-"+version)
	modules := filepath.Join(target, "node_modules")
	err := p.once(ctx, target, func(fresh string) error {
		npm, err := exec.LookPath("npm")
		if err != nil {
			return errors.New("npm was not found: install Node.js 20 or newer")
		}
		say("downloading %s %s from npm", name, version)
		cmd := exec.CommandContext(ctx, npm, "install", "--prefix", fresh, "--no-save", "--no-package-lock",
			"--no-audit", "--no-fund", "--ignore-scripts", "--omit=peer", "--loglevel=error", name+"@"+version)
		cmd.Dir = fresh
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if _, err := capture(ctx, cmd); err != nil {
			return fmt.Errorf("cannot download %s from npm, check the network and the disk: %w", name, err)
		}
		return restoreSymlinks(filepath.Join(fresh, "node_modules", name))
	})
	return modules, err
}

// once makes the directory target by make, which fills a fresh one beside it.
// Of several processes one does it and the others wait.
func (p *place) once(ctx context.Context, target string, make func(fresh string) error) error {
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	parent := filepath.Dir(target)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(target+".lock", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer lock.Close()
	for syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		if !wait(ctx, pollInterval) {
			return ctx.Err()
		}
	}
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	fresh, err := os.MkdirTemp(parent, filepath.Base(target)+".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	if err := make(fresh); err != nil {
		return err
	}
	if err := readable(fresh); err != nil {
		return err
	}
	return os.Rename(fresh, target)
}

// readable lets everybody read what is under root, as root's downloads are run
// by another user.
func readable(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o444
		if d.IsDir() || mode&0o100 != 0 {
			mode |= 0o111
		}
		return os.Chmod(path, mode)
	})
}

// restoreSymlinks makes the symbolic links that an npm archive cannot hold and
// the PostgreSQL package therefore lists. Other packages list none.
func restoreSymlinks(pkg string) error {
	b, err := os.ReadFile(filepath.Join(pkg, "native", "pg-symlinks.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(b, &links); err != nil {
		return fmt.Errorf("%s: %w", pkg, err)
	}
	for _, l := range links {
		source, target := filepath.Join(pkg, l.Source), filepath.Join(pkg, l.Target)
		if !strings.HasPrefix(source, pkg+"/") || !strings.HasPrefix(target, pkg+"/") {
			return fmt.Errorf("%s: link %s leaves the package", pkg, l.Target)
		}
		relative, err := filepath.Rel(filepath.Dir(target), source)
		if err != nil {
			return err
		}
		if err := os.Symlink(relative, target); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}
