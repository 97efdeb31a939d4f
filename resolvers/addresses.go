package resolvers

import (
	"context"

	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/users"
)

// AddressCreate answers Mutation.addressCreate.
func (m mutationResolver) AddressCreate(ctx context.Context, input model.AddressCreateInput) (*model.AddressCreatePayload, error) {
	a, err := m.r.Users.CreateAddress(ctx, postalAddress(input.Address), input.IsDefault)
	faults, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	return &model.AddressCreatePayload{Address: newAddress(a), UserErrors: faults}, nil
}

// AddressUpdate answers Mutation.addressUpdate.
func (m mutationResolver) AddressUpdate(ctx context.Context, input model.AddressUpdateInput) (*model.AddressUpdatePayload, error) {
	addressID, err := id(model.PrefixAddress, input.ID, "id")
	var a *users.Address
	if err == nil {
		a, err = m.r.Users.UpdateAddress(ctx, addressID, postalAddress(input.Address), input.IsDefault)
	}
	faults, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	return &model.AddressUpdatePayload{Address: newAddress(a), UserErrors: faults}, nil
}

// AddressDelete answers Mutation.addressDelete.
func (m mutationResolver) AddressDelete(ctx context.Context, input model.AddressDeleteInput) (*model.AddressDeletePayload, error) {
	addressID, err := id(model.PrefixAddress, input.ID, "id")
	if err == nil {
		err = m.r.Users.DeleteAddress(ctx, addressID)
	}
	faults, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	payload := &model.AddressDeletePayload{UserErrors: faults}
	if len(faults) == 0 {
		payload.DeletedAddressID = &input.ID
	}
	return payload, nil
}

func postalAddress(in *model.AddressInput) users.PostalAddress {
	return users.PostalAddress{
		Recipient: in.Recipient, Line1: in.Line1, Line2: text(in.Line2), PostalCode: in.PostalCode,
		City: in.City, Region: text(in.Region), CountryCode: in.CountryCode, Phone: text(in.Phone),
	}
}

// text gives the text of an optional input, empty where it was left out.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// optional gives nil for the zero value: an empty text, no time.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
