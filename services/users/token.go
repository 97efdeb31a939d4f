package users

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/techmart/techmart/services/viewer"
)

// clockSkew is by how much another machine's clock may be behind ours.
const clockSkew = 5 * time.Second

// KeyConfig says which keys sign access tokens and what they are for.
type KeyConfig struct {
	// Keys are Ed25519 private keys: PKCS #8 in PEM, or 32-byte seeds in base64, separated by commas or
	// spaces. The first, the newest, signs; all verify, so that tokens outlive a change of keys.
	Keys     string
	Issuer   string // iss
	Audience string // aud
}

// KeySet signs and verifies access tokens: JWTs by EdDSA, with a key id.
type KeySet struct {
	issuer   string
	audience string
	signer   signingKey
	public   map[string]ed25519.PublicKey // by key id
	jwks     []byte
}

type signingKey struct {
	id      string
	private ed25519.PrivateKey
}

// Claims are what an access token says.
type Claims struct {
	jwt.RegisteredClaims
	SessionID string `json:"sid"`
	Scope     string `json:"scope"` // separated by spaces
}

// GenerateKey gives a new random key, as KeyConfig.Keys takes it.
func GenerateKey() string {
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed) // never fails
	return base64.StdEncoding.EncodeToString(seed)
}

// NewKeySet reads the keys of the configuration.
func NewKeySet(c KeyConfig) (*KeySet, error) {
	if c.Issuer == "" || c.Audience == "" {
		return nil, errors.New("users: access tokens need an issuer and an audience")
	}
	keys, err := parseKeys(c.Keys)
	if err != nil {
		return nil, err
	}
	k := &KeySet{issuer: c.Issuer, audience: c.Audience, public: make(map[string]ed25519.PublicKey, len(keys))}
	set := jwkSet{Keys: make([]jwk, len(keys))}
	for i, private := range keys {
		public := private.Public().(ed25519.PublicKey)
		x := base64.RawURLEncoding.EncodeToString(public)
		id := thumbprint(x)
		if i == 0 {
			k.signer = signingKey{id: id, private: private}
		}
		k.public[id] = public
		set.Keys[i] = jwk{Type: "OKP", Curve: "Ed25519", X: x, ID: id, Use: "sig", Algorithm: "EdDSA"}
	}
	if k.jwks, err = json.Marshal(set); err != nil {
		return nil, fmt.Errorf("users: key set: %w", err)
	}
	return k, nil
}

// parseKeys never puts a part of a key into its error.
func parseKeys(text string) ([]ed25519.PrivateKey, error) {
	var keys []ed25519.PrivateKey
	rest := []byte(text)
	for {
		block, after := pem.Decode(rest)
		if block == nil {
			break
		}
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		key, ok := parsed.(ed25519.PrivateKey)
		if err != nil || !ok {
			return nil, fmt.Errorf("users: signing key %d is not an Ed25519 private key in PKCS #8", len(keys)+1)
		}
		keys, rest = append(keys, key), after
	}
	if len(keys) == 0 {
		for _, field := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r <= ' ' }) {
			seed, err := base64.StdEncoding.DecodeString(field)
			if err != nil || len(seed) != ed25519.SeedSize {
				return nil, fmt.Errorf("users: signing key %d is not a 32-byte seed in base64", len(keys)+1)
			}
			keys = append(keys, ed25519.NewKeyFromSeed(seed))
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("users: no signing key given")
	}
	return keys, nil
}

// jwk is a public key (RFC 8037).
type jwk struct {
	Type      string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	ID        string `json:"kid"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
}

type jwkSet struct {
	Keys []jwk `json:"keys"`
}

// thumbprint is the key's id (RFC 7638): the same in every process, whatever the order of keys.
func thumbprint(x string) string {
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + x + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// JWKS gives the public keys as a JSON Web Key Set, for /.well-known/jwks.json.
func (k *KeySet) JWKS() []byte { return k.jwks }

// Access tokens say by their type that they are nothing else (RFC 9068).
const (
	tokenType = "at+jwt"
	maxToken  = 4 * 1024 // bytes
)

// Sign makes an access token of a session.
func (k *KeySet) Sign(v viewer.Viewer, now, expires time.Time) (string, error) {
	scopes := make([]string, len(v.Scopes))
	for i, s := range v.Scopes {
		scopes[i] = string(s)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			ID:        uuid.NewString(),
			Issuer:    k.issuer,
			Audience:  jwt.ClaimStrings{k.audience},
			Subject:   v.UserID.String(),
			IssuedAt:  jwt.NewNumericDate(now),
			NotBefore: jwt.NewNumericDate(now.Add(-clockSkew)),
			ExpiresAt: jwt.NewNumericDate(expires),
		},
		SessionID: v.SessionID.String(),
		Scope:     strings.Join(scopes, " "),
	})
	token.Header["kid"], token.Header["typ"] = k.signer.id, tokenType
	signed, err := token.SignedString(k.signer.private)
	if err != nil {
		return "", fmt.Errorf("users: sign access token: %w", err)
	}
	return signed, nil
}

// Verify reads an access token. It fails unless the header says what ours do and nothing more, so that
// no key, address or extension in it counts for anything; the algorithm is EdDSA, the key is one of the
// set, the signature is right, no claim comes twice, issuer and audience are ours, and the time is
// between nbf and exp. The error is for the log only.
func (k *KeySet) Verify(token string, now time.Time) (viewer.Viewer, error) {
	if len(token) > maxToken {
		return viewer.Viewer{}, errors.New("users: access token: too long")
	}
	// Go's decoder skips line breaks: one token would have many forms.
	if strings.ContainsAny(token, "\r\n") {
		return viewer.Viewer{}, errors.New("users: access token: not base64url")
	}
	header, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	for _, part := range []string{header, payload} {
		if err := singleMembers(part); err != nil {
			return viewer.Viewer{}, fmt.Errorf("users: access token: %w", err)
		}
	}
	var c Claims
	_, err := jwt.ParseWithClaims(token, &c, k.key,
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithIssuer(k.issuer),
		jwt.WithAudience(k.audience),
		jwt.WithExpirationRequired(),
		jwt.WithNotBeforeRequired(),
		jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(func() time.Time { return now }),
	)
	if err != nil {
		return viewer.Viewer{}, fmt.Errorf("users: access token: %w", err)
	}
	if c.IssuedAt == nil || c.IssuedAt.After(now.Add(clockSkew)) {
		return viewer.Viewer{}, errors.New("users: access token: iat is missing or to come")
	}
	var v viewer.Viewer
	if v.UserID, err = uuid.Parse(c.Subject); err != nil || v.UserID == uuid.Nil {
		return viewer.Viewer{}, errors.New("users: access token: sub is no id")
	}
	if v.SessionID, err = uuid.Parse(c.SessionID); err != nil || v.SessionID == uuid.Nil {
		return viewer.Viewer{}, errors.New("users: access token: sid is no id")
	}
	v.ExpiresAt = c.ExpiresAt.Time
	for _, s := range strings.Fields(c.Scope) {
		v.Scopes = append(v.Scopes, viewer.Scope(s))
	}
	return v, nil
}

// singleMembers fails for a part of a token whose members are not each there once, whatever the case:
// readers of JSON differ in which one they take.
func singleMembers(part string) error {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return errors.New("not base64url")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return errors.New("not a JSON object")
	}
	seen := make(map[string]bool, 12)
	for d.More() {
		name, err := d.Token()
		text, ok := name.(string)
		if err != nil || !ok {
			return errors.New("not a JSON object")
		}
		if text = strings.ToLower(text); seen[text] {
			return errors.New("a member comes twice")
		}
		seen[text] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return errors.New("not a JSON object")
		}
	}
	if _, err := d.Token(); err != nil {
		return errors.New("not a JSON object")
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than a JSON object")
	}
	return nil
}

// key gives the key of a token whose header is one of ours.
func (k *KeySet) key(t *jwt.Token) (any, error) {
	for name := range t.Header {
		if name != "alg" && name != "kid" && name != "typ" {
			return nil, errors.New("the header has an unknown member")
		}
	}
	if t.Header["typ"] != tokenType {
		return nil, errors.New("not an access token")
	}
	id, _ := t.Header["kid"].(string)
	public, ok := k.public[id]
	if !ok {
		return nil, errors.New("unknown key id")
	}
	return public, nil
}

// newSecret gives an opaque token of 256 random bits and the digest that is kept of it.
func newSecret() (secret string, digest []byte) {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	secret = base64.RawURLEncoding.EncodeToString(b)
	return secret, digestOf(secret)
}

func digestOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
