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

// ReturnReason says why the customer sends something back.
type ReturnReason string

// The reasons of a return.
const (
	ReturnDefective      ReturnReason = "DEFECTIVE"
	ReturnDamaged        ReturnReason = "DAMAGED"
	ReturnWrongItem      ReturnReason = "WRONG_ITEM"
	ReturnNotAsDescribed ReturnReason = "NOT_AS_DESCRIBED"
	ReturnChangedMind    ReturnReason = "CHANGED_MIND"
	ReturnOther          ReturnReason = "OTHER"
)

// ReturnReasons are all of them.
var ReturnReasons = []ReturnReason{ReturnDefective, ReturnDamaged, ReturnWrongItem, ReturnNotAsDescribed, ReturnChangedMind, ReturnOther}

// Return is a part of an order that the customer sends back.
type Return struct {
	ID           uuid.UUID
	OrderID      uuid.UUID
	CustomerID   uuid.UUID
	Position     int    // among the order's returns, from 1
	Number       string // T-100042-R1
	Status       ReturnStatus
	Lines        []ReturnLine
	Note         string      // the customer's
	Reason       string      // why it was rejected; empty otherwise
	Instructions string      // where and how to send it; empty until it is approved
	Refund       money.Money // what is paid back; known once it is received
	Problem      string      // why the payment provider or the books refused to pay it back; empty otherwise
	Attempt      int         // refunds that the payment provider refused
	Settlement   string      // how staff paid it back otherwise; empty where the payment was refunded
	RequestedAt  time.Time
	UpdatedAt    time.Time
	ReceivedAt   *time.Time
	RestockedAt  *time.Time // nil where nothing goes back into stock
}

// ReturnLine is a part of an order's line in a return.
type ReturnLine struct {
	LineID   uuid.UUID
	Quantity int // asked for
	Reason   ReturnReason
	Received int         // of Quantity
	Restock  int         // of Received, what goes back into stock
	Location uuid.UUID   // where to; zero where nothing does
	Refund   money.Money // what is paid back for the received ones
}

// held gives how many articles of its line a part of a return takes up.
func (r *Return) held(l ReturnLine) int {
	switch {
	case r.Status.Void():
		return 0
	case r.Status == ReturnReceived || r.Status == ReturnRefunded:
		return l.Received
	}
	return l.Quantity
}

// Held gives how many articles each of its lines takes up, in the order of Lines.
func (r *Return) Held() []int {
	held := make([]int, len(r.Lines))
	for i, l := range r.Lines {
		held[i] = r.held(l)
	}
	return held
}

// restocks reports whether anything of it goes back into stock.
func (r *Return) restocks() bool {
	return slices.ContainsFunc(r.Lines, func(l ReturnLine) bool { return l.Restock > 0 })
}

// Holds gives how many of an order's line the return takes up: none once it came to nothing, and what has come once
// it is here.
func (r *Return) Holds(line uuid.UUID) int {
	n := 0
	for _, l := range r.Lines {
		if l.LineID == line {
			n += r.held(l)
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

// Approve lets the customer send it as instructed. It fails with INVALID_STATE.
func (r *Return) Approve(instructions string, now time.Time) error {
	if err := r.become(ReturnApproved, now); err != nil {
		return err
	}
	r.Instructions = instructions
	return nil
}

// Cancel calls it off before it has come. It fails with INVALID_STATE.
func (r *Return) Cancel(now time.Time) error { return r.become(ReturnCancelled, now) }

// Refunded notes that its share is paid back: by the payment, or otherwise as settlement says. It fails with INVALID_STATE.
func (r *Return) Refunded(settlement string, now time.Time) error {
	if err := r.become(ReturnRefunded, now); err != nil {
		return err
	}
	r.Settlement, r.Problem = settlement, ""
	return nil
}

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
	Restock  int       // of Quantity, what can be sold again
	Location uuid.UUID // where that goes back into stock
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
		case a.Restock < 0 || a.Restock > a.Quantity:
			faults.Addf([]string{"lines", at, "restock"}, errs.OutOfRange, "Of %d, between 0 and %d go back into stock.", a.Quantity, a.Quantity)
		default:
			next[n].Received, next[n].Restock = a.Quantity, a.Restock
			if a.Restock > 0 {
				next[n].Location = a.Location
			}
		}
		seen[a.LineID] = true
	}
	if err := faults.Err(); err != nil {
		return err
	}
	r.Lines = next
	r.price(lines, earlier)
	r.ReceivedAt = &now
	return r.become(ReturnReceived, now)
}

// price counts what a return pays back: what was paid for the articles that have come. Shipping stays paid. The refunds
// of all returns of a line add up to what the line cost after discounts.
func (r *Return) price(lines []*Line, earlier []*Return) {
	for _, l := range lines {
		if r.Refund.Currency == "" {
			r.Refund = money.New(0, l.UnitPrice.Currency)
		}
		before := 0
		for _, e := range earlier {
			if e.ID != r.ID && (e.Status == ReturnReceived || e.Status == ReturnRefunded) {
				before += e.Holds(l.ID)
			}
		}
		for i := range r.Lines {
			part := &r.Lines[i]
			if part.LineID != l.ID {
				continue
			}
			off := pricing.Part(l.Discount.Amount, before+part.Received, l.Quantity) - pricing.Part(l.Discount.Amount, before, l.Quantity)
			part.Refund = l.UnitPrice.Times(part.Received).Sub(money.New(off, l.UnitPrice.Currency))
			r.Refund = r.Refund.Add(part.Refund)
		}
	}
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
