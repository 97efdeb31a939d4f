package users_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
)

func newKeys(t *testing.T, keys string) *users.KeySet {
	t.Helper()
	k, err := users.NewKeySet(users.KeyConfig{Keys: keys, Issuer: issuer, Audience: audience})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func privateKey(t *testing.T, seed string) ed25519.PrivateKey {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(seed)
	if err != nil {
		t.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(raw)
}

func keyID(t *testing.T, k *users.KeySet) string {
	t.Helper()
	var set struct{ Keys []struct{ KID string } }
	if err := json.Unmarshal(k.JWKS(), &set); err != nil || len(set.Keys) == 0 {
		t.Fatalf("JWKS: %v", err)
	}
	return set.Keys[0].KID
}

func TestAccessTokenTricks(t *testing.T) {
	t.Parallel()
	seed := users.GenerateKey()
	keys, private := newKeys(t, seed), privateKey(t, seed)
	kid := keyID(t, keys)
	now := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	v := viewer.Viewer{UserID: uuid.New(), SessionID: uuid.New(), Scopes: []viewer.Scope{viewer.OrdersRead, viewer.UsersRead}}

	good := func() jwt.MapClaims {
		return jwt.MapClaims{
			"iss": issuer, "aud": audience, "sub": v.UserID.String(), "sid": v.SessionID.String(), "scope": "orders:read users:read",
			"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(15 * time.Minute).Unix(),
		}
	}
	sign := func(change func(jwt.MapClaims), header map[string]any, method jwt.SigningMethod, key any) string {
		t.Helper()
		claims := good()
		if change != nil {
			change(claims)
		}
		token := jwt.NewWithClaims(method, claims)
		token.Header["kid"], token.Header["typ"] = kid, "at+jwt"
		for name, value := range header {
			if value == nil {
				delete(token.Header, name)
			} else {
				token.Header[name] = value
			}
		}
		signed, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	eddsa := func(change func(jwt.MapClaims)) string { return sign(change, nil, jwt.SigningMethodEdDSA, private) }
	set := func(name string, value any) string { return eddsa(func(c jwt.MapClaims) { c[name] = value }) }
	without := func(name string) string { return eddsa(func(c jwt.MapClaims) { delete(c, name) }) }

	valid := eddsa(nil)
	got, err := keys.Verify(valid, now)
	if err != nil || got.UserID != v.UserID || got.SessionID != v.SessionID || len(got.Scopes) != 2 || got.System {
		t.Fatalf("a good token gives %+v, %v", got, err)
	}
	parts := strings.Split(valid, ".")
	raised := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(decode(t, parts[1]), "orders:read", "users:write", 1)))
	otherKey := privateKey(t, users.GenerateKey())
	public := private.Public().(ed25519.PublicKey)
	ours := decode(t, parts[0])
	body := func() string { return decode(t, parts[1]) }
	raw := func(header, claims string) string {
		text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
		return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(text)))
	}
	if _, err := keys.Verify(raw(ours, body()), now); err != nil {
		t.Fatalf("a good token made by hand: %v", err)
	}

	for name, token := range map[string]string{
		"empty":                     "",
		"no token":                  "hello",
		"alg none":                  sign(nil, nil, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		"alg None, signature kept":  header(t, map[string]any{"alg": "None", "kid": kid, "typ": "at+jwt"}) + "." + parts[1] + "." + parts[2],
		"HMAC with the public key":  sign(nil, nil, jwt.SigningMethodHS256, []byte(public)),
		"alg RS256":                 header(t, map[string]any{"alg": "RS256", "kid": kid, "typ": "at+jwt"}) + "." + parts[1] + "." + parts[2],
		"unknown key id":            sign(nil, map[string]any{"kid": "other"}, jwt.SigningMethodEdDSA, private),
		"no key id":                 sign(nil, map[string]any{"kid": nil}, jwt.SigningMethodEdDSA, private),
		"key id of another type":    sign(nil, map[string]any{"kid": 7}, jwt.SigningMethodEdDSA, private),
		"key in the header":         sign(nil, map[string]any{"jwk": map[string]any{"kty": "OKP"}}, jwt.SigningMethodEdDSA, otherKey),
		"token of another type":     sign(nil, map[string]any{"typ": "JWT"}, jwt.SigningMethodEdDSA, private),
		"no type":                   sign(nil, map[string]any{"typ": nil}, jwt.SigningMethodEdDSA, private),
		"an ID token":               sign(nil, map[string]any{"typ": "id+jwt"}, jwt.SigningMethodEdDSA, private),
		"jwk, signed by it":         sign(nil, map[string]any{"jwk": publicJWK(otherKey)}, jwt.SigningMethodEdDSA, otherKey),
		"jwk, signed by ours":       sign(nil, map[string]any{"jwk": publicJWK(private)}, jwt.SigningMethodEdDSA, private),
		"jku":                       sign(nil, map[string]any{"jku": "https://evil.example/jwks.json"}, jwt.SigningMethodEdDSA, private),
		"x5u":                       sign(nil, map[string]any{"x5u": "https://evil.example/cert.pem"}, jwt.SigningMethodEdDSA, private),
		"x5c":                       sign(nil, map[string]any{"x5c": []string{"MIIB"}}, jwt.SigningMethodEdDSA, private),
		"crit":                      sign(nil, map[string]any{"crit": []string{"exp"}}, jwt.SigningMethodEdDSA, private),
		"crit, unknown extension":   sign(nil, map[string]any{"crit": []string{"x"}, "x": 1}, jwt.SigningMethodEdDSA, private),
		"b64 false":                 sign(nil, map[string]any{"b64": false}, jwt.SigningMethodEdDSA, private),
		"zip":                       sign(nil, map[string]any{"zip": "DEF"}, jwt.SigningMethodEdDSA, private),
		"kid as a path":             sign(nil, map[string]any{"kid": "../../dev/null"}, jwt.SigningMethodEdDSA, private),
		"kid as SQL":                sign(nil, map[string]any{"kid": "x' OR '1'='1"}, jwt.SigningMethodEdDSA, private),
		"HS512 with the public key": sign(nil, nil, jwt.SigningMethodHS512, []byte(public)),
		"HS256 with the key in PEM": sign(nil, nil, jwt.SigningMethodHS256, publicPEM(t, public)),
		"HS256 with the key's x":    sign(nil, nil, jwt.SigningMethodHS256, []byte(base64.RawURLEncoding.EncodeToString(public))),
		"HS256 with no key":         sign(nil, nil, jwt.SigningMethodHS256, []byte{}),
		"subject twice":             raw(ours, `{"sub":"`+uuid.NewString()+`",`+body()[1:]),
		"subject twice, other case": raw(ours, `{"SUB":"`+uuid.NewString()+`",`+body()[1:]),
		"expiry twice":              raw(ours, strings.TrimSuffix(body(), "}")+`,"exp":99999999999}`),
		"key id twice":              raw(`{"kid":"other",`+ours[1:], body()),
		"algorithm twice":           raw(`{"alg":"none",`+ours[1:], body()),
		"claims and more":           raw(ours, body()+" {}"),
		"claims are a list":         raw(ours, `[`+body()+`]`),
		"claims are null":           raw(ours, "null"),
		"huge":                      set("scope", strings.Repeat("orders:read ", 1000)),
		"issued in the future":      set("iat", now.Add(time.Hour).Unix()),
		"no iat":                    without("iat"),
		"exp is huge":               set("exp", 1e300),
		"exp is an object":          set("exp", map[string]any{}),
		"signature of zeros":        parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)),
		"padded":                    valid + "==",
		"a line break":              parts[0] + "." + parts[1] + ".\n" + parts[2],
		"two parts":                 parts[0] + "." + parts[1],
		"encrypted":                 header(t, map[string]any{"alg": "dir", "enc": "A256GCM"}) + "." + parts[1] + "." + parts[2] + ".." + parts[2],
		"JSON serialization":        `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
		"another key":               sign(nil, nil, jwt.SigningMethodEdDSA, otherKey),
		"scopes raised":             parts[0] + "." + raised + "." + parts[2],
		"signature cut":             parts[0] + "." + parts[1] + ".",
		"signature changed":         parts[0] + "." + parts[1] + "." + flip(parts[2]),
		"a part more":               valid + "." + parts[2],
		"expired":                   set("exp", now.Unix()),
		"no exp":                    without("exp"),
		"exp is text":               set("exp", "never"),
		"not yet":                   set("nbf", now.Add(time.Second).Unix()),
		"no nbf":                    without("nbf"),
		"another issuer":            set("iss", "https://evil.example"),
		"no issuer":                 without("iss"),
		"another audience":          set("aud", "other"),
		"audience has it as prefix": set("aud", audience+"x"),
		"no audience":               without("aud"),
		"no subject":                without("sub"),
		"subject is nobody":         set("sub", uuid.Nil.String()),
		"subject is no id":          set("sub", "ada"),
		"no session":                without("sid"),
		"session is no id":          set("sid", "1"),
	} {
		if got, err := keys.Verify(token, now); err == nil {
			t.Errorf("%s: accepted as %+v", name, got)
		}
	}
	if _, err := keys.Verify(valid, now.Add(15*time.Minute-time.Second)); err != nil {
		t.Errorf("a second before its end: %v", err)
	}
	if _, err := keys.Verify(valid, now.Add(-time.Minute)); err == nil {
		t.Error("a token from the future is accepted")
	}
}

// publicJWK is a key as a header would bring it along.
func publicJWK(private ed25519.PrivateKey) map[string]any {
	x := base64.RawURLEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
	return map[string]any{"kty": "OKP", "crv": "Ed25519", "x": x}
}

func publicPEM(t *testing.T, public ed25519.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func decode(t *testing.T, part string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func header(t *testing.T, h map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func flip(part string) string {
	if part[0] == 'A' {
		return "B" + part[1:]
	}
	return "A" + part[1:]
}

func TestSign(t *testing.T) {
	t.Parallel()
	keys := newKeys(t, users.GenerateKey())
	now := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	v := viewer.Viewer{UserID: uuid.New(), SessionID: uuid.New()}
	signed, err := keys.Sign(v, now, now.Add(15*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	parsed, _, err := jwt.NewParser().ParseUnverified(signed, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	claims := parsed.Claims.(jwt.MapClaims)
	for _, name := range []string{"iss", "aud", "sub", "sid", "scope", "iat", "nbf", "exp", "jti"} {
		if _, ok := claims[name]; !ok {
			t.Errorf("the token has no %s", name)
		}
	}
	if parsed.Header["alg"] != "EdDSA" || parsed.Header["typ"] != "at+jwt" || parsed.Header["kid"] != keyID(t, keys) {
		t.Errorf("header %v", parsed.Header)
	}
	if got, err := keys.Verify(signed, now); err != nil || got.UserID != v.UserID || len(got.Scopes) != 0 {
		t.Errorf("Verify gives %+v, %v", got, err)
	}
	// A machine whose clock is a little behind takes it too.
	if _, err := keys.Verify(signed, now.Add(-3*time.Second)); err != nil {
		t.Errorf("three seconds before: %v", err)
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	older, newer := users.GenerateKey(), users.GenerateKey()
	now := time.Now()
	v := viewer.Viewer{UserID: uuid.New(), SessionID: uuid.New()}
	before, during, after := newKeys(t, older), newKeys(t, newer+", "+older), newKeys(t, newer)
	old, err := before.Sign(v, now, now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := during.Sign(v, now, now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		keys  *users.KeySet
		token string
		good  bool
	}{
		"old key while both are known":   {during, old, true},
		"the first key signs":            {after, fresh, true},
		"the second key does not":        {before, fresh, false},
		"old key after it was taken out": {after, old, false},
	} {
		if _, err := c.keys.Verify(c.token, now); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(during.JWKS(), &set); err != nil || len(set.Keys) != 2 {
		t.Fatalf("JWKS %s, %v", during.JWKS(), err)
	}
	for _, key := range set.Keys {
		if key["kty"] != "OKP" || key["crv"] != "Ed25519" || key["alg"] != "EdDSA" || key["use"] != "sig" || key["x"] == "" || key["d"] != "" {
			t.Errorf("key %v", key)
		}
	}
}

func TestKeyFormats(t *testing.T) {
	t.Parallel()
	seed := users.GenerateKey()
	der, err := x509.MarshalPKCS8PrivateKey(privateKey(t, seed))
	if err != nil {
		t.Fatal(err)
	}
	block := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if keyID(t, newKeys(t, block)) != keyID(t, newKeys(t, seed)) {
		t.Error("PEM and seed of one key give different key ids")
	}
	for name, c := range map[string]users.KeyConfig{
		"no key":         {Issuer: issuer, Audience: audience},
		"no base64":      {Keys: "secret!", Issuer: issuer, Audience: audience},
		"short seed":     {Keys: "c2VjcmV0", Issuer: issuer, Audience: audience},
		"PEM of rubbish": {Keys: "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", Issuer: issuer, Audience: audience},
		"no issuer":      {Keys: seed, Audience: audience},
		"no audience":    {Keys: seed, Issuer: issuer},
	} {
		_, err := users.NewKeySet(c)
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "c2VjcmV0") || strings.Contains(err.Error(), "secret!") {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}
