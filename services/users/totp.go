package users

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

// Codes are TOTP (RFC 6238) as every authenticator app has it: SHA-1, six digits, 30 seconds.
const (
	totpPeriod     = 30 // seconds
	totpSkew       = 1  // steps by which the device's clock may be off, either way
	totpDigits     = 6
	totpSecretSize = 20
	recoveryCodes  = 10
	recoveryLength = 16 // characters of base32: 80 random bits
	recoveryGroup  = 4
	maxCode        = 64 // bytes that are looked at
)

// authenticator gives the address that an authenticator app reads, as a QR code or a link, and the
// secret that a person can type.
func authenticator(issuer, email string, secret []byte) (uri, text string, err error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: email, Secret: secret, Period: totpPeriod, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		return "", "", fmt.Errorf("users: authenticator: %w", err)
	}
	return key.URL(), key.Secret(), nil
}

// step is the number of the time step.
func step(now time.Time) int64 { return now.Unix() / totpPeriod }

// matchCode gives the step whose code it is: later than last, so that a code works once, and no further
// from now than the clocks may be apart.
func matchCode(code string, secret []byte, last int64, now time.Time) (matched int64, ok bool) {
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
	for at := step(now) - totpSkew; at <= step(now)+totpSkew; at++ {
		want, err := hotp.GenerateCodeCustom(text, uint64(max(at, 0)), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && at > last {
			matched, ok = at, true
		}
	}
	return matched, ok
}

// newRecoveryCodes gives codes for when the device is lost, and the digests that are kept of them.
func newRecoveryCodes() (codes []string, digests [][]byte) {
	for range recoveryCodes {
		text := rand.Text()[:recoveryLength] // base32
		digests = append(digests, recoveryDigest(text))
		var groups []string
		for at := 0; at < recoveryLength; at += recoveryGroup {
			groups = append(groups, text[at:at+recoveryGroup])
		}
		codes = append(codes, strings.Join(groups, "-"))
	}
	return codes, digests
}

// recoveryDigest is what is kept of a recovery code, which has too many random bits to be guessed from it.
func recoveryDigest(code string) []byte {
	sum := sha256.Sum256([]byte("recovery code " + code))
	return sum[:]
}

// normalizeCode gives a code as it is compared: people type it in groups and in lower case.
func normalizeCode(text string) string {
	if len(text) > maxCode {
		return ""
	}
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(strings.TrimSpace(text)))
}
