package orders

// Status says where an order stands. Its text is the value of the GraphQL enum OrderStatus.
type Status string

// The statuses.
const (
	Pending            Status = "PENDING"
	Confirmed          Status = "CONFIRMED"
	PartiallyFulfilled Status = "PARTIALLY_FULFILLED"
	Fulfilled          Status = "FULFILLED"
	Delivered          Status = "DELIVERED"
	Cancelled          Status = "CANCELLED"
	Failed             Status = "FAILED"
	Refunded           Status = "REFUNDED"
)

// Statuses are all of them, in the order of an order's life.
var Statuses = []Status{Pending, Confirmed, PartiallyFulfilled, Fulfilled, Delivered, Cancelled, Failed, Refunded}

// transitions says what each status can become.
var transitions = map[Status][]Status{
	Pending:            {Confirmed, Failed, Cancelled},
	Confirmed:          {PartiallyFulfilled, Fulfilled, Cancelled, Refunded},
	PartiallyFulfilled: {Fulfilled, Refunded},
	Fulfilled:          {Delivered, Refunded},
	Delivered:          {Refunded},
}

// Next gives what the status can become.
func (s Status) Next() []Status { return transitions[s] }

// CanBecome reports whether the status can become the other.
func (s Status) CanBecome(next Status) bool {
	for _, n := range transitions[s] {
		if n == next {
			return true
		}
	}
	return false
}

// FulfillmentStatus says where a parcel stands.
type FulfillmentStatus string

// The statuses of a parcel.
const (
	ParcelShipped   FulfillmentStatus = "SHIPPED"
	ParcelDelivered FulfillmentStatus = "DELIVERED"
)

// Stage is the saga's position: the step that has been begun and is not yet known to be done. It is stored before the
// step is asked for, so that whoever takes an order over asks for the same step again.
type Stage string

// The stages. Forward: reserve, authorize, capture where it is done at once, done. Backward: void
// or refund, release, undone.
const (
	StageReserve   Stage = "RESERVE"   // stock is being reserved
	StageAuthorize Stage = "AUTHORIZE" // stock is reserved, the payment is being authorized
	StageCapture   Stage = "CAPTURE"   // confirmed, the payment is being captured
	StageDone      Stage = "DONE"      // nothing is left to do
	StageVoid      Stage = "VOID"      // the authorization is being given up
	StageRefund    Stage = "REFUND"    // what was captured is being paid back
	StageRelease   Stage = "RELEASE"   // the stock is being given back
	StageUndone    Stage = "UNDONE"    // all is given back
)

// Settled reports whether the saga has nothing left to do.
func (s Stage) Settled() bool { return s == StageDone || s == StageUndone }

// undo gives the stage from which an order is undone that is called off at s.
func (s Stage) undo(captured bool) Stage {
	switch s {
	case StageReserve, StageAuthorize: // the payment may be authorized before the reservation is saved
		return StageVoid
	case StageDone:
		if captured {
			return StageRefund
		}
		return StageVoid
	}
	// A capture that was begun is finished first, then paid back; what is being undone goes on.
	return s
}
