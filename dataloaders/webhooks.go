package dataloaders

import (
	"github.com/google/uuid"
	"github.com/graph-gophers/dataloader/v7"

	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/webhooks"
)

// Webhooks are the loaders of webhook endpoints. Each answers only with what the viewer may see.
type Webhooks struct {
	ByID           *dataloader.Loader[uuid.UUID, *webhooks.Endpoint]
	Secrets        *dataloader.Loader[uuid.UUID, []webhooks.Secret] // by the endpoint's id
	Deliveries     *dataloader.Loader[uuid.UUID, *webhooks.Delivery]
	DeliveryPages  *dataloader.Loader[webhooks.DeliveryList, page.Page[*webhooks.Delivery]]
	DeliveryCounts *dataloader.Loader[uuid.UUID, map[webhooks.DeliveryStatus]int] // by the endpoint's id
	AttemptPages   *dataloader.Loader[webhooks.AttemptList, page.Page[webhooks.Attempt]]
}

func newWebhooks(s *webhooks.Service) *Webhooks {
	return &Webhooks{
		ByID: newLoader(s.ByIDs), Secrets: newLoader(s.Secrets), Deliveries: newLoader(s.Deliveries), DeliveryPages: newLoader(s.DeliveryPages),
		DeliveryCounts: newLoader(s.DeliveryCounts), AttemptPages: newLoader(s.AttemptPages),
	}
}
