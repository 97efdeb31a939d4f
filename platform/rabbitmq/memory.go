package rabbitmq

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/techmart/techmart/platform/telemetry"
)

// memory is the in-process Broker. Messages are lost with the process; the
// outbox has forgotten them by then, so it is for development only.
type memory struct {
	opts   Options
	ctx    context.Context // ended by Close
	cancel context.CancelFunc
	using  sync.WaitGroup // consumers

	mu     sync.Mutex
	closed bool
	queues map[string]*memoryQueue
}

type memoryQueue struct {
	spec  Queue
	ready []Delivery
	dead  []DeadLetter
	wake  chan struct{} // closed and replaced when ready grows
}

func newMemory(o Options) *memory {
	ctx, cancel := context.WithCancel(context.Background())
	return &memory{opts: o, ctx: ctx, cancel: cancel, queues: make(map[string]*memoryQueue)}
}

func (b *memory) Declare(ctx context.Context, queues ...Queue) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	for _, q := range queues {
		old, ok := b.queues[q.Name]
		if !ok {
			b.queues[q.Name] = &memoryQueue{spec: q, wake: make(chan struct{})}
			continue
		}
		bindings := slices.Concat(old.spec.Bindings, q.Bindings)
		slices.Sort(bindings)
		q.Bindings = slices.DeleteFunc(slices.Compact(bindings), func(p string) bool { return slices.Contains(q.Unbound, p) })
		old.spec = q
	}
	return nil
}

func (b *memory) Publish(ctx context.Context, m Message) error {
	return b.PublishBatch(ctx, []Message{m})[0]
}

func (b *memory) PublishBatch(ctx context.Context, messages []Message) []error {
	began := time.Now()
	errs := make([]error, len(messages))
	for i, m := range messages {
		if errs[i] = ctx.Err(); errs[i] == nil {
			errs[i] = b.publish(m)
		}
	}
	if len(messages) > 0 {
		b.opts.Metrics.Observe(ctx, telemetry.RabbitMQ, "publish", time.Since(began), firstError(errs))
	}
	return errs
}

func (b *memory) publish(m Message) error {
	to, mandatory := m.Queue, m.Mandatory
	m = asCarried(m)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	if to != "" {
		q, ok := b.queues[to]
		if !ok {
			return ErrUnroutable
		}
		q.push(Delivery{Message: m, Attempt: 1})
		return nil
	}
	routed := false
	for _, q := range b.queues {
		if slices.ContainsFunc(q.spec.Bindings, func(p string) bool { return topicMatches(p, m.RoutingKey) }) {
			q.push(Delivery{Message: m, Attempt: 1})
			routed = true
		}
	}
	if mandatory && !routed {
		return ErrUnroutable
	}
	return nil
}

// asCarried is the message as it would come out of RabbitMQ: its own copy, with
// the time in whole seconds of UTC.
func asCarried(m Message) Message {
	m.Queue, m.Mandatory = "", false
	m.Headers = maps.Clone(m.Headers)
	m.Body = slices.Clone(m.Body)
	m.ContentType = contentType(m)
	if !m.Time.IsZero() {
		m.Time = m.Time.UTC().Truncate(time.Second)
	}
	return m
}

func (q *memoryQueue) push(d Delivery) {
	q.ready = append(q.ready, d)
	close(q.wake)
	q.wake = make(chan struct{})
}

func (b *memory) Consume(ctx context.Context, queue string, prefetch int, h Handler) error {
	b.mu.Lock()
	q, ok := b.queues[queue]
	if b.closed || !ok {
		b.mu.Unlock()
		if !ok {
			return ErrUnknownQueue
		}
		return ErrClosed
	}
	b.using.Add(1)
	b.mu.Unlock()
	defer b.using.Done()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	handling, release := graceful(ctx, b.opts.Grace)
	defer release()

	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, max(prefetch, 1))
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		d, ok := b.take(ctx, q)
		if !ok {
			return nil
		}
		running.Go(func() {
			defer func() { <-slots }()
			if err := safely(handling, h, d); err != nil {
				b.fail(q, d, err)
			}
		})
	}
}

// take waits for the queue's next message; ok is false when ctx ended first.
func (b *memory) take(ctx context.Context, q *memoryQueue) (d Delivery, ok bool) {
	for ctx.Err() == nil {
		b.mu.Lock()
		if len(q.ready) > 0 {
			d, q.ready = q.ready[0], q.ready[1:]
			b.mu.Unlock()
			return d, true
		}
		wake := q.wake
		b.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
		}
	}
	return Delivery{}, false
}

func (b *memory) fail(q *memoryQueue, d Delivery, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := judge(q.spec, d.Attempt, err)
	if out.dead {
		b.opts.Log.Error("rabbitmq: dead letter", "queue", q.spec.Name, "id", d.ID, "attempts", d.Attempt, "error", out.reason)
		q.dead = append(q.dead, DeadLetter{Message: d.Message, Reason: out.reason, Attempts: d.Attempt,
			DiedAt: time.Now().UTC()})
		return
	}
	next := Delivery{Message: d.Message, Attempt: out.failed + 1}
	time.AfterFunc(out.delay, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		q.push(next)
	})
}

func (b *memory) DeadLetters(ctx context.Context, queue string, limit int) ([]DeadLetter, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	q, ok := b.queues[queue]
	if !ok {
		return nil, ErrUnknownQueue
	}
	return slices.Clone(q.dead[:min(max(limit, 0), len(q.dead))]), nil
}

func (b *memory) Replay(ctx context.Context, queue string, ids ...string) (int, error) {
	return b.remove(ctx, queue, ids, func(q *memoryQueue, l DeadLetter) {
		q.push(Delivery{Message: l.Message, Attempt: 1})
	})
}

func (b *memory) Discard(ctx context.Context, queue string, ids ...string) (int, error) {
	return b.remove(ctx, queue, ids, func(*memoryQueue, DeadLetter) {})
}

func (b *memory) remove(ctx context.Context, queue string, ids []string, each func(*memoryQueue, DeadLetter)) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	q, ok := b.queues[queue]
	if !ok {
		return 0, ErrUnknownQueue
	}
	before := len(q.dead)
	q.dead = slices.DeleteFunc(q.dead, func(l DeadLetter) bool {
		if !selected(ids, l.ID) {
			return false
		}
		each(q, l)
		return true
	})
	return before - len(q.dead), nil
}

func (b *memory) Ping(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	return nil
}

func (b *memory) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	return waitFor(ctx, &b.using)
}

// selected tells whether a command over these IDs, none standing for all,
// means the message.
func selected(ids []string, id string) bool { return len(ids) == 0 || slices.Contains(ids, id) }

// topicMatches tells whether an AMQP topic pattern takes the routing key.
func topicMatches(pattern, key string) bool {
	return wordsMatch(strings.Split(pattern, "."), strings.Split(key, "."))
}

func wordsMatch(pattern, key []string) bool {
	if len(pattern) == 0 {
		return len(key) == 0
	}
	if pattern[0] == "#" {
		return wordsMatch(pattern[1:], key) || (len(key) > 0 && wordsMatch(pattern, key[1:]))
	}
	return len(key) > 0 && (pattern[0] == "*" || pattern[0] == key[0]) && wordsMatch(pattern[1:], key[1:])
}

// graceful returns a context that ends grace after ctx does.
func graceful(ctx context.Context, grace time.Duration) (context.Context, func()) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-out.Done():
		}
	})
	return out, func() { stop(); cancel() }
}

// waitFor waits for the group until ctx ends.
func waitFor(ctx context.Context, group *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func contentType(m Message) string {
	if m.ContentType == "" {
		return "application/json"
	}
	return m.ContentType
}
