package webhooks

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/page"
)

// Store keeps endpoints, deliveries and what came of them. The service is its only caller. Errors that are not named in
// a method's contract are internal.
type Store interface {
	// Create adds an endpoint with its secret, and notes the key (nil for none) with the endpoint's id. A key that was used
	// before gives the id of what it made instead. It fails with LIMIT_EXCEEDED where the owner has limit endpoints, and
	// with IDEMPOTENCY_REUSED and IN_FLIGHT for the key.
	Create(ctx context.Context, e *Endpoint, secret Secret, limit int, key *Key) (id uuid.UUID, replayed bool, err error)
	// Update locks an endpoint, and the delivery where one is named, calls fn and writes what it made of the unit, in one
	// transaction; fn may run more than once. A key that was used before changes nothing and gives its result. It fails with
	// NOT_FOUND, with IDEMPOTENCY_REUSED and IN_FLIGHT for the key, and with what fn answers.
	Update(ctx context.Context, t Target, key *Key, fn func(*Unit) error) (result uuid.UUID, replayed bool, err error)
	// Delete removes an endpoint with all of its deliveries. It fails with NOT_FOUND.
	Delete(ctx context.Context, id uuid.UUID) error

	// ByIDs gives the endpoints that exist and that the audience may see.
	ByIDs(ctx context.Context, ids []uuid.UUID, a Audience) (map[uuid.UUID]*Endpoint, error)
	// List gives up to r.Limit+1 endpoints in reading direction, the newest first when read forward.
	List(ctx context.Context, a Audience, r page.Request) ([]*Endpoint, error)
	// Count counts endpoints.
	Count(ctx context.Context, a Audience) (int, error)
	// Secrets gives the secrets of endpoints that are good at a time, the newest first.
	Secrets(ctx context.Context, endpointIDs []uuid.UUID, now time.Time) (map[uuid.UUID][]Secret, error)

	// Deliveries gives the deliveries that exist and that the audience may see.
	Deliveries(ctx context.Context, ids []uuid.UUID, a Audience) (map[uuid.UUID]*Delivery, error)
	// DeliveryLists gives up to Limit+1 deliveries of each endpoint, the newest first, in one call.
	DeliveryLists(ctx context.Context, lists []DeliveryList, a Audience) (map[DeliveryList][]*Delivery, error)
	// DeliveryCounts counts the deliveries of endpoints by status.
	DeliveryCounts(ctx context.Context, endpointIDs []uuid.UUID, a Audience) (map[uuid.UUID]map[DeliveryStatus]int, error)
	// AttemptLists gives up to Limit+1 attempts of each delivery, the latest first, in one call.
	AttemptLists(ctx context.Context, lists []AttemptList, a Audience) (map[AttemptList][]Attempt, error)

	// Accept writes a delivery of the event for each endpoint that asks for it and is not disabled, with jobs to send them, in
	// one transaction. It gives their number; an event that was accepted before gives 0 and changes nothing.
	// Wanted gives those of the types that endpoints which are not disabled ask for.
	Wanted(ctx context.Context, types []string) (map[string]bool, error)
	Accept(ctx context.Context, e Event, now time.Time) (int, error)
	// Claim gives the next delivery of an endpoint that may go out to its caller until a time: nil where there is none now. Of
	// a subject one goes out at a time, in the order of its events, and of an endpoint at most limit. Of a paused
	// endpoint whose probe is due it is the first that waits.
	Claim(ctx context.Context, endpointID uuid.UUID, now, until time.Time, limit int) (*Claim, error)

	// Idle gives up to limit endpoints with deliveries, or a probe, that were due before a time.
	Idle(ctx context.Context, before time.Time, limit int) ([]uuid.UUID, error)
	// Wake adds a job for each endpoint.
	Wake(ctx context.Context, endpointIDs []uuid.UUID) error
	// Untold gives up to limit endpoints whose owners are still to be told something.
	Untold(ctx context.Context, limit int) ([]*Endpoint, error)
	// Tell writes notices, and notes that the news of this count of an endpoint is told.
	Tell(ctx context.Context, endpointID uuid.UUID, count int64, notices []Notice) error
	// Purge removes up to limit of each: deliveries that ended, events that came and keys that were used before a time, and
	// secrets that ended by now. It gives how many rows.
	Purge(ctx context.Context, before, now time.Time, limit int) (int, error)
}

// Audience is who reads: of everything, or of what one API client owns.
type Audience struct {
	All      bool
	ClientID uuid.UUID
}

// Target names an endpoint, and a delivery of it, which alone will do; zero for none.
type Target struct {
	EndpointID uuid.UUID
	DeliveryID uuid.UUID
}

// Unit is a locked endpoint with what a change of it needs and adds.
type Unit struct {
	Endpoint *Endpoint // written back
	Delivery *Delivery // written back; nil where none was named
	Secrets  []Secret  // good or not; written back

	NewSecret   *Secret     // added
	NewDelivery *Delivery   // added
	Attempt     *Attempt    // added to the log
	Release     *time.Time  // makes all pending deliveries due
	Drop        *time.Time  // fails all pending deliveries that nobody is at
	Wakes       []time.Time // of jobs for the endpoint
}

// Claim is a delivery on its way out.
type Claim struct {
	Endpoint *Endpoint
	Delivery *Delivery
}

// Key makes a call safe to repeat.
type Key struct {
	Owner     uuid.UUID // the account or API client
	Operation string
	Key       string
	Hash      []byte    // of the input
	Result    uuid.UUID // what the call makes or changes
}

// DeliveryList names a part of one endpoint's deliveries. It is comparable, to be the key of a loader.
type DeliveryList struct {
	EndpointID uuid.UUID
	Status     DeliveryStatus // empty for any
	Limit      int
	After      Position // zero for the beginning
}

// AttemptList names a part of one delivery's attempts.
type AttemptList struct {
	DeliveryID uuid.UUID
	Limit      int
	Before     int // the number to read on from; 0 for the beginning
}

// Position is the place of something in a list by time.
type Position struct {
	CreatedAt time.Time // UTC
	ID        uuid.UUID
}
