// Package documents reads the manifests by which API clients publish their documents, and checks
// documents against a schema.
//
// It takes Apollo's persisted-query manifest
// (https://www.apollographql.com/docs/graphos/platform/security/persisted-queries#manifest-format)
// and Relay's persisted-queries map (https://relay.dev/docs/guides/persisted-queries/).
package documents

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// What an Apollo manifest says of itself.
const (
	apolloFormat  = "apollo-persisted-query-manifest"
	apolloVersion = 1
)

// MaxManifest bounds the bytes of a manifest.
const MaxManifest = 32 << 20

// Document is one entry of a manifest.
type Document struct {
	ID   string // as given, never changed: clients send it
	Text string
	Name string // of the operation, where the manifest tells
	Kind string // query, mutation or subscription, where the manifest tells
}

// Parse reads a manifest of either format. It looks at no document: see [Check]. What is wrong is
// told in one sentence, with the entry.
func Parse(data []byte) ([]Document, error) {
	if len(data) > MaxManifest {
		return nil, fmt.Errorf("the manifest is larger than %d bytes", MaxManifest)
	}
	if !utf8.Valid(data) {
		return nil, errors.New("the manifest is not UTF-8")
	}
	members, err := object(data)
	if err != nil {
		return nil, fmt.Errorf("the manifest is not a JSON object: %w", err)
	}
	for _, m := range members {
		if m.key == "format" {
			return apollo(members)
		}
	}
	return relay(members)
}

// apollo reads {"format": ..., "version": 1, "operations": [{"id", "body", "name", "type"}]}.
func apollo(members []member) ([]Document, error) {
	var (
		format     string
		version    float64
		operations []json.RawMessage
	)
	for _, m := range members {
		var err error
		switch m.key {
		case "format":
			err = json.Unmarshal(m.value, &format)
		case "version":
			err = json.Unmarshal(m.value, &version)
		case "operations":
			err = json.Unmarshal(m.value, &operations)
		}
		if err != nil {
			return nil, fmt.Errorf("%s cannot be read: it has another type than in %s", m.key, apolloFormat)
		}
	}
	if format != apolloFormat || version != apolloVersion {
		return nil, fmt.Errorf("the manifest's format is not %s, version %d", apolloFormat, apolloVersion)
	}
	list := make([]Document, 0, len(operations))
	for i, raw := range operations {
		d, err := apolloOperation(raw)
		if err != nil {
			return nil, fmt.Errorf("operation %d: %w", i+1, err)
		}
		list = append(list, d)
	}
	return distinct(list)
}

func apolloOperation(raw json.RawMessage) (d Document, err error) {
	members, err := object(raw)
	if err != nil {
		return d, err
	}
	for _, m := range members {
		switch m.key {
		case "id":
			err = json.Unmarshal(m.value, &d.ID)
		case "body":
			err = json.Unmarshal(m.value, &d.Text)
		case "name":
			err = json.Unmarshal(m.value, &d.Name)
		case "type":
			err = json.Unmarshal(m.value, &d.Kind)
		}
		if err != nil {
			return d, fmt.Errorf("%s is not a text", m.key)
		}
	}
	switch {
	case d.ID == "":
		return d, errors.New("id is missing")
	case d.Text == "":
		return d, errors.New("body is missing")
	}
	switch d.Kind {
	case "", "query", "mutation", "subscription":
		return d, nil
	}
	return d, errors.New("type is not query, mutation or subscription")
}

// relay reads {id: text}.
func relay(members []member) ([]Document, error) {
	list := make([]Document, 0, len(members))
	for i, m := range members {
		d := Document{ID: m.key}
		if m.key == "" || json.Unmarshal(m.value, &d.Text) != nil || d.Text == "" {
			return nil, fmt.Errorf("entry %d is not an id with the text of a document", i+1)
		}
		list = append(list, d)
	}
	return distinct(list)
}

func distinct(list []Document) ([]Document, error) {
	if len(list) == 0 {
		return nil, errors.New("the manifest has no documents")
	}
	seen := make(map[string]bool, len(list))
	for _, d := range list {
		if seen[d.ID] {
			return nil, fmt.Errorf("the id %.80q stands there twice", d.ID)
		}
		seen[d.ID] = true
	}
	return list, nil
}

// member is one member of a JSON object.
type member struct {
	key   string
	value json.RawMessage
}

// object gives the members of a JSON object in their order. It fails for a key that stands there
// twice, which encoding/json would take the last value of, and for anything after the object.
func object(data []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("it does not begin with {")
	}
	var members []member
	seen := make(map[string]bool)
	for d.More() {
		token, err := d.Token()
		key, ok := token.(string)
		if err != nil || !ok {
			return nil, errors.New("a name is missing or broken")
		}
		if seen[key] {
			return nil, fmt.Errorf("%.80q stands there twice", key)
		}
		seen[key] = true
		m := member{key: key}
		if err := d.Decode(&m.value); err != nil {
			return nil, fmt.Errorf("the value of %.80q is broken", key)
		}
		members = append(members, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, errors.New("it has no end")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows it")
	}
	return members, nil
}
