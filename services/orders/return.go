package orders

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/pricing"
)

// ReturnStatus says where a return stands.
type ReturnStatus string

// The statuses of a return.
const (
	ReturnRequested ReturnStatus = "REQUESTED"
	ReturnApproved  ReturnStatus = "APPROVED" // the customer may send it
	ReturnRejected  ReturnStatus = "REJECTED"
	ReturnReceived  ReturnStatus = "RECEIVED" // it is here; stock and money are on their way
	ReturnRefunded  ReturnStatus = "REFUNDED" // the money is paid back
	ReturnCancelled ReturnStatus = "CANCELLED"
)

// ReturnStatuses are all of them, in the order of a return's life.
var ReturnStatuses = []ReturnStatus{ReturnRequested, ReturnApproved, ReturnRejected, ReturnReceived, ReturnRefunded, ReturnCancelled}

// returnTransitions says what each status can become.
var returnTransitions = map[ReturnStatus][]ReturnStatus{
	ReturnRequested: {ReturnApproved, ReturnRejected, ReturnCancelled},
	ReturnApproved:  {ReturnReceived, ReturnCancelled},
	ReturnReceived:  {ReturnRefunded},
}

// Next gives what the status can become.
func (s ReturnStatus) Next() []ReturnStatus { return returnTransitions[s] }

// CanBecome reports whether the status can become the other.
func (s ReturnStatus) CanBecome(next ReturnStatus) bool {
	return slices.Contains(returnTransitions[s], next)
}

// Void reports whether the return came to nothing: what is in it may be returned again.
func (s ReturnStatus) Void() bool { return s == ReturnRejected || s == ReturnCancelled }

// Return is a part of an order that the customer sends back.
type Return struct {
	ID          uuid.UUID
	OrderID     uuid.UUID
	Status      ReturnStatus
	Lines       []ReturnLine
	Reason      string      // why it was rejected; empty otherwise
	Refund      money.Money // what is paid back; known once it is received
	RequestedAt time.Time
	UpdatedAt   time.Time
}

// ReturnLine is a part of an order's line in a return.
type ReturnLine struct {
	LineID   uuid.UUID
	Quantity int    // asked for
	Reason   string // the customer's
	Received int    // of Quantity
	Location string // where the received ones go back into stock; empty where they do not
}

// Holds gives how many of an order's line the return takes up: none once it came to nothing, and what has come once
// it is here.
func (r *Return) Holds(line uuid.UUID) int {
	if r.Status.Void() {
		return 0
	}
	n := 0
	for _, l := range r.Lines {
		switch {
		case l.LineID != line:
		case r.Status == ReturnReceived || r.Status == ReturnRefunded:
			n += l.Received
		default:
			n += l.Quantity
		}
	}
	return n
}

// become changes the status. It fails with INVALID_STATE.
func (r *Return) become(next ReturnStatus, now time.Time) error {
	if !r.Status.CanBecome(next) {
		return invalidState("A return that is "+string(r.Status)+" cannot become "+string(next)+".", "id")
	}
	r.Status, r.UpdatedAt = next, now
	return nil
}

// Approve lets the customer send it. It fails with INVALID_STATE.
func (r *Return) Approve(now time.Time) error { return r.become(ReturnApproved, now) }

// Cancel calls it off before it has come. It fails with INVALID_STATE.
func (r *Return) Cancel(now time.Time) error { return r.become(ReturnCancelled, now) }

// Refunded notes that its share is paid back. It fails with INVALID_STATE.
func (r *Return) Refunded(now time.Time) error { return r.become(ReturnRefunded, now) }

// Reject declines it for a reason that the customer reads. It fails with INVALID_STATE, REQUIRED and TOO_LONG.
func (r *Return) Reject(reason string, now time.Time) error {
	reason = strings.TrimSpace(reason)
	switch {
	case reason == "":
		return errs.At(errs.Required, "Say why.", "reason")
	case utf8.RuneCountInString(reason) > 500:
		return errs.At(errs.TooLong, "A reason has at most 500 characters.", "reason")
	}
	if err := r.become(ReturnRejected, now); err != nil {
		return err
	}
	r.Reason = reason
	return nil
}

// Arrival is what has come of a line of a return.
type Arrival struct {
	LineID   uuid.UUID
	Quantity int
	Location string // where it goes back into stock; empty where it does not
}

// Receive notes what has come, and what is to be paid back for it; lines that are not named have not come. lines are the
// order's, earlier its other returns. It fails with INVALID_STATE, NOT_FOUND, INVALID and OUT_OF_RANGE, and then changes
// nothing.
func (r *Return) Receive(arrived []Arrival, lines []*Line, earlier []*Return, now time.Time) error {
	if !r.Status.CanBecome(ReturnReceived) {
		return r.become(ReturnReceived, now)
	}
	var faults errs.Collector
	if len(arrived) == 0 {
		faults.Add(errs.TooShort, "Give at least one line.", "lines")
	}
	next := slices.Clone(r.Lines)
	seen := make(map[uuid.UUID]bool, len(arrived))
	for i, a := range arrived {
		at := strconv.Itoa(i)
		n := slices.IndexFunc(next, func(l ReturnLine) bool { return l.LineID == a.LineID })
		switch {
		case n < 0:
			faults.Add(errs.NotFound, "The return has no such line.", "lines", at, "orderLineId")
		case seen[a.LineID]:
			faults.Add(errs.Invalid, "Each line is given once.", "lines", at, "orderLineId")
		case a.Quantity < 1 || a.Quantity > next[n].Quantity:
			faults.Addf([]string{"lines", at, "quantity"}, errs.OutOfRange, "A quantity is between 1 and %d here.", next[n].Quantity)
		default:
			next[n].Received, next[n].Location = a.Quantity, a.Location
		}
		seen[a.LineID] = true
	}
	if err := faults.Err(); err != nil {
		return err
	}
	r.Lines = next
	r.Refund = refundOf(r, lines, earlier)
	return r.become(ReturnReceived, now)
}

// refundOf gives what a return pays back: what was paid for the articles that have come. Shipping stays paid. The
// refunds of all returns of a line add up to what the line cost after discounts.
func refundOf(r *Return, lines []*Line, earlier []*Return) money.Money {
	var sum money.Money
	for _, l := range lines {
		before, n := 0, 0
		for _, e := range earlier {
			if e.ID != r.ID && (e.Status == ReturnReceived || e.Status == ReturnRefunded) {
				before += e.Holds(l.ID)
			}
		}
		for _, rl := range r.Lines {
			if rl.LineID == l.ID {
				n += rl.Received
			}
		}
		off := pricing.Part(l.Discount.Amount, before+n, l.Quantity) - pricing.Part(l.Discount.Amount, before, l.Quantity)
		paid := l.UnitPrice.Times(n).Sub(money.New(off, l.UnitPrice.Currency))
		if sum.Currency == "" {
			sum = money.New(0, paid.Currency)
		}
		sum = sum.Add(paid)
	}
	return sum
}

// Returnable gives how many of an order's line can still be returned at a time: what is in parcels that have not
// arrived, or arrived no longer than period ago, less what other returns hold. A return holds the articles whose period
// ended first among those that could be returned when it was asked for.
func Returnable(line uuid.UUID, parcels []*Fulfillment, returns []*Return, period time.Duration, now time.Time) int {
	type stock struct {
		parcel *Fulfillment
		left   int
	}
	var sent []stock
	for _, f := range parcels {
		for _, l := range f.Lines {
			if l.LineID == line {
				sent = append(sent, stock{f, l.Quantity})
			}
		}
	}
	slices.SortStableFunc(sent, func(a, b stock) int {
		switch x, y := a.parcel.DeliveredAt, b.parcel.DeliveredAt; {
		case x == nil && y == nil:
			return 0
		case x == nil:
			return 1
		case y == nil:
			return -1
		default:
			return x.Compare(*y)
		}
	})
	open := func(f *Fulfillment, at time.Time) bool {
		return !f.CreatedAt.After(at) && (f.DeliveredAt == nil || !at.After(f.DeliveredAt.Add(period)))
	}
	earlier := slices.Clone(returns)
	slices.SortStableFunc(earlier, func(a, b *Return) int { return a.RequestedAt.Compare(b.RequestedAt) })
	for _, r := range earlier {
		held := r.Holds(line)
		for i := range sent {
			if open(sent[i].parcel, r.RequestedAt) {
				taken := min(held, sent[i].left)
				sent[i].left -= taken
				held -= taken
			}
		}
	}
	n := 0
	for _, s := range sent {
		if open(s.parcel, now) {
			n += s.left
		}
	}
	return n
}
