package users

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/viewer"
)

// ProfileChange is the input of UpdateProfile; nil fields stay as they are.
type ProfileChange struct {
	DisplayName     *string
	ExpectedVersion *int // nil for any
}

// UpdateProfile changes the viewer's profile. It fails with UNAUTHENTICATED, the faults of the input, or
// CONFLICT where the account has another version.
func (s *Service) UpdateProfile(ctx context.Context, in ProfileChange) (*User, error) {
	v := viewer.FromContext(ctx)
	if err := v.RequireAccount(); err != nil {
		return nil, err
	}
	var (
		c    errs.Collector
		name string
	)
	if in.DisplayName != nil {
		name = checkText(&c, *in.DisplayName, true, maxDisplayName, "displayName")
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	a, _, err := s.store.AccountUpdate(ctx, v.UserID, func(a *Account) error {
		if in.ExpectedVersion != nil && *in.ExpectedVersion != a.Version {
			return errConflict(a.Version)
		}
		if in.DisplayName != nil && name != a.DisplayName {
			a.DisplayName = name
			a.touch(s.now())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &a.User, nil
}

// SetRoles sets the roles of an account, CUSTOMER always among them, and ends its sessions where that is
// a change. It fails with UNAUTHENTICATED, FORBIDDEN without users:write, NOT_FOUND, INVALID for an
// unknown role, or INVALID_STATE where administrators would take ADMIN from themselves.
func (s *Service) SetRoles(ctx context.Context, userID uuid.UUID, roles []Role) (*User, error) {
	v := viewer.FromContext(ctx)
	if err := v.Require(viewer.UsersWrite); err != nil {
		return nil, err
	}
	for _, r := range roles {
		if !slices.Contains(Roles, r) {
			return nil, errs.At(errs.Invalid, "There is no such role.", "roles")
		}
	}
	if v.Is(userID) && !slices.Contains(roles, Admin) {
		return nil, errs.At(errs.InvalidState, "Nobody takes the role ADMIN from themselves: ask another administrator.", "roles")
	}
	now := s.now()
	a, ended, err := s.store.AccountUpdate(ctx, userID, func(a *Account) error {
		a.setRoles(roles, now)
		return nil
	})
	if errs.CodeOf(err) == errs.NotFound {
		return nil, errNotFound("userId")
	}
	if err != nil {
		return nil, err
	}
	s.revocations.revoke(ctx, s.revokeUntil(now), ended...)
	return &a.User, nil
}

// UsersByID gives accounts by id: the viewer's own, or any with users:read. Others are left out.
func (s *Service) UsersByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*User, error) {
	visible := visibleIDs(viewer.FromContext(ctx), ids)
	if len(visible) == 0 {
		return nil, nil
	}
	list, err := s.store.AccountListByIDs(ctx, visible)
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID]*User, len(list))
	for _, u := range list {
		out[u.ID] = u
	}
	return out, nil
}

// visibleIDs are the ids of accounts that the viewer may see.
func visibleIDs(v viewer.Viewer, ids []uuid.UUID) []uuid.UUID {
	if v.Can(viewer.UsersRead) {
		return ids
	}
	if v.UserID != uuid.Nil && slices.Contains(ids, v.UserID) {
		return []uuid.UUID{v.UserID}
	}
	return nil
}

// Users gives a page of all accounts. It fails with UNAUTHENTICATED, FORBIDDEN without users:read, or
// BAD_USER_INPUT.
func (s *Service) Users(ctx context.Context, f Filter, order Sort, r page.Request) (page.Page[*User], error) {
	f, err := s.filter(ctx, f)
	if err != nil {
		return page.Page[*User]{}, err
	}
	rows, err := s.store.AccountList(ctx, f, order, r)
	if err != nil {
		return page.Page[*User]{}, err
	}
	return page.Trim(rows, r), nil
}

// CountUsers counts all accounts of a filter. It fails as Users does.
func (s *Service) CountUsers(ctx context.Context, f Filter) (int, error) {
	f, err := s.filter(ctx, f)
	if err != nil {
		return 0, err
	}
	return s.store.AccountCount(ctx, f)
}

func (s *Service) filter(ctx context.Context, f Filter) (Filter, error) {
	if err := viewer.FromContext(ctx).Require(viewer.UsersRead); err != nil {
		return f, err
	}
	if utf8.RuneCountInString(f.Search) > maxSearch {
		return f, errs.At(errs.BadInput, "A search has at most 254 characters.", "where", "search")
	}
	if strings.ContainsRune(f.Search, 0) {
		return f, errs.At(errs.BadInput, "A search has no NUL characters.", "where", "search")
	}
	f.Search = searchKey(f.Search)
	if f.Role == Customer {
		f.Role = "" // every account is one
	}
	return f, nil
}

// searchKey is the form in which names and searches are compared.
func searchKey(text string) string {
	return strings.ToLower(norm.NFC.String(strings.TrimSpace(strings.ToValidUTF8(text, ""))))
}

// NameKey is the form in which a store keeps a name for searching.
func NameKey(displayName string) string { return searchKey(displayName) }

// Contact is what other domains need to write to a person.
type Contact struct {
	Email         string
	EmailVerified bool
	DisplayName   string
}

// Customer gives the contact of an account. It fails with NOT_FOUND. It is for the program's own use: it
// asks for no viewer.
func (s *Service) Customer(ctx context.Context, userID uuid.UUID) (Contact, error) {
	a, err := s.store.AccountGet(ctx, userID)
	if err != nil {
		return Contact{}, err
	}
	return Contact{Email: a.Email, EmailVerified: a.EmailVerified(), DisplayName: a.DisplayName}, nil
}

// Rights gives what an account may do now, as an access token that is made now would say. It fails with NOT_FOUND. It is for
// the program's own use: it asks for no viewer.
func (s *Service) Rights(ctx context.Context, userID uuid.UUID) (viewer.Viewer, error) {
	a, err := s.store.AccountGet(ctx, userID)
	if err != nil {
		return viewer.Viewer{}, err
	}
	return viewer.Viewer{UserID: a.ID, Scopes: Scopes(a.Roles)}, nil
}

// DisplayName gives how a person wants to be called. It fails with NOT_FOUND. It is for the program's own
// use: it asks for no viewer.
func (s *Service) DisplayName(ctx context.Context, userID uuid.UUID) (string, error) {
	c, err := s.Customer(ctx, userID)
	return c.DisplayName, err
}

// PurgeExpired deletes tokens, sessions and counts of failed sign-ins that ended a day ago, at most limit
// of each kind, and gives the number of rows. Repeat it until that is 0. It is for the program's own use.
func (s *Service) PurgeExpired(ctx context.Context, limit int) (int, error) {
	return s.store.PurgeExpired(ctx, s.now().Add(-purgeAfter), limit)
}

// Key gives the position of an account in a list of this order.
func (o Sort) Key(u *User) page.Key {
	if o.Field == SortEmail {
		return page.Key{u.Email}
	}
	return page.Key{u.CreatedAt.UTC().Format(time.RFC3339Nano), u.ID.String()}
}
