package notifications

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
)

// Message is an e-mail that is ready to be sent.
type Message struct {
	ID        string // Message-ID without brackets, the same for every attempt of a delivery
	From      string // RFC 5322 address, with a name
	To        string // RFC 5322 address, with a name
	Recipient string // the bare address of To
	Subject   string
	Text      string // UTF-8 plain text
	HTML      string
	Date      time.Time
}

// Sender hands e-mails to a mail server.
type Sender interface {
	// Send gives m to the mail server. It calls begin once the server is connected and before the
	// first command of the message's transaction; an error of begin ends the attempt and is
	// returned as it is. Without an error the server has taken the message. It fails with
	// ErrRejected or ErrOutcomeUnknown in the error's tree, or with anything else when the message
	// was not taken and may be tried again. It returns soon after ctx ends.
	Send(ctx context.Context, m Message, begin func(context.Context) error) error
}

// The lease of a claim exceeds the longest attempt, so that who finds it lapsed knows that its
// owner is gone.
const (
	leaseMargin   = 30 * time.Second
	settleTimeout = 15 * time.Second
	settlePause   = 200 * time.Millisecond
)

// SendEmail makes one attempt to send the e-mail of a delivery. last says that no further attempt
// is to come: its failure makes the delivery DEAD.
//
// nil means that nothing is left to do. A *BusyError means that another worker has the delivery. Any
// other error asks for another attempt, unless it is ErrPermanent: then the request belongs among
// the dead letters, and the delivery is DEAD.
func (s *Service) SendEmail(ctx context.Context, deliveryID uuid.UUID, last bool) error {
	if s.sender == nil {
		return errors.New("notifications: this process has no mail sender")
	}
	d, verdict, err := s.claim(ctx, deliveryID)
	if err != nil {
		if errs.CodeOf(err) == errs.NotFound {
			return permanent(err)
		}
		return err
	}
	switch verdict {
	case Settled:
		return nil
	case Busy:
		return &BusyError{Until: d.ClaimedUntil}
	case Abandoned, Lost:
		return permanent(errors.New(cmp.Or(d.LastError, "the delivery was given up")))
	}
	return s.settle(ctx, d, last, s.attempt(ctx, d))
}

func (s *Service) claim(ctx context.Context, id uuid.UUID) (*Delivery, Verdict, error) {
	var verdict Verdict
	now := s.now()
	d, err := s.store.UpdateDelivery(ctx, id, func(d *Delivery) error {
		verdict = d.Claim(now, now.Add(s.sendTimeout+leaseMargin))
		return nil
	})
	return d, verdict, err
}

// attempt sends the delivery's e-mail once.
func (s *Service) attempt(ctx context.Context, d *Delivery) error {
	c, err := parseContent(d.Kind, d.Payload)
	if err != nil {
		return permanent(err)
	}
	m, err := s.render.message(d, c)
	if err != nil {
		return permanent(err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.sendTimeout)
	defer cancel()
	return s.sender.Send(ctx, *m, func(ctx context.Context) error {
		_, err := s.store.UpdateDelivery(ctx, d.ID, func(d2 *Delivery) error { return d2.HandOver(d.Attempts, s.now()) })
		return err
	})
}

// settle writes down how the attempt went, even if the worker is being stopped: the mail server will not forget.
func (s *Service) settle(ctx context.Context, d *Delivery, last bool, failure error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	unknown := errors.Is(failure, ErrOutcomeUnknown)
	dead := last || unknown || errors.Is(failure, ErrRejected) || errors.Is(failure, ErrPermanent)
	change := func(d2 *Delivery) error {
		now := s.now()
		switch {
		case failure == nil:
			return d2.Succeed(d.Attempts, now)
		case dead:
			return d2.Die(d.Attempts, failure.Error(), unknown, now)
		}
		return d2.Fail(d.Attempts, failure.Error(), now)
	}
	settled, err := s.update(ctx, d.ID, change)
	switch {
	case errors.Is(err, errSuperseded):
		s.log.WarnContext(ctx, "notifications: an attempt ended after it was taken over",
			"delivery", d.ID, "attempt", d.Attempts, "sent", failure == nil)
		return nil // whoever took it over settles it
	case err != nil:
		return errors.Join(fmt.Errorf("notifications: the outcome of attempt %d was not written: %w", d.Attempts, err), failure)
	case failure == nil:
		return nil
	}
	reason := errors.New(settled.LastError) // without the address
	if dead {
		return permanent(reason)
	}
	return reason
}

// update is UpdateDelivery, tried until ctx ends: to lose the outcome of an attempt costs a person's time.
func (s *Service) update(ctx context.Context, id uuid.UUID, change func(*Delivery) error) (*Delivery, error) {
	for {
		d, err := s.store.UpdateDelivery(ctx, id, change)
		if err == nil || errors.Is(err, errSuperseded) || errs.CodeOf(err) == errs.NotFound {
			return d, err
		}
		timer := time.NewTimer(settlePause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		case <-timer.C:
		}
	}
}

// ResumeEmails requests anew the sending of e-mails that nothing happened to for the time given, and
// gives how many: their requests were lost with a message broker's data. A request too many does no harm.
func (s *Service) ResumeEmails(ctx context.Context, untouched time.Duration) (int, error) {
	now := s.now()
	total := 0
	for {
		n, err := s.store.RequestStale(ctx, now.Add(-untouched), now, resumeBatch)
		total += n
		if err != nil || n < resumeBatch {
			return total, err
		}
	}
}

const resumeBatch = 500
