package notifications

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/techmart/techmart/services/errs"
)

// Verdict is what a worker that asks for a delivery is told.
type Verdict int

// The verdicts.
const (
	Claimed   Verdict = iota // the attempt is the worker's own until ClaimedUntil
	Settled                  // it was sent
	Abandoned                // it is DEAD
	Busy                     // another worker has it until ClaimedUntil
	Lost                     // an earlier worker vanished after the hand-over; it is DEAD now
)

// Claim gives the delivery's next attempt to the worker that asks, until the time given, if it is to be had.
func (d *Delivery) Claim(now, until time.Time) Verdict {
	switch {
	case d.Status == Sent:
		return Settled
	case d.Status == Dead:
		return Abandoned
	case now.Before(d.ClaimedUntil):
		return Busy
	case !d.HandedOverAt.IsZero():
		d.die(unknownOutcome, true, now)
		return Lost
	}
	d.Attempts++
	d.ClaimedUntil = until
	return Claimed
}

const unknownOutcome = "The worker was lost while it gave the message to the mail server, which may have taken it."

// HandOver marks that the attempt begins to give the message to the mail server. It fails when the
// attempt is not the current one or its time is up: then nothing may be sent.
func (d *Delivery) HandOver(attempt int, now time.Time) error {
	if d.Status != Pending || d.Attempts != attempt || !now.Before(d.ClaimedUntil) {
		return errSuperseded
	}
	d.HandedOverAt = now
	return nil
}

// Succeed marks that the mail server took the message of the attempt. A delivery that was given up
// meanwhile for want of that knowledge is SENT after all.
func (d *Delivery) Succeed(attempt int, now time.Time) error {
	if d.Attempts != attempt || d.Status == Dead && !d.Unknown {
		return errSuperseded
	}
	if d.Status == Sent {
		return nil
	}
	d.Status, d.SentAt, d.UpdatedAt = Sent, now, now
	d.ClaimedUntil, d.HandedOverAt, d.Unknown = time.Time{}, time.Time{}, false
	d.Payload = nil
	return nil
}

// Fail marks that the mail server did not take the message of the attempt, which may be tried again.
func (d *Delivery) Fail(attempt int, reason string, now time.Time) error {
	if d.Status != Pending || d.Attempts != attempt {
		return errSuperseded
	}
	d.ClaimedUntil, d.HandedOverAt = time.Time{}, time.Time{}
	d.LastError = d.shorten(reason)
	d.UpdatedAt = now
	return nil
}

// Die gives the delivery up in the attempt. unknown says that the mail server may have taken it.
func (d *Delivery) Die(attempt int, reason string, unknown bool, now time.Time) error {
	if d.Status != Pending || d.Attempts != attempt {
		return errSuperseded
	}
	d.die(reason, unknown, now)
	return nil
}

func (d *Delivery) die(reason string, unknown bool, now time.Time) {
	d.Status, d.Unknown, d.UpdatedAt = Dead, unknown, now
	d.ClaimedUntil, d.HandedOverAt = time.Time{}, time.Time{}
	d.LastError = d.shorten(reason)
}

// Replay makes a DEAD delivery PENDING again; one that is PENDING stays so. It fails with
// INVALID_STATE for one that was sent or discarded.
func (d *Delivery) Replay(now time.Time) error {
	switch {
	case d.Status == Sent:
		return errs.New(errs.InvalidState, "The message was sent.")
	case d.Payload == nil:
		return errs.New(errs.InvalidState, "The message was discarded.")
	case d.Status == Dead:
		d.Status, d.Unknown, d.UpdatedAt = Pending, false, now
	}
	return nil
}

// Discard makes a delivery DEAD for good and forgets what it would have said. One that was sent stays so.
func (d *Delivery) Discard(now time.Time) {
	if d.Status == Sent {
		return
	}
	d.Status, d.UpdatedAt, d.Payload, d.Unknown = Dead, now, nil, false // nobody asks any more whether it arrived
	d.ClaimedUntil, d.HandedOverAt = time.Time{}, time.Time{}
}

const maxError = 500 // bytes

// shorten makes an error's text fit to be kept and shown to staff: one line, bounded, without the address.
func (d *Delivery) shorten(text string) string {
	text = strings.ReplaceAll(text, d.Recipient, MaskAddress(d.Recipient))
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "\uFFFD")), " ")
	if len(text) <= maxError {
		return text
	}
	cut := maxError - len("…")
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
