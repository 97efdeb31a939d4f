package documents_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/techmart/techmart/gateway/documents"
)

const apolloManifest = `{
  "format": "apollo-persisted-query-manifest", "version": 1, "generator": "some build",
  "operations": [
    {"id": "dc67510fb4289672bea757e862d6b00e83db5d3cbbcfb15260601b6f29bb2b8f", "body": "query Shop { shop }", "name": "Shop", "type": "query", "clientName": null},
    {"id": "my-own-id", "body": "mutation Buy { buy }", "name": "Buy", "type": "mutation"}
  ]
}`

const relayManifest = `{"0b43ab1e01d6dbbbd6c2ba1d6d9c0a61": "query Shop {\n  shop\n}\n", "9f81c8d2a1b2": "subscription Stock { stock }"}`

func TestParse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		manifest string
		want     []documents.Document
	}{
		"Apollo": {apolloManifest, []documents.Document{
			{ID: "dc67510fb4289672bea757e862d6b00e83db5d3cbbcfb15260601b6f29bb2b8f", Text: "query Shop { shop }", Name: "Shop", Kind: "query"},
			{ID: "my-own-id", Text: "mutation Buy { buy }", Name: "Buy", Kind: "mutation"},
		}},
		"Relay": {relayManifest, []documents.Document{
			{ID: "0b43ab1e01d6dbbbd6c2ba1d6d9c0a61", Text: "query Shop {\n  shop\n}\n"}, {ID: "9f81c8d2a1b2", Text: "subscription Stock { stock }"},
		}},
	} {
		got, err := documents.Parse([]byte(c.manifest))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestParseFaults(t *testing.T) {
	t.Parallel()
	operations := func(text string) string {
		return `{"format":"apollo-persisted-query-manifest","version":1,"operations":` + text + `}`
	}
	for manifest, want := range map[string]string{
		``:                      "not a JSON object",
		`[]`:                    "not a JSON object",
		`{"a":"{ a }"`:          "it has no end",
		`{"a":"{ a }"} x`:       "something follows it",
		`{"a":"{ a }"}{}`:       "something follows it",
		`{"a" "{ a }"}`:         "is broken",
		`{a:1}`:                 "a name is missing or broken",
		`{}`:                    "no documents",
		"{\"a\":\"\xff\"}":      "not UTF-8",
		`{"a":1}`:               "entry 1 is not an id with the text",
		`{"a":""}`:              "entry 1 is not",
		`{"":"{ a }"}`:          "entry 1 is not",
		`{"a":"{a}","a":"{b}"}`: `"a" stands there twice`,
		`{"format":"apollo-persisted-query-manifest","version":2,"operations":[]}`: "version 1",
		`{"format":"other","version":1,"operations":[]}`:                           "format is not",
		`{"format":1}`:                      "format cannot be read",
		operations(`{}`):                    "operations cannot be read",
		operations(`[]`):                    "no documents",
		operations(`[1]`):                   "operation 1: it does not begin with {",
		operations(`[{"body":"{ a }"}]`):    "operation 1: id is missing",
		operations(`[{"id":"1"}]`):          "operation 1: body is missing",
		operations(`[{"id":1}]`):            "operation 1: id is not a text",
		operations(`[{"id":"a","id":"b"}]`): `"id" stands there twice`,
		operations(`[{"id":"a","body":"{a}","type":"fragment"}]`):       "type is not",
		operations(`[{"id":"a","body":"{a}"},{"id":"a","body":"{b}"}]`): `the id "a" stands there twice`,
		operations(`[{"id":"a","body":"{a}"}],"operations":[]`):         `"operations" stands there twice`,
	} {
		if _, err := documents.Parse([]byte(manifest)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", manifest, err, want)
		}
	}
	if _, err := documents.Parse(make([]byte, documents.MaxManifest+1)); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a manifest that is too large: %v", err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	schema, err := documents.Schema(&ast.Source{Input: "type Query { shop: String, item(id: ID!): Item } type Item { name: String }"})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"query Shop { shop }":               "",
		"{ item(id: 1) { name price } }":    `line 1, column 22: Cannot query field "price" on type "Item".`,
		"{ item { name } }":                 `"id" of type "ID!" is required`,
		"{ shop":                            "line 1, column 7",
		"query A { shop } query B { shop }": "one operation, not 2",
		"fragment F on Item { name }":       "one operation, not 0",
	} {
		faults := documents.Check(schema, text)
		if (len(faults) == 0) != (want == "") || want != "" && !strings.Contains(faults[0].Error(), want) {
			t.Errorf("%s: %v; want %q", text, faults, want)
		}
	}
	if _, err := documents.Schema(&ast.Source{Input: "type Query { shop: Nothing }"}); err == nil {
		t.Error("a schema with an undefined type is taken")
	}
}

func TestAgrees(t *testing.T) {
	t.Parallel()
	name, kind, err := documents.Describe("mutation Buy { buy }")
	if err != nil || name != "Buy" || kind != "mutation" {
		t.Errorf("%s %s, %v", kind, name, err)
	}
	for d, good := range map[documents.Document]bool{
		{}: true, {Name: "Buy", Kind: "mutation"}: true, {Name: "Sell"}: false, {Kind: "query"}: false,
	} {
		if err := d.Agrees(name, kind); (err == nil) != good {
			t.Errorf("%+v: %v", d, err)
		}
	}
	for _, text := range []string{"{ a } { b }", "{"} {
		if _, _, err := documents.Describe(text); err == nil {
			t.Errorf("%s has a description", text)
		}
	}
}

// FuzzParse: whatever a manifest holds, it is refused or read into documents that each have an id of
// their own and a text, and describing and checking them ends without a panic.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		apolloManifest, relayManifest, `{}`, `[]`, `{"a":"{ a }","a":"{ b }"}`, `{"format":"apollo-persisted-query-manifest"}`,
		`{"a":"query Q($x: Int = 1) { shop @include(if: true) ...F } fragment F on Query { shop }"}`,
	} {
		f.Add([]byte(seed))
	}
	schema, err := documents.Schema(&ast.Source{Input: "type Query { shop: String }"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := documents.Parse(data)
		if (err == nil) != (len(list) > 0) {
			t.Fatalf("%d documents and %v", len(list), err)
		}
		seen := make(map[string]bool)
		for _, d := range list {
			if d.ID == "" || d.Text == "" || seen[d.ID] {
				t.Errorf("a document without an id of its own or text: %+v", d)
			}
			seen[d.ID] = true
			name, kind, err := documents.Describe(d.Text)
			if err == nil && kind == "" {
				t.Errorf("%q has no kind", d.Text)
			}
			if len(documents.Check(schema, d.Text)) == 0 && err != nil {
				t.Errorf("%q is valid and has no description: %s, %v", d.Text, name, err)
			}
		}
	})
}
