package webhooks

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/techmart/techmart/services/errs"
)

var start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// Whatever receivers answer, an endpoint and its delivery stay as the tables want them, and nothing is tried for ever.
func TestAnyHistoryOfAnEndpointMakesSense(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := Policy{PauseAfter: rapid.IntRange(1, 6).Draw(t, "pause after"), GiveUpAfter: 100 * time.Hour}.withDefaults()
		e := &Endpoint{ID: uuid.New(), Status: Enabled}
		d := newDelivery(e, Event{ID: uuid.New()}, start)
		now := start
		for range rapid.IntRange(1, 200).Draw(t, "attempts") {
			if d.Status != Pending {
				break
			}
			now = now.Add(time.Duration(rapid.IntRange(1, 7200).Draw(t, "seconds")) * time.Second)
			d.Attempts++
			r := Response{
				Outcome: rapid.SampledFrom([]Outcome{Refused, Refused, TimedOut, Unreachable, NotSent, Succeeded}).Draw(t, "outcome"),
				Status:  rapid.SampledFrom([]int{0, 500, 429, 404, 410}).Draw(t, "status"), RetryAfter: time.Duration(rapid.IntRange(0, 200000).Draw(t, "asked")) * time.Second,
			}
			u := &Unit{Endpoint: e, Delivery: d}
			if err := u.record(Attempt{DeliveryID: d.ID, Number: d.Attempts, Outcome: r.Outcome}, r, p, now); err != nil {
				t.Fatal(err)
			}
			switch {
			case (e.Failures > 0) != !e.FailingSince.IsZero(),
				(e.Status == Paused) != !e.ProbeAt.IsZero(), (e.Status == Paused) != !e.PausedAt.IsZero(),
				(e.Status == Disabled) != (e.Reason != ""), (e.Status == Disabled) != !e.DisabledAt.IsZero(),
				(d.Status == Pending) != !d.NextAttemptAt.IsZero(), (d.Status == Pending) != d.FinishedAt.IsZero(), !d.ClaimedUntil.IsZero():
				t.Fatalf("%+v %+v", e, d)
			case e.Status == Disabled && (d.Status == Pending || u.Drop == nil && r.Outcome != Succeeded):
				t.Fatalf("a disabled endpoint keeps what waits: %+v %+v", d, u)
			case d.Status == Pending && (d.NextAttemptAt.Before(now) || d.NextAttemptAt.Sub(now) > 25*time.Hour):
				t.Fatalf("the next attempt is after %v", d.NextAttemptAt.Sub(now))
			case d.Status == Pending && len(u.Wakes) == 0 && r.Outcome != NotSent:
				t.Fatal("nobody comes back to it")
			case d.Failures > len(p.RetryDelays)+1:
				t.Fatalf("%d failures", d.Failures)
			}
		}
		if d.Status == Pending && now.Sub(start) > 100*time.Hour+48*time.Hour && e.Failures > 0 && now.Sub(e.FailingSince) > 101*time.Hour {
			t.Fatalf("it fails since %v and is not given up", e.FailingSince)
		}
	})
}

// The schedule is that of the specification, give or take a tenth.
func TestTheScheduleOfRetries(t *testing.T) {
	t.Parallel()
	p := Policy{PauseAfter: 100}.withDefaults()
	e := &Endpoint{Status: Enabled}
	d := newDelivery(e, Event{}, start)
	for i, want := range DefaultRetryDelays() {
		d.failed(0, p, start)
		if got := d.NextAttemptAt.Sub(start); got < want*9/10 || got > want*11/10 {
			t.Errorf("after failure %d it waits %v, not about %v", i+1, got, want)
		}
	}
	if d.failed(0, p, start); d.Status != Failed {
		t.Errorf("after the last it is %s", d.Status)
	}
	d = newDelivery(e, Event{}, start)
	if d.failed(time.Hour, p, start); d.NextAttemptAt.Sub(start) != time.Hour {
		t.Errorf("Retry-After is not heeded: %v", d.NextAttemptAt.Sub(start))
	}
}

// Probes come ever less often, and use up none of a delivery's tries; one that gets through releases all that waits.
func TestThePause(t *testing.T) {
	t.Parallel()
	p := Policy{PauseAfter: 2, ProbeEvery: time.Minute}.withDefaults()
	e := &Endpoint{Status: Enabled}
	d := newDelivery(e, Event{}, start)
	try := func(r Response) *Unit {
		d.Attempts++
		u := &Unit{Endpoint: e, Delivery: d}
		if err := u.record(Attempt{Number: d.Attempts, Outcome: r.Outcome}, r, p, start); err != nil {
			t.Fatal(err)
		}
		return u
	}
	try(Response{Outcome: Refused, Status: 500})
	try(Response{Outcome: TimedOut})
	if e.Status != Paused || e.News != NewsPaused || d.Failures != 2 {
		t.Fatalf("%+v %+v", e, d)
	}
	for _, want := range []time.Duration{2, 4, 8, 16, 32, 60, 60} {
		try(Response{Outcome: Refused, Status: 503})
		if got := e.ProbeAt.Sub(start); got != want*time.Minute || d.Failures != 2 {
			t.Errorf("the next probe is in %v, with %d failures", got, d.Failures)
		}
	}
	if u := try(Response{Outcome: Succeeded, Status: 200}); e.Status != Enabled || e.News != NewsResumed || u.Release == nil || len(u.Wakes) != p.Concurrency || d.Status != Delivered {
		t.Errorf("%+v %+v", e, u)
	}
	u := &Unit{Endpoint: e, Delivery: d}
	if err := u.record(Attempt{Number: d.Attempts}, Response{}, p, start); !errors.Is(err, ErrSuperseded) {
		t.Errorf("an attempt at what has ended: %v", err)
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://hooks.example.com/a?b=c", "https://hooks.example.com:8443/", "https://93.184.216.34/", "https://xn--bcher-kva.example/"} {
		if code, message := checkURL(good, false); code != "" {
			t.Errorf("%s: %s", good, message)
		}
	}
	for _, bad := range []string{
		"", "hooks.example.com", "http://hooks.example.com/", "https://", "https:hooks.example", "javascript:alert(1)", "file:///etc/passwd", "https://a:b@hooks.example/", "https://hooks.example/#x", "https://hooks.example/#",
		"https://hooks.example:80/", "https://hooks.example:6379/x\r\nHost: y", "https://hooks.example:70000/", "https://hooks.example:25/", "https://localhost/", "https://a.localhost/", "https://printer.local/", "https://metadata.google.internal/",
		"https://intranet/", "https://intranet./", "https://bücher.example/", "https://hooks.example/" + strings.Repeat("x", 2048), "https://hooks.example/\x00",
	} {
		if code, _ := checkURL(bad, false); code == "" {
			t.Errorf("%q is good", bad)
		}
	}
	if code, _ := checkURL("http://localhost:9000/", true); code != "" {
		t.Error("http is not good in development")
	}
}

func TestSecretsOverlap(t *testing.T) {
	t.Parallel()
	u := &Unit{Endpoint: &Endpoint{}, Secrets: []Secret{{ExpiresAt: start.Add(-time.Hour)}, {}, {ExpiresAt: start.Add(time.Minute)}}}
	if err := u.rotate(Secret{ID: uuid.New()}, time.Hour, start); err != nil || !u.Secrets[1].ExpiresAt.Equal(start.Add(time.Hour)) || !u.Secrets[2].ExpiresAt.Equal(start.Add(time.Minute)) || u.NewSecret == nil {
		t.Errorf("%+v %v", u.Secrets, err)
	}
	many := &Unit{Endpoint: &Endpoint{}, Secrets: make([]Secret, maxSecrets)}
	if err := many.rotate(Secret{}, time.Hour, start); errs.CodeOf(err) != errs.LimitExceeded {
		t.Errorf("a sixth: %v", err)
	}
	if err := many.rotate(Secret{}, 0, start); err != nil || many.Secrets[0].goodAt(start) {
		t.Errorf("without overlap: %v", err)
	}
}

// What is kept of a receiver's answer is short, valid text without secrets.
func TestExcerpts(t *testing.T) {
	t.Parallel()
	secret := newSecret()
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "text")) + secretText(secret) + rapid.String().Draw(t, "more")
		got := shorten(without(text, [][]byte{secret}), maxExcerpt)
		if len(got) > maxExcerpt || strings.ToValidUTF8(got, "") != got || strings.ContainsRune(got, 0) || strings.Contains(got, secretText(secret)[6:]) {
			t.Errorf("%q", got)
		}
	})
}
