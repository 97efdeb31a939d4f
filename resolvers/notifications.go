package resolvers

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/notifications"
)

// Notifications answers User.notifications.
func (u userResolver) Notifications(ctx context.Context, user *model.User, first *int, after *string, unreadOnly bool) (*model.NotificationConnection, error) {
	list := listName("notifications", user.ID, unreadOnly)
	request, err := u.r.Cursors.Request(list, pageArgs(first, after, nil, nil))
	if err != nil {
		return nil, err
	}
	query, err := notifications.NewInboxQuery(user.UserID, unreadOnly, request)
	if err != nil {
		return nil, err
	}
	p, err := dataloaders.Load(ctx, dataloaders.For(ctx).Notifications.Inboxes, query)
	if err != nil {
		return nil, err
	}
	nodes := make([]*model.Notification, 0, len(p.Items))
	edges, info := edges(u.r.Cursors, list, p, (*notifications.Notification).Key, func(cursor string, n *notifications.Notification) *model.NotificationEdge {
		node := newNotification(n)
		nodes = append(nodes, node)
		return &model.NotificationEdge{Cursor: cursor, Node: node}
	})
	return &model.NotificationConnection{Edges: edges, Nodes: nodes, PageInfo: info}, nil
}

// UnreadNotificationCount answers User.unreadNotificationCount.
func (u userResolver) UnreadNotificationCount(ctx context.Context, user *model.User) (int, error) {
	return dataloaders.Load(ctx, dataloaders.For(ctx).Notifications.UnreadCounts, user.UserID)
}

// NotificationDeliveries answers Query.notificationDeliveries.
func (q queryResolver) NotificationDeliveries(ctx context.Context, first *int, after *string, statuses []model.DeliveryStatus) (*model.NotificationDeliveryConnection, error) {
	list := listName("notificationDeliveries", statuses)
	request, err := q.r.Cursors.Request(list, pageArgs(first, after, nil, nil))
	if err != nil {
		return nil, err
	}
	wanted := make([]notifications.Status, len(statuses))
	for i, s := range statuses {
		wanted[i] = notifications.Status(s)
	}
	p, err := q.r.Notifications.DeliveryList(ctx, wanted, request)
	if err != nil {
		return nil, err
	}
	nodes := make([]*model.NotificationDelivery, 0, len(p.Items))
	edges, info := edges(q.r.Cursors, list, p, (*notifications.Delivery).Key, func(cursor string, d *notifications.Delivery) *model.NotificationDeliveryEdge {
		node := newNotificationDelivery(d)
		nodes = append(nodes, node)
		return &model.NotificationDeliveryEdge{Cursor: cursor, Node: node}
	})
	return &model.NotificationDeliveryConnection{Edges: edges, Nodes: nodes, PageInfo: info}, nil
}

// NotificationsMarkRead answers Mutation.notificationsMarkRead.
func (m mutationResolver) NotificationsMarkRead(ctx context.Context, input model.NotificationsMarkReadInput) (*model.NotificationsMarkReadPayload, error) {
	var ids []uuid.UUID
	if input.Ids != nil {
		ids = make([]uuid.UUID, len(input.Ids))
		for i, text := range input.Ids {
			if parsed, err := model.ParseID(model.PrefixNotification, text); err == nil {
				ids[i] = parsed // what is no id stays the zero one, which nothing has
			}
		}
	}
	result, err := m.r.Notifications.MarkRead(ctx, ids)
	wrong, err := userErrors(err)
	if err != nil {
		return nil, err
	}
	return &model.NotificationsMarkReadPayload{MarkedCount: result.Marked, UnreadCount: result.Unread, UserErrors: wrong}, nil
}

// NotificationReceived answers Subscription.notificationReceived.
func (s subscriptionResolver) NotificationReceived(ctx context.Context) (<-chan *model.Notification, error) {
	received, err := s.r.Notifications.Received(ctx)
	if err != nil {
		return nil, err
	}
	out := make(chan *model.Notification)
	go func() {
		defer close(out)
		for n := range received {
			select {
			case out <- newNotification(n):
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// notificationNodes are the look-ups of this domain for node(id).
func (r *Resolver) notificationNodes() map[string]nodeFunc {
	return map[string]nodeFunc{
		model.PrefixNotification: func(ctx context.Context, id uuid.UUID) (model.Node, error) {
			n, err := dataloaders.Load(ctx, dataloaders.For(ctx).Notifications.ByID, id)
			if err != nil {
				return nil, err
			}
			return newNotification(n), nil
		},
		model.PrefixDelivery: func(ctx context.Context, id uuid.UUID) (model.Node, error) {
			d, err := dataloaders.Load(ctx, dataloaders.For(ctx).Notifications.Deliveries, id)
			if err != nil {
				return nil, err
			}
			return newNotificationDelivery(d), nil
		},
	}
}

func newNotification(n *notifications.Notification) *model.Notification {
	out := &model.Notification{
		ID: model.ID(model.PrefixNotification, n.ID), Kind: model.NotificationKind(n.Kind),
		Title: n.Title, Body: n.Body, ReadAt: timeOrNull(n.ReadAt), CreatedAt: n.CreatedAt,
	}
	if n.OrderID != uuid.Nil {
		subject := model.ID(model.PrefixOrder, n.OrderID)
		out.SubjectID = &subject
	}
	return out
}

func newNotificationDelivery(d *notifications.Delivery) *model.NotificationDelivery {
	out := &model.NotificationDelivery{
		ID: model.ID(model.PrefixDelivery, d.ID), Kind: model.NotificationKind(d.Kind), Channel: model.NotificationChannel(d.Channel),
		Recipient: notifications.MaskAddress(d.Recipient), Status: model.DeliveryStatus(d.Status), Attempts: d.Attempts,
		CreatedAt: d.CreatedAt, SentAt: timeOrNull(d.SentAt),
	}
	if d.LastError != "" {
		out.LastError = &d.LastError
	}
	return out
}

// timeOrNull gives nil for the zero time.
func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
