package webhooks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// Bounds of what is done at once.
const (
	maxRound   = 20               // deliveries of one job, which another one goes on from
	prepare    = 20 * time.Second // for all but the request itself, of one attempt
	maxPayload = 512 << 10
	maxError   = 500
	maxExcerpt = 1024
	sweepBatch = 100
	newsBatch  = 20
)

// Handle takes an event in, once. It gives the number of endpoints that it is for. It is the program's own doing.
func (s *Service) Handle(ctx context.Context, e Event) (int, error) {
	if _, ok := subjects[e.Type]; !ok || e.ID == uuid.Nil || e.Subject == uuid.Nil {
		return 0, errs.New(errs.Invalid, "This is no event that endpoints get.")
	}
	return s.store.Accept(ctx, e, s.now())
}

// Deliver sends what is due to an endpoint until nothing is. Any number of callers share the work.
func (s *Service) Deliver(ctx context.Context, endpointID uuid.UUID) error {
	for range maxRound {
		now := s.now()
		c, err := s.store.Claim(ctx, endpointID, now, now.Add(s.policy.Attempt+prepare), s.policy.Concurrency)
		if err != nil || c == nil {
			return err
		}
		if err := s.attempt(ctx, c); err != nil && !errors.Is(err, ErrSuperseded) {
			return err
		}
	}
	return s.store.Wake(ctx, []uuid.UUID{endpointID})
}

// attempt tries a delivery once.
func (s *Service) attempt(ctx context.Context, c *Claim) error {
	a := Attempt{DeliveryID: c.Delivery.ID, Number: c.Delivery.Attempts, StartedAt: s.now()}
	ctx, cancel := context.WithTimeout(ctx, s.policy.Attempt+prepare)
	defer cancel()
	body, err := s.payload(ctx, c)
	var never *neverError
	switch {
	case errors.As(err, &never):
		return s.giveUp(ctx, c, a, never)
	case err != nil:
		s.log.WarnContext(ctx, "the payload of a webhook could not be made", "delivery", a.DeliveryID, "error", err)
		a.Outcome, a.Error = NotSent, "The shop could not read what to send. It tries again."
		return s.record(ctx, c, a, Response{})
	}
	kept, err := s.store.Secrets(ctx, []uuid.UUID{c.Endpoint.ID}, a.StartedAt)
	if err != nil {
		return err
	}
	var secrets [][]byte
	for _, k := range kept[c.Endpoint.ID] {
		plain, err := s.vault.Open(secretPurpose, k.ID, k.Sealed)
		if err != nil {
			return err
		}
		secrets = append(secrets, plain)
	}
	id := s.graph.ID(DeliverySubject, c.Delivery.ID)
	at := s.now()
	r := s.sender.Send(ctx, Request{URL: c.Endpoint.URL, ID: id, Timestamp: at, Signature: Sign(id, at, body, secrets...), Body: body})
	if r.Outcome != Succeeded && ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		return ctx.Err() // told to end: the receiver is not to blame
	}
	a.Outcome, a.Status, a.Duration = r.Outcome, r.Status, r.Duration
	a.Error, a.Excerpt = shorten(r.Error, maxError), shorten(without(r.Excerpt, secrets), maxExcerpt)
	s.metrics.Attempted(a.Outcome, a.Duration)
	return s.record(ctx, c, a, r)
}

// neverError says why a delivery must not be sent at all.
type neverError struct {
	message string
	disable bool // the endpoint, too
}

func (e *neverError) Error() string { return "webhooks: " + e.message }

// envelope is the body of a request.
type envelope struct {
	Type       string          `json:"type"`
	Timestamp  time.Time       `json:"timestamp"` // of the event
	APIVersion string          `json:"apiVersion"`
	Subject    string          `json:"subject"`
	Sequence   int64           `json:"sequence"`
	Data       json.RawMessage `json:"data"`
	Errors     json.RawMessage `json:"errors,omitempty"`
}

// payload makes the body, with the rights that the endpoint's owner has now.
func (s *Service) payload(ctx context.Context, c *Claim) ([]byte, error) {
	e, ev := c.Endpoint, c.Delivery.Event
	v, err := s.owners.Viewer(ctx, e.Owner)
	if errs.Is(err, errs.NotFound) || err == nil && !v.Can(viewer.WebhooksWrite) {
		return nil, &neverError{"The endpoint's owner may not have webhooks any more.", true}
	}
	if err != nil {
		return nil, err
	}
	subject, ok := SubjectOf(ev.Type)
	if !ok || subject != EndpointSubject && !v.Can(needs[subject]) {
		return nil, &neverError{"The endpoint's owner may not read what the event is about.", false}
	}
	id := s.graph.ID(subject, ev.Subject)
	out := envelope{Type: ev.Type, Timestamp: ev.Time, APIVersion: e.APIVersion, Subject: id, Sequence: ev.Sequence}
	if e.Selection == "" || subject == EndpointSubject {
		out.Data, err = json.Marshal(map[string]string{"id": id})
	} else {
		out.Data, out.Errors, err = s.graph.Select(ctx, v, e.Selection, id)
	}
	if err != nil {
		return nil, err
	}
	body, err := marshal(out)
	if err == nil && len(body) > maxPayload {
		return nil, &neverError{"The payload has more than 524288 bytes: select less.", false}
	}
	return body, err
}

// marshal is json.Marshal that leaves text readable.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// record writes how an attempt went, and what follows from it. It does so when the caller was told to end, too: what was
// sent is to be known.
func (s *Service) record(ctx context.Context, c *Claim, a Attempt, r Response) error {
	return s.write(ctx, c, func(u *Unit) error { return u.record(a, r, s.policy, s.now()) })
}

func (s *Service) giveUp(ctx context.Context, c *Claim, a Attempt, why *neverError) error {
	a.Outcome, a.Error = NotSent, why.message
	return s.write(ctx, c, func(u *Unit) error {
		now := s.now()
		if err := u.give(a, now); err != nil {
			return err
		}
		if why.disable && u.Endpoint.Status != Disabled {
			u.Endpoint.disable(OwnerLost, now)
			u.Drop = &now
		}
		return nil
	})
}

func (s *Service) write(ctx context.Context, c *Claim, change func(*Unit) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), prepare)
	defer cancel()
	var was, is Status
	_, _, err := s.store.Update(ctx, Target{EndpointID: c.Endpoint.ID, DeliveryID: c.Delivery.ID}, nil, func(u *Unit) error {
		was = u.Endpoint.Status
		err := change(u)
		is = u.Endpoint.Status
		return err
	})
	if errs.Is(err, errs.NotFound) {
		return nil // it was deleted meanwhile
	}
	if err != nil || was == is {
		return err
	}
	s.metrics.StatusChanged(is)
	s.log.WarnContext(ctx, "a webhook endpoint has changed its status", "endpoint", c.Endpoint.ID, "from", was, "to", is)
	if err := s.TellNews(ctx); err != nil { // what is not told now is told by the next sweep
		s.log.WarnContext(ctx, "owners of webhook endpoints were not told", "error", err)
	}
	return nil
}

// without takes what it was signed with out of a receiver's answer.
func without(text string, secrets [][]byte) string {
	for _, secret := range secrets {
		whole := secretText(secret)
		text = strings.ReplaceAll(text, whole, "***")
		text = strings.ReplaceAll(text, strings.TrimPrefix(whole, secretPrefix), "***")
	}
	return text
}

// shorten makes text fit to be kept: valid, printable and bounded in bytes.
func shorten(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) <= most {
		return text
	}
	cut := most - len("…")
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// Sweep wakes endpoints whose deliveries are overdue, as their jobs were lost, and tells owners what they are still to be told.
func (s *Service) Sweep(ctx context.Context, overdue time.Duration) error {
	ids, err := s.store.Idle(ctx, s.now().Add(-overdue), sweepBatch)
	if err != nil {
		return err
	}
	if len(ids) > 0 {
		if err := s.store.Wake(ctx, ids); err != nil {
			return err
		}
	}
	return s.TellNews(ctx)
}

// types of the events of news.
var newsTypes = map[News]string{NewsPaused: EventPaused, NewsResumed: EventResumed, NewsDisabled: EventDisabled}

// TellNews writes the notices that owners of endpoints are due.
func (s *Service) TellNews(ctx context.Context) error {
	list, err := s.store.Untold(ctx, newsBatch)
	if err != nil {
		return err
	}
	for _, e := range list {
		people, err := s.owners.Recipients(ctx, e.Owner)
		if err != nil {
			return fmt.Errorf("webhooks: whom to tell: %w", err)
		}
		host := ""
		if u, err := url.Parse(e.URL); err == nil {
			host = u.Host
		}
		notices := make([]Notice, len(people))
		for i, p := range people {
			notices[i] = Notice{
				ID: uuid.Must(uuid.NewV7()), Type: newsTypes[e.News], EndpointID: e.ID, Time: s.now(),
				Data: NoticeData{UserID: p.UserID, Email: p.Email, DisplayName: p.DisplayName, Webhook: NoticeHook{EndpointID: e.ID, Host: host, Reason: e.Reason}},
			}
		}
		if err := s.store.Tell(ctx, e.ID, e.NewsCount, notices); err != nil {
			return err
		}
	}
	return nil
}

// Purge removes up to limit of what is older than keep, and gives how much. It is the program's own doing.
func (s *Service) Purge(ctx context.Context, keep time.Duration, limit int) (int, error) {
	now := s.now()
	return s.store.Purge(ctx, now.Add(-keep), now, limit)
}
