package users_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/users"
)

// signed is the only token that the key of the fuzz target has signed, for the minute after 09:30. It is
// the same in every process of the fuzzer.
const signed = "eyJhbGciOiJFZERTQSIsImtpZCI6IjFJRzJ0TUg3SjJ3Ykpabk9mOExKelFpdEtmN0xNdm9BRWxzdURNVk01NFkiLCJ0eXAiOiJhdCtqd3QifQ." +
	"eyJpc3MiOiJodHRwczovL3RlY2htYXJ0LmV4YW1wbGUiLCJzdWIiOiIwMTlhMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDEiLCJhdWQiOlsidGVjaG1hcnQiXSwiZXhwIjoxNzcyMzU3NDYwLCJuYmYiOjE3NzIzNTczOTUsImlhdCI6MTc3MjM1NzQwMCwianRpIjoiNTg5YWM2MGItYTE5NC00ZGVkLTkxYmEtNzI1Mzk1ZGYzMWVjIiwic2lkIjoiMDE5YTAwMDAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAyIiwic2NvcGUiOiIifQ." +
	"uBYZ6nthxg4-xyMxX4QlTdb6Nh444H2oJHreEPkM7c0aXDyCDe7SIadXk3A1OYX_B67Xm_FBUXIJRSBmab4RCQ"

// FuzzVerify looks for a token that panics, or that is taken though nobody signed it.
func FuzzVerify(f *testing.F) {
	now := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	keys, err := users.NewKeySet(users.KeyConfig{Keys: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", Issuer: issuer, Audience: audience})
	if err != nil {
		f.Fatal(err)
	}
	parts := strings.Split(signed, ".")
	f.Add(signed)
	f.Add("eyJhbGciOiJub25lIn0." + parts[1] + ".")
	f.Add("eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9." + parts[1] + "." + parts[2])
	f.Add(parts[0] + ".e30." + parts[2])
	f.Add(parts[0] + ".eyJleHAiOjFlMzA5fQ." + parts[2])
	f.Add(parts[0] + ".W10." + parts[2])
	f.Add("..")
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		got, err := keys.Verify(token, now)
		if token != signed && err == nil {
			t.Errorf("%q is taken as %+v", token, got)
		}
		if token == signed && (err != nil || got.UserID != uuid.MustParse("019a0000-0000-7000-8000-000000000001")) {
			t.Errorf("the signed token gives %+v, %v", got, err)
		}
	})
}
