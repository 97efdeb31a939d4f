package users

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/viewer"
)

// A token that was good once is good until it ends, and no other token is good for it.
func TestVerifiedTokens(t *testing.T) {
	t.Parallel()
	keys, err := NewKeySet(KeyConfig{Keys: GenerateKey(), Issuer: "https://shop.example", Audience: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	who := viewer.Viewer{UserID: uuid.New(), SessionID: uuid.New(), Scopes: []viewer.Scope{viewer.OrdersRead}}
	token, err := keys.Sign(who, now, now.Add(15*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	known := newVerified()
	for _, after := range []time.Duration{0, time.Minute, 15*time.Minute - time.Second} {
		v, err := known.verify(keys, token, now.Add(after))
		if err != nil || v.UserID != who.UserID || v.SessionID != who.SessionID || len(v.Scopes) != 1 || v.Scopes[0] != viewer.OrdersRead {
			t.Fatalf("after %s: %+v, %v", after, v, err)
		}
		v.Scopes[0] = viewer.UsersWrite // what one request does to its viewer is nothing to the next
	}
	for _, after := range []time.Duration{15 * time.Minute, time.Hour} {
		if v, err := known.verify(keys, token, now.Add(after)); err == nil {
			t.Errorf("after %s: %+v", after, v)
		}
	}
	for _, other := range []string{token + " ", token[:len(token)-1], token + "A", "", "." + token} {
		if v, err := known.verify(keys, other, now); err == nil {
			t.Errorf("%q: %+v", other, v)
		}
	}
	if n := known.tokens.Len(); n != 1 {
		t.Errorf("%d tokens are remembered", n)
	}
}
