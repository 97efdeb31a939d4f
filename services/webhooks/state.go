package webhooks

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
)

// Bounds of waits.
const (
	longestProbe = time.Hour
	longestAsked = 24 * time.Hour // of a Retry-After
	unreadyWait  = 30 * time.Second
	jitter       = 0.1 // of a delay, in both directions
)

// spread keeps receivers that were down from being called all at once.
func spread(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()*2-1)*jitter*float64(d))
}

func (e *Endpoint) touch(now time.Time) { e.UpdatedAt, e.Version = now, e.Version+1 }

// tell notes what the owner is to be told.
func (e *Endpoint) tell(n News) { e.News, e.NewsCount = n, e.NewsCount+1 }

// enable lets the endpoint be sent to again, with nothing held against it.
func (e *Endpoint) enable() {
	e.Status, e.Reason, e.Failures = Enabled, "", 0
	e.FailingSince, e.PausedAt, e.ProbeAt, e.DisabledAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
}

// disable ends all sending to the endpoint.
func (e *Endpoint) disable(r Reason, now time.Time) {
	if e.Status == Disabled {
		return
	}
	e.Status, e.Reason, e.DisabledAt = Disabled, r, now
	e.PausedAt, e.ProbeAt = time.Time{}, time.Time{}
	if r != ByRequest {
		e.tell(NewsDisabled)
	}
}

// succeeded notes that the receiver took something; it is true where the endpoint comes back from a pause.
func (e *Endpoint) succeeded() bool {
	if e.Status == Disabled {
		return false
	}
	back := e.Status == Paused
	e.enable()
	if back {
		e.tell(NewsResumed)
	}
	return back
}

// failed notes that the receiver did not take something.
func (e *Endpoint) failed(r Response, p Policy, now time.Time) {
	if e.Status == Disabled {
		return
	}
	e.Failures++
	if e.FailingSince.IsZero() {
		e.FailingSince = now
	}
	switch {
	case r.Status == statusGone:
		e.disable(Gone, now)
	case now.Sub(e.FailingSince) >= p.GiveUpAfter:
		e.disable(Failing, now)
	case e.Status == Paused:
		e.ProbeAt = now.Add(max(p.probeAfter(e.Failures), min(r.RetryAfter, longestAsked)))
	case e.Failures >= p.PauseAfter:
		e.Status, e.PausedAt = Paused, now
		e.ProbeAt = now.Add(max(p.probeAfter(e.Failures), min(r.RetryAfter, longestAsked)))
		e.tell(NewsPaused)
	}
}

// statusGone is the answer of a receiver that wants nothing more.
const statusGone = 410

// probeAfter gives the wait before a paused endpoint is tried, which doubles each time.
func (p Policy) probeAfter(failures int) time.Duration {
	wait := p.ProbeEvery
	for range failures - p.PauseAfter {
		if wait *= 2; wait >= longestProbe {
			return longestProbe
		}
	}
	return wait
}

// finish ends the delivery.
func (d *Delivery) finish(s DeliveryStatus, now time.Time) {
	d.Status, d.FinishedAt = s, now
	d.NextAttemptAt, d.ClaimedUntil = time.Time{}, time.Time{}
}

// failed plans the next attempt, or ends the delivery after the last one.
func (d *Delivery) failed(asked time.Duration, p Policy, now time.Time) {
	d.Failures++
	if d.Failures > len(p.RetryDelays) {
		d.finish(Failed, now)
		return
	}
	d.wait(max(spread(p.RetryDelays[d.Failures-1]), min(asked, longestAsked)), now)
}

// wait puts the next attempt off.
func (d *Delivery) wait(delay time.Duration, now time.Time) {
	d.NextAttemptAt, d.ClaimedUntil = now.Add(delay).Truncate(time.Microsecond), time.Time{}
}

// redeliver begins anew. It fails with INVALID_STATE while the delivery is pending.
func (d *Delivery) redeliver(now time.Time) error {
	if d.Status == Pending {
		return errs.At(errs.InvalidState, "This delivery is still under way.", "id")
	}
	d.Status, d.Failures, d.NextAttemptAt, d.FinishedAt = Pending, 0, now, time.Time{}
	return nil
}

// record notes an attempt of the unit's delivery and what follows from it for the endpoint.
func (u *Unit) record(a Attempt, r Response, p Policy, now time.Time) error {
	e, d := u.Endpoint, u.Delivery
	if d == nil || d.Status != Pending || d.Attempts != a.Number {
		return ErrSuperseded
	}
	u.Attempt = &a
	wasPaused, before := e.Status == Paused, e.Status
	switch {
	case a.Outcome == Succeeded:
		d.finish(Delivered, now)
		if e.succeeded() {
			u.Release = &now
			u.Wakes = slices.Repeat([]time.Time{now}, p.Concurrency)
		}
		return nil
	case a.Outcome == NotSent: // the receiver is not to blame
		d.wait(spread(unreadyWait), now)
	default:
		e.failed(r, p, now)
		if wasPaused && e.Status == Paused { // a probe uses up none of the delivery's tries
			d.wait(e.ProbeAt.Sub(now), now)
		} else {
			d.failed(r.RetryAfter, p, now)
		}
	}
	switch e.Status {
	case Disabled:
		if d.Status == Pending {
			d.finish(Failed, now)
		}
		if before != Disabled {
			u.Drop = &now
		}
	case Paused:
		u.Wakes = []time.Time{e.ProbeAt}
	case Enabled:
		if d.Status == Pending {
			u.Wakes = []time.Time{d.NextAttemptAt}
		}
	}
	return nil
}

// give ends a delivery that must not be sent.
func (u *Unit) give(up Attempt, now time.Time) error {
	if u.Delivery == nil || u.Delivery.Status != Pending || u.Delivery.Attempts != up.Number {
		return ErrSuperseded
	}
	u.Attempt = &up
	u.Delivery.finish(Failed, now)
	return nil
}

// rotate adds a secret, and lets the others end after the overlap. It fails with LIMIT_EXCEEDED where too many are good.
func (u *Unit) rotate(fresh Secret, overlap time.Duration, now time.Time) error {
	good, end := 0, now.Add(overlap)
	for i, old := range u.Secrets {
		if !old.goodAt(now) {
			continue
		}
		good++
		if old.ExpiresAt.IsZero() || end.Before(old.ExpiresAt) {
			u.Secrets[i].ExpiresAt = end
		}
	}
	if good >= maxSecrets && overlap > 0 {
		return errs.At(errs.LimitExceeded, "Five secrets are good already: wait until one ends, or rotate without overlap.", "overlapHours")
	}
	u.NewSecret = &fresh
	u.Endpoint.touch(now)
	return nil
}

const maxSecrets = 5 // that are good at the same time

func (s Secret) goodAt(now time.Time) bool { return s.ExpiresAt.IsZero() || now.Before(s.ExpiresAt) }

func newDelivery(e *Endpoint, ev Event, now time.Time) *Delivery {
	return &Delivery{ID: uuid.Must(uuid.NewV7()), EndpointID: e.ID, Event: ev, Status: Pending, NextAttemptAt: now, CreatedAt: now}
}
