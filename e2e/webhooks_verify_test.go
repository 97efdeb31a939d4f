package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/techmart/techmart/e2e/node"
	"github.com/techmart/techmart/services/users"
)

// pyMain runs the documented verifier on what is on standard input, and on another body.
const pyMain = `
import sys
m = json.load(sys.stdin)
body = m["body"].encode()
assert verify(m["secret"], m["headers"], body) == json.loads(body)
for headers, other in (m["headers"], body + b" "), ({**m["headers"], "webhook-timestamp": "1"}, body):
    try:
        verify(m["secret"], headers, other)
    except ValueError:
        continue
    sys.exit("it takes a wrong message")
`

// goMain is the same for the verifier in Go.
const goMain = `package main

import (
	"encoding/json"
	"net/http"
	"os"

	"example.com/receiver/webhook"
)

func main() {
	var m struct {
		Secret, Body string
		Headers      map[string]string
	}
	if err := json.NewDecoder(os.Stdin).Decode(&m); err != nil {
		panic(err)
	}
	h := http.Header{}
	for name, value := range m.Headers {
		h.Set(name, value)
	}
	if err := webhook.Verify(m.Secret, h, []byte(m.Body)); err != nil {
		panic(err)
	}
	if webhook.Verify(m.Secret, h, []byte(m.Body+" ")) == nil {
		panic("it takes another body")
	}
	h.Set("webhook-timestamp", "1")
	if webhook.Verify(m.Secret, h, []byte(m.Body)) == nil {
		panic("it takes an old message")
	}
}
`

// The code of docs/webhooks.md, and the specification's library for JavaScript, take what the shop sends and nothing else.
func TestDocumentedVerifiersOfWebhooks(t *testing.T) {
	t.Parallel()
	s := setup(t, calling)
	admin, r := s.as(users.Admin), newReceiver(t)
	id, secret := admin.hook(vars{"url": r.url, "eventTypes": allOfOrders})
	admin.testWebhook(id)
	m := r.waits("webhooks.test", 1)[0]
	headers := make(map[string]string)
	for name := range m.header {
		headers[strings.ToLower(name)] = m.header.Get(name)
	}
	message, err := json.Marshal(map[string]any{"secret": secret, "headers": headers, "body": string(m.body)})
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	code := func(language string) string {
		t.Helper()
		_, rest, ok := strings.Cut(string(page), "\n```"+language+"\n")
		text, _, closed := strings.Cut(rest, "\n```\n")
		if !ok || !closed {
			t.Fatalf("docs/webhooks.md has no code in %s", language)
		}
		return text + "\n"
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(in, name string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.Stdin = in, bytes.NewReader(message)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	node.Install(t, "webhooks")
	run("webhooks", "node", "verify.mjs", write("documented.mjs", code("js")))
	run(dir, "python3", write("verify.py", code("python")+pyMain))
	write("receiver/go.mod", "module example.com/receiver\n\ngo 1.24\n")
	write("receiver/webhook/webhook.go", code("go"))
	write("receiver/main.go", goMain)
	run(filepath.Join(dir, "receiver"), "go", "run", ".")
}
