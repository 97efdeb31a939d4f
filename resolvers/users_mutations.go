package resolvers

import (
	"context"

	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/users"
)

// UserRegister answers Mutation.userRegister.
func (m mutationResolver) UserRegister(ctx context.Context, input model.UserRegisterInput) (*model.UserRegisterPayload, error) {
	err := m.r.Users.Register(ctx, users.Registration{Email: input.Email, Password: input.Password, DisplayName: input.DisplayName})
	faults, failure := userErrors(err)
	if failure != nil {
		return nil, failure
	}
	return &model.UserRegisterPayload{Accepted: err == nil, UserErrors: faults}, nil
}

// UserVerifyEmail answers Mutation.userVerifyEmail.
func (m mutationResolver) UserVerifyEmail(ctx context.Context, input model.UserVerifyEmailInput) (*model.UserVerifyEmailPayload, error) {
	u, err := m.r.Users.VerifyEmail(ctx, input.Token)
	faults, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	return &model.UserVerifyEmailPayload{User: newUser(u), UserErrors: faults}, nil
}

// UserRequestEmailVerification answers Mutation.userRequestEmailVerification.
func (m mutationResolver) UserRequestEmailVerification(ctx context.Context, input model.UserRequestEmailVerificationInput) (*model.UserRequestEmailVerificationPayload, error) {
	err := m.r.Users.RequestEmailVerification(ctx, input.Email)
	faults, failure := userErrors(err)
	if failure != nil {
		return nil, failure
	}
	return &model.UserRequestEmailVerificationPayload{Accepted: err == nil, UserErrors: faults}, nil
}

// UserChangePassword answers Mutation.userChangePassword.
func (m mutationResolver) UserChangePassword(ctx context.Context, input model.UserChangePasswordInput) (*model.UserChangePasswordPayload, error) {
	u, err := m.r.Users.ChangePassword(ctx, input.CurrentPassword, input.NewPassword)
	faults, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	return &model.UserChangePasswordPayload{User: newUser(u), UserErrors: faults}, nil
}

// UserRequestPasswordReset answers Mutation.userRequestPasswordReset.
func (m mutationResolver) UserRequestPasswordReset(ctx context.Context, input model.UserRequestPasswordResetInput) (*model.UserRequestPasswordResetPayload, error) {
	err := m.r.Users.RequestPasswordReset(ctx, input.Email)
	faults, failure := userErrors(err)
	if failure != nil {
		return nil, failure
	}
	return &model.UserRequestPasswordResetPayload{Accepted: err == nil, UserErrors: faults}, nil
}

// UserResetPassword answers Mutation.userResetPassword.
func (m mutationResolver) UserResetPassword(ctx context.Context, input model.UserResetPasswordInput) (*model.UserResetPasswordPayload, error) {
	u, err := m.r.Users.ResetPassword(ctx, input.Token, input.NewPassword)
	faults, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	return &model.UserResetPasswordPayload{User: newUser(u), UserErrors: faults}, nil
}

// UserUpdate answers Mutation.userUpdate.
func (m mutationResolver) UserUpdate(ctx context.Context, input model.UserUpdateInput) (*model.UserUpdatePayload, error) {
	u, err := m.r.Users.UpdateProfile(ctx, users.ProfileChange{DisplayName: input.DisplayName, ExpectedVersion: input.ExpectedVersion})
	faults, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	return &model.UserUpdatePayload{User: newUser(u), UserErrors: faults}, nil
}

// UserSetRoles answers Mutation.userSetRoles.
func (m mutationResolver) UserSetRoles(ctx context.Context, input model.UserSetRolesInput) (*model.UserSetRolesPayload, error) {
	userID, err := id(model.PrefixUser, input.UserID, "userId")
	var u *users.User
	if err == nil {
		roles := make([]users.Role, len(input.Roles))
		for i, r := range input.Roles {
			roles[i] = users.Role(r)
		}
		u, err = m.r.Users.SetRoles(ctx, userID, roles)
	}
	faults, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	return &model.UserSetRolesPayload{User: newUser(u), UserErrors: faults}, nil
}
