package e2e

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/pquerna/otp/totp"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/services/users"
)

// person is somebody who can sign in.
type person struct{ email, password string }

// person opens an account.
func (s *shop) person(name string, roles ...users.Role) person {
	s.t.Helper()
	p := person{name + "@example.com", password}
	_, err := s.Services.Users.CreateAccount(s.t.Context(), users.NewAccount{Email: p.email, DisplayName: name, Password: p.password, Roles: roles, Verified: true})
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// signedIn is the answer of sessionCreate or sessionConfirm.
type signedIn struct {
	Tokens    *struct{ AccessToken, RefreshToken string }
	Challenge *struct{ Token string }
	User      *struct {
		ID           string
		SecondFactor *struct{ RecoveryCodesLeft int }
	}
	UserErrors []struct {
		userError
		RetryAfter int
	}
}

func (a signedIn) code() string {
	if len(a.UserErrors) == 0 {
		return ""
	}
	return a.UserErrors[0].Code
}

const signedInFields = `{ tokens { accessToken refreshToken } user { id secondFactor { recoveryCodesLeft } } userErrors { code message field ... on ThrottledError { retryAfter } } }`

// attempt signs in from an address of a proxy's client.
func (s *shop) attempt(p person, address string) signedIn {
	s.t.Helper()
	a := s.anonymous().do(`mutation($input: SessionCreateInput!) { sessionCreate(input: $input) `+strings.Replace(signedInFields, "{", "{ challenge { token }", 1)+` }`,
		vars{"input": vars{"email": p.email, "password": p.password}}, "X-Forwarded-For", address)
	var out struct{ SessionCreate signedIn }
	if err := json.Unmarshal(a.Data, &out); err != nil || len(a.Errors) > 0 {
		s.t.Fatalf("%v, %+v", err, a.Errors)
	}
	return out.SessionCreate
}

// with is a client with the tokens of a sign-in, at this process.
func (s *shop) with(a signedIn) *client {
	s.t.Helper()
	if a.Tokens == nil {
		s.t.Fatalf("not signed in: %+v", a)
	}
	return &client{s: s, token: a.Tokens.AccessToken, userID: a.User.ID}
}

// payload runs a mutation that takes an input, and reads its payload.
func (c *client) payload(out any, mutation, fields string, input vars) {
	c.s.t.Helper()
	kind := strings.ToUpper(mutation[:1]) + mutation[1:] + "Input!"
	var data map[string]json.RawMessage
	c.must(&data, `mutation($input: `+kind+`) { `+mutation+`(input: $input) `+fields+` }`, vars{"input": input})
	if err := json.Unmarshal(data[mutation], out); err != nil {
		c.s.t.Fatal(err)
	}
}

// known reports whether the edge takes the client's token.
func (c *client) known() bool {
	c.s.t.Helper()
	a := c.do(`{ me { id } }`, nil)
	if a.Status != http.StatusOK && (a.Status != http.StatusUnauthorized || a.code() != "UNAUTHENTICATED") {
		c.s.t.Errorf("status %d, %+v", a.Status, a.Errors)
	}
	return a.Status == http.StatusOK
}

// processes are several of one deployment.
func processes(t *testing.T, changes ...func(*app.Config)) []*shop {
	t.Helper()
	c := config(t)
	var list []*shop
	for i, change := range changes {
		own := c
		change(&own)
		s := open(t, own)
		if i == 0 {
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s.run(i == 0)
		list = append(list, s)
	}
	return list
}

func proxied(c *app.Config) { c.TrustedProxies = []string{"127.0.0.0/8"} }

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ada := s.person("ada")
	c, other := s.with(s.attempt(ada, "")), s.with(s.attempt(ada, ""))
	now := time.Now()
	code := func(secret string, at time.Time) string {
		t.Helper()
		text, err := totp.GenerateCode(secret, at)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	var enrolled struct {
		Secret, URI string
		UserErrors  []userError
	}
	c.payload(&enrolled, "secondFactorEnroll", `{ secret uri userErrors { code field } }`, vars{"password": "wrong"})
	if len(enrolled.UserErrors) != 1 || enrolled.UserErrors[0].Code != "INVALID_CREDENTIALS" || strings.Join(enrolled.UserErrors[0].Field, ".") != "input.password" {
		t.Errorf("a wrong password: %+v", enrolled)
	}
	c.payload(&enrolled, "secondFactorEnroll", `{ secret uri userErrors { code field } }`, vars{"password": password})
	if !strings.HasPrefix(enrolled.URI, "otpauth://totp/TechMart:ada@example.com?") || enrolled.Secret == "" {
		t.Fatalf("enrolled: %+v", enrolled)
	}
	var confirmed struct {
		RecoveryCodes []string
		UserErrors    []userError
	}
	c.payload(&confirmed, "secondFactorConfirm", `{ recoveryCodes userErrors { code field } }`, vars{"code": code(enrolled.Secret, now.Add(-30*time.Second))})
	if len(confirmed.RecoveryCodes) != 10 {
		t.Fatalf("confirmed: %+v", confirmed)
	}
	if !c.known() || other.known() {
		t.Error("only the session that turned it on stays")
	}
	s.mailed("Your second factor is on")

	challenged := s.attempt(ada, "")
	if challenged.Tokens != nil || challenged.User != nil || challenged.Challenge == nil || challenged.code() != "" {
		t.Fatalf("with the password alone: %+v", challenged)
	}
	confirm := func(challenge, code string) (a signedIn) {
		t.Helper()
		s.anonymous().payload(&a, "sessionConfirm", signedInFields, vars{"challenge": challenge, "code": code})
		return a
	}
	if a := confirm(challenged.Challenge.Token, "12345"); a.code() != "INVALID_CODE" {
		t.Errorf("a wrong code: %+v", a)
	}
	if a := confirm("rubbish", "123456"); a.code() != "INVALID_TOKEN" {
		t.Errorf("no challenge: %+v", a)
	}
	right := code(enrolled.Secret, now)
	if a := confirm(challenged.Challenge.Token, right); !s.with(a).known() || a.User.SecondFactor.RecoveryCodesLeft != 10 {
		t.Errorf("the right code: %+v", a)
	}
	if a := confirm(s.attempt(ada, "").Challenge.Token, right); a.code() != "INVALID_CODE" {
		t.Errorf("the same code again: %+v", a)
	}
	if a := confirm(s.attempt(ada, "").Challenge.Token, confirmed.RecoveryCodes[0]); !s.with(a).known() || a.User.SecondFactor.RecoveryCodesLeft != 9 {
		t.Errorf("a recovery code: %+v", a)
	}
	s.mailed("A recovery code was used")

	var changed struct {
		User *struct {
			SecondFactor *struct{ RecoveryCodesLeft int }
		}
		RecoveryCodes []string
		UserErrors    []userError
	}
	c.payload(&changed, "secondFactorRenewRecoveryCodes", `{ user { secondFactor { recoveryCodesLeft } } recoveryCodes userErrors { code } }`,
		vars{"password": password, "code": confirmed.RecoveryCodes[1]})
	if changed.User == nil || changed.User.SecondFactor.RecoveryCodesLeft != 10 || len(changed.RecoveryCodes) != 10 {
		t.Fatalf("renewed: %+v", changed)
	}
	s.mailed("You have new recovery codes")
	fresh := changed.RecoveryCodes[0]
	c.payload(&changed, "secondFactorDisable", `{ user { secondFactor { recoveryCodesLeft } } userErrors { code } }`, vars{"password": password, "code": confirmed.RecoveryCodes[2]})
	if changed.User != nil || len(changed.UserErrors) != 1 || changed.UserErrors[0].Code != "INVALID_CODE" {
		t.Errorf("an old recovery code: %+v", changed)
	}
	c.payload(&changed, "secondFactorDisable", `{ user { secondFactor { recoveryCodesLeft } } userErrors { code } }`, vars{"password": password, "code": fresh})
	if changed.User == nil || changed.User.SecondFactor != nil {
		t.Errorf("turned off: %+v", changed)
	}
	s.mailed("Your second factor was turned off")
	if a := s.attempt(ada, ""); a.Tokens == nil {
		t.Errorf("with the password alone again: %+v", a)
	}
}

// Attempts are counted for all processes together, by account and by network, and keep no owner out.
func TestSignInLimits(t *testing.T) {
	t.Parallel()
	few := func(c *app.Config) { proxied(c); c.SignInAccountFailures = 12 }
	both := processes(t, few, few)
	ada := both[0].person("ada")
	const home = "198.51.100.7"
	if both[0].attempt(ada, home).Tokens == nil {
		t.Fatal("the owner cannot sign in")
	}
	guess := person{ada.email, "wrong password"}
	for _, p := range []person{guess, {"nobody@example.com", "wrong password"}} {
		for i := range 5 {
			if a := both[i%2].attempt(p, "203.0.113.9"); a.code() != "INVALID_CREDENTIALS" {
				t.Errorf("attempt %d: %+v", i, a)
			}
		}
		for _, s := range both {
			if a := s.attempt(p, "203.0.113.9"); a.code() != "THROTTLED" || a.UserErrors[0].RetryAfter != 1 {
				t.Errorf("the sixth: %+v", a)
			}
		}
	}
	for i := range 7 {
		both[i%2].attempt(guess, fmt.Sprintf("203.0.113.%d", 100+i))
	}
	if a := both[0].attempt(ada, "203.0.113.200"); a.code() != "THROTTLED" {
		t.Errorf("a new network, after a dozen failures from anywhere: %+v", a)
	}
	if a := both[1].attempt(ada, home); a.Tokens == nil {
		t.Errorf("the owner's network: %+v", a)
	}
	if page := both[0].page("/metrics") + both[1].page("/metrics"); !strings.Contains(page, `account_attempts_throttled_total{action="sign_in"}`) {
		t.Error("the metrics know of nothing")
	}

	// So are the others.
	for mutation, input := range map[string]vars{
		"userRegister":                 {"email": "eve@example.com", "password": password, "displayName": "Eve"},
		"userRequestPasswordReset":     {"email": ada.email},
		"userRequestEmailVerification": {"email": ada.email},
	} {
		ask := func(s *shop, address string) (a struct {
			Accepted   bool
			UserErrors []struct {
				Code       string
				RetryAfter int
			}
		}) {
			t.Helper()
			kind := strings.ToUpper(mutation[:1]) + mutation[1:] + "Input!"
			got := s.anonymous().do(`mutation($input: `+kind+`) { it: `+mutation+`(input: $input) { accepted userErrors { code ... on ThrottledError { retryAfter } } } }`,
				vars{"input": input}, "X-Forwarded-For", address)
			out := struct{ It any }{&a}
			if err := json.Unmarshal(got.Data, &out); err != nil {
				t.Fatal(err)
			}
			return a
		}
		for i := range 5 {
			if a := ask(both[i%2], "203.0.113.9"); !a.Accepted {
				t.Errorf("%s %d: %+v", mutation, i, a)
			}
		}
		if a := ask(both[0], "203.0.113.9"); a.Accepted || len(a.UserErrors) != 1 || a.UserErrors[0].Code != "THROTTLED" || a.UserErrors[0].RetryAfter < 1 {
			t.Errorf("the sixth %s: %+v", mutation, a)
		}
		if a := ask(both[0], home); !a.Accepted {
			t.Errorf("%s from another network: %+v", mutation, a)
		}
	}
}

// Without Redis each process counts by itself, and says so in the metrics.
func TestSignInLimitsWithoutRedis(t *testing.T) {
	t.Parallel()
	c := config(t)
	proxied(&c)
	line, address := lay(t, c.RedisURL)
	c.RedisURL = address
	s := open(t, c)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.run(true)
	ada := s.person("ada")
	line.cut()
	if a := s.attempt(ada, "203.0.113.9"); a.Tokens == nil {
		t.Fatalf("the owner: %+v", a)
	}
	guess := person{ada.email, "wrong password"}
	for i := range 5 {
		if a := s.attempt(guess, "203.0.113.9"); a.code() != "INVALID_CREDENTIALS" {
			t.Errorf("attempt %d: %+v", i, a)
		}
	}
	if a := s.attempt(guess, "203.0.113.9"); a.code() != "THROTTLED" {
		t.Errorf("the sixth: %+v", a)
	}
	if page := s.page("/metrics"); !strings.Contains(page, "account_limits_local_total") || strings.Contains(page, "account_limits_local_total 0") {
		t.Error("no alarm")
	}
	line.mend()
}

// What ends a session ends it in every process at once.
func TestRevocationAtOnce(t *testing.T) {
	t.Parallel()
	same := func(*app.Config) {}
	both := processes(t, same, same)
	here, there := both[0], both[1]
	admin := here.with(here.attempt(here.person("root", users.Admin), ""))
	for i, end := range []struct {
		what string
		do   func(p person, a signedIn)
	}{
		{"sign out", func(_ person, a signedIn) {
			var out struct{ RevokedSessionID string }
			here.with(a).payload(&out, "sessionRevoke", `{ revokedSessionId }`, vars{})
		}},
		{"sign out everywhere", func(p person, _ signedIn) {
			var out struct{ RevokedCount int }
			here.with(here.attempt(p, "")).payload(&out, "sessionRevokeAll", `{ revokedCount }`, vars{})
		}},
		{"another device changes the password", func(p person, _ signedIn) {
			var out struct{ UserErrors []userError }
			here.with(here.attempt(p, "")).payload(&out, "userChangePassword", `{ userErrors { code } }`, vars{"currentPassword": p.password, "newPassword": "another long password"})
		}},
		{"roles change", func(_ person, a signedIn) {
			var out struct{ UserErrors []userError }
			admin.payload(&out, "userSetRoles", `{ userErrors { code } }`, vars{"userId": a.User.ID, "roles": []string{"SUPPORT"}})
		}},
		{"a refresh token comes twice", func(_ person, a signedIn) {
			var out struct {
				Tokens     *struct{ AccessToken string }
				UserErrors []userError
			}
			here.anonymous().payload(&out, "sessionRefresh", `{ tokens { accessToken } userErrors { code } }`, vars{"refreshToken": a.Tokens.RefreshToken})
			if out.Tokens == nil || !(&client{s: there, token: out.Tokens.AccessToken}).known() {
				t.Fatalf("refreshed: %+v", out)
			}
			fresh := &client{s: there, token: out.Tokens.AccessToken}
			here.anonymous().payload(&out, "sessionRefresh", `{ tokens { accessToken } userErrors { code } }`, vars{"refreshToken": a.Tokens.RefreshToken})
			if out.Tokens != nil || fresh.known() {
				t.Errorf("the stolen token's family lives: %+v", out)
			}
		}},
	} {
		p := here.person(fmt.Sprintf("p%d", i))
		a := here.attempt(p, "")
		if !here.with(a).known() || !there.with(a).known() {
			t.Fatalf("%s: not signed in before", end.what)
		}
		end.do(p, a)
		if there.with(a).known() || here.with(a).known() {
			t.Errorf("%s: the access token is good yet", end.what)
		}
		var out struct {
			Tokens     *struct{ AccessToken string }
			UserErrors []userError
		}
		there.anonymous().payload(&out, "sessionRefresh", `{ tokens { accessToken } userErrors { code } }`, vars{"refreshToken": a.Tokens.RefreshToken})
		if out.Tokens != nil || len(out.UserErrors) != 1 || out.UserErrors[0].Code != "INVALID_TOKEN" {
			t.Errorf("%s: the refresh token is good yet: %+v", end.what, out)
		}
	}
}

// Keys are changed one process after the other, and nobody is signed out.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	older, newer := users.GenerateKey(), users.GenerateKey()
	keys := func(text string) func(*app.Config) { return func(c *app.Config) { c.TokenKeys = text } }
	stages := processes(t, keys(older), keys(older+","+newer), keys(newer+","+older), keys(newer))
	ada := stages[0].person("ada")
	tokens := make([]signedIn, len(stages))
	for i, s := range stages {
		tokens[i] = s.attempt(ada, "")
	}
	for i := range stages { // a roll-out has two neighbouring stages at a time
		for j := max(i-1, 0); j <= min(i+1, len(stages)-1); j++ {
			if !stages[j].with(tokens[i]).known() {
				t.Errorf("a token of stage %d is not taken by stage %d", i+1, j+1)
			}
		}
	}
	if stages[3].with(tokens[0]).known() {
		t.Error("a key that was taken out is good yet")
	}
	var out struct {
		Tokens *struct{ AccessToken string }
	}
	stages[3].anonymous().payload(&out, "sessionRefresh", `{ tokens { accessToken } }`, vars{"refreshToken": tokens[0].Tokens.RefreshToken})
	if out.Tokens == nil || !(&client{s: stages[3], token: out.Tokens.AccessToken}).known() {
		t.Error("who signed in before the change cannot go on")
	}

	resp, err := http.Get(stages[1].url + "/.well-known/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() // it is read to its end
	var set struct {
		Keys []struct{ Kty, Crv, Alg, Use, Kid, X, D string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil || len(set.Keys) != 2 || set.Keys[0].D != "" || set.Keys[0].Alg != "EdDSA" {
		t.Errorf("key set %+v, %v", set, err)
	}
	if h := resp.Header; h.Get("Cache-Control") != "public, max-age=300" || h.Get("Content-Type") != "application/jwk-set+json" {
		t.Errorf("headers %v", h)
	}
}

// The edge answers every trick with 401, and no trick is an anonymous viewer.
func TestTokenTricks(t *testing.T) {
	t.Parallel()
	s := setup(t)
	good := s.with(s.attempt(s.person("ada"), ""))
	parts := strings.Split(good.token, ".")
	claims := jwt.MapClaims{}
	parsed, _, err := jwt.NewParser().ParseUnverified(good.token, claims)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := base64.StdEncoding.DecodeString(s.config.TokenKeys)
	if err != nil {
		t.Fatal(err)
	}
	private := ed25519.NewKeyFromSeed(seed)
	signed := func(method jwt.SigningMethod, key any, header, change map[string]any) string {
		t.Helper()
		own := jwt.MapClaims{}
		for name, value := range claims {
			own[name] = value
		}
		for name, value := range change {
			own[name] = value
		}
		token := jwt.NewWithClaims(method, own)
		token.Header["kid"], token.Header["typ"] = parsed.Header["kid"], "at+jwt"
		for name, value := range header {
			token.Header[name] = value
		}
		text, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if !(&client{s: s, token: signed(jwt.SigningMethodEdDSA, private, nil, nil)}).known() {
		t.Fatal("a good token made by hand is refused")
	}
	stranger := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	for name, token := range map[string]string{
		"none":                    signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, nil),
		"HS256 by the public key": signed(jwt.SigningMethodHS256, []byte(private.Public().(ed25519.PublicKey)), nil, nil),
		"a stranger's key":        signed(jwt.SigningMethodEdDSA, stranger, nil, nil),
		"a stranger's key, jwk":   signed(jwt.SigningMethodEdDSA, stranger, map[string]any{"jwk": map[string]any{"kty": "OKP"}}, nil),
		"jku":                     signed(jwt.SigningMethodEdDSA, private, map[string]any{"jku": s.url}, nil),
		"crit":                    signed(jwt.SigningMethodEdDSA, private, map[string]any{"crit": []string{"exp"}}, nil),
		"unknown kid":             signed(jwt.SigningMethodEdDSA, private, map[string]any{"kid": "x"}, nil),
		"another type":            signed(jwt.SigningMethodEdDSA, private, map[string]any{"typ": "JWT"}, nil),
		"expired":                 signed(jwt.SigningMethodEdDSA, private, nil, map[string]any{"exp": time.Now().Add(-time.Second).Unix()}),
		"not yet":                 signed(jwt.SigningMethodEdDSA, private, nil, map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}),
		"another audience":        signed(jwt.SigningMethodEdDSA, private, nil, map[string]any{"aud": "x"}),
		"another issuer":          signed(jwt.SigningMethodEdDSA, private, nil, map[string]any{"iss": "x"}),
		"an empty signature":      parts[0] + "." + parts[1] + ".",
		"another token's payload": parts[0] + "." + strings.Split(s.as(users.Admin).token, ".")[1] + "." + parts[2],
		"no token":                "x",
	} {
		if (&client{s: s, token: token}).known() {
			t.Errorf("%s: the edge takes it", name)
		}
	}
}
