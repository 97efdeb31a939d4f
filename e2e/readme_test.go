package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// readmeURL is where the README's shop is.
const readmeURL = "http://127.0.0.1:8080"

// The README's commands work as they stand, and answer what it says.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	start, walk, ok := strings.Cut(string(text), "<!-- walk:")
	walk, _, closed := strings.Cut(walk, "<!-- end of the walk -->")
	if !ok || !closed {
		t.Fatal("the README's walk is not marked")
	}
	s := seeded(t)
	edge := record(t, s.url)

	commands, answers := blocks(start, "sh"), blocks(start, "json")
	first := commands[len(commands)-1] // after the commands of make
	sameJSON(t, bash(t, edge.url, first), answers[0], "extensions")

	script := strings.Join(blocks(walk, "sh"), "")
	answers = blocks(walk, "json")
	out := bash(t, edge.url, script)
	last := strings.LastIndex(out, "\n{")
	if last < 0 {
		t.Fatalf("the walk ends with no answer:\n%s", out)
	}
	sameJSON(t, out[last:], answers[len(answers)-1])
	edge.mu.Lock()
	defer edge.mu.Unlock()
	if edge.calls < 15 {
		t.Errorf("%d calls of the graph are no walk", edge.calls)
	}
}

// blocks gives the fenced blocks of a language.
func blocks(markdown, language string) []string {
	var list []string
	for _, found := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(markdown, -1) {
		list = append(list, found[1])
	}
	return list
}

// bash runs a script of the README against another shop, and gives what it prints.
func bash(t *testing.T, shop, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "--norc", "-euo", "pipefail", "-c", strings.ReplaceAll(script, readmeURL, shop))
	cmd.WaitDelay = time.Second // a subscription may still listen
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.String(), complaints.String())
	}
	return out.String()
}

// sameJSON compares without white space and without top-level members that are left out.
func sameJSON(t *testing.T, got, want string, without ...string) {
	t.Helper()
	var a, b map[string]any
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatalf("%v: %s", err, want)
	}
	for _, name := range without {
		delete(a, name)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("the answer is\n%s\nand the README says\n%s", got, want)
	}
}

// edge stands before a shop, and sees every fault that it answers.
type edge struct {
	url   string
	mu    sync.Mutex
	calls int
}

func record(t *testing.T, shop string) *edge {
	t.Helper()
	target, err := url.Parse(shop)
	if err != nil {
		t.Fatal(err)
	}
	e := &edge{}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }, // curl has heard enough
		ModifyResponse: func(r *http.Response) error {
			if r.Request.URL.Path != "/graphql" || !strings.Contains(r.Header.Get("Content-Type"), "json") {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			e.mu.Lock()
			defer e.mu.Unlock()
			e.calls++
			var answer struct {
				Errors []any
				Data   map[string]any
			}
			if err := json.Unmarshal(body, &answer); err != nil || len(answer.Errors) > 0 {
				t.Errorf("a fault (%v): %s", err, body)
			}
			for _, field := range answer.Data {
				payload, _ := field.(map[string]any)
				if faults, _ := payload["userErrors"].([]any); len(faults) > 0 {
					t.Errorf("a fault: %s", body)
				}
			}
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	e.url = server.URL
	return e
}
