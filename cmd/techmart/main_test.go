package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/techmart/techmart/app"
)

// output runs a command and gives its exit code and what it wrote.
func output(t *testing.T, environ []string, args ...string) (code int, out, complaints string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, program{environ: environ, out: &o, errors: &e})
	return code, o.String(), e.String()
}

func TestCommands(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		args       []string
		environ    []string
		code       int
		out        string // a part of it
		complaints string // a part of it
	}{
		{"help without a command", nil, nil, 0, "Usage: techmart <command>", ""},
		{"help", []string{"--help"}, nil, 0, "deadletters", ""},
		{"help of a command", []string{"serve", "--help"}, nil, 0, "--with-worker", ""},
		{"version", []string{"version"}, nil, 0, "techmart", ""},
		{"unknown command", []string{"sevre"}, nil, 2, "", "See techmart --help."},
		{"config", []string{"config"}, []string{"TECHMART_REDIS_URL=redis://:geheim@cache/0"}, 0, "redis://:xxxxx@cache/0", ""},
		{"config that is not complete", []string{"config"}, nil, 0, "TECHMART_MONGODB_URL is missing", ""},
		{"unknown setting", []string{"config"}, []string{"TECHMART_REDISURL=x"}, 1, "", "TECHMART_REDISURL is no setting"},
		{"serve without servers", []string{"serve"}, nil, 1, "", "TECHMART_POSTGRES_URL is missing"},
		{"worker without servers", []string{"worker"}, nil, 1, "", "TECHMART_TOKEN_KEYS"},
		{"dev with wrong settings", []string{"dev"}, []string{"TECHMART_MODE=staging", "TECHMART_MAX_DEPTH=geheim", "TECHMART_LOG_LEVEL=loud"}, 1, "",
			"TECHMART_MAX_DEPTH is not a whole number\n          TECHMART_LOG_LEVEL is debug, info, warn or error\n          TECHMART_MODE is production"},
		{"replay of nothing", []string{"deadletters", "replay", "notifications.email"}, nil, 1, "", "give ids, or --all"},
		{"discard of too much", []string{"deadletters", "discard", "notifications.email", "x", "--all"}, nil, 1, "", "give ids, or --all"},
		{"import of a file that is not there", []string{"import", "products", "/nothing/here.csv"}, nil, 1, "", "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, out, complaints := output(t, c.environ, c.args...)
			if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(complaints, c.complaints) {
				t.Errorf("exit %d\nout: %s\nerr: %s", code, out, complaints)
			}
			if strings.Contains(out+complaints, "geheim") {
				t.Error("a secret is shown")
			}
		})
	}
}

func TestSecretsAreMadeOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data", "secrets")
	first, err := readSecrets(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := readSecrets(path)
	if err != nil || second != first {
		t.Errorf("%+v, then %+v, %v", first, second, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readSecrets(path); err == nil || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("a damaged file: %v", err)
	}
}

func TestWelcome(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	welcome(&b, "http://127.0.0.1:8080", ".data/env")
	for _, a := range app.DemoAccounts() {
		if !strings.Contains(b.String(), a.Email) {
			t.Errorf("no %s in %s", a.Email, b.String())
		}
	}
	if !strings.Contains(b.String(), "curl -s http://127.0.0.1:8080/graphql") {
		t.Error("no first query")
	}
}

// What make run writes for other commands is read back by a shell as it was.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	given := []string{"TECHMART_MAIL_FROM=O'Hara's $HOME <shop@techmart.example>", "TECHMART_RETRY_DELAYS=1s,1m30s", "TECHMART_CAPTURE_NOW=true"}
	c, err := app.Load(given)
	if err != nil {
		t.Fatal(err)
	}
	c.Default(&c.RedisURL, "redis://:geheim@127.0.0.1:1/0", "dev")
	path := filepath.Join(t.TempDir(), "env")
	if err := writeEnvironment(path, c.Environ()); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `. "$0" && env`, path)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range append(given, "TECHMART_REDIS_URL=redis://:geheim@127.0.0.1:1/0") {
		if !strings.Contains(string(out), want+"\n") {
			t.Errorf("no %s in %s", want, out)
		}
	}
	if n := strings.Count(string(out), app.Prefix); n != 4 {
		t.Errorf("%d settings: %s", n, out)
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := count(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
