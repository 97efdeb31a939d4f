package e2e

import (
	"context"
	"testing"
	"time"

	coderws "github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/google/uuid"

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
	closed := func(conn *coderws.Conn) coderws.StatusCode {
		ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
		defer cancel()
		for {
			var m wsMessage
			if err := wsjson.Read(ctx, conn, &m); err != nil {
				if ctx.Err() != nil {
					t.Error("the connection stays open")
				}
				return coderws.CloseStatus(err)
			}
			if m.Type == "connection_ack" || m.Type == "next" {
				t.Errorf("it answers %+v", m)
			}
		}
	}
	silent := s.dial(t.Context())
	began := time.Now()
	for _, hello := range []string{`{"authorization":"Bearer nonsense"}`, `{"accessToken":"nonsense"}`, `{"authorization":"` + customer.token + `"}`} {
		conn := s.dial(t.Context())
		if err := wsjson.Write(t.Context(), conn, wsMessage{Type: "connection_init", Payload: []byte(hello)}); err != nil {
			t.Fatal(err)
		}
		if got := closed(conn); got != 4403 {
			t.Errorf("%s: closed with %d", hello, got)
		}
	}
	eager := s.dial(t.Context())
	if err := wsjson.Write(t.Context(), eager, wsMessage{ID: "1", Type: "subscribe", Payload: []byte(`{"query":"{ me { id } }"}`)}); err != nil {
		t.Fatal(err)
	}
	if got := closed(eager); got == -1 {
		t.Error("a subscription before the initialization is not refused properly")
	}
	if got := closed(silent); got != 4408 || time.Since(began) > 2*patience {
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
