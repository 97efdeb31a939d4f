package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/platform/rabbitmq"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/notifications"
	"github.com/techmart/techmart/services/viewer"
)

// DeadLetter is a message that was given up, without its body, which may hold a secret.
type DeadLetter struct {
	Queue    string
	ID       string
	Type     string
	Attempts int
	Reason   string
	DiedAt   time.Time
	// Of a request to send an e-mail:
	Kind      notifications.Kind
	Recipient string // partly hidden
	Unknown   bool   // the mail server may have taken it: a replay may send it twice
}

// DeadLetters is what staff does with the dead letters of the notifications. Its methods need the
// scopes notifications:read or notifications:write, and fail with UNAUTHENTICATED or FORBIDDEN.
type DeadLetters struct {
	broker  rabbitmq.Broker
	service *notifications.Service
}

// NewDeadLetters makes it on a broker on which Queues are declared.
func NewDeadLetters(b rabbitmq.Broker, s *notifications.Service) *DeadLetters {
	return &DeadLetters{broker: b, service: s}
}

// queueNames are the queues with dead letters, in the order they are shown.
var queueNames = []string{EventsQueue, EmailQueue}

func known(queue string) error {
	for _, name := range queueNames {
		if name == queue {
			return nil
		}
	}
	return errs.Newf(errs.NotFound, "There is no queue %q; there are %s and %s.", queue, EventsQueue, EmailQueue)
}

// List gives the oldest dead letters of a queue, at most limit of them; of both queues for "".
func (l *DeadLetters) List(ctx context.Context, queue string, limit int) ([]DeadLetter, error) {
	if err := viewer.FromContext(ctx).Require(viewer.NotifyRead); err != nil {
		return nil, err
	}
	queues := queueNames
	if queue != "" {
		if err := known(queue); err != nil {
			return nil, err
		}
		queues = []string{queue}
	}
	var letters []DeadLetter
	var ids []uuid.UUID
	for _, name := range queues {
		found, err := l.broker.DeadLetters(ctx, name, limit)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			letters = append(letters, DeadLetter{Queue: name, ID: f.ID, Type: f.Type, Attempts: f.Attempts, Reason: f.Reason, DiedAt: f.DiedAt})
			if id, err := requested(f.Message); err == nil {
				ids = append(ids, id)
			}
		}
	}
	return letters, l.describe(ctx, letters, ids)
}

// describe adds what the deliveries know.
func (l *DeadLetters) describe(ctx context.Context, letters []DeadLetter, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	deliveries, err := l.service.Deliveries(ctx, ids)
	if err != nil {
		return err
	}
	for i := range letters {
		id, err := uuid.Parse(letters[i].ID)
		if err != nil || letters[i].Queue != EmailQueue {
			continue
		}
		if d, ok := deliveries[id]; ok {
			letters[i].Kind, letters[i].Recipient, letters[i].Unknown = d.Kind, notifications.MaskAddress(d.Recipient), d.Unknown
		}
	}
	return nil
}

// Replay moves dead letters of a queue back to work: those with the ids, or all without. It gives
// how many. An e-mail that was sent or discarded meanwhile is not sent again: its dead letter is deleted,
// and not counted. One whose outcome is unknown is sent when its id is given, and stays where it is when all are replayed.
func (l *DeadLetters) Replay(ctx context.Context, queue string, ids ...string) (int, error) {
	ready := func(d *notifications.Delivery) bool { return len(ids) > 0 || !d.Unknown }
	return l.move(ctx, queue, ids, ready, l.service.ReplayEmail, l.broker.Replay)
}

// Discard deletes dead letters of a queue: those with the ids, or all without. It gives how many.
// Their e-mails are never sent.
func (l *DeadLetters) Discard(ctx context.Context, queue string, ids ...string) (int, error) {
	all := func(*notifications.Delivery) bool { return true }
	return l.move(ctx, queue, ids, all, l.service.DiscardEmail, l.broker.Discard)
}

// move changes the deliveries of the chosen dead letters, and then their messages: a failure in
// between leaves a dead letter that the same command takes up again.
func (l *DeadLetters) move(ctx context.Context, queue string, ids []string, chosen func(*notifications.Delivery) bool,
	change func(context.Context, uuid.UUID) error, messages func(context.Context, string, ...string) (int, error)) (int, error) {
	if err := viewer.FromContext(ctx).Require(viewer.NotifyWrite); err != nil {
		return 0, err
	}
	if err := known(queue); err != nil {
		return 0, err
	}
	if queue != EmailQueue {
		return messages(ctx, queue, ids...)
	}
	letters, err := l.broker.DeadLetters(ctx, queue, maxLetters)
	if err != nil {
		return 0, err
	}
	selected, deliveries, err := l.selected(ctx, letters, ids)
	if err != nil {
		return 0, err
	}
	var moving, settled []string
	var failures []error
	for messageID, id := range selected {
		if d, ok := deliveries[id]; ok {
			if !chosen(d) {
				continue
			}
			if err := change(ctx, id); err != nil {
				// What was sent, or discarded by a command that was cut off, is not to be replayed: its letter is left over.
				if errs.CodeOf(err) == errs.InvalidState {
					settled = append(settled, messageID)
				} else {
					failures = append(failures, fmt.Errorf("%s: %w", messageID, err))
				}
				continue
			}
		}
		moving = append(moving, messageID)
	}
	n := 0
	if len(moving) > 0 {
		n, err = messages(ctx, queue, moving...)
		failures = append(failures, err)
	}
	if len(settled) > 0 {
		_, err = l.broker.Discard(ctx, queue, settled...)
		failures = append(failures, err)
	}
	return n, errors.Join(failures...)
}

// maxLetters bounds the e-mails of one command.
const maxLetters = 10_000

// selected gives the deliveries of the dead letters with the ids, or of all without, by message id.
func (l *DeadLetters) selected(ctx context.Context, letters []rabbitmq.DeadLetter, ids []string) (map[string]uuid.UUID, map[uuid.UUID]*notifications.Delivery, error) {
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	selected := map[string]uuid.UUID{}
	var keys []uuid.UUID
	for _, letter := range letters {
		if len(ids) > 0 && !wanted[letter.ID] {
			continue
		}
		id, err := requested(letter.Message)
		if err == nil {
			keys = append(keys, id)
		}
		selected[letter.ID] = id
	}
	deliveries, err := l.service.Deliveries(ctx, keys)
	return selected, deliveries, err
}
