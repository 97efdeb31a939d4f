package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pages for each kind of user have commands that work as they stand, one after the other.
func (s *shop) pages(t *testing.T) {
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "bin", "techmart"), "../cmd/techmart")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var environ strings.Builder
	for _, setting := range s.config.Environ() {
		name, value, _ := strings.Cut(setting, "=")
		environ.WriteString("export " + name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'\n")
	}
	if err := os.MkdirAll(filepath.Join(dir, ".data"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".data", "env"), []byte(environ.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for page, want := range map[string][]string{
		"for-frontend":    {"Aurelia Stille 114 Headphones", "both as they should be", "true true", "confirmed"},
		"for-mobile":      {"the same answer", "304"},
		"for-integrators": {"UNAUTHENTICATED", "orders to send", "0 errors, replayed: false", "0 errors, replayed: true"},
	} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile("../docs/" + page + ".md")
			if err != nil {
				t.Fatal(err)
			}
			out := s.within(t).follow(dir, strings.Join(blocks(string(text), "sh"), ""))
			for _, line := range want {
				if !strings.Contains(out, line) {
					t.Errorf("the page's commands do not print %q:\n%s", line, out)
				}
			}
		})
	}
}

// follow runs the commands of a page, in a directory of their own, against the shop.
func (s *shop) follow(dir, script string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "--norc", "-euo", "pipefail", "-c", strings.ReplaceAll(script, readmeURL, s.url))
	cmd.Dir = dir
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("%v\n%s\n%s", err, out.String(), complaints.String())
	}
	return out.String()
}
