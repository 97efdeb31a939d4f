package resolvers

import (
	"context"

	"github.com/techmart/techmart/graph/model"
)

// SecondFactorEnroll answers Mutation.secondFactorEnroll.
func (m mutationResolver) SecondFactorEnroll(ctx context.Context, input model.SecondFactorEnrollInput) (*model.SecondFactorEnrollPayload, error) {
	e, err := m.r.Users.EnrollSecondFactor(ctx, input.Password)
	faults, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	payload := &model.SecondFactorEnrollPayload{UserErrors: faults}
	if e != nil {
		payload.Secret, payload.URI = &e.Secret, &e.URI
	}
	return payload, nil
}

// SecondFactorConfirm answers Mutation.secondFactorConfirm.
func (m mutationResolver) SecondFactorConfirm(ctx context.Context, input model.SecondFactorConfirmInput) (*model.SecondFactorConfirmPayload, error) {
	u, codes, err := m.r.Users.ConfirmSecondFactor(ctx, input.Code)
	faults, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	return &model.SecondFactorConfirmPayload{User: newUser(u), RecoveryCodes: codes, UserErrors: faults}, nil
}

// SecondFactorDisable answers Mutation.secondFactorDisable.
func (m mutationResolver) SecondFactorDisable(ctx context.Context, input model.SecondFactorDisableInput) (*model.SecondFactorDisablePayload, error) {
	u, err := m.r.Users.DisableSecondFactor(ctx, input.Password, input.Code)
	faults, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	return &model.SecondFactorDisablePayload{User: newUser(u), UserErrors: faults}, nil
}

// SecondFactorRenewRecoveryCodes answers Mutation.secondFactorRenewRecoveryCodes.
func (m mutationResolver) SecondFactorRenewRecoveryCodes(ctx context.Context, input model.SecondFactorRenewRecoveryCodesInput) (*model.SecondFactorRenewRecoveryCodesPayload, error) {
	u, codes, err := m.r.Users.RenewRecoveryCodes(ctx, input.Password, input.Code)
	faults, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	return &model.SecondFactorRenewRecoveryCodesPayload{User: newUser(u), RecoveryCodes: codes, UserErrors: faults}, nil
}
