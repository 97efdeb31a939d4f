package e2e

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/techmart/techmart/seed"
)

var writeExamples = flag.Bool("examples.write", false, "write the answers of docs/examples anew")

// example is a document of docs/examples: a title, and lines with who asks, variables, and what to wait for.
type example struct {
	file, name, as, text string
	variables            vars
	until                [2]string // a path into the answer, and its value
}

// exampleAnswer is what is committed beside an example.
type exampleAnswer struct {
	Variables vars           `json:"variables"`
	Answer    map[string]any `json:"answer"`
}

// The documentation is right: what it shows was answered, its commands work, its numbers were measured. All of
// it is tried on one shop, in this order.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	t.Run("examples", func(t *testing.T) { s.within(t).examples(t) })
	t.Run("bytes", func(t *testing.T) { s.within(t).mobileBytes(t) })
	t.Run("pages", func(t *testing.T) { s.within(t).pages(t) })
}

// examples answer what the documentation shows. They run in their order against one shop; a variable
// such as $place.orderPlace.order.id is taken out of an earlier answer.
func (s *shop) examples(t *testing.T) {
	files, err := filepath.Glob("../docs/examples/*/*.graphql")
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	accounts := map[string]*client{"anyone": s.anonymous()}
	for as, email := range map[string]string{"customer": "ada", "support": "support", "catalog": "catalog", "admin": "admin"} {
		accounts[as] = s.signIn(email+"@techmart.example", seed.Password)
	}
	answers := make(map[string]any)
	for _, file := range files {
		e := readExample(t, file)
		c, ok := accounts[e.as]
		if !ok {
			t.Fatalf("%s: nobody is %q", file, e.as)
		}
		v, _ := resolve(t, answers, e.variables).(vars)
		var data map[string]any
		ask := func() {
			a := c.do(e.text, v)
			if len(a.Errors) > 0 {
				t.Fatalf("%s: %+v", file, a.Errors)
			}
			data = nil
			if err := json.Unmarshal(a.Data, &data); err != nil {
				t.Fatal(err)
			}
		}
		if e.until[0] == "" {
			ask()
		} else {
			eventually(t, file+": "+strings.Join(e.until[:], " is "), func() bool {
				ask()
				return fmt.Sprint(at(t, data, e.until[0])) == e.until[1]
			})
		}
		answers[e.name] = data
		e.compare(t, exampleAnswer{v, data})
	}
}

var exampleLine = regexp.MustCompile(`(?m)^# (as|variables|until): (.*)$`)

func readExample(t *testing.T, file string) example {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, name, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".graphql"), "-")
	e := example{file: file, name: name, text: string(text), variables: vars{}}
	for _, line := range exampleLine.FindAllStringSubmatch(e.text, -1) {
		switch line[1] {
		case "as":
			e.as = line[2]
		case "variables":
			if err := json.Unmarshal([]byte(line[2]), &e.variables); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		case "until":
			path, value, _ := strings.Cut(line[2], " = ")
			e.until = [2]string{path, value}
		}
	}
	return e
}

// resolve puts values of earlier answers into variables.
func resolve(t *testing.T, answers map[string]any, v any) any {
	t.Helper()
	switch v := v.(type) {
	case vars:
		out := make(vars, len(v))
		for name, one := range v {
			out[name] = resolve(t, answers, one)
		}
		return out
	case string:
		if path, ok := strings.CutPrefix(v, "$"); ok {
			return at(t, answers, path)
		}
	}
	return v
}

// at gives what is at a path, such as product.variants.0.id.
func at(t *testing.T, v any, path string) any {
	t.Helper()
	for step := range strings.SplitSeq(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil {
				t.Fatalf("there is no %s in %v", path, in)
			}
			if i >= len(in) {
				return nil // not yet
			}
			v = in[i]
		default:
			t.Fatalf("there is no %s: %v at %s", path, v, step)
		}
	}
	return v
}

// Values that each run has its own of.
var (
	ownValue = regexp.MustCompile(`^([a-z]+_[0-9a-hjkmnp-tv-z]{26}|T-\d+|\d{4}-\d\d-\d\dT[0-9:.]+Z|eyJ[\w.-]+|[A-Za-z0-9_-]{40,})$`)
	ownTerm  = regexp.MustCompile(`T-\d+`)
)

// ownSecret is a token, which no page shows.
var ownSecret = regexp.MustCompile(`^(eyJ[\w.-]+|[A-Za-z0-9_-]{40,})$`)

// masked hides the values that each run has its own of.
func masked(v any) any {
	return changed(v, func(text string) string {
		if ownValue.MatchString(text) {
			return "…"
		}
		return ownTerm.ReplaceAllString(text, "…")
	})
}

// shown hides tokens.
func shown(v any) any {
	return changed(v, func(text string) string { return ownSecret.ReplaceAllString(text, "…") })
}

// changed gives a copy with other texts.
func changed(v any, text func(string) string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, one := range v {
			out[name] = changed(one, text)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = changed(one, text)
		}
		return out
	case string:
		return text(v)
	}
	return v
}

func (e example) compare(t *testing.T, got exampleAnswer) {
	t.Helper()
	file := strings.TrimSuffix(e.file, ".graphql") + ".json"
	if *writeExamples {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		got.Answer, _ = shown(got.Answer).(map[string]any)
		if err := enc.Encode(got); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; write the answers with: go test -run TestDocumentation/examples ./e2e -examples.write", err)
	}
	var want exampleAnswer
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if !reflect.DeepEqual(masked(got.Answer), masked(want.Answer)) {
		have, _ := json.MarshalIndent(got.Answer, "", "  ") // maps of JSON
		t.Errorf("%s: the answer is\n%s\nand the documentation says\n%s", e.file, have, text)
	}
}
