package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/services/users"
)

// environment gives the settings of fresh, empty stores.
func environment(t *testing.T) []string {
	t.Helper()
	redisURL, redisPrefix := stacktest.Redis(t)
	rabbitURL, namespace := stacktest.RabbitMQ(t)
	var list []string
	for name, value := range map[string]string{
		"MODE": app.Development, "POSTGRES_URL": stacktest.Postgres(t), "MONGODB_URL": stacktest.MongoDB(t), "REDIS_URL": redisURL, "REDIS_PREFIX": redisPrefix,
		"RABBITMQ_URL": rabbitURL, "RABBITMQ_NAMESPACE": namespace, "TOKEN_KEYS": users.GenerateKey(),
		"CURSOR_SECRET": "0123456789abcdefghijklmnopqrstuvwxyz", "LOG_LEVEL": "error",
	} {
		list = append(list, app.Prefix+name+"="+value)
	}
	return list
}

// A client from its first key to its revocation, and its documents from their publication to the
// check that finds one broken, by the commands that an operator types.
func TestClientsAndDocuments(t *testing.T) {
	t.Parallel()
	environ := environment(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	manifest, err := json.Marshal(map[string]any{"format": "apollo-persisted-query-manifest", "version": 1, "operations": []any{
		map[string]any{"id": "list", "name": "Categories", "type": "query", "body": "query Categories { categories { name } }"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	apollo, relay := file("apollo.json", string(manifest)), file("relay.json", `{"0b43": "query Ids { categories { id } }"}`)
	broken := file("broken.json", `{"0b44": "{ categories { price } }"}`)
	without := file("schema.graphqls", "type Query { categories: [Category!]! } type Category { id: ID! }")

	key := regexp.MustCompile(`^tm_[a-z2-7]{52}\n$`)
	for _, c := range []struct {
		args            string
		code            int
		out, complaints string // regular expressions
	}{
		{"migrate", 0, `up to date`, `^$`},
		{"clients list", 0, `There are none`, `^$`},
		{"clients create web --mode=log --scope=orders:read --scope=users:read", 0, key.String(), `key of web.*not shown again`},
		{"clients create web", 1, `^$`, `already`},
		{"clients create Web!", 1, `^$`, `A name has`},
		{"clients create ios --scope=everything", 1, `^$`, `no scope "everything"`},
		{"clients rotate web --overlap=1h", 0, key.String(), `not shown again`},
		{"clients list", 0, `(?s)NAME.*web +log +orders:read,users:read +tm_[a-z2-7]{8}\.\.\. +good until .*web .* good `, `^$`},
		{"clients scopes web", 0, `scopes of web are -`, `^$`},
		{"clients mode web only", 0, `mode of web is only`, `^$`},
		{"clients mode web strict", 1, `^$`, `open, log, prefer or only`},
		{"clients mode none only", 1, `^$`, `no API client none`},
		{"documents publish --client=web --version=1.0 " + apollo, 0, `web 1.0: 1 documents are trusted`, `^$`},
		{"documents publish --client=web --version=1.1 " + relay, 0, `web 1.1: 1 documents are trusted`, `^$`},
		{"documents publish --client=web --version=1.0 " + relay, 1, `^$`, `a version never changes`},
		{"documents publish --client=web --version=1.2 " + broken, 1, `^$`, `0b44: .*Cannot query field "price" on type "Category"`},
		{"documents list --client=web", 0, `(?s)1\.1 +1 .*1\.0 +1 .* -\n`, `^$`},
		{"documents list --client=web --version=1.0", 0, `Categories +query +\d+ +list +[0-9a-f]{64}`, `^$`},
		{"documents list --client=web --version=9", 1, ``, `no version 9`},
		{"documents check", 0, `All 2 published documents fit`, `^$`},
		{"documents check --schema=" + without, 1, `web 1\.0: Categories \(list\): line 1, column \d+: Cannot query field "name" on type "Category"`, `1 of 2 published documents do not fit`},
		{"documents retire --client=web --version=1.0", 0, `web 1.0 is retired`, `^$`},
		{"documents check --schema=" + without, 0, `All 1 published documents fit`, `^$`},
		{"clients revoke web", 0, `web is revoked`, `^$`},
		{"clients rotate web", 1, `^$`, `web is revoked`},
		{"clients list", 0, `revoked`, `^$`},
	} {
		code, out, complaints := output(t, environ, strings.Fields(c.args)...)
		if code != c.code || !regexp.MustCompile(c.out).MatchString(out) || !regexp.MustCompile(c.complaints).MatchString(complaints) {
			t.Errorf("techmart %s: exit %d\nout: %s\nerr: %s", c.args, code, out, complaints)
		}
	}
}
