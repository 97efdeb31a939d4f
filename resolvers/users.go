package resolvers

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/graph/selection"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
)

// userResolver answers the fields of User; other domains add theirs in their own files.
type userResolver struct{ r *Resolver }

// User gives the resolver of the type User.
func (r *Resolver) User() generated.UserResolver { return userResolver{r} }

type userConnectionResolver struct{}

// UserConnection gives the resolver of the type UserConnection.
func (r *Resolver) UserConnection() generated.UserConnectionResolver { return userConnectionResolver{} }

// userNodes looks up the things of this domain by id.
func (r *Resolver) userNodes() map[string]nodeFunc {
	return map[string]nodeFunc{
		model.PrefixUser: func(ctx context.Context, id uuid.UUID) (model.Node, error) {
			u, err := dataloaders.Load(ctx, dataloaders.For(ctx).Users.ByID, id)
			if err != nil {
				return nil, err
			}
			return newUser(u), nil
		},
		model.PrefixAddress: func(ctx context.Context, id uuid.UUID) (model.Node, error) {
			a, err := dataloaders.Load(ctx, dataloaders.For(ctx).Users.AddressByID, id)
			if err != nil {
				return nil, err
			}
			return newAddress(a), nil
		},
		model.PrefixSession: func(ctx context.Context, id uuid.UUID) (model.Node, error) {
			s, err := dataloaders.Load(ctx, dataloaders.For(ctx).Users.SessionByID, id)
			if err != nil {
				return nil, err
			}
			return newSession(ctx, s), nil
		},
	}
}

// Me answers Query.me.
func (q queryResolver) Me(ctx context.Context) (*model.User, error) {
	v := viewer.FromContext(ctx)
	if v.UserID == uuid.Nil {
		return nil, nil
	}
	if selection.Only(ctx, "User", ownRelations) {
		return &model.User{ID: model.ID(model.PrefixUser, v.UserID), UserID: v.UserID}, nil
	}
	return q.user(ctx, v.UserID)
}

// ownRelations are the fields of a User that need nothing of the account but its id, which the
// viewer's token has: a page of one's own orders does not read the account.
var ownRelations = map[string]bool{
	"__typename": true, "id": true, "addresses": true, "sessions": true, "orders": true,
	"cart": true, "notifications": true, "unreadNotificationCount": true,
}

// User answers Query.user.
func (q queryResolver) User(ctx context.Context, text string) (*model.User, error) {
	userID, err := model.ParseID(model.PrefixUser, text)
	if err != nil {
		return nil, nil
	}
	return q.user(ctx, userID)
}

func (q queryResolver) user(ctx context.Context, userID uuid.UUID) (*model.User, error) {
	u, found, err := dataloaders.Find(ctx, dataloaders.For(ctx).Users.ByID, userID)
	if err != nil || !found {
		return nil, err
	}
	return newUser(u), nil
}

// Users answers Query.users.
func (q queryResolver) Users(ctx context.Context, first *int, after *string, last *int, before *string, where *model.UserWhere, sortBy *model.UserSort) (*model.UserConnection, error) {
	filter, order := userFilter(where), userSort(sortBy)
	list := listName("users", filter, order)
	request, err := q.r.Cursors.Request(list, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	p, err := q.r.Users.Users(ctx, filter, order, request)
	if err != nil {
		return nil, err
	}
	nodes := make([]*model.User, 0, len(p.Items))
	edges, info := edges(q.r.Cursors, list, p, order.Key, func(cursor string, u *users.User) *model.UserEdge {
		node := newUser(u)
		nodes = append(nodes, node)
		return &model.UserEdge{Cursor: cursor, Node: node}
	})
	return &model.UserConnection{Edges: edges, Nodes: nodes, PageInfo: info, Count: func(ctx context.Context) (int, error) {
		return q.r.Users.CountUsers(ctx, filter)
	}}, nil
}

func userFilter(where *model.UserWhere) users.Filter {
	var f users.Filter
	if where == nil {
		return f
	}
	if where.Search != nil {
		f.Search = *where.Search
	}
	if where.Role != nil {
		f.Role = users.Role(*where.Role)
	}
	if where.CreatedAt != nil {
		f.CreatedFrom, f.CreatedBefore = where.CreatedAt.Gte, where.CreatedAt.Lt
	}
	return f
}

func userSort(by *model.UserSort) users.Sort {
	if by == nil {
		return users.Sort{Field: users.SortCreatedAt, Descending: true}
	}
	s := users.Sort{Field: users.SortCreatedAt, Descending: by.Direction == model.SortDirectionDesc}
	if by.Field == model.UserSortFieldEmail {
		s.Field = users.SortEmail
	}
	return s
}

// TotalCount answers UserConnection.totalCount.
func (userConnectionResolver) TotalCount(ctx context.Context, c *model.UserConnection) (int, error) {
	return c.Count(ctx)
}

// Addresses answers User.addresses.
func (u userResolver) Addresses(ctx context.Context, user *model.User) ([]*model.Address, error) {
	list, err := dataloaders.Load(ctx, dataloaders.For(ctx).Users.AddressesByUser, user.UserID)
	if err != nil {
		return nil, err
	}
	out := make([]*model.Address, len(list))
	for i, a := range list {
		out[i] = newAddress(a)
	}
	return out, nil
}

// Sessions answers User.sessions.
func (u userResolver) Sessions(ctx context.Context, user *model.User) ([]*model.Session, error) {
	list, err := dataloaders.Load(ctx, dataloaders.For(ctx).Users.SessionsByUser, user.UserID)
	if err != nil {
		return nil, err
	}
	out := make([]*model.Session, len(list))
	for i, s := range list {
		out[i] = newSession(ctx, s)
	}
	return out, nil
}

// newUser gives the graph's form of an account; nil for none.
func newUser(u *users.User) *model.User {
	if u == nil {
		return nil
	}
	roles := make([]model.UserRole, len(u.Roles))
	for i, r := range u.Roles {
		roles[i] = model.UserRole(r)
	}
	var second *model.SecondFactor
	if u.SecondFactorAt != nil {
		second = &model.SecondFactor{EnabledAt: *u.SecondFactorAt, RecoveryCodesLeft: u.RecoveryCodes}
	}
	return &model.User{
		ID:            model.ID(model.PrefixUser, u.ID),
		UserID:        u.ID,
		SecondFactor:  second,
		Email:         u.Email,
		EmailVerified: u.EmailVerified(),
		DisplayName:   u.DisplayName,
		Roles:         roles,
		CreatedAt:     u.CreatedAt,
		UpdatedAt:     u.UpdatedAt,
		Version:       u.Version,
	}
}

// newSession gives the graph's form of a session.
func newSession(ctx context.Context, s *users.Session) *model.Session {
	return &model.Session{
		ID:         model.ID(model.PrefixSession, s.ID),
		UserAgent:  optional(s.UserAgent),
		IPAddress:  optional(s.IPAddress),
		CreatedAt:  s.CreatedAt,
		LastUsedAt: s.LastUsedAt,
		ExpiresAt:  s.ExpiresAt,
		IsCurrent:  s.ID == viewer.FromContext(ctx).SessionID,
	}
}

// newAddress gives the graph's form of an address; nil for none.
func newAddress(a *users.Address) *model.Address {
	if a == nil {
		return nil
	}
	return &model.Address{
		ID:          model.ID(model.PrefixAddress, a.ID),
		Recipient:   a.Recipient,
		Line1:       a.Line1,
		Line2:       optional(a.Line2),
		PostalCode:  a.PostalCode,
		City:        a.City,
		Region:      optional(a.Region),
		CountryCode: a.CountryCode,
		Phone:       optional(a.Phone),
		IsDefault:   a.IsDefault,
	}
}
