package dataloaders

import (
	"github.com/google/uuid"
	"github.com/graph-gophers/dataloader/v7"

	"github.com/techmart/techmart/services/users"
)

// Users are the loaders of accounts. Each answers only with what the viewer may see.
type Users struct {
	ByID            *dataloader.Loader[uuid.UUID, *users.User]
	AddressByID     *dataloader.Loader[uuid.UUID, *users.Address]
	SessionByID     *dataloader.Loader[uuid.UUID, *users.Session]
	AddressesByUser *dataloader.Loader[uuid.UUID, []*users.Address]
	SessionsByUser  *dataloader.Loader[uuid.UUID, []*users.Session]
}

func newUsers(s *users.Service) *Users {
	return &Users{
		ByID:            newLoader(s.UsersByID),
		AddressByID:     newLoader(s.AddressesByID),
		SessionByID:     newLoader(s.SessionsByID),
		AddressesByUser: newLoader(s.AddressesByUser),
		SessionsByUser:  newLoader(s.SessionsByUser),
	}
}
