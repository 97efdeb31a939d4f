package gateway

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzRequest feeds the request parser. What it takes, encoding/json takes too, with the same
// values; what it refuses beyond that, it refuses for a reason.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		`{"query":"{ __typename }"}`, `{"query":"query Q($a: Int) { a }","operationName":"Q","variables":{"a":[1,-0.5e+3,null,true,{"b":"ü"}]},"extensions":{}}`,
		`[{"query":"a"},{"documentId":"sha256:00"}]`, `{"query":"\u0041\ud83d\ude00\n\"\\\/"}`, `{"a":1,"a":2}`, `{"a":"\ud800"}`, `{"query":"x"}x`, "[]", "", "{\"a\":\"\xff\"}",
		`query=%7B__typename%7D&variables={}&operationName=`, strings.Repeat("[", 600),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, fault := readJSON(text)
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var want any
		valid := json.Valid(text) && utf8.Valid(text)
		if valid {
			valid = d.Decode(&want) == nil
		}
		switch {
		case fault == "" && !valid:
			t.Fatalf("taken, but no JSON: %q", text)
		case fault == "" && !reflect.DeepEqual(got, want):
			t.Fatalf("%q: got %#v, want %#v", text, got, want)
		case valid && fault != "" && fault != repeatedName && fault != halfCharacter && fault != tooDeep:
			t.Fatalf("refused without a reason: %s: %q", fault, text)
		}
		list, batch, fault := parseBodies(text)
		if fault == "" && len(list) == 0 || fault == "" && !batch && len(list) != 1 {
			t.Fatalf("%d operations in %q", len(list), text)
		}
		for _, p := range list {
			if p.Query == "" && p.Extensions["persistedQuery"] == nil && p.Extensions[documentIDExtension] == nil {
				t.Fatalf("nothing to run in %q", text)
			}
		}
		if p, fault := parseQuery(string(text)); fault == "" && !utf8.ValidString(p.Query) {
			t.Fatalf("not UTF-8: %q", text)
		}
		negotiate([]string{string(text)})
		codingOf(string(text))
	})
}
