package dataloaders

import (
	"github.com/google/uuid"
	"github.com/graph-gophers/dataloader/v7"

	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/payments"
)

// Payments are the loaders of payments. Each answers only with what the viewer may see.
type Payments struct {
	ByID             *dataloader.Loader[uuid.UUID, *payments.Payment]
	ByOrder          *dataloader.Loader[uuid.UUID, *payments.Payment] // by the order's id
	Transactions     *dataloader.Loader[uuid.UUID, *payments.Transaction]
	TransactionPages *dataloader.Loader[payments.TransactionList, page.Page[*payments.Transaction]]
}

func newPayments(s *payments.Service) *Payments {
	return &Payments{
		ByID:             newLoader(s.Payments),
		ByOrder:          newLoader(s.PaymentsOfOrders),
		Transactions:     newLoader(s.Transactions),
		TransactionPages: newLoader(s.TransactionPages),
	}
}
