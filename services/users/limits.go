package users

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// Limit bounds how often something is tried under one key. The first tries are free. From then on each
// one makes the next wait: Delay, doubling with each up to MaxDelay. A key that was left alone for a
// Window starts anew.
type Limit struct {
	Key      string // opaque; says nothing of the person
	Free     int
	Delay    time.Duration
	MaxDelay time.Duration
	Window   time.Duration
}

// Wait gives the delay after the n-th try.
func (l Limit) Wait(n int) time.Duration {
	over := n - l.Free
	if over < 0 {
		return 0
	}
	return min(l.Delay<<min(over, 20), l.MaxDelay)
}

// Limits counts tries.
type Limits interface {
	// Take counts a try under every limit, as one step. Where one has to wait, nothing is counted:
	// blocked is the index of the first such limit, and wait the longest time to wait. Else blocked is -1.
	// It fails fast where it cannot tell.
	Take(ctx context.Context, now time.Time, limits ...Limit) (blocked int, wait time.Duration, err error)
	// Give takes back one try of each key, and the delay that it made.
	Give(ctx context.Context, keys ...string) error
	// Forget starts the keys anew.
	Forget(ctx context.Context, keys ...string) error
}

// Metrics is told what the operator of the shop wants to see.
type Metrics interface {
	// Throttled counts a try that was refused because there were too many.
	Throttled(action string)
	// LimitsLost counts a try that was counted in this process only, as Limits did not answer.
	LimitsLost()
}

type noMetrics struct{}

func (noMetrics) Throttled(string) {}
func (noMetrics) LimitsLost()      {}

// LimitConfig bounds what strangers may try; a zero field takes its default.
type LimitConfig struct {
	Failures        int           // wrong passwords or codes for one account from one network that are free; 5
	AccountFailures int           // the same, from anywhere; 50
	NetworkFailures int           // the same for any account, from one network; 50
	Requests        int           // registrations and messages asked for, for one address from one network, that are free; 5
	NetworkRequests int           // the same for any address, from one network; 20
	MaxDelay        time.Duration // between two tries; 15 minutes
	Window          time.Duration // a count that was left alone for so long starts anew; 1 hour
}

func (c LimitConfig) withDefaults() LimitConfig {
	return LimitConfig{
		Failures:        cmp.Or(c.Failures, 5),
		AccountFailures: cmp.Or(c.AccountFailures, 50),
		NetworkFailures: cmp.Or(c.NetworkFailures, 50),
		Requests:        cmp.Or(c.Requests, 5),
		NetworkRequests: cmp.Or(c.NetworkRequests, 20),
		MaxDelay:        cmp.Or(c.MaxDelay, 15*time.Minute),
		Window:          cmp.Or(c.Window, time.Hour),
	}
}

// Delays after the first tries that are not free.
const (
	failureDelay    = time.Second
	requestDelay    = 10 * time.Second
	codeWindow      = 24 * time.Hour // a code has a million values only: its failures are not soon forgotten
	maxNetworkDelay = time.Minute    // a network is shared: its people are not kept waiting for long
)

// Actions whose tries are counted, as metrics show them.
const (
	actionSignIn   = "sign_in"
	actionCode     = "code"
	actionPassword = "password" // of who is signed in
	actionToken    = "token"    // from a message
	actionRegister = "register"
	actionVerify   = "verification"
	actionReset    = "reset"
)

// limiter asks the remote limits, and those of this process while they are away.
type limiter struct {
	config    LimitConfig
	remote    Limits // nil for none
	local     Limits
	metrics   Metrics
	clock     func() time.Time
	log       *slog.Logger
	restUntil atomic.Int64 // Unix nanoseconds
}

// localKeys bounds what one process counts by itself.
const localKeys = 50_000

func newLimiter(d Deps) *limiter {
	l := &limiter{config: d.Config.Limits.withDefaults(), remote: d.Limits, local: NewLocalLimits(localKeys), metrics: d.Metrics, clock: d.Clock, log: d.Log}
	if l.metrics == nil {
		l.metrics = noMetrics{}
	}
	return l
}

// try is a counted try, which its outcome may take back.
type try struct {
	limiter *limiter
	by      Limits
	limits  []Limit
}

// take counts a try of the action. Where it has to wait, it fails with THROTTLED, and blocked is the
// index of the limit.
func (l *limiter) take(ctx context.Context, action string, limits ...Limit) (t *try, blocked int, err error) {
	now := l.clock()
	by := l.local
	blocked, wait, answered := -1, time.Duration(0), false
	if l.remote != nil && now.UnixNano() >= l.restUntil.Load() {
		asking, cancel := context.WithTimeout(ctx, remoteTimeout)
		blocked, wait, err = l.remote.Take(asking, now, limits...)
		cancel()
		switch {
		case err == nil:
			by, answered = l.remote, true
		case ctx.Err() != nil:
			return nil, -1, ctx.Err()
		default:
			l.restUntil.Store(now.Add(remoteRest).UnixNano())
			l.log.WarnContext(ctx, "users: the limits do not answer, counting in this process", "error", err)
		}
	}
	if !answered {
		if l.remote != nil {
			l.metrics.LimitsLost()
		}
		if blocked, wait, err = l.local.Take(ctx, now, limits...); err != nil {
			return nil, -1, err
		}
	}
	if blocked >= 0 {
		l.metrics.Throttled(action)
		return nil, blocked, errThrottled(wait)
	}
	return &try{limiter: l, by: by, limits: limits}, -1, nil
}

// succeed forgets the first limit, which is that of the account from this network, and takes the try
// back from the others: somebody with an account of their own must not start those anew.
func (t *try) succeed(ctx context.Context) {
	var others []string
	for _, l := range t.limits[1:] {
		others = append(others, l.Key)
	}
	t.settle(ctx, func(ctx context.Context) error { return t.by.Forget(ctx, t.limits[0].Key) })
	if len(others) > 0 {
		t.settle(ctx, func(ctx context.Context) error { return t.by.Give(ctx, others...) })
	}
}

// give takes the try back from all limits.
func (t *try) give(ctx context.Context) {
	keys := make([]string, len(t.limits))
	for i, l := range t.limits {
		keys[i] = l.Key
	}
	t.settle(ctx, func(ctx context.Context) error { return t.by.Give(ctx, keys...) })
}

// settle does what follows a try. A failure is logged only: the try counts a little longer.
func (t *try) settle(ctx context.Context, do func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), remoteTimeout)
	defer cancel()
	if err := do(ctx); err != nil {
		t.limiter.log.WarnContext(ctx, "users: a try stays counted", "error", err)
	}
}

// forget starts keys anew, wherever they are counted.
func (l *limiter) forget(ctx context.Context, keys ...string) {
	for _, by := range []Limits{l.local, l.remote} {
		if by != nil {
			t := try{limiter: l, by: by}
			t.settle(ctx, func(ctx context.Context) error { return by.Forget(ctx, keys...) })
		}
	}
}

// failures are the limits of wrong secrets of a subject: from this network, from anywhere, and of this
// network for any subject.
func (l *limiter) failures(action, subject, network string) []Limit {
	c, window := l.config, l.config.Window
	if action == actionCode {
		window = max(window, codeWindow)
	}
	list := []Limit{
		{Key: limitKey(action, subject, network), Free: c.Failures, Delay: failureDelay, MaxDelay: c.MaxDelay, Window: window},
		{Key: limitKey(action, subject), Free: c.AccountFailures, Delay: failureDelay, MaxDelay: c.MaxDelay, Window: window},
	}
	return append(list, l.network(action, network, c.NetworkFailures, failureDelay)...)
}

// requests are the limits of what anyone may ask for an address: from this network, and of this network
// for any address. What an address gets from all networks together is bounded by its messages: a delay
// there would let a stranger keep its owner out.
func (l *limiter) requests(action, subject, network string) []Limit {
	c := l.config
	own := Limit{Key: limitKey(action, subject, network), Free: c.Requests, Delay: requestDelay, MaxDelay: c.MaxDelay, Window: c.Window}
	return append([]Limit{own}, l.network(action, network, c.NetworkRequests, requestDelay)...)
}

// network is the limit of a network; none for an unknown one.
func (l *limiter) network(action, network string, free int, delay time.Duration) []Limit {
	if network == "" {
		return nil
	}
	return []Limit{{Key: limitKey(action, "", network), Free: free, Delay: delay, MaxDelay: min(l.config.MaxDelay, maxNetworkDelay), Window: l.config.Window}}
}

// limitKey makes a key that does not show whose it is.
func limitKey(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		sum.Write([]byte(part))
		sum.Write([]byte{0})
	}
	return parts[0] + ":" + base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:18])
}

// network gives the network of the request's client: its address, or the /64 of an IPv6 one, which one
// household has to itself. It is empty where unknown.
func network(ctx context.Context) string { return networkOf(clientFrom(ctx).IPAddress) }

func networkOf(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return ""
	}
	return prefix.String()
}

// maxKnownSessions bounds the sessions that are looked at for a known network.
const maxKnownSessions = 100

// takeFailure counts a try of a secret of an account, zero for an unknown one. The limits that count
// what others do do not hold for a network that the account is known to sign in from, or that proved
// its e-mail address: nobody far away can keep the owner out. It fails with THROTTLED.
func (s *Service) takeFailure(ctx context.Context, action, subject string, a *Account) (*try, error) {
	from := network(ctx)
	limits := s.limits.failures(action, subject, from)
	t, blocked, err := s.limits.take(ctx, action, limits...)
	if err == nil || blocked < 1 || from == "" {
		return t, err
	}
	// Asked for an unknown account too, so that the answer takes the same time.
	addresses, failure := s.store.SessionAddresses(ctx, a.ID, maxKnownSessions)
	if failure != nil {
		return nil, failure
	}
	if a.ResetNetwork != from && !slices.ContainsFunc(addresses, func(address string) bool { return networkOf(address) == from }) {
		return nil, err
	}
	t, _, err = s.limits.take(ctx, action, limits[0])
	return t, err
}

// takeRequest counts a request for an address, which is not taken back. It fails with THROTTLED.
func (s *Service) takeRequest(ctx context.Context, action, email string) error {
	_, _, err := s.limits.take(ctx, action, s.limits.requests(action, email, network(ctx))...)
	return err
}

// takeToken counts a try of a token from a message, by the network alone: a token cannot be guessed,
// but looking for it costs. It fails with THROTTLED.
func (s *Service) takeToken(ctx context.Context) (*try, error) {
	limits := s.limits.network(actionToken, network(ctx), s.limits.config.NetworkFailures, failureDelay)
	if len(limits) == 0 {
		return &try{limiter: s.limits, by: s.limits.local}, nil
	}
	t, _, err := s.limits.take(ctx, actionToken, limits...)
	return t, err
}
