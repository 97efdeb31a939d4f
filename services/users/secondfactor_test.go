package users_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/users"
)

// code is what an authenticator app shows.
func (e *env) code(secret string, ahead time.Duration) string {
	e.t.Helper()
	text, err := totp.GenerateCode(secret, e.clock.Now().Add(ahead))
	if err != nil {
		e.t.Fatal(err)
	}
	return text
}

// enroll turns the second factor of a signed-in account on, and gives its secret and recovery codes.
func (e *env) enroll(ctx context.Context) (secret string, recovery []string) {
	e.t.Helper()
	enrollment, err := e.EnrollSecondFactor(ctx, password)
	if err != nil {
		e.t.Fatal(err)
	}
	_, recovery, err = e.ConfirmSecondFactor(ctx, e.code(enrollment.Secret, 0))
	if err != nil {
		e.t.Fatal(err)
	}
	e.clock.add(30 * time.Second)
	return enrollment.Secret, recovery
}

// challenged signs in by password, and gives the challenge.
func (e *env) challenged(email string) string {
	e.t.Helper()
	signed, err := e.SignIn(e.t.Context(), users.Credentials{Email: email, Password: password})
	if err != nil || signed.Challenge == nil || signed.User != nil || signed.Tokens != (users.Tokens{}) {
		e.t.Fatalf("SignIn gives %+v, %v; want a challenge and nothing else", signed, err)
	}
	return signed.Challenge.Token
}

func TestEnrollSecondFactor(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	current, other := e.signIn(u.Email), e.signIn(u.Email)
	ctx := e.as(current)

	_, err := e.EnrollSecondFactor(t.Context(), password)
	wantCode(t, "an anonymous viewer", err, errs.Unauthenticated)
	_, err = e.EnrollSecondFactor(ctx, "wrong password")
	wantFaults(t, err, "INVALID_CREDENTIALS password")
	_, _, err = e.ConfirmSecondFactor(ctx, "123456")
	wantCode(t, "before it begins", err, errs.InvalidState)

	first, err := e.EnrollSecondFactor(ctx, password)
	if err != nil {
		t.Fatal(err)
	}
	second, err := e.EnrollSecondFactor(ctx, password)
	if err != nil || first.Secret == second.Secret {
		t.Fatalf("begun anew: %v", err)
	}
	uri, err := url.Parse(second.URI)
	if err != nil || uri.Scheme != "otpauth" || uri.Host != "totp" || uri.Path != "/TechMart:ada@example.com" ||
		uri.Query().Get("secret") != second.Secret || uri.Query().Get("issuer") != "TechMart" || len(second.Secret) != 32 {
		t.Errorf("URI %s, %v", second.URI, err)
	}
	if signed := e.signIn(u.Email); signed.Challenge != nil || signed.User.SecondFactorAt != nil {
		t.Error("a second factor that is not confirmed is asked for")
	}
	for _, wrong := range []string{"", "000000", e.code(first.Secret, 0), e.code(second.Secret, -time.Minute), e.code(second.Secret, time.Minute)} {
		_, _, err := e.ConfirmSecondFactor(ctx, wrong)
		if errs.CodeOf(err) != users.InvalidCode && errs.CodeOf(err) != errs.Throttled {
			t.Errorf("the code %q: %v", wrong, err)
		}
	}
	e.clock.add(time.Minute)
	user, recovery, err := e.ConfirmSecondFactor(ctx, " "+e.code(second.Secret, 0)[:3]+" "+e.code(second.Secret, 0)[3:])
	if err != nil || user.SecondFactorAt == nil || user.RecoveryCodes != 10 || len(recovery) != 10 {
		t.Fatalf("ConfirmSecondFactor gives %+v, %v, %v", user, recovery, err)
	}
	e.good("the current session", current, true)
	e.good("a session without the second factor", other, false)
	_, err = e.EnrollSecondFactor(ctx, password)
	wantCode(t, "while it is on", err, errs.InvalidState)
	_, _, err = e.ConfirmSecondFactor(ctx, "123456")
	wantCode(t, "confirmed again", err, errs.InvalidState)
	if got := e.events(u.Email); !slices.Equal(got, []string{users.EventSecondFactorEnabled}) {
		t.Errorf("events %v", got)
	}

	// What the database keeps shows neither the secret nor a code.
	var row string
	if err := e.pool.QueryRow(t.Context(), `SELECT a::text FROM users.accounts AS a WHERE email = $1`, u.Email).Scan(&row); err != nil {
		t.Fatal(err)
	}
	for _, secret := range append(recovery, second.Secret) {
		if strings.Contains(row, secret) || strings.Contains(row, strings.ReplaceAll(secret, "-", "")) {
			t.Errorf("%s is kept in the open", secret)
		}
	}
}

func TestSignInWithSecondFactor(t *testing.T) {
	t.Parallel()
	e := setup(t)
	ctx := t.Context()
	u := e.account("ada@example.com")
	secret, recovery := e.enroll(e.as(e.signIn(u.Email)))

	challenge := e.challenged(u.Email)
	_, err := e.ConfirmSignIn(ctx, "rubbish", e.code(secret, 0), "")
	wantFaults(t, err, "INVALID_TOKEN challenge")
	_, err = e.ConfirmSignIn(ctx, challenge, "000000", "")
	wantFaults(t, err, "INVALID_CODE code")
	signed, err := e.ConfirmSignIn(ctx, challenge, e.code(secret, 0), "a cart")
	if err != nil || signed.User.ID != u.ID || e.carts.merged[0] != "a cart" {
		t.Fatalf("ConfirmSignIn gives %+v, %v", signed, err)
	}
	e.good("the session", signed, true)
	_, err = e.ConfirmSignIn(ctx, challenge, e.code(secret, 0), "")
	wantFaults(t, err, "INVALID_TOKEN challenge")
	_, err = e.ConfirmSignIn(ctx, e.challenged(u.Email), e.code(secret, 0), "")
	wantFaults(t, err, "INVALID_CODE code") // the same code a second time

	// The clocks may be a step apart, and no more.
	_, err = e.ConfirmSignIn(ctx, e.challenged(u.Email), e.code(secret, 30*time.Second), "")
	if err != nil {
		t.Errorf("a code of the next step: %v", err)
	}
	_, err = e.ConfirmSignIn(ctx, e.challenged(u.Email), e.code(secret, 0), "")
	wantCode(t, "a code before the last one", err, users.InvalidCode)
	e.clock.add(5 * time.Minute)
	for _, off := range []time.Duration{-time.Minute, time.Minute} {
		_, err = e.ConfirmSignIn(ctx, e.challenged(u.Email), e.code(secret, off), "")
		wantCode(t, "two steps off", err, users.InvalidCode)
	}
	if _, err = e.ConfirmSignIn(ctx, e.challenged(u.Email), e.code(secret, -30*time.Second), ""); err != nil {
		t.Errorf("a code of the step before: %v", err)
	}

	// A recovery code works once, however it is typed.
	typed := strings.ToLower(strings.ReplaceAll(recovery[3], "-", " "))
	signed, err = e.ConfirmSignIn(ctx, e.challenged(u.Email), typed, "")
	if err != nil || signed.User.RecoveryCodes != 9 {
		t.Errorf("a recovery code: %+v, %v", signed, err)
	}
	_, err = e.ConfirmSignIn(ctx, e.challenged(u.Email), recovery[3], "")
	wantCode(t, "a used recovery code", err, users.InvalidCode)

	// A client that asks for the code at once needs one request.
	e.clock.add(time.Minute)
	credentials := users.Credentials{Email: u.Email, Password: password, Code: e.code(secret, 0)}
	if signed, err = e.SignIn(ctx, credentials); err != nil || signed.Challenge != nil {
		t.Fatalf("with a code: %+v, %v", signed, err)
	}
	e.good("it", signed, true)
	_, err = e.SignIn(ctx, credentials)
	wantFaults(t, err, "INVALID_CODE code")
	credentials.Password = "wrong password"
	_, err = e.SignIn(ctx, credentials)
	wantFaults(t, err, "INVALID_CREDENTIALS ")

	challenge = e.challenged(u.Email)
	e.clock.add(10 * time.Minute)
	_, err = e.ConfirmSignIn(ctx, challenge, e.code(secret, 0), "")
	wantFaults(t, err, "INVALID_TOKEN challenge")
}

// A challenge ends with the password that it was for.
func TestChallengeEndsWithPassword(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	ctx := e.as(e.signIn(u.Email))
	secret, _ := e.enroll(ctx)
	challenge := e.challenged(u.Email)
	if _, err := e.ChangePassword(ctx, password, newPassword); err != nil {
		t.Fatal(err)
	}
	_, err := e.ConfirmSignIn(t.Context(), challenge, e.code(secret, 0), "")
	wantFaults(t, err, "INVALID_TOKEN challenge")
}

func TestCodesAreLimited(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	secret, recovery := e.enroll(e.as(e.signIn(u.Email)))
	ctx, challenge := from(t.Context(), abroad), e.challenged(u.Email)
	for range 5 {
		_, err := e.ConfirmSignIn(ctx, challenge, "000000", "")
		wantCode(t, "a wrong code", err, users.InvalidCode)
	}
	_, err := e.ConfirmSignIn(ctx, challenge, e.code(secret, 0), "")
	wantCode(t, "the right one, too soon", err, errs.Throttled)
	_, err = e.ConfirmSignIn(ctx, e.challenged(u.Email), recovery[0], "")
	wantCode(t, "a recovery code by another challenge", err, errs.Throttled)
	_, err = e.SignIn(ctx, users.Credentials{Email: u.Email, Password: password, Code: recovery[0]})
	wantCode(t, "a recovery code with the password", err, errs.Throttled)
	if _, err := e.ConfirmSignIn(from(t.Context(), home1), challenge, e.code(secret, 0), ""); err != nil {
		t.Errorf("the owner from another network: %v", err)
	}
	e.clock.add(time.Hour) // after which failures of passwords are forgotten
	challenge = e.challenged(u.Email)
	for i, want := range []errs.Code{users.InvalidCode, errs.Throttled} {
		_, err := e.ConfirmSignIn(ctx, challenge, "000000", "")
		wantCode(t, fmt.Sprintf("an hour later, %d", i), err, want)
	}
}

// One code opens one session, however many try it at once, in however many processes.
func TestCodeParallel(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	secret, _ := e.enroll(e.as(e.signIn(u.Email)))
	processes := []*users.Service{e.Service, e.service(nil)}
	code, failures, start := e.code(secret, 0), make(chan error), make(chan struct{})
	for i := range 4 {
		challenge := e.challenged(u.Email)
		go func() {
			<-start
			_, err := processes[i%2].ConfirmSignIn(t.Context(), challenge, code, "")
			failures <- err
		}()
	}
	close(start)
	won := 0
	for range 4 {
		if err := <-failures; err == nil {
			won++
		} else {
			wantCode(t, "one of four at once", err, users.InvalidCode)
		}
	}
	if won != 1 {
		t.Errorf("%d sessions by one code", won)
	}
}

func TestDisableSecondFactor(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	ctx := e.as(e.signIn(u.Email))
	_, err := e.DisableSecondFactor(ctx, password, "123456")
	wantCode(t, "while it is off", err, errs.InvalidState)
	secret, old := e.enroll(ctx)

	_, _, err = e.RenewRecoveryCodes(ctx, "wrong password", e.code(secret, 0))
	wantFaults(t, err, "INVALID_CREDENTIALS password")
	_, _, err = e.RenewRecoveryCodes(ctx, password, "000000")
	wantFaults(t, err, "INVALID_CODE code")
	user, fresh, err := e.RenewRecoveryCodes(ctx, password, e.code(secret, 0))
	if err != nil || len(fresh) != 10 || slices.Contains(fresh, old[0]) || user.RecoveryCodes != 10 {
		t.Fatalf("RenewRecoveryCodes gives %+v, %v, %v", user, fresh, err)
	}
	_, err = e.DisableSecondFactor(ctx, password, old[0])
	wantFaults(t, err, "INVALID_CODE code")
	_, err = e.DisableSecondFactor(t.Context(), password, fresh[0])
	wantCode(t, "an anonymous viewer", err, errs.Unauthenticated)
	_, err = e.DisableSecondFactor(ctx, "wrong password", fresh[0])
	wantFaults(t, err, "INVALID_CREDENTIALS password")

	challenge := e.challenged(u.Email)
	user, err = e.DisableSecondFactor(ctx, password, fresh[0])
	if err != nil || user.SecondFactorAt != nil || user.RecoveryCodes != 0 {
		t.Fatalf("DisableSecondFactor gives %+v, %v", user, err)
	}
	_, err = e.ConfirmSignIn(t.Context(), challenge, fresh[1], "")
	wantCode(t, "a challenge from before", err, users.InvalidToken)
	if signed := e.signIn(u.Email); signed.Challenge != nil {
		t.Error("a code is asked for")
	}
	want := []string{users.EventSecondFactorEnabled, users.EventRecoveryCodesRenewed, users.EventRecoveryCodeUsed, users.EventSecondFactorDisabled}
	if got := e.events(u.Email); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	e.enroll(ctx) // and on again
}

// A reset of the password leaves the second factor on.
func TestResetKeepsSecondFactor(t *testing.T) {
	t.Parallel()
	e := setup(t)
	u := e.account("ada@example.com")
	e.enroll(e.as(e.signIn(u.Email)))
	if err := e.RequestPasswordReset(t.Context(), u.Email); err != nil {
		t.Fatal(err)
	}
	if _, err := e.ResetPassword(t.Context(), e.mailed(users.EventPasswordResetRequested, u.Email), newPassword); err != nil {
		t.Fatal(err)
	}
	signed, err := e.SignIn(t.Context(), users.Credentials{Email: u.Email, Password: newPassword})
	if err != nil || signed.Challenge == nil {
		t.Errorf("after the reset: %+v, %v", signed, err)
	}
}

// A secret is sealed anew by the newest key when it is used; without its key nothing opens it.
func TestVaultRotation(t *testing.T) {
	t.Parallel()
	older, newer := users.GenerateKey(), users.GenerateKey()
	e := setup(t)
	with := func(keys string) {
		e.deps.Vault = newVault(t, keys)
		e.Service = e.service(nil)
	}
	with(older)
	u := e.account("ada@example.com")
	secret, _ := e.enroll(e.as(e.signIn(u.Email)))
	with(newer)
	_, err := e.ConfirmSignIn(t.Context(), e.challenged(u.Email), e.code(secret, 0), "")
	if err == nil || errs.All(err) != nil {
		t.Errorf("without the key: %v, want an internal error", err)
	}
	with(newer + "," + older)
	if _, err := e.ConfirmSignIn(t.Context(), e.challenged(u.Email), e.code(secret, 0), ""); err != nil {
		t.Errorf("with both keys: %v", err)
	}
	e.clock.add(time.Minute)
	with(newer)
	if _, err := e.ConfirmSignIn(t.Context(), e.challenged(u.Email), e.code(secret, 0), ""); err != nil {
		t.Errorf("with the new key, after a use: %v", err)
	}
	// One account's secret is of no use to another.
	eve := e.account("eve@example.com")
	e.enroll(e.as(e.signIn(eve.Email)))
	if _, err := e.pool.Exec(t.Context(), `UPDATE users.accounts SET second_factor_secret =
(SELECT second_factor_secret FROM users.accounts WHERE id = $1) WHERE id = $2`, eve.ID, u.ID); err != nil {
		t.Fatal(err)
	}
	_, err = e.ConfirmSignIn(t.Context(), e.challenged(u.Email), e.code(secret, 0), "")
	if err == nil || errs.All(err) != nil {
		t.Errorf("with another account's secret: %v, want an internal error", err)
	}

	for name, keys := range map[string]string{"none": " ", "rubbish": "secret!", "short": "c2VjcmV0"} {
		if _, err := users.NewVault(keys); err == nil || strings.Contains(err.Error(), "c2Vj") || strings.Contains(err.Error(), "secret!") {
			t.Errorf("%s: %v", name, err)
		}
	}
	e.deps.Vault = nil
	e.Service = e.service(nil)
	bob := e.account("bob@example.com")
	if _, err := e.EnrollSecondFactor(e.as(e.signIn(bob.Email)), password); err == nil || errs.All(err) != nil {
		t.Errorf("without a vault: %v, want an internal error", err)
	}
}
