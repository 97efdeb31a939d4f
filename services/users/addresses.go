package users

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// CreateAddress adds an address to the viewer's address book; the first becomes the default. It fails
// with UNAUTHENTICATED, LIMIT_EXCEEDED or the faults of the address.
func (s *Service) CreateAddress(ctx context.Context, content PostalAddress, isDefault bool) (*Address, error) {
	v := viewer.FromContext(ctx)
	content, err := s.addressInput(v, content)
	if err != nil {
		return nil, err
	}
	now := s.now()
	var a *Address
	err = s.store.AddressBookUpdate(ctx, v.UserID, func(b *AddressBook) error {
		a = &Address{ID: newID(), UserID: v.UserID, PostalAddress: content, IsDefault: isDefault, CreatedAt: now, UpdatedAt: now}
		return b.add(a)
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// UpdateAddress gives an address of the viewer a new content; isDefault is nil to leave that as it is. It
// fails with UNAUTHENTICATED, NOT_FOUND or the faults of the address.
func (s *Service) UpdateAddress(ctx context.Context, id uuid.UUID, content PostalAddress, isDefault *bool) (*Address, error) {
	v := viewer.FromContext(ctx)
	content, err := s.addressInput(v, content)
	if err != nil {
		return nil, err
	}
	var changed *Address
	err = s.store.AddressBookUpdate(ctx, v.UserID, func(b *AddressBook) (err error) {
		changed, err = b.change(id, content, isDefault, s.now())
		return err
	})
	if err != nil {
		return nil, err
	}
	return changed, nil
}

// DeleteAddress removes an address of the viewer. It fails with UNAUTHENTICATED or NOT_FOUND.
func (s *Service) DeleteAddress(ctx context.Context, id uuid.UUID) error {
	v := viewer.FromContext(ctx)
	if err := v.RequireAccount(); err != nil {
		return err
	}
	return s.store.AddressBookUpdate(ctx, v.UserID, func(b *AddressBook) error { return b.remove(id) })
}

func (s *Service) addressInput(v viewer.Viewer, content PostalAddress) (PostalAddress, error) {
	if err := v.RequireAccount(); err != nil {
		return content, err
	}
	var c errs.Collector
	content = checkAddress(&c, content, "address")
	return content, c.Err()
}

// AddressesByUser gives address books, the default address first: the viewer's own, or any with
// users:read. Others are left out.
func (s *Service) AddressesByUser(ctx context.Context, userIDs []uuid.UUID) (map[uuid.UUID][]*Address, error) {
	visible := visibleIDs(viewer.FromContext(ctx), userIDs)
	if len(visible) == 0 {
		return nil, nil
	}
	list, err := s.store.AddressListByUsers(ctx, visible)
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID][]*Address, len(visible))
	for _, id := range visible {
		out[id] = nil
	}
	for _, a := range list {
		out[a.UserID] = append(out[a.UserID], a)
	}
	return out, nil
}

// AddressesByID gives addresses by id: the viewer's own, or any with users:read. Others are left out.
func (s *Service) AddressesByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Address, error) {
	v := viewer.FromContext(ctx)
	if !v.Authenticated() {
		return nil, nil
	}
	list, err := s.store.AddressListByIDs(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID]*Address, len(list))
	for _, a := range list {
		if v.IsOrCan(a.UserID, viewer.UsersRead) {
			out[a.ID] = a
		}
	}
	return out, nil
}

// Address gives an address of an account. It fails with NOT_FOUND, also where the address is another
// account's. It is for the program's own use: it asks for no viewer.
func (s *Service) Address(ctx context.Context, userID, addressID uuid.UUID) (Address, error) {
	list, err := s.store.AddressListByIDs(ctx, []uuid.UUID{addressID})
	if err != nil {
		return Address{}, err
	}
	if len(list) == 0 || list[0].UserID != userID {
		return Address{}, errNotFound()
	}
	return *list[0], nil
}
