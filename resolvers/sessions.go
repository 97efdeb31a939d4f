package resolvers

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/users"
)

// SessionCreate answers Mutation.sessionCreate.
func (m mutationResolver) SessionCreate(ctx context.Context, input model.SessionCreateInput) (*model.SessionCreatePayload, error) {
	signed, err := m.r.Users.SignIn(ctx, users.Credentials{
		Email: input.Email, Password: input.Password, Code: given(input.Code), CartToken: given(input.CartToken),
	})
	if err == nil {
		err = signed.CartFault // the sign-in stands all the same
	}
	faults, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	payload := &model.SessionCreatePayload{UserErrors: faults}
	switch {
	case signed == nil:
	case signed.Challenge != nil:
		payload.Challenge = &model.SessionChallenge{Token: signed.Challenge.Token, ExpiresAt: signed.Challenge.ExpiresAt}
	default:
		payload.User, payload.Tokens = newUser(signed.User), newSessionTokens(&signed.Tokens)
	}
	return payload, nil
}

// SessionConfirm answers Mutation.sessionConfirm.
func (m mutationResolver) SessionConfirm(ctx context.Context, input model.SessionConfirmInput) (*model.SessionConfirmPayload, error) {
	signed, err := m.r.Users.ConfirmSignIn(ctx, input.Challenge, input.Code, given(input.CartToken))
	if err == nil {
		err = signed.CartFault // the sign-in stands all the same
	}
	faults, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	payload := &model.SessionConfirmPayload{UserErrors: faults}
	if signed != nil {
		payload.User, payload.Tokens = newUser(signed.User), newSessionTokens(&signed.Tokens)
	}
	return payload, nil
}

// given gives an optional text; empty where it was left out.
func given(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// SessionRefresh answers Mutation.sessionRefresh.
func (m mutationResolver) SessionRefresh(ctx context.Context, input model.SessionRefreshInput) (*model.SessionRefreshPayload, error) {
	tokens, err := m.r.Users.RefreshSession(ctx, input.RefreshToken)
	faults, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	return &model.SessionRefreshPayload{Tokens: newSessionTokens(tokens), UserErrors: faults}, nil
}

// SessionRevoke answers Mutation.sessionRevoke.
func (m mutationResolver) SessionRevoke(ctx context.Context, input model.SessionRevokeInput) (*model.SessionRevokePayload, error) {
	var (
		sessionID *uuid.UUID
		revoked   uuid.UUID
		err       error
	)
	if input.SessionID != nil {
		var parsed uuid.UUID
		parsed, err = id(model.PrefixSession, *input.SessionID, "sessionId")
		sessionID = &parsed
	}
	if err == nil {
		revoked, err = m.r.Users.RevokeSession(ctx, sessionID)
	}
	faults, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	payload := &model.SessionRevokePayload{UserErrors: faults}
	if len(faults) == 0 {
		text := model.ID(model.PrefixSession, revoked)
		payload.RevokedSessionID = &text
	}
	return payload, nil
}

// SessionRevokeAll answers Mutation.sessionRevokeAll.
func (m mutationResolver) SessionRevokeAll(ctx context.Context, input model.SessionRevokeAllInput) (*model.SessionRevokeAllPayload, error) {
	n, err := m.r.Users.RevokeAllSessions(ctx, input.KeepCurrent)
	faults, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	return &model.SessionRevokeAllPayload{RevokedCount: n, UserErrors: faults}, nil
}

// newSessionTokens gives the graph's form of tokens; nil for none.
func newSessionTokens(t *users.Tokens) *model.SessionTokens {
	if t == nil {
		return nil
	}
	return &model.SessionTokens{
		AccessToken:           t.AccessToken,
		AccessTokenExpiresAt:  t.AccessExpiresAt,
		RefreshToken:          t.RefreshToken,
		RefreshTokenExpiresAt: t.RefreshExpiresAt,
	}
}
