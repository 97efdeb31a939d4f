package redis

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/techmart/techmart/platform/group"
)

// ErrHubClosed is returned by a hub after Close.
var ErrHubClosed = errors.New("redis: hub is closed")

const (
	// subscriberBuffer is how many messages a slow subscriber may lag behind.
	subscriberBuffer = 64
	// hubBuffer takes the bursts that arrive while the fan-out is busy.
	hubBuffer = 1024
	// confirmTimeout bounds the wait for the server to confirm a subscription.
	confirmTimeout = 5 * time.Second
)

// Hub delivers messages among processes through Redis pub/sub. However many
// subscribers a process has, it holds one connection, and one subscription per
// channel. Delivery is at most once: messages published while the connection is
// being made anew are lost, and a subscriber that lags more than 64 messages
// behind loses its oldest ones. Who needs all of them reads the store.
type Hub struct {
	client *Client
	pubsub *goredis.PubSub
	single *group.Group[message, struct{}]
	done   chan struct{}

	// commands keeps SUBSCRIBE and UNSUBSCRIBE in the order of the decisions
	// that led to them. It is taken before mu, and never by the fan-out.
	commands sync.Mutex
	mu       sync.Mutex
	closed   bool
	topics   map[string]*topic
}

// message is what is published to a channel.
type message struct {
	channel string
	payload []byte
}

// topic is one subscribed channel and its local subscribers.
type topic struct {
	confirmed   chan struct{}
	isConfirmed bool
	subscribers map[chan []byte]struct{}
}

// NewHub starts a hub on the client; Close ends it.
func NewHub(client *Client) *Hub {
	h := &Hub{
		client: client,
		pubsub: client.Subscribe(context.Background()),
		done:   make(chan struct{}),
		topics: make(map[string]*topic),
	}
	h.single = Group(client, "signals", func(ctx context.Context, list []message) ([]group.Result[struct{}], error) {
		return make([]group.Result[struct{}], len(list)), h.PublishAll(ctx, func(yield func(string, []byte) bool) {
			for _, m := range list {
				if !yield(m.channel, m.payload) {
					return
				}
			}
		})
	})
	messages := h.pubsub.ChannelWithSubscriptions(goredis.WithChannelSize(hubBuffer))
	go h.run(messages)
	return h
}

// Publish sends payload to every subscriber of channel, in all processes. Calls at the same time share a round trip.
func (h *Hub) Publish(ctx context.Context, channel string, payload []byte) error {
	_, err := h.single.Do(ctx, message{channel, payload})
	return err
}

// PublishAll sends each payload to every subscriber of its channel, in all processes, by one round trip.
func (h *Hub) PublishAll(ctx context.Context, messages iter.Seq2[string, []byte]) error {
	if _, err := h.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for channel, payload := range messages {
			p.Publish(ctx, h.client.Key(channel), payload)
		}
		return nil
	}); err != nil {
		return fmt.Errorf("redis: publish: %w", err)
	}
	return nil
}

// Subscribe returns the messages that are published to channel from now on: a
// message published after Subscribe returned is delivered. The Go channel is
// closed when ctx ends or the hub is closed. The hub reconnects by itself.
func (h *Hub) Subscribe(ctx context.Context, channel string) (<-chan []byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key := h.client.Key(channel)
	out := make(chan []byte, subscriberBuffer)
	t, err := h.join(ctx, key, out)
	if err != nil {
		return nil, fmt.Errorf("redis: subscribe to %s: %w", channel, err)
	}
	timer := time.NewTimer(confirmTimeout)
	defer timer.Stop()
	select {
	case <-t.confirmed:
	case <-ctx.Done():
		err = ctx.Err()
	case <-h.done:
		err = ErrHubClosed
	case <-timer.C:
		err = errors.New("the server did not confirm in time")
	}
	if err != nil {
		h.leave(key, out)
		return nil, fmt.Errorf("redis: subscribe to %s: %w", channel, err)
	}
	context.AfterFunc(ctx, func() { h.leave(key, out) })
	return out, nil
}

// Close ends every subscription and the connection.
func (h *Hub) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	h.mu.Unlock()
	err := h.pubsub.Close()
	<-h.done
	return err
}

func (h *Hub) join(ctx context.Context, key string, out chan []byte) (*topic, error) {
	h.commands.Lock()
	defer h.commands.Unlock()
	t, first, err := h.add(key, out)
	if err != nil || !first {
		return t, err
	}
	// An error here is a broken connection. The client remembers the channel
	// and subscribes again as it reconnects, so the confirmation still comes.
	if err := h.pubsub.Subscribe(ctx, key); err != nil && ctx.Err() != nil {
		h.remove(key, out)
		return nil, err
	}
	return t, nil
}

func (h *Hub) leave(key string, out chan []byte) {
	h.commands.Lock()
	defer h.commands.Unlock()
	if last := h.remove(key, out); last {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		// On a broken connection it is not subscribed again either.
		_ = h.pubsub.Unsubscribe(ctx, key)
	}
}

func (h *Hub) add(key string, out chan []byte) (t *topic, first bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, false, ErrHubClosed
	}
	t, ok := h.topics[key]
	if !ok {
		t = &topic{confirmed: make(chan struct{}), subscribers: make(map[chan []byte]struct{})}
		h.topics[key] = t
	}
	t.subscribers[out] = struct{}{}
	return t, !ok, nil
}

func (h *Hub) remove(key string, out chan []byte) (last bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t, ok := h.topics[key]
	if !ok {
		return false
	}
	if _, ok := t.subscribers[out]; !ok {
		return false
	}
	delete(t.subscribers, out)
	close(out)
	if len(t.subscribers) > 0 {
		return false
	}
	delete(h.topics, key)
	return !h.closed
}

// run is the fan-out. It ends, and closes every subscriber, when the pub/sub
// connection is closed for good.
func (h *Hub) run(messages <-chan any) {
	for m := range messages {
		switch m := m.(type) {
		case *goredis.Subscription:
			if m.Kind == "subscribe" {
				h.confirm(m.Channel)
			}
		case *goredis.Message:
			h.deliver(m.Channel, []byte(m.Payload))
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for key, t := range h.topics {
		for out := range t.subscribers {
			close(out)
		}
		delete(h.topics, key)
	}
	close(h.done)
}

func (h *Hub) confirm(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t, ok := h.topics[key]; ok && !t.isConfirmed {
		t.isConfirmed = true
		close(t.confirmed)
	}
}

func (h *Hub) deliver(key string, payload []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t, ok := h.topics[key]
	if !ok {
		return
	}
	for out := range t.subscribers {
		select {
		case out <- payload:
			continue
		default:
		}
		select { // full: drop the oldest, unless the reader just took it
		case <-out:
		default:
		}
		out <- payload // this is the only sender, so there is room
	}
}
