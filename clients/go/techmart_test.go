package techmart

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
)

// The ids that a client sends with Trusted are those of the manifest.
func TestManifest(t *testing.T) {
	text, err := os.ReadFile("manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Operations []struct{ ID, Name, Type, Body string }
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	ids := make(map[string]string)
	for _, o := range manifest.Operations {
		ids[o.Name] = o.ID
		if o.Type != "query" && o.Type != "mutation" {
			t.Errorf("%s is a %s", o.Name, o.Type)
		}
	}
	for name, text := range map[string]string{"Product": Product_Operation, "OrderPlace": OrderPlace_Operation, "Orders": Orders_Operation} {
		if ids[name] != documentID(text) {
			t.Errorf("%s has the id %s in the manifest and %s in the client", name, ids[name], documentID(text))
		}
	}
}

func TestKeyed(t *testing.T) {
	for _, c := range []struct {
		variables any
		want      bool
	}{
		{&__OrderPlaceInput{}, true},
		{&__CartLinesAddInput{}, true},
		{&__CartMergeInput{}, false},
		{&__ProductInput{}, false},
		{nil, false},
	} {
		if got := keyed(c.variables); got != c.want {
			t.Errorf("keyed(%T) = %v", c.variables, got)
		}
	}
}

func TestCheck(t *testing.T) {
	if err := Check(nil, nil); err != nil {
		t.Error(err)
	}
	failed := &Error{Code: "INTERNAL"}
	if err := Check(failed, []UserError{{Code: "INVALID"}}); err != error(failed) {
		t.Error(err)
	}
	err := Check(nil, []UserError{{Code: "INVALID", Message: "No.", Field: []string{"input", "email"}}, {Code: "TAKEN", Message: "Gone."}})
	var first UserError
	if !errors.As(err, &first) || first.Code != "INVALID" || err.Error() != "INVALID: No. (input.email)\nTAKEN: Gone." {
		t.Errorf("%v", err)
	}
}
