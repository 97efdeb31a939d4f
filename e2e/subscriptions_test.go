package e2e

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	coderws "github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/google/uuid"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/users"
)

const (
	followOrder = `subscription($id: ID) { orderUpdated(id: $id) { id status customer { id } lines { quantity } } }`
	followInbox = `subscription { notificationReceived { id kind title } }`
	followStock = `subscription($id: ID!) { stockChanged(variantId: $id) { id quantityAvailable available } }`
)

// orderFrame is an event of followOrder.
type orderFrame struct {
	OrderUpdated struct {
		ID, Status string
		Customer   *struct{ ID string }
		Lines      []struct{ Quantity int }
	}
}

// bare gives the UUID of an id of the graph.
func bare(t *testing.T, prefix, id string) string {
	t.Helper()
	u, err := model.ParseID(prefix, id)
	if err != nil {
		t.Fatal(err)
	}
	return u.String()
}

// What one process changes reaches the subscribers of another, over both transports.
func TestSubscriptionsAcrossProcesses(t *testing.T) {
	t.Parallel()
	api, worker := pair(t)
	camera := worker.product("Fjord Camera", "100.00", 100)
	for name, subscribe := range transports {
		t.Run("orderUpdated over "+name, func(t *testing.T) {
			here, there := api.within(t), worker.within(t)
			customer, other, support := here.as(users.Customer), here.as(users.Customer), here.as(users.Support)
			sig := here.signals()
			all, others, staff := subscribe(customer, followOrder, nil), subscribe(other, followOrder, nil), subscribe(support, followOrder, nil)
			mine, theirs := "customer-orders:"+bare(t, model.PrefixUser, customer.userID), "customer-orders:"+bare(t, model.PrefixUser, other.userID)
			sig.listened(mine, true)
			sig.listened(theirs, true)
			sig.listened("staff-orders", true)

			id := customer.at(there).buy(camera.variantID, 2, "tok_visa")
			one := subscribe(customer, followOrder, vars{"id": id})
			for who, s := range map[string]*stream{"the customer": all, "support": staff, "a follower of the order": one} {
				for status := ""; status != "CONFIRMED"; {
					var f orderFrame
					s.read(&f)
					if status = f.OrderUpdated.Status; f.OrderUpdated.ID != id || status != "PENDING" && status != "CONFIRMED" || len(f.OrderUpdated.Lines) != 1 || f.OrderUpdated.Customer == nil {
						t.Fatalf("%s gets %+v", who, f)
					}
				}
			}

			// Even told of an order of somebody else, a stream shows only what its viewer may see.
			sig.send(theirs, bare(t, model.PrefixOrder, id))
			own := other.at(there).buy(camera.variantID, 1, "tok_visa")
			var f orderFrame
			if others.read(&f); f.OrderUpdated.ID != own {
				t.Errorf("another customer gets %+v", f)
			}
			subscribe(other, followOrder, vars{"id": id}).refused("NOT_FOUND")
			subscribe(here.anonymous(), followOrder, vars{"id": id}).refused("UNAUTHENTICATED")
			subscribe(here.anonymous(), followOrder, nil).refused("UNAUTHENTICATED")

			for _, s := range []*stream{all, others, staff, one} {
				s.leave()
			}
			sig.listened(mine, false)
			sig.listened(theirs, false)
			sig.listened("staff-orders", false)
		})
		t.Run("notificationReceived over "+name, func(t *testing.T) {
			here, there := api.within(t), worker.within(t)
			customer, other := here.as(users.Customer), here.as(users.Customer)
			sig := here.signals()
			mine, theirs := "inbox:"+bare(t, model.PrefixUser, customer.userID), "inbox:"+bare(t, model.PrefixUser, other.userID)
			inbox, others := subscribe(customer, followInbox, nil), subscribe(other, followInbox, nil)
			sig.listened(mine, true)
			sig.listened(theirs, true)
			customer.at(there).buy(camera.variantID, 1, "tok_visa")
			var f struct {
				NotificationReceived struct{ ID, Kind, Title string }
			}
			if inbox.read(&f); f.NotificationReceived.Kind != "ORDER_CONFIRMED" {
				t.Errorf("the customer gets %+v", f)
			}
			first := f.NotificationReceived.ID
			sig.send(theirs, bare(t, model.PrefixNotification, first))
			other.at(there).buy(camera.variantID, 1, "tok_declined")
			if others.read(&f); f.NotificationReceived.ID == first {
				t.Error("another customer gets it too")
			}
			subscribe(here.anonymous(), followInbox, nil).refused("UNAUTHENTICATED")
			inbox.leave()
			others.leave()
			sig.listened(mine, false)
		})
		t.Run("stockChanged over "+name, func(t *testing.T) {
			here, there := api.within(t), worker.within(t)
			lens := there.product("Fjord Lens "+name, "50.00", 3)
			sig := here.signals()
			channel := "stock:" + bare(t, model.PrefixVariant, lens.variantID)
			stock := subscribe(here.anonymous(), followStock, vars{"id": lens.variantID})
			sig.listened(channel, true)
			there.as(users.Customer).buy(lens.variantID, 3, "tok_visa")
			var f struct {
				StockChanged struct {
					ID                string
					QuantityAvailable int
					Available         bool
				}
			}
			if stock.read(&f); f.StockChanged.ID != lens.variantID || f.StockChanged.QuantityAvailable != 0 || f.StockChanged.Available {
				t.Errorf("it says %+v", f)
			}
			subscribe(here.anonymous(), followStock, vars{"id": model.ID(model.PrefixVariant, uuid.Must(uuid.NewV7()))}).refused("NOT_FOUND")
			stock.leave()
			sig.listened(channel, false)
		})
	}
}

// A stream that was opened with a session ends with it, whatever happens afterwards.
func TestARevokedSessionHearsNothingMore(t *testing.T) {
	t.Parallel()
	for name, subscribe := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here, there := pair(t)
			camera := there.product("Fjord Camera", "100.00", 100)
			customer, support, admin := here.as(users.Customer), here.as(users.Support), here.as(users.Admin)
			sig := here.signals()
			inbox, staff := subscribe(customer, followInbox, nil), subscribe(support, followOrder, nil)
			sig.listened("inbox:"+bare(t, model.PrefixUser, customer.userID), true)
			sig.listened("staff-orders", true)

			// All news before the end are read.
			id := customer.at(there).buy(camera.variantID, 1, "tok_visa")
			var f orderFrame
			for f.OrderUpdated.Status != "CONFIRMED" {
				staff.read(&f)
			}
			order := subscribe(customer, followOrder, vars{"id": id})
			order.read(&f)
			inbox.next()

			customer.at(there).change("sessionRevokeAll", "SessionRevokeAllInput", vars{})
			admin.at(there).change("userSetRoles", "UserSetRolesInput", vars{"userId": support.userID, "roles": []string{"CUSTOMER"}})
			there.as(users.Support).change("orderFulfill", "OrderFulfillInput", vars{"orderId": id})
			order.refused("UNAUTHENTICATED")
			inbox.refused("UNAUTHENTICATED")
			staff.refused("UNAUTHENTICATED")
		})
	}
}

// A connection says who it is at its start, once, or is closed.
func TestWebSocketInitialization(t *testing.T) {
	t.Parallel()
	s := setup(t)
	customer := s.as(users.Customer)
	silent := s.dial(t.Context())
	began := time.Now()
	for _, hello := range []string{`{"authorization":"Bearer nonsense"}`, `{"accessToken":"nonsense"}`, `{"authorization":"` + customer.token + `"}`} {
		conn := s.dial(t.Context())
		if err := wsjson.Write(t.Context(), conn, wsMessage{Type: "connection_init", Payload: []byte(hello)}); err != nil {
			t.Fatal(err)
		}
		if got, reason := closed(t, conn); got != 4403 || reason != "Forbidden" {
			t.Errorf("%s: closed with %d %q", hello, got, reason)
		}
	}
	eager := s.dial(t.Context())
	if err := wsjson.Write(t.Context(), eager, wsMessage{ID: "1", Type: "subscribe", Payload: []byte(`{"query":"{ me { id } }"}`)}); err != nil {
		t.Fatal(err)
	}
	if got, _ := closed(t, eager); got != 4401 {
		t.Errorf("a subscription before the initialization is closed with %d", got)
	}
	if got, _ := closed(t, silent); got != 4408 || time.Since(began) > 2*patience {
		t.Errorf("a silent connection was closed with %d after %v", got, time.Since(began))
	}

	// The session of the connection is that of all it asks.
	me := customer.webSocket(`{ me { id } }`, nil)
	var out struct{ Me *struct{ ID string } }
	if me.read(&out); out.Me == nil || out.Me.ID != customer.userID {
		t.Errorf("over the connection the viewer is %+v", out.Me)
	}
	me.complete()
	nobody := s.anonymous().webSocket(`{ me { id } }`, nil)
	if nobody.read(&out); out.Me != nil {
		t.Errorf("without a token the viewer is %+v", out.Me)
	}
	nobody.complete()
}

// closed reads a connection to its end, and gives the code and reason of the closing.
func closed(t *testing.T, conn *coderws.Conn) (coderws.StatusCode, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	for {
		var m wsMessage
		err := wsjson.Read(ctx, conn, &m)
		if err == nil {
			if m.Type == "connection_ack" || m.Type == "next" {
				t.Errorf("it answers %+v", m)
			}
			continue
		}
		if ctx.Err() != nil {
			t.Error("the connection stays open")
		}
		var end coderws.CloseError
		if errors.As(err, &end) {
			return end.Code, end.Reason
		}
		return -1, err.Error()
	}
}

// A stream lives as long as its access token, and longer only where that is renewed by the session.
func TestStreamsEndWithTheToken(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *app.Config) { c.AccessTTL = 4 * time.Second })
	sig := s.signals()

	// Over SSE the stream says why it ends.
	reader := s.as(users.Customer)
	reader.serverSentEvents(followInbox, nil).refused("UNAUTHENTICATED")

	// Over a WebSocket a newer token of the session keeps the connection, and one without is closed.
	email := "renewal@example.com"
	if _, err := s.Services.Users.CreateAccount(t.Context(), users.NewAccount{
		Email: email, DisplayName: "Renewal", Password: password, Roles: []users.Role{users.Customer}, Verified: true,
	}); err != nil {
		t.Fatal(err)
	}
	var signed struct {
		SessionCreate struct {
			Tokens tokenPair
			User   struct{ ID string }
		}
	}
	s.anonymous().must(&signed, `mutation($input: SessionCreateInput!) { sessionCreate(input: $input) { tokens { accessToken refreshToken } user { id } } }`,
		vars{"input": vars{"email": email, "password": password}})
	pair := signed.SessionCreate.Tokens
	open := func() *coderws.Conn {
		conn := s.dial(t.Context())
		say(t, conn, wsMessage{Type: "connection_init", Payload: []byte(`{"accessToken":"` + pair.AccessToken + `"}`)})
		if m := hear(t, conn); m.Type != "connection_ack" || !strings.Contains(string(m.Payload), "expiresAt") {
			t.Fatalf("got %+v", m)
		}
		return conn
	}
	left, kept := open(), open()
	var renewed struct{ SessionRefresh struct{ Tokens tokenPair } }
	s.anonymous().must(&renewed, `mutation($input: SessionRefreshInput!) { sessionRefresh(input: $input) { tokens { accessToken refreshToken } } }`,
		vars{"input": vars{"refreshToken": pair.RefreshToken}})
	say(t, kept, wsMessage{Type: "ping", Payload: []byte(`{"authorization":"Bearer ` + renewed.SessionRefresh.Tokens.AccessToken + `"}`)})
	if m := hear(t, kept); m.Type != "pong" || !strings.Contains(string(m.Payload), "expiresAt") {
		t.Fatalf("got %+v", m)
	}
	say(t, kept, wsMessage{ID: "1", Type: "subscribe", Payload: []byte(`{"query":"subscription { notificationReceived { id } }"}`)})
	channel := "inbox:" + bare(t, model.PrefixUser, signed.SessionCreate.User.ID)
	sig.listened(channel, true)
	if code, reason := closed(t, left); code != 4403 || reason != "The access token has expired" {
		t.Errorf("closed with %d %q", code, reason)
	}
	if code, reason := closed(t, kept); code != 4403 || reason != "The access token has expired" {
		t.Errorf("the renewed connection closed with %d %q", code, reason)
	}
	sig.listened(channel, false)
}

// tokenPair is what a session hands out.
type tokenPair struct{ AccessToken, RefreshToken string }

func say(t *testing.T, conn *coderws.Conn, m wsMessage) {
	t.Helper()
	if err := wsjson.Write(t.Context(), conn, m); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, conn *coderws.Conn) (m wsMessage) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := wsjson.Read(ctx, conn, &m); err != nil {
		t.Fatal(err)
	}
	return m
}
