package users

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
)

// enroll keeps the sealed secret of a second factor that is not on yet. It fails with INVALID_STATE.
func (a *Account) enroll(sealed []byte) error {
	if a.SecondFactorAt != nil {
		return errSecondFactorOn()
	}
	a.SecondFactorSecret, a.SecondFactorStep = sealed, 0
	return nil
}

// confirmSecondFactor turns the second factor on by a code of it, and ends all sessions except keep. It
// fails with INVALID_STATE or INVALID_CODE.
func (a *Account) confirmSecondFactor(v *Vault, code string, digests [][]byte, keep uuid.UUID, now time.Time) error {
	switch {
	case a.SecondFactorAt != nil:
		return errSecondFactorOn()
	case a.SecondFactorSecret == nil:
		return errSecondFactorOff()
	}
	if err := a.useTOTP(v, code, now); err != nil {
		return err
	}
	a.SecondFactorAt = &now
	a.RecoveryDigests, a.RecoveryCodes = digests, len(digests)
	a.touch(now)
	a.Effects.EndSessions, a.Effects.KeepSession = true, keep
	a.emit(EventSecondFactorEnabled)
	return nil
}

// disableSecondFactor turns the second factor off.
func (a *Account) disableSecondFactor(now time.Time) {
	a.SecondFactorAt, a.SecondFactorSecret, a.SecondFactorStep = nil, nil, 0
	a.RecoveryDigests, a.RecoveryCodes = nil, 0
	a.touch(now)
	a.Effects.DropTokens = append(a.Effects.DropTokens, ChallengeToken)
	a.emit(EventSecondFactorDisabled)
}

// setRecoveryCodes puts new recovery codes in the place of the old ones.
func (a *Account) setRecoveryCodes(digests [][]byte, now time.Time) {
	a.RecoveryDigests, a.RecoveryCodes = digests, len(digests)
	a.touch(now)
	a.emit(EventRecoveryCodesRenewed)
}

// useCode uses a code of the second factor up, or a recovery code. It fails with INVALID_CODE.
func (a *Account) useCode(v *Vault, code string, now time.Time) error {
	if a.SecondFactorAt == nil {
		return errSecondFactorOff()
	}
	if len(code) != recoveryLength {
		return a.useTOTP(v, code, now)
	}
	digest := recoveryDigest(code)
	i := slices.IndexFunc(a.RecoveryDigests, func(d []byte) bool { return bytes.Equal(d, digest) })
	if i < 0 {
		return errCode()
	}
	a.RecoveryDigests = slices.Delete(a.RecoveryDigests, i, i+1)
	a.RecoveryCodes = len(a.RecoveryDigests)
	a.touch(now)
	a.emit(EventRecoveryCodeUsed)
	return nil
}

// useTOTP uses a code of the authenticator app up: neither it nor one before it works again. A secret
// that an older key sealed is sealed anew.
func (a *Account) useTOTP(v *Vault, code string, now time.Time) error {
	if v == nil {
		return errors.New("users: there is no key to open second factors with")
	}
	secret, outdated, err := v.open(a.ID, a.SecondFactorSecret)
	if err != nil {
		return err
	}
	at, ok := matchCode(code, secret, a.SecondFactorStep, now)
	if len(code) != totpDigits || !ok {
		return errCode()
	}
	a.SecondFactorStep = at
	if outdated {
		a.SecondFactorSecret = v.seal(a.ID, secret)
	}
	return nil
}
