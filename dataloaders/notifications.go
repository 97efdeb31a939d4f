package dataloaders

import (
	"github.com/google/uuid"
	"github.com/graph-gophers/dataloader/v7"

	"github.com/techmart/techmart/services/notifications"
	"github.com/techmart/techmart/services/page"
)

// Notifications are the loaders of inboxes and deliveries. Each answers only with what the viewer
// may see.
type Notifications struct {
	ByID         *dataloader.Loader[uuid.UUID, *notifications.Notification]
	Inboxes      *dataloader.Loader[notifications.InboxQuery, page.Page[*notifications.Notification]]
	UnreadCounts *dataloader.Loader[uuid.UUID, int] // by user
	Deliveries   *dataloader.Loader[uuid.UUID, *notifications.Delivery]
}

func newNotifications(s *notifications.Service) *Notifications {
	return &Notifications{
		ByID:         newLoader(s.Notifications),
		Inboxes:      newLoader(s.Inboxes),
		UnreadCounts: newLoader(s.UnreadCounts),
		Deliveries:   newLoader(s.Deliveries),
	}
}
