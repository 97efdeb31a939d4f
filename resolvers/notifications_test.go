package resolvers

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/google/uuid"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/notifications"
	"github.com/techmart/techmart/services/notifications/mailbox"
	"github.com/techmart/techmart/services/notifications/notificationstest"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/viewer"
)

// notificationsGraph serves the fields of the notifications to one viewer.
type notificationsGraph struct {
	executor *executor.Executor
	resolver *Resolver
	context  func(context.Context) context.Context
}

func newNotificationsGraph(service *notifications.Service, v viewer.Viewer) *notificationsGraph {
	r := &Resolver{Notifications: service, Cursors: page.NewCursors([]byte("0123456789abcdef0123456789abcdef"))}
	return &notificationsGraph{
		executor: executor.New(generated.NewExecutableSchema(generated.Config{Resolvers: r, Directives: Directives()})),
		resolver: r,
		context: func(ctx context.Context) context.Context {
			return dataloaders.NewContext(viewer.NewContext(ctx, v), dataloaders.New(dataloaders.Services{Notifications: service}))
		},
	}
}

// ask runs a document with variables and reads its data into answer; the result is the message of the first error.
func (g *notificationsGraph) ask(t *testing.T, document string, answer any, variables map[string]any) string {
	t.Helper()
	ctx := graphql.StartOperationTrace(g.context(t.Context()))
	operation, faults := g.executor.CreateOperationContext(ctx, &graphql.RawParams{Query: document, Variables: variables})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	next, ctx := g.executor.DispatchOperation(ctx, operation)
	response := next(ctx)
	if len(response.Errors) > 0 {
		return response.Errors[0].Message
	}
	if err := json.Unmarshal(response.Data, answer); err != nil {
		t.Fatal(err)
	}
	return ""
}

// must is ask that expects no error.
func (g *notificationsGraph) must(t *testing.T, document string, answer any, variables map[string]any) {
	t.Helper()
	if message := g.ask(t, document, answer, variables); message != "" {
		t.Fatal(message)
	}
}

func notificationsService(t *testing.T) *notifications.Service {
	t.Helper()
	store, _ := notificationstest.Open(t, stacktest.Postgres(t))
	service, err := notifications.New(notifications.Deps{Store: store, Sender: &mailbox.Sender{Store: store, Clock: time.Now},
		Log:    slog.New(slog.DiscardHandler),
		Config: notifications.Config{PublicURL: "https://shop.example", From: "shop@techmart.example"}})
	if err != nil {
		t.Fatal(err)
	}
	return service
}

func tell(t *testing.T, s *notifications.Service, user, order uuid.UUID, kind string) {
	t.Helper()
	data := fmt.Sprintf(`{"userId":%q,"customerId":%[1]q,"email":"ada@example.com","displayName":"Ada","token":"t","orderId":%q,"number":"T-1"}`, user, order)
	if err := s.HandleEvent(t.Context(), notifications.Event{ID: uuid.Must(uuid.NewV7()), Type: kind, Data: []byte(data)}); err != nil {
		t.Fatal(err)
	}
}

func TestNotificationFields(t *testing.T) {
	t.Parallel()
	service := notificationsService(t)
	ada, order := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	tell(t, service, ada, order, "users.email_verified")
	tell(t, service, ada, order, "orders.delivered")
	g := newNotificationsGraph(service, viewer.Viewer{UserID: ada})

	ctx := g.context(t.Context())
	user := &model.User{ID: model.ID(model.PrefixUser, ada), UserID: ada}
	one := 1
	first, err := userResolver{g.resolver}.Notifications(ctx, user, &one, nil, false)
	if err != nil || len(first.Nodes) != 1 || first.Nodes[0].Kind != model.NotificationKindOrderDelivered || !first.PageInfo.HasNextPage {
		t.Fatalf("first page: %+v, %v", first, err)
	}
	if s := first.Nodes[0].SubjectID; s == nil || *s != model.ID(model.PrefixOrder, order) {
		t.Errorf("it is about %v, want the order", s)
	}
	second, err := userResolver{g.resolver}.Notifications(ctx, user, &one, first.PageInfo.EndCursor, false)
	if err != nil || len(second.Nodes) != 1 || second.Nodes[0].SubjectID != nil || second.PageInfo.HasNextPage {
		t.Fatalf("second page: %+v, %v", second, err)
	}
	if _, err := (userResolver{g.resolver}).Notifications(ctx, user, &one, first.PageInfo.EndCursor, true); err == nil {
		t.Error("a cursor of another filter was taken")
	}
	if n, err := (userResolver{g.resolver}).UnreadNotificationCount(ctx, user); n != 2 || err != nil {
		t.Errorf("%d unread, %v", n, err)
	}

	var node struct{ Node *struct{ Kind, Title string } }
	g.must(t, `query($id: ID!) { node(id: $id) { ... on Notification { kind title } } }`, &node, map[string]any{"id": first.Nodes[0].ID})
	if node.Node == nil || node.Node.Title != "Your order T-1 has arrived" {
		t.Errorf("node: %+v", node.Node)
	}
	eve := newNotificationsGraph(service, viewer.Viewer{UserID: uuid.Must(uuid.NewV7())})
	eve.must(t, `query($id: ID!) { node(id: $id) { ... on Notification { kind title } } }`, &node, map[string]any{"id": first.Nodes[0].ID})
	if node.Node != nil {
		t.Errorf("eve reads %+v", node.Node)
	}

	const mark = `mutation($ids: [ID!]) { notificationsMarkRead(input: {ids: $ids}) { markedCount unreadCount userErrors { code field } } }`
	for _, c := range []struct {
		ids  any
		want string
	}{
		{[]any{first.Nodes[0].ID, "ntf_nonsense"}, `{"markedCount":0,"unreadCount":2,"userErrors":[{"code":"NOT_FOUND","field":["input","ids","1"]}]}`},
		{[]any{}, `{"markedCount":0,"unreadCount":2,"userErrors":[]}`},
		{[]any{first.Nodes[0].ID}, `{"markedCount":1,"unreadCount":1,"userErrors":[]}`},
		{nil, `{"markedCount":1,"unreadCount":0,"userErrors":[]}`},
	} {
		var got struct{ NotificationsMarkRead any }
		g.must(t, mark, &got, map[string]any{"ids": c.ids})
		text, err := json.Marshal(got.NotificationsMarkRead)
		if err != nil || string(text) != c.want {
			t.Errorf("marking %v: %s, %v; want %s", c.ids, text, err, c.want)
		}
	}
}

func TestNotificationDeliveryFields(t *testing.T) {
	t.Parallel()
	service := notificationsService(t)
	for range 3 {
		tell(t, service, uuid.Must(uuid.NewV7()), uuid.Nil, "users.registered")
	}
	staff := newNotificationsGraph(service, viewer.Viewer{UserID: uuid.Must(uuid.NewV7()), Scopes: []viewer.Scope{viewer.NotifyRead}})
	const list = `query($after: String, $statuses: [DeliveryStatus!]) { notificationDeliveries(first: 2, after: $after, statuses: $statuses) {
  edges { cursor node { id } } nodes { id kind channel recipient status attempts lastError createdAt sentAt } pageInfo { hasNextPage endCursor } } }`
	type answer struct {
		NotificationDeliveries struct {
			Nodes []struct {
				ID, Kind, Channel, Recipient, Status string
				SentAt                               *string
			}
			PageInfo struct {
				HasNextPage bool
				EndCursor   *string
			}
		}
	}
	var got answer
	staff.must(t, list, &got, map[string]any{"statuses": []any{"PENDING", "DEAD"}})
	l := got.NotificationDeliveries
	if len(l.Nodes) != 2 || !l.PageInfo.HasNextPage {
		t.Fatalf("first page: %+v", l)
	}
	if n := l.Nodes[0]; n.Kind != "EMAIL_VERIFICATION" || n.Channel != "EMAIL" || n.Recipient != "a***@example.com" || n.Status != "PENDING" || n.SentAt != nil {
		t.Errorf("delivery: %+v", n)
	}
	var rest answer
	staff.must(t, list, &rest, map[string]any{"statuses": []any{"PENDING", "DEAD"}, "after": *l.PageInfo.EndCursor})
	if r := rest.NotificationDeliveries; len(r.Nodes) != 1 || r.PageInfo.HasNextPage {
		t.Errorf("second page: %+v", r)
	}
	if message := staff.ask(t, list, &rest, map[string]any{"after": *l.PageInfo.EndCursor}); !strings.Contains(message, "cursor") {
		t.Errorf("a cursor of another filter: %q", message)
	}

	var node struct{ Node *struct{ Status string } }
	const byID = `query($id: ID!) { node(id: $id) { ... on NotificationDelivery { status } } }`
	staff.must(t, byID, &node, map[string]any{"id": l.Nodes[0].ID})
	if node.Node == nil || node.Node.Status != "PENDING" {
		t.Errorf("node: %+v", node.Node)
	}
	customer := newNotificationsGraph(service, viewer.Viewer{UserID: uuid.Must(uuid.NewV7())})
	customer.must(t, byID, &node, map[string]any{"id": l.Nodes[0].ID})
	if node.Node != nil {
		t.Errorf("a customer reads %+v", node.Node)
	}
	if message := customer.ask(t, list, &rest, nil); message == "" {
		t.Error("a customer lists deliveries")
	}
}
