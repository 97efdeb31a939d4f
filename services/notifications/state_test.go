package notifications

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/techmart/techmart/services/errs"
)

var epoch = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)

func pending() *Delivery {
	return &Delivery{Recipient: "ada@example.com", Status: Pending, Payload: []byte(`{}`)}
}

func TestAttemptLife(t *testing.T) {
	t.Parallel()
	d := pending()
	if v := d.Claim(epoch, epoch.Add(time.Minute)); v != Claimed || d.Attempts != 1 {
		t.Fatalf("first claim: %v, %d attempts", v, d.Attempts)
	}
	if v := d.Claim(epoch, epoch.Add(time.Minute)); v != Busy || d.Attempts != 1 {
		t.Fatalf("second claim: %v, %d attempts; want Busy and 1", v, d.Attempts)
	}
	if err := d.HandOver(1, epoch); err != nil {
		t.Fatal(err)
	}
	if err := d.Fail(1, "450 greylisted ada@example.com", epoch); err != nil {
		t.Fatal(err)
	}
	if d.LastError != "450 greylisted a***@example.com" {
		t.Errorf("the error is %q", d.LastError)
	}
	if v := d.Claim(epoch, epoch.Add(time.Minute)); v != Claimed || d.Attempts != 2 {
		t.Fatalf("claim after a failure: %v, %d attempts", v, d.Attempts)
	}
	if err := d.HandOver(1, epoch); err == nil {
		t.Error("an attempt that was taken over could hand over")
	}
	if err := d.Succeed(2, epoch); err != nil || d.Status != Sent || d.Payload != nil || d.SentAt != epoch {
		t.Fatalf("after success: %+v, %v", d, err)
	}
	if v := d.Claim(epoch.Add(time.Hour), epoch.Add(2*time.Hour)); v != Settled {
		t.Errorf("claim after success: %v", v)
	}
}

func TestWorkerLostBeforeAndAfterHandOver(t *testing.T) {
	t.Parallel()
	d := pending()
	lease := epoch.Add(time.Minute)
	d.Claim(epoch, lease)
	if err := d.HandOver(1, lease); err == nil {
		t.Error("an attempt whose time is up could hand over")
	}
	if v := d.Claim(lease, lease.Add(time.Minute)); v != Claimed || d.Attempts != 2 {
		t.Fatalf("lost before the hand-over: %v, want a new attempt", v)
	}
	if err := d.HandOver(2, lease); err != nil {
		t.Fatal(err)
	}
	if v := d.Claim(lease.Add(time.Minute), lease.Add(2*time.Minute)); v != Lost || d.Status != Dead || !d.Unknown {
		t.Fatalf("lost after the hand-over: %v, %+v", v, d)
	}
	if v := d.Claim(lease.Add(time.Hour), lease.Add(2*time.Hour)); v != Abandoned {
		t.Errorf("claim of a DEAD one: %v", v)
	}
	late := *d
	if err := late.Succeed(2, lease); err != nil || late.Status != Sent {
		t.Errorf("a worker that was thought lost knows better: %v, %+v", err, late)
	}
	if err := d.Replay(lease); err != nil || d.Status != Pending || d.Unknown {
		t.Fatalf("after a replay: %v, %+v", err, d)
	}
	if v := d.Claim(lease, lease.Add(time.Minute)); v != Claimed || d.Attempts != 3 {
		t.Errorf("claim after a replay: %v, %d attempts", v, d.Attempts)
	}
}

func TestDiscard(t *testing.T) {
	t.Parallel()
	d := pending()
	d.Claim(epoch, epoch.Add(time.Minute))
	if err := d.Die(1, "550 no such user", false, epoch); err != nil {
		t.Fatal(err)
	}
	if err := d.Succeed(1, epoch); err == nil {
		t.Error("a refused message became SENT")
	}
	d.Discard(epoch)
	if d.Status != Dead || d.Payload != nil {
		t.Fatalf("after discarding: %+v", d)
	}
	if err := d.Replay(epoch); errs.CodeOf(err) != errs.InvalidState {
		t.Errorf("replay of a discarded one: %v", err)
	}
	sent := pending()
	sent.Claim(epoch, epoch.Add(time.Minute))
	if err := sent.Succeed(1, epoch); err != nil {
		t.Fatal(err)
	}
	if err := sent.Replay(epoch); errs.CodeOf(err) != errs.InvalidState {
		t.Errorf("replay of a sent one: %v", err)
	}
	if sent.Discard(epoch); sent.Status != Sent {
		t.Error("a sent one was discarded")
	}
}

func TestShorten(t *testing.T) {
	t.Parallel()
	d := pending()
	got := d.shorten("line\r\none ada@example.com " + strings.Repeat("ü", 400) + "\xff")
	if len(got) > maxError || !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n") || strings.Contains(got, "ada@") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

// Whatever workers do and however many vanish, a message is handed over again only after the mail
// server said that it did not take it, or after staff decided so.
func TestNeverHandedOverTwice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := pending()
		now := epoch
		type attempt struct{ number int }
		var workers []attempt
		mayBeTaken := false // a hand-over happened whose outcome nobody has told
		t.Repeat(map[string]func(*rapid.T){
			"time passes": func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "s")) * time.Second) },
			"claim": func(*rapid.T) {
				if d.Claim(now, now.Add(time.Minute)) == Claimed {
					workers = append(workers, attempt{d.Attempts})
				}
			},
			"hand over": func(t *rapid.T) {
				if len(workers) == 0 {
					return
				}
				w := rapid.SampledFrom(workers).Draw(t, "worker")
				already := !d.HandedOverAt.IsZero() && d.Attempts == w.number // a worker hands over once
				if already || d.HandOver(w.number, now) != nil {
					return
				}
				if mayBeTaken {
					t.Fatalf("handed over again while the mail server may have taken it: %+v", d)
				}
				mayBeTaken = true
			},
			"refused": func(t *rapid.T) {
				if len(workers) == 0 || d.HandedOverAt.IsZero() {
					return
				}
				if d.Fail(rapid.SampledFrom(workers).Draw(t, "worker").number, "451", now) == nil {
					mayBeTaken = false
				}
			},
			"staff replays": func(*rapid.T) {
				if d.Status == Dead && d.Replay(now) == nil {
					mayBeTaken = false
				}
			},
		})
	})
}
