package users

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/techmart/techmart/services/errs"
)

func TestHasher(t *testing.T) {
	t.Parallel()
	h := NewHasher(HasherConfig{MemoryKiB: 64, Iterations: 1})
	hash, err := h.Hash(t.Context(), "ä password")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Fatalf("Hash gives %q, %v", hash, err)
	}
	if again, _ := h.Hash(t.Context(), "ä password"); again == hash {
		t.Error("two hashes of one password are the same")
	}
	for _, c := range []struct {
		password, hash string
		match          bool
	}{
		{"ä password", hash, true},
		{"another", hash, false},
		{"", "", false},
		{"anything", "", false},
	} {
		match, outdated, err := h.Check(t.Context(), c.password, c.hash)
		if err != nil || match != c.match || outdated {
			t.Errorf("Check(%q, %q) gives %v, %v, %v", c.password, c.hash, match, outdated, err)
		}
	}
	if _, _, err := h.Check(t.Context(), "x", "no hash"); err == nil || errs.All(err) != nil {
		t.Errorf("Check of a broken hash gives %v, want an internal error", err)
	}
	owasp := NewHasher(HasherConfig{})
	if hash, err := owasp.Hash(t.Context(), "x"); err != nil || !strings.Contains(hash, "$m=19456,t=2,p=1$") {
		t.Errorf("default parameters: %s, %v", hash, err)
	}
	if _, outdated, err := owasp.Check(t.Context(), "x", hash); err != nil || !outdated {
		t.Errorf("a weaker hash is outdated: %v, %v", outdated, err)
	}
}

func TestHasherTurns(t *testing.T) {
	t.Parallel()
	impatient := NewHasher(HasherConfig{MemoryKiB: 64, Iterations: 1, Concurrent: 1, Wait: time.Nanosecond})
	patient := NewHasher(HasherConfig{MemoryKiB: 64, Iterations: 1, Concurrent: 1, Wait: time.Hour})
	impatient.turns <- struct{}{}
	patient.turns <- struct{}{}
	if _, err := impatient.Hash(t.Context(), "x"); errs.CodeOf(err) != errs.Unavailable {
		t.Errorf("without a free turn: %v, want UNAVAILABLE", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := patient.Check(canceled, "x", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("a request that was given up: %v", err)
	}
	patient.leave()
	if _, err := patient.Hash(t.Context(), "x"); err != nil {
		t.Errorf("with a free turn: %v", err)
	}
}
