package app_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/services/users"
)

// good are the settings that a production process cannot do without.
func good() map[string]string {
	return map[string]string{
		"TECHMART_POSTGRES_URL": "postgres://shop:geheim-pg@db:5432/shop?password=geheim-query", "TECHMART_MONGODB_URL": "mongodb://shop:geheim-mongo@db/shop",
		"TECHMART_REDIS_URL": "redis://:geheim-redis@cache:6379/0", "TECHMART_RABBITMQ_URL": "amqp://shop:geheim-rabbit@queue/",
		"TECHMART_SMTP_URL": "smtps://shop:geheim-smtp@mail:465", "TECHMART_TOKEN_KEYS": users.GenerateKey(),
		"TECHMART_CURSOR_SECRET": "geheim-0123456789abcdefghijklmnopq", "TECHMART_SECOND_FACTOR_KEYS": users.GenerateKey(),
	}
}

func load(t *testing.T, vars map[string]string) (app.Config, error) {
	t.Helper()
	environ := []string{"PATH=/bin", "OTHER_HTTP_ADDR=x"}
	for name, value := range vars {
		environ = append(environ, name+"="+value)
	}
	return app.Load(environ)
}

func TestGoodConfig(t *testing.T) {
	t.Parallel()
	c, err := load(t, good())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if c.Mode != app.Production || c.HTTPAddr != "127.0.0.1:8080" || c.AccessTTL != 15*time.Minute || c.MaxBodyBytes != 1<<20 {
		t.Errorf("defaults: %+v", c)
	}
}

// Every fault is reported at once, and none shows a value that may be a secret.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, vars := range map[string]map[string]string{
		"nothing is set":                               {},
		"TECHMART_CURSOR_SECRET has 32 random":         {"TECHMART_CURSOR_SECRET": strings.Repeat("geheim", 6)[:31]},
		"TECHMART_CURSOR_SECRET has 32 random ":        {"TECHMART_CURSOR_SECRET": strings.Repeat("a", 64)},
		"TECHMART_TOKEN_KEYS are":                      {"TECHMART_TOKEN_KEYS": "geheim"},
		"TECHMART_HTTP_ADDR is":                        {"TECHMART_HTTP_ADDR": "8080"},
		"TECHMART_MODE is":                             {"TECHMART_MODE": "staging"},
		"TECHMART_PUBLIC_URL is":                       {"TECHMART_PUBLIC_URL": "shop.example"},
		"TECHMART_ALLOWED_ORIGINS are":                 {"TECHMART_ALLOWED_ORIGINS": "https://shop.example,*"},
		"TECHMART_TRUSTED_PROXIES are":                 {"TECHMART_TRUSTED_PROXIES": "10.0.0.0"},
		"TECHMART_SMTP_URL is missing":                 {"TECHMART_SMTP_URL": "mailbox:"},
		"TECHMART_RABBITMQ_URL names a server":         {"TECHMART_RABBITMQ_URL": "memory:"},
		"TECHMART_CURRENCY is":                         {"TECHMART_CURRENCY": "XXQ"},
		"TECHMART_SHIPPING_FEE is":                     {"TECHMART_SHIPPING_FEE": "4.999"},
		"TECHMART_FREE_SHIPPING_FROM is":               {"TECHMART_FREE_SHIPPING_FROM": "-1"},
		"TECHMART_TAX_RATE_PERCENT is":                 {"TECHMART_TAX_RATE_PERCENT": "100"},
		"TECHMART_DOCUMENTS is open":                   {"TECHMART_DOCUMENTS": "some"},
		"TECHMART_UNTRUSTED_COST is more":              {"TECHMART_UNTRUSTED_COST": "0"},
		"TECHMART_MAX_COST is more":                    {"TECHMART_MAX_COST": "0"},
		"TECHMART_MAX_LIST_ITEMS is more":              {"TECHMART_MAX_LIST_ITEMS": "0"},
		"TECHMART_BUDGET_STAFF is capacity/restore":    {"TECHMART_BUDGET_STAFF": "geheim"},
		"TECHMART_BUDGET_CUSTOMER is capacity/restore": {"TECHMART_BUDGET_CUSTOMER": "20000/0"},
		"TECHMART_BUDGET_CLIENT has a capacity of":     {"TECHMART_BUDGET_CLIENT": "4999/100"},
		"TECHMART_BUDGET_ANONYMOUS has a capacity of":  {"TECHMART_MAX_COST": "10001"},
		"TECHMART_MAX_DEPTH is not a whole number":     {"TECHMART_MAX_DEPTH": "geheim"},
		"TECHMART_KEEP_ALIVE is not a time":            {"TECHMART_KEEP_ALIVE": "geheim"},
		"TECHMART_RETRY_DELAYS is not a list":          {"TECHMART_RETRY_DELAYS": "1s,geheim"},
		"TECHMART_CAPTURE_NOW is neither":              {"TECHMART_CAPTURE_NOW": "geheim"},
		"TECHMART_OPERATION_TIMEOUT is":                {"TECHMART_OPERATION_TIMEOUT": "0s"},
		"TECHMART_LOG_LEVEL is":                        {"TECHMART_LOG_LEVEL": "loud"},
		"TECHMART_LOG_FORMAT is":                       {"TECHMART_LOG_FORMAT": "xml"},
		"TECHMART_HTTP_ADDRESS is no setting":          {"TECHMART_HTTP_ADDRESS": "geheim"},
		"TECHMART_MONGODB_URL is missing":              {"TECHMART_MONGODB_URL": ""},
		"TECHMART_POSTGRES_URL is missing":             {"TECHMART_POSTGRES_URL": "", "TECHMART_USERS_POSTGRES_URL": "postgres://db/users"},
		"TECHMART_SECOND_FACTOR_KEYS seal":             {"TECHMART_SECOND_FACTOR_KEYS": "geheim"},
		"TECHMART_CHALLENGE_TTL is a time":             {"TECHMART_CHALLENGE_TTL": "-1s"},
		"TECHMART_ATTEMPT_MAX_DELAY is from":           {"TECHMART_ATTEMPT_MAX_DELAY": "48h"},
		"TECHMART_SIGN_IN_FAILURES is more":            {"TECHMART_SIGN_IN_FAILURES": "0"},
		"TECHMART_PASSWORD_MEMORY_KIB times":           {"TECHMART_PASSWORD_MEMORY_KIB": "64"},
		"TECHMART_PASSWORD_PARALLELISM is":             {"TECHMART_PASSWORD_PARALLELISM": "300"},
		"TECHMART_POSTGRES_MAX_CONNS is more than":     {"TECHMART_POSTGRES_MAX_CONNS": "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := good()
			if len(vars) == 0 {
				all = vars
			}
			for key, value := range vars {
				all[key] = value
			}
			c, err := load(t, all)
			read, err := err, errors.Join(err, c.Validate())
			if read != nil && read.Error() != err.Error() {
				t.Errorf("a value that cannot be read is reported again: %v", err)
			}
			if err == nil {
				t.Fatal("it passes")
			}
			wanted := []string{strings.TrimSpace(name)}
			if len(vars) == 0 {
				wanted = []string{"POSTGRES_URL", "MONGODB_URL", "REDIS_URL", "RABBITMQ_URL", "SMTP_URL", "TOKEN_KEYS", "CURSOR_SECRET", "SECOND_FACTOR_KEYS"}
			}
			for _, want := range wanted {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in %v", want, err)
				}
			}
			if strings.Contains(err.Error(), "geheim") {
				t.Errorf("a value is shown: %v", err)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	vars := good()
	vars["TECHMART_RETRY_DELAYS"] = "100ms,90s"
	c, err := load(t, vars)
	if err != nil {
		t.Fatal(err)
	}
	c.Default(&c.LogFormat, "text", "dev")
	c.Default(&c.SMTPURL, "mailbox:", "dev")
	seen := make(map[string]app.Setting)
	for _, s := range c.Settings() {
		seen[s.Name] = s
		if strings.Contains(s.Value, "geheim") {
			t.Errorf("%s shows %s", s.Name, s.Value)
		}
		if s.Doc == "" {
			t.Errorf("%s is not documented", s.Name)
		}
	}
	for name, want := range map[string][2]string{
		"TECHMART_POSTGRES_URL":  {"postgres://shop:xxxxx@db:5432/shop", "environment"},
		"TECHMART_SMTP_URL":      {"smtps://shop:xxxxx@mail:465", "environment"},
		"TECHMART_TOKEN_KEYS":    {"***", "environment"},
		"TECHMART_CURSOR_SECRET": {"***", "environment"},
		"TECHMART_LOG_FORMAT":    {"text", "dev"},
		"TECHMART_LOG_LEVEL":     {"info", "default"},
		"TECHMART_ACCESS_TTL":    {"15m", "default"},
		"TECHMART_SESSION_IDLE":  {"720h", "default"},
		"TECHMART_KEEP_ALIVE":    {"15s", "default"},
		"TECHMART_RETRY_DELAYS":  {"100ms,1m30s", "environment"},

		"TECHMART_USERS_POSTGRES_URL": {"", "not set"},
	} {
		if got := seen[name]; got.Value != want[0] || got.Origin != want[1] {
			t.Errorf("%s: %+v, want %v", name, got, want)
		}
	}
}

func TestReference(t *testing.T) {
	t.Parallel()
	var want strings.Builder
	if err := app.WriteReference(&want); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("../docs/configuration.md"); err != nil || string(got) != want.String() {
		t.Errorf("docs/configuration.md is out of date (%v): go run ./cmd/techmart config --markdown > docs/configuration.md", err)
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	l, err := app.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // the test is over
	if _, err := app.Listen(t.Context(), l.Addr().String()); err == nil || !strings.Contains(err.Error(), "TECHMART_HTTP_ADDR") {
		t.Errorf("a taken port: %v", err)
	}
	if _, err := app.Listen(t.Context(), "192.0.2.1:8080"); err == nil || !strings.Contains(err.Error(), "no address of this machine") {
		t.Errorf("a foreign address: %v", err)
	}
}
