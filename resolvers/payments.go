package resolvers

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/payments"
)

type (
	paymentResolver           struct{ r *Resolver }
	paymentConnectionResolver struct{}
)

// Payment gives the resolver of payments.
func (r *Resolver) Payment() generated.PaymentResolver { return paymentResolver{r} }

// PaymentConnection gives the resolver of lists of payments.
func (r *Resolver) PaymentConnection() generated.PaymentConnectionResolver {
	return paymentConnectionResolver{}
}

// Payment answers Query.payment.
func (q queryResolver) Payment(ctx context.Context, paymentID string) (*model.Payment, error) {
	u, err := id(model.PrefixPayment, paymentID)
	if err != nil {
		return absent[model.Payment](nil, err)
	}
	return absent(loadPayment(ctx, u))
}

// Payments answers Query.payments.
func (q queryResolver) Payments(ctx context.Context, first *int, after *string, last *int, before *string, where *model.PaymentWhere) (*model.PaymentConnection, error) {
	list := listName("payments", where)
	r, err := q.r.Cursors.Request(list, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	filter := paymentFilter(where)
	p, err := q.r.Payments.List(ctx, filter, r)
	if err != nil {
		return nil, err
	}
	connection := &model.PaymentConnection{Nodes: page.Map(p, newPayment).Items}
	connection.Edges, connection.PageInfo = edges(q.r.Cursors, list, p, payments.KeyOf, func(cursor string, p *payments.Payment) *model.PaymentEdge {
		return &model.PaymentEdge{Cursor: cursor, Node: newPayment(p)}
	})
	connection.Count = func(ctx context.Context) (int, error) { return q.r.Payments.Count(ctx, filter) }
	return connection, nil
}

// TotalCount answers PaymentConnection.totalCount.
func (paymentConnectionResolver) TotalCount(ctx context.Context, c *model.PaymentConnection) (int, error) {
	return c.Count(ctx)
}

// LedgerBalances answers Query.ledgerBalances.
func (q queryResolver) LedgerBalances(ctx context.Context) ([]*model.LedgerBalance, error) {
	balances, err := q.r.Payments.LedgerBalances(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]*model.LedgerBalance, len(balances))
	for i, b := range balances {
		out[i] = &model.LedgerBalance{Account: string(b.Account), Balance: newMoney(b.Balance)}
	}
	return out, nil
}

// Payment answers Order.payment.
func (o orderResolver) Payment(ctx context.Context, order *model.Order) (*model.Payment, error) {
	p, found, err := dataloaders.Find(ctx, dataloaders.For(ctx).Payments.ByOrder, order.OrderID)
	if err != nil || !found {
		return nil, err
	}
	return newPayment(p), nil
}

// Order answers Payment.order.
func (p paymentResolver) Order(ctx context.Context, payment *model.Payment) (*model.Order, error) {
	if p.r.elsewhere("Order") {
		return newOrderReference(payment.OrderID), nil
	}
	o, found, err := dataloaders.Find(ctx, dataloaders.For(ctx).Orders.ByID, payment.OrderID)
	if err != nil || !found {
		return nil, err
	}
	return newOrder(o), nil
}

// Transactions answers Payment.transactions.
func (p paymentResolver) Transactions(ctx context.Context, payment *model.Payment, first *int, after *string) (*model.PaymentTransactionConnection, error) {
	list := listName("transactions", payment.ID)
	r, err := p.r.Cursors.Request(list, pageArgs(first, after, nil, nil))
	if err != nil {
		return nil, err
	}
	key := payments.TransactionList{PaymentID: payment.PaymentID, Limit: r.Limit}
	if r.From != nil {
		if key.After, err = payments.ReadKey(r.From); err != nil {
			return nil, err
		}
	}
	found, err := dataloaders.Load(ctx, dataloaders.For(ctx).Payments.TransactionPages, key)
	if err != nil {
		return nil, err
	}
	connection := &model.PaymentTransactionConnection{Nodes: page.Map(found, newPaymentTransaction).Items}
	connection.Edges, connection.PageInfo = edges(p.r.Cursors, list, found, payments.TransactionKeyOf, func(cursor string, t *payments.Transaction) *model.PaymentTransactionEdge {
		return &model.PaymentTransactionEdge{Cursor: cursor, Node: newPaymentTransaction(t)}
	})
	return connection, nil
}

// PaymentCapture answers Mutation.paymentCapture.
func (m mutationResolver) PaymentCapture(ctx context.Context, input model.PaymentCaptureInput) (*model.PaymentCapturePayload, error) {
	p, replayed, wrong, err := m.changePayment(ctx, m.r.Payments.Capture, input.PaymentID, input.Amount, nil, input.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return &model.PaymentCapturePayload{Payment: p, Replayed: replayed, UserErrors: wrong}, nil
}

// PaymentVoid answers Mutation.paymentVoid.
func (m mutationResolver) PaymentVoid(ctx context.Context, input model.PaymentVoidInput) (*model.PaymentVoidPayload, error) {
	p, replayed, wrong, err := m.changePayment(ctx, m.r.Payments.Void, input.PaymentID, nil, nil, input.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return &model.PaymentVoidPayload{Payment: p, Replayed: replayed, UserErrors: wrong}, nil
}

// PaymentRefund answers Mutation.paymentRefund.
func (m mutationResolver) PaymentRefund(ctx context.Context, input model.PaymentRefundInput) (*model.PaymentRefundPayload, error) {
	p, replayed, wrong, err := m.changePayment(ctx, m.r.Payments.Refund, input.PaymentID, input.Amount, input.Reason, input.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return &model.PaymentRefundPayload{Payment: p, Replayed: replayed, UserErrors: wrong}, nil
}

// changePayment reads the input that the three mutations share, calls the service once and converts
// its answer.
func (m mutationResolver) changePayment(ctx context.Context, change func(context.Context, payments.Request) (*payments.Payment, error),
	paymentID string, amount *model.MoneyInput, reason, key *string) (payment *model.Payment, replayed bool, wrong []model.UserError, err error) {
	r := payments.Request{IdempotencyKey: request.IdempotencyKey(ctx, key), Replayed: &replayed}
	var unknown, wrongAmount error
	r.PaymentID, unknown = id(model.PrefixPayment, paymentID, "paymentId")
	r.Amount, wrongAmount = moneyInput(amount, "amount")
	r.Faults = errors.Join(unknown, wrongAmount)
	if reason != nil {
		r.Reason = *reason
	}
	p, err := change(ctx, r)
	if wrong, err = userErrors(err); err != nil || p == nil {
		return nil, replayed, wrong, err
	}
	return newPayment(p), replayed, wrong, nil
}

// paymentNodes are the look-ups of this domain for node(id).
func (r *Resolver) paymentNodes() map[string]nodeFunc {
	return map[string]nodeFunc{
		model.PrefixPayment: func(ctx context.Context, id uuid.UUID) (model.Node, error) {
			p, err := loadPayment(ctx, id)
			if err != nil {
				return nil, err
			}
			return p, nil
		},
		model.PrefixTransaction: func(ctx context.Context, id uuid.UUID) (model.Node, error) {
			t, err := dataloaders.Load(ctx, dataloaders.For(ctx).Payments.Transactions, id)
			if err != nil {
				return nil, err
			}
			return newPaymentTransaction(t), nil
		},
	}
}

func loadPayment(ctx context.Context, id uuid.UUID) (*model.Payment, error) {
	p, err := dataloaders.Load(ctx, dataloaders.For(ctx).Payments.ByID, id)
	if err != nil {
		return nil, err
	}
	return newPayment(p), nil
}

func newPayment(p *payments.Payment) *model.Payment {
	out := &model.Payment{
		ID: model.ID(model.PrefixPayment, p.ID), PaymentID: p.ID, OrderID: p.OrderID,
		Status: model.PaymentStatus(p.Status), Provider: p.Provider,
		Amount: newMoney(p.Amount), AuthorizedAmount: newMoney(p.Authorized),
		CapturedAmount: newMoney(p.Captured), RefundedAmount: newMoney(p.Refunded),
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
	if p.DeclineReason != "" {
		out.DeclineReason = &p.DeclineReason
	}
	return out
}

func newPaymentTransaction(t *payments.Transaction) *model.PaymentTransaction {
	out := &model.PaymentTransaction{
		ID: model.ID(model.PrefixTransaction, t.ID), Kind: model.PaymentTransactionKind(t.Kind),
		Status: model.PaymentTransactionStatus(t.Status), Amount: newMoney(t.Amount), CreatedAt: t.CreatedAt,
	}
	if t.ProviderReference != "" {
		out.ProviderReference = &t.ProviderReference
	}
	if t.ErrorCode != "" {
		out.ErrorCode = &t.ErrorCode
	}
	return out
}

func paymentFilter(where *model.PaymentWhere) payments.Filter {
	var f payments.Filter
	if where == nil {
		return f
	}
	for _, s := range where.Statuses {
		f.Statuses = append(f.Statuses, payments.Status(s))
	}
	if where.CreatedAt != nil {
		if where.CreatedAt.Gte != nil {
			f.CreatedFrom = *where.CreatedAt.Gte
		}
		if where.CreatedAt.Lt != nil {
			f.CreatedTo = *where.CreatedAt.Lt
		}
	}
	return f
}
