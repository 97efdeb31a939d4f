// Package rabbitmq publishes and consumes messages with confirms, bounded
// prefetch, delayed retries and dead letters, over RabbitMQ or, with the URL
// "memory:", inside the process. It knows no message.
//
// # Topology
//
// Under a namespace <ns> there is one durable topic exchange, <ns>.events, and
// for each Queue:
//
//	<ns>.<name>                 quorum queue, bound to the exchange
//	<ns>.<name>.retry.<delay>   quorum queue per retry delay, without consumers;
//	                            its messages expire back into the work queue
//	<ns>.<name>.dead            quorum queue of what failed for good
//
// The name of a retry queue holds its delay, so the delays of a Queue may
// change from one release to the next.
package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/techmart/techmart/platform/telemetry"
)

// Errors of a Broker.
var (
	// ErrUnroutable: no queue would have received the message.
	ErrUnroutable = errors.New("rabbitmq: no queue takes the message")
	// ErrNotConfirmed: the broker refused the message, or its answer was lost
	// or late. It may have been taken: publishing again may duplicate it.
	ErrNotConfirmed = errors.New("rabbitmq: the message was not confirmed")
	// ErrUnknownQueue: the queue was not declared on this Broker.
	ErrUnknownQueue = errors.New("rabbitmq: queue not declared")
	// ErrClosed: the Broker was closed.
	ErrClosed = errors.New("rabbitmq: broker is closed")
)

// Broker carries messages. Its methods may be called from many goroutines. A
// Broker reconnects by itself: while there is no connection, calls wait for
// one until their context ends or Options.PublishTimeout has passed.
type Broker interface {
	// Declare creates the exchange and the queues where they are missing, and
	// makes them known to this Broker. Declaring a queue again with other
	// bindings adds those.
	Declare(ctx context.Context, queues ...Queue) error
	// Publish sends one message and returns nil once the broker has it safe.
	// It fails with ErrUnroutable or ErrNotConfirmed, or for want of a
	// connection.
	Publish(ctx context.Context, m Message) error
	// PublishBatch sends messages in order, without waiting for one confirm
	// before the next message, and returns one error or nil for each.
	PublishBatch(ctx context.Context, messages []Message) []error
	// Consume hands the queue's messages to h, at most prefetch at once, each
	// in a goroutine of its own; with prefetch 1 in queue order. It blocks
	// until ctx ends, then stops taking messages, waits for the handlers under
	// way and returns nil. It fails only with ErrUnknownQueue or ErrClosed.
	Consume(ctx context.Context, queue string, prefetch int, h Handler) error
	// DeadLetters returns the oldest dead letters of the queue, at most limit,
	// and leaves them where they are; the oldest among the first 1000 where
	// there are more. While they are being read, which takes
	// milliseconds, other callers see fewer.
	DeadLetters(ctx context.Context, queue string, limit int) ([]DeadLetter, error)
	// Replay moves dead letters with these message IDs, or all without IDs,
	// back to the work queue as if new. It returns how many it moved.
	Replay(ctx context.Context, queue string, ids ...string) (int, error)
	// Discard deletes dead letters with these message IDs, or all without IDs.
	// It returns how many it deleted.
	Discard(ctx context.Context, queue string, ids ...string) (int, error)
	// Ping tells whether the broker can be reached.
	Ping(ctx context.Context) error
	// Close refuses new work, ends consumers as the end of their context
	// would, waits for them until ctx ends, and disconnects.
	Close(ctx context.Context) error
}

// Queue is a work queue with its retries and dead letters.
type Queue struct {
	// Name without the namespace, such as "notifications.email".
	Name string
	// Bindings are topic patterns over routing keys: words between dots, where
	// * stands for one word and # for any number. A queue without bindings
	// takes only messages that name it.
	Bindings []string
	// Unbound are patterns that an earlier version of the program bound, and that are taken back.
	Unbound []string
	// RetryDelays are the waits before the second, third, ... attempt. A
	// message whose attempt after the last of them fails is a dead letter.
	RetryDelays []time.Duration
}

// Message is what is published.
type Message struct {
	// ID is what consumers and dead-letter commands know the message by.
	ID string
	// Type says what the body is.
	Type string
	// RoutingKey is matched against the bindings of all queues.
	RoutingKey string
	// Queue, where set, sends the message to that one queue instead.
	Queue string
	// Mandatory makes publishing fail with ErrUnroutable when no queue is
	// bound to the routing key. A message that names a Queue always fails so.
	Mandatory bool
	// ContentType is the media type of Body; "" means application/json.
	ContentType string
	// Headers are carried along. Names starting with "x-" are taken.
	Headers map[string]string
	// Body is the payload.
	Body []byte
	// Time is when it happened; it is carried in whole seconds.
	Time time.Time
}

// Delivery is one attempt at a message. Queue and Mandatory of the message are
// not carried.
type Delivery struct {
	Message
	// Attempt counts from 1.
	Attempt int
	// Redelivered tells that an earlier delivery may have been handled by a
	// consumer that was lost before it could say so.
	Redelivered bool
}

// DeadLetter is a message that failed for good. Queue and Mandatory of the
// message are not carried.
type DeadLetter struct {
	Message
	// Reason is the text of the last error.
	Reason string
	// Attempts is how often it was tried.
	Attempts int
	// DiedAt is when it was given up; zero where the server did that, as its
	// consumers vanished with it too often.
	DiedAt time.Time
}

// Handler handles one attempt at a message. nil takes the message off the
// queue; an error sends it to the next retry delay, or to the dead letters
// after the last or when it is Permanent; see Later, too. A panic counts as an error. The
// context stays alive for Options.Grace after the consumer was told to stop.
type Handler func(ctx context.Context, d Delivery) error

// Permanent marks an error that no retry can mend. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Later marks an error that says nothing of the message: it comes back after some retry delay, as the attempt that it is, as
// often as it is asked for. The delay is the longest that is not above wait, or else the shortest. Later(nil, wait) is nil.
func Later(err error, wait time.Duration) error {
	if err == nil {
		return nil
	}
	return &laterError{err, wait}
}

type laterError struct {
	err  error
	wait time.Duration
}

func (e *laterError) Error() string { return e.err.Error() }
func (e *laterError) Unwrap() error { return e.err }

// IsPermanent tells whether err was marked by Permanent.
func IsPermanent(err error) bool {
	var p *permanentError
	return errors.As(err, &p)
}

// Options configure a Broker. Only Namespace is needed.
type Options struct {
	// Namespace starts the name of every exchange and queue.
	Namespace string
	// ConnectionName is what the management pages show.
	ConnectionName string
	// PublishTimeout bounds a publication whose context has no earlier
	// deadline; 0 means 10 s.
	PublishTimeout time.Duration
	// Grace is how long handlers may go on after their consumer was told to
	// stop; 0 means 20 s.
	Grace time.Duration
	// Log takes what happens to connections and dead letters; nil means
	// slog.Default().
	Log *slog.Logger
	// Metrics records every call; nil records only per-request counts.
	Metrics *telemetry.Metrics
	// Away is told of a server that cannot be reached yet, which then is no failure of Open; nil for it to be one.
	Away func(error)
}

// MemoryURL selects the in-process Broker.
const MemoryURL = "memory:"

// Open connects to the broker that url names. amqp:// and amqps:// are
// RabbitMQ; the query parameter queue_idle_expiry (a Go duration) makes it
// delete queues that nobody used for so long, which suits tests. "memory:" is a
// broker inside this process, empty at first and gone with it.
func Open(ctx context.Context, url string, o Options) (Broker, error) {
	if o.Namespace == "" {
		return nil, errors.New("rabbitmq: no namespace given")
	}
	if o.PublishTimeout == 0 {
		o.PublishTimeout = 10 * time.Second
	}
	if o.Grace == 0 {
		o.Grace = 20 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	switch {
	case strings.HasPrefix(url, MemoryURL):
		return newMemory(o), nil
	case strings.HasPrefix(url, "amqp://"), strings.HasPrefix(url, "amqps://"):
		return openAMQP(ctx, url, o)
	case url == "":
		return nil, errors.New("rabbitmq: no URL given")
	}
	return nil, errors.New("rabbitmq: the scheme of the URL is none of amqp, amqps and memory")
}

// outcome is what becomes of a message after an attempt failed.
type outcome struct {
	dead   bool
	failed int // attempts so far that count
	delay  time.Duration
	reason string
}

// judge decides after a failed attempt, in the same way for every Broker.
func judge(q Queue, attempt int, err error) outcome {
	reason := strings.ToValidUTF8(err.Error(), "\uFFFD")
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "")
	}
	var later *laterError
	switch {
	case errors.As(err, &later) && len(q.RetryDelays) > 0:
		return outcome{failed: attempt - 1, delay: q.within(later.wait), reason: reason}
	case IsPermanent(err) || attempt > len(q.RetryDelays):
		return outcome{failed: attempt, dead: true, reason: reason}
	}
	return outcome{failed: attempt, delay: q.RetryDelays[attempt-1], reason: reason}
}

// within gives the longest retry delay that is not above wait, or else the shortest.
func (q Queue) within(wait time.Duration) time.Duration {
	delay := slices.Min(q.RetryDelays)
	for _, d := range q.RetryDelays {
		if d <= wait {
			delay = max(delay, d)
		}
	}
	return delay
}

// maxReason bounds the error text kept in a header, in bytes.
const maxReason = 1000

// safely calls the handler and turns a panic into an error.
func safely(ctx context.Context, h Handler, d Delivery) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("rabbitmq: handler panicked: %v", r)
		}
	}()
	return h(ctx, d)
}
