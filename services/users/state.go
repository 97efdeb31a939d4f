package users

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
)

// Bounds of an account.
const (
	maxAddresses = 50
	mailWindow   = time.Hour
)

// mailShares are how many messages an anonymous visitor may have sent to an address per mailWindow, all
// kinds together: what others can make us send never uses up what the owner needs to get back in.
var mailShares = map[string]int{
	EventRegistrationAttempted:      3,
	EventEmailVerificationRequested: 6,
	EventPasswordResetRequested:     10,
}

// touch marks a change that a reader of the account can see.
func (a *Account) touch(now time.Time) {
	a.UpdatedAt = now
	a.Version++
}

func (a *Account) emit(eventType string) {
	a.emitData(eventType, EventData{})
}

func (a *Account) emitData(eventType string, d EventData) {
	d.UserID, d.Email, d.DisplayName = a.ID, a.Email, a.DisplayName
	a.Effects.Events = append(a.Effects.Events, Event{Type: eventType, Data: d})
}

// issue adds a token and the event that carries it to its owner.
func (a *Account) issue(eventType, secret string, t Token) {
	a.Effects.Tokens = append(a.Effects.Tokens, t)
	a.emitData(eventType, EventData{Token: secret})
}

// takeMail counts a message to the address; it is false when there were too many of late.
func (a *Account) takeMail(eventType string, now time.Time) bool {
	if now.Sub(a.MailsSince) >= mailWindow {
		a.MailsSince, a.Mails = now, 0
	}
	if a.Mails >= mailShares[eventType] {
		return false
	}
	a.Mails++
	return true
}

// verifyEmail notes that the address is proven; again is no change.
func (a *Account) verifyEmail(now time.Time) {
	a.Effects.DropTokens = append(a.Effects.DropTokens, VerifyEmail)
	if a.EmailVerified() {
		return
	}
	a.EmailVerifiedAt = &now
	a.touch(now)
	a.emit(EventEmailVerified)
}

// setPassword changes the password and ends all sessions except keep. Reset tokens are void from now on.
func (a *Account) setPassword(hash string, keep uuid.UUID, now time.Time) {
	a.PasswordHash = hash
	a.touch(now)
	a.Effects.DropTokens = append(a.Effects.DropTokens, ResetPassword, ChallengeToken)
	a.Effects.EndSessions, a.Effects.KeepSession = true, keep
	a.emit(EventPasswordChanged)
}

// setRoles changes the roles and ends all sessions; the same roles are no change.
func (a *Account) setRoles(roles []Role, now time.Time) {
	roles = normalizeRoles(roles)
	if slices.Equal(roles, a.Roles) {
		return
	}
	a.Roles = roles
	a.touch(now)
	a.Effects.EndSessions = true
	a.emitData(EventRolesChanged, EventData{Roles: roles})
}

// normalizeRoles gives each role once, in the order of Roles, Customer always.
func normalizeRoles(roles []Role) []Role {
	var out []Role
	for _, r := range Roles {
		if r == Customer || slices.Contains(roles, r) {
			out = append(out, r)
		}
	}
	return out
}

// Active reports whether the session is signed in.
func (s *Session) Active(now time.Time) bool { return s.RevokedAt == nil && now.Before(s.ExpiresAt) }

// rotate uses the token up for the next one; good is false where it cannot. Where it had been used
// before, somebody has a copy of it: reused is true and the session ends.
func (r *Refresh) rotate(next RefreshToken, now time.Time) (good, reused bool) {
	switch {
	case !r.Session.Active(now):
		return false, false
	case r.Token.UsedAt != nil:
		r.Session.RevokedAt = &now
		return false, true
	case !now.Before(r.Token.ExpiresAt):
		return false, false
	}
	r.Token.UsedAt = &now
	r.Next = &next
	r.Session.LastUsedAt, r.Session.ExpiresAt = now, next.ExpiresAt
	return true, false
}

// AddressBook is all addresses of an account. Exactly one is the default, unless the book is empty.
type AddressBook struct {
	UserID    uuid.UUID
	Addresses []*Address
}

// add puts a new address in; the first one becomes the default. It fails with LIMIT_EXCEEDED.
func (b *AddressBook) add(a *Address) error {
	if len(b.Addresses) >= maxAddresses {
		return errs.Newf(errs.LimitExceeded, "An address book has at most %d addresses.", maxAddresses)
	}
	b.Addresses = append(b.Addresses, a)
	if a.IsDefault || len(b.Addresses) == 1 {
		b.setDefault(a)
	}
	return nil
}

// change gives the address with the id a new content; makeDefault is nil to leave that as it is. It
// fails with NOT_FOUND, or INVALID where the default would be lost.
func (b *AddressBook) change(id uuid.UUID, content PostalAddress, makeDefault *bool, now time.Time) (*Address, error) {
	i := b.index(id)
	if i < 0 {
		return nil, errNotFound("id")
	}
	a := b.Addresses[i]
	if makeDefault != nil && !*makeDefault && a.IsDefault {
		return nil, errs.At(errs.Invalid, "Make another address the default instead.", "isDefault")
	}
	a.PostalAddress, a.UpdatedAt = content, now
	if makeDefault != nil && *makeDefault {
		b.setDefault(a)
	}
	return a, nil
}

// remove takes the address with the id out; where it was the default, the oldest one left becomes it.
// It fails with NOT_FOUND.
func (b *AddressBook) remove(id uuid.UUID) error {
	i := b.index(id)
	if i < 0 {
		return errNotFound("id")
	}
	wasDefault := b.Addresses[i].IsDefault
	b.Addresses = slices.Delete(b.Addresses, i, i+1)
	if wasDefault && len(b.Addresses) > 0 {
		b.setDefault(slices.MinFunc(b.Addresses, func(x, y *Address) int { return x.CreatedAt.Compare(y.CreatedAt) }))
	}
	return nil
}

func (b *AddressBook) index(id uuid.UUID) int {
	return slices.IndexFunc(b.Addresses, func(a *Address) bool { return a.ID == id })
}

func (b *AddressBook) setDefault(chosen *Address) {
	for _, a := range b.Addresses {
		a.IsDefault = a == chosen
	}
}
