package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// staffChannel carries the news of every order.
const staffChannel = "staff-orders"

func orderChannel(id uuid.UUID) string    { return "order:" + id.String() }
func customerChannel(id uuid.UUID) string { return "customer-orders:" + id.String() }

// Announce tells the subscribers of orders that these have changed. data are those of events of this domain. It is called
// once the events are published; a repeat is harmless. Of several changes of an order subscribers hear once: they read it anew.
func (s *Service) Announce(ctx context.Context, data ...[]byte) error {
	var (
		faults  []error
		changed []EventData
		seen    = make(map[uuid.UUID]bool, len(data))
	)
	for _, d := range data {
		var e EventData
		if err := json.Unmarshal(d, &e); err != nil {
			faults = append(faults, fmt.Errorf("orders: announce: %w", err))
		} else if !seen[e.OrderID] {
			seen[e.OrderID] = true
			changed = append(changed, e)
		}
	}
	if len(changed) == 0 {
		return errors.Join(faults...)
	}
	return errors.Join(append(faults, s.signals.PublishAll(ctx, func(yield func(string, []byte) bool) {
		for _, e := range changed {
			payload := []byte(e.OrderID.String())
			for _, channel := range []string{orderChannel(e.OrderID), customerChannel(e.CustomerID), staffChannel} {
				if !yield(channel, payload) {
					return
				}
			}
		}
	}))...)
}

// Watch gives an order each time it changes, beginning with how it is now; or all of the viewer's own for the zero id,
// every order for staff with orders:read. Each is read anew under the viewer's rights. The channel is
// closed when ctx ends, or the news can be followed no longer. It fails with NOT_FOUND.
func (s *Service) Watch(ctx context.Context, id uuid.UUID) (<-chan *Order, error) {
	v := viewer.FromContext(ctx)
	if err := v.RequireAccount(); err != nil {
		return nil, err
	}
	channel := orderChannel(id)
	if id == uuid.Nil {
		channel = customerChannel(v.UserID)
		if v.Can(viewer.OrdersRead) {
			channel = staffChannel
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	news, err := s.signals.Subscribe(ctx, channel)
	if err != nil {
		cancel()
		return nil, err
	}
	var first *Order
	if id != uuid.Nil {
		// Read after subscribing, so that no change falls between the two.
		if first, err = s.ByID(ctx, id); err != nil {
			cancel()
			return nil, err
		}
	}
	out := make(chan *Order)
	go func() {
		defer cancel()
		defer close(out)
		s.follow(ctx, news, first, out)
	}()
	return out, nil
}

// follow sends first, and then each order that the news name, unless it was sent with the same version before.
func (s *Service) follow(ctx context.Context, news <-chan []byte, first *Order, out chan<- *Order) {
	var last struct {
		id      uuid.UUID
		version int
	}
	send := func(o *Order) bool {
		if last.id == o.ID && last.version >= o.Version {
			return true
		}
		last.id, last.version = o.ID, o.Version
		select {
		case out <- o:
			return true
		case <-ctx.Done():
			return false
		}
	}
	if first != nil && !send(first) {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case payload, open := <-news:
			if !open {
				return
			}
			id, err := uuid.ParseBytes(payload)
			if err != nil {
				s.log.WarnContext(ctx, "news of an order without an id", "error", err)
				continue
			}
			o, err := s.ByID(ctx, id)
			if errs.CodeOf(err) == errs.NotFound {
				continue
			}
			if err != nil {
				s.log.WarnContext(ctx, "an order that changed could not be read", "order", id, "error", err)
				continue
			}
			if !send(o) {
				return
			}
		}
	}
}
