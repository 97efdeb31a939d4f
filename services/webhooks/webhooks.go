// Package webhooks tells other systems of what happens in the shop: integrators register endpoints, and each event that
// one asks for is sent to it as a signed HTTP request, by the Standard Webhooks specification.
//
// What is sent is shaped by a selection, a GraphQL query on the event's subject, and is looked up at each attempt with
// the rights that the endpoint's owner has then. An event is taken in once; deliveries go out at least once, in the order
// of the events of a subject, and are tried again with growing delays. An endpoint that stays down is paused: its
// deliveries wait, and go out once a probe gets through.
package webhooks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/viewer"
)

// Status says whether an endpoint is sent anything.
type Status string

// The statuses of an endpoint.
const (
	Enabled  Status = "ENABLED"
	Paused   Status = "PAUSED"   // it does not answer: deliveries wait
	Disabled Status = "DISABLED" // nothing is sent, and no event taken in for it
)

// Reason says why an endpoint is disabled.
type Reason string

// The reasons.
const (
	Failing   Reason = "FAILING"    // it was down for too long
	Gone      Reason = "GONE"       // it answered 410
	ByRequest Reason = "BY_REQUEST" // its owner, or staff, turned it off
	OwnerLost Reason = "OWNER"      // its owner is gone, or may not have webhooks any more
)

// Owner is whose rights an endpoint has: an account or an API client. The other one is zero.
type Owner struct {
	UserID   uuid.UUID
	ClientID uuid.UUID
}

// Endpoint is where events are sent.
type Endpoint struct {
	ID           uuid.UUID
	Owner        Owner
	URL          string
	Description  string
	EventTypes   []string
	Selection    string // a GraphQL document; empty for the default payload
	APIVersion   string
	Status       Status
	Reason       Reason    // of a disabled one
	Failures     int       // in a row
	FailingSince time.Time // zero while it answers
	PausedAt     time.Time // of a paused one
	ProbeAt      time.Time // of a paused one: when it is tried next
	DisabledAt   time.Time // of a disabled one
	News         News      // what its owner is still to be told
	NewsCount    int64     // of all times
	Version      int
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Secret is what deliveries of an endpoint are signed with, sealed.
type Secret struct {
	ID         uuid.UUID
	EndpointID uuid.UUID
	Sealed     []byte
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero for never
}

// DeliveryStatus says how far a delivery is.
type DeliveryStatus string

// The statuses of a delivery.
const (
	Pending   DeliveryStatus = "PENDING"
	Delivered DeliveryStatus = "DELIVERED"
	Failed    DeliveryStatus = "FAILED"
)

// Delivery is one event on its way to one endpoint.
type Delivery struct {
	ID            uuid.UUID
	EndpointID    uuid.UUID
	Event         Event
	Status        DeliveryStatus
	Attempts      int       // of all times
	Failures      int       // of this round; a redelivery begins a new one
	NextAttemptAt time.Time // of a pending one
	ClaimedUntil  time.Time // while an attempt is under way
	CreatedAt     time.Time
	FinishedAt    time.Time // zero while it is pending
}

// Outcome says how an attempt went.
type Outcome string

// The outcomes.
const (
	Succeeded   Outcome = "SUCCEEDED"   // the receiver answered 2xx
	Refused     Outcome = "REFUSED"     // it answered something else
	TimedOut    Outcome = "TIMEOUT"     // it did not answer in time
	Unreachable Outcome = "UNREACHABLE" // there was no connection
	Blocked     Outcome = "BLOCKED"     // its address is one that nothing is sent to
	NotSent     Outcome = "NOT_SENT"    // the payload could not be made
)

// Attempt is one try of a delivery.
type Attempt struct {
	DeliveryID uuid.UUID
	Number     int // from 1
	StartedAt  time.Time
	Duration   time.Duration
	Outcome    Outcome
	Status     int    // of the response; 0 for none
	Error      string // what went wrong
	Excerpt    string // how the response begins
}

// Graph is where selections are checked and run.
type Graph interface {
	// CheckSelection fails with INVALID at payloadSelection for a document that is no query of one of the root fields by its
	// variable $id, or that is too expensive.
	CheckSelection(ctx context.Context, document string, roots []string) error
	// Select runs a document with the viewer's rights on the thing with the id. data is a JSON object; faults a JSON list of
	// what could not be read, or nil. It fails where the graph cannot answer now.
	Select(ctx context.Context, v viewer.Viewer, document, id string) (data, faults json.RawMessage, err error)
	// ID writes the id of a subject as the graph does.
	ID(s Subject, id uuid.UUID) string
}

// Owners tells about owners of endpoints.
type Owners interface {
	// Viewer gives the rights that an owner has now. It fails with NOT_FOUND for one who is gone.
	Viewer(ctx context.Context, o Owner) (viewer.Viewer, error)
	// Recipients gives who is told of an owner's endpoints.
	Recipients(ctx context.Context, o Owner) ([]Recipient, error)
}

// Recipient is somebody who is told of an endpoint.
type Recipient struct {
	UserID      uuid.UUID
	Email       string
	DisplayName string
}

// Vault seals secrets.
type Vault interface {
	// Seal encrypts a secret, bound to what it is for and whose it is.
	Seal(purpose string, id uuid.UUID, secret []byte) []byte
	// Open is its reverse.
	Open(purpose string, id uuid.UUID, sealed []byte) ([]byte, error)
}

// Request is what is sent.
type Request struct {
	URL       string
	ID        string // of the message, the same at each attempt
	Timestamp time.Time
	Signature string
	Body      []byte
}

// Response is what a receiver answered.
type Response struct {
	Outcome    Outcome
	Status     int           // 0 for none
	RetryAfter time.Duration // that it asks for; 0 for none
	Excerpt    string        // how its body begins
	Error      string        // what went wrong; it names no address
	Duration   time.Duration
}

// Sender sends requests. A request that fails has an outcome that says so.
type Sender interface {
	Send(ctx context.Context, r Request) Response
}

// Metrics counts what is sent.
type Metrics interface {
	Attempted(o Outcome, took time.Duration)
	StatusChanged(to Status)
}

// Policy says how often deliveries are tried, and when an endpoint is given up.
type Policy struct {
	RetryDelays []time.Duration // before the second, third, ... attempt; nil for DefaultRetryDelays
	PauseAfter  int             // failures in a row that pause an endpoint; 0 for 5
	ProbeEvery  time.Duration   // the first wait before a probe, which doubles up to an hour; 0 for 1 min
	GiveUpAfter time.Duration   // of failing until an endpoint is disabled; 0 for 120 h
	Concurrency int             // requests to an endpoint at a time; 0 for 4
	Attempt     time.Duration   // how long one may take; 0 for 15 s
	AllowHTTP   bool            // lets URLs be http: in development
}

// DefaultRetryDelays are those of the Standard Webhooks specification.
func DefaultRetryDelays() []time.Duration {
	return []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour}
}

func (p Policy) withDefaults() Policy {
	if len(p.RetryDelays) == 0 {
		p.RetryDelays = DefaultRetryDelays()
	}
	p.PauseAfter = cmp.Or(p.PauseAfter, 5)
	p.ProbeEvery = cmp.Or(p.ProbeEvery, time.Minute)
	p.GiveUpAfter = cmp.Or(p.GiveUpAfter, 120*time.Hour)
	p.Concurrency = cmp.Or(p.Concurrency, 4)
	p.Attempt = cmp.Or(p.Attempt, 15*time.Second)
	return p
}

// Deps is what a Service needs. Metrics, Clock and Log have defaults.
type Deps struct {
	Store   Store
	Graph   Graph
	Owners  Owners
	Vault   Vault
	Sender  Sender
	Policy  Policy
	Metrics Metrics          // nil for none
	Clock   func() time.Time // nil for the machine's
	Log     *slog.Logger     // nil for the default
}

// Service holds the rules of webhooks. It is safe for concurrent use.
type Service struct {
	store   Store
	graph   Graph
	owners  Owners
	vault   Vault
	sender  Sender
	policy  Policy
	metrics Metrics
	clock   func() time.Time
	log     *slog.Logger
	wanted  wanted
}

// New makes a Service.
func New(d Deps) (*Service, error) {
	if d.Store == nil || d.Graph == nil || d.Owners == nil || d.Vault == nil || d.Sender == nil {
		return nil, errors.New("webhooks: Store, Graph, Owners, Vault and Sender are needed")
	}
	s := &Service{
		store: d.Store, graph: d.Graph, owners: d.Owners, vault: d.Vault, sender: d.Sender, policy: d.Policy.withDefaults(),
		metrics: d.Metrics, clock: d.Clock, log: cmp.Or(d.Log, slog.Default()),
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.metrics == nil {
		s.metrics = unmeasured{}
	}
	return s, nil
}

func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

type unmeasured struct{}

func (unmeasured) Attempted(Outcome, time.Duration) {}
func (unmeasured) StatusChanged(Status)             {}
