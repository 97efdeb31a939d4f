package gateway

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// Whatever a client sends, it is read as a message of the protocol or refused by a reason that fits
// into a close frame and quotes nothing; what is sent back is JSON.
func FuzzParseMessage(f *testing.F) {
	for _, text := range []string{
		`{"type":"connection_init"}`, `{"type":"connection_init","payload":{"authorization":"Bearer x"}}`,
		`{"type":"ping","payload":null}`, `{"type":"pong"}`, `{"id":"1","type":"complete"}`,
		`{"id":"1","type":"subscribe","payload":{"query":"{ __typename }"}}`, `{"id":"\u0000\"","type":"complete"}`,
		`{"type":"next"}`, `[]`, `7`, `{`, "\xff", `{"type":"ping","payload":{"authorization":{}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, fault := parseMessage(data)
		if fault != "" {
			if len(fault) > 123 {
				t.Errorf("%q has no room in a close frame", fault)
			}
			return
		}
		if m.payload != nil && !isObject(m.payload) {
			t.Errorf("payload %s", m.payload)
		}
		if h, err := readHello(m.payload); err == nil && h.renewal != (h.Authorization+h.AccessToken != "") {
			t.Errorf("%+v", h)
		}
		if m.kind == typeSubscribe {
			if _, fault := parseBody(m.payload); len("Invalid message: "+fault) > 123 {
				t.Errorf("%q has no room in a close frame", fault)
			}
		}
		if text := serverMessage(typeComplete, m.id, nil); !json.Valid(text) || !utf8.Valid(text) {
			t.Errorf("wrote %q", text)
		}
	})
}
