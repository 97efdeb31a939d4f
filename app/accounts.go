package app

import (
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/techmart/techmart/services/users"
	userspostgres "github.com/techmart/techmart/services/users/postgres"
	usersredis "github.com/techmart/techmart/services/users/redis"
)

// buildUsers makes the users domain.
func (a *App) buildUsers(o Options) error {
	c := a.config
	keys, err := c.keys()
	if err != nil {
		return err
	}
	vault, err := c.vault()
	if err != nil {
		return err
	}
	a.Services.Users, err = users.New(users.Deps{
		Store: userspostgres.New(a.pool("users")), Passwords: users.NewHasher(c.hasher()), Keys: keys, Vault: vault,
		Revocations: usersredis.New(a.redis), Limits: usersredis.NewLimits(a.redis), Metrics: newAccountMetrics(a.registry),
		Carts: userCarts{&a.Services}, Clock: o.Clock, Log: a.log,
		Config: users.Config{
			AccessTTL: c.AccessTTL, SessionIdle: c.SessionIdle, SessionMax: c.SessionMax,
			VerificationTTL: c.VerificationTTL, ResetTTL: c.ResetTTL, ChallengeTTL: c.ChallengeTTL,
			Limits: users.LimitConfig{
				Failures: c.SignInFailures, AccountFailures: c.SignInAccountFailures, NetworkFailures: c.SignInNetworkFailures,
				Requests: c.AccountRequests, NetworkRequests: c.AccountNetworkRequests,
				MaxDelay: c.AttemptMaxDelay, Window: c.AttemptWindow,
			},
		},
	})
	return err
}

func (c Config) hasher() users.HasherConfig {
	return users.HasherConfig{
		MemoryKiB: uint32(c.PasswordMemoryKiB), Iterations: uint32(c.PasswordIterations), // within bounds: checkAccounts
		Parallelism: uint8(c.PasswordParallelism), Concurrent: c.PasswordConcurrent, // within bounds: checkAccounts
	}
}

// vault gives the keys that seal second factors. In development they follow from another secret, where
// none are given.
func (c Config) vault() (*users.Vault, error) {
	keys := c.SecondFactorKeys
	if keys == "" && c.Mode == Development {
		sum := sha256.Sum256([]byte("second factors of " + c.CursorSecret))
		keys = base64.StdEncoding.EncodeToString(sum[:])
	}
	return users.NewVault(keys)
}

func (c Config) checkAccounts(f faults) {
	_, err := c.vault()
	f.check(err == nil, "SECOND_FACTOR_KEYS seal second factors: "+reason(err)+"; make one with: openssl rand -base64 32")
	for name, d := range map[string]time.Duration{
		"SESSION_MAX": c.SessionMax, "VERIFICATION_TTL": c.VerificationTTL, "RESET_TTL": c.ResetTTL, "CHALLENGE_TTL": c.ChallengeTTL,
	} {
		f.check(d > 0, name+" is a time such as 15s")
	}
	for name, d := range map[string]time.Duration{"ATTEMPT_MAX_DELAY": c.AttemptMaxDelay, "ATTEMPT_WINDOW": c.AttemptWindow} {
		f.check(d >= time.Second && d <= 24*time.Hour, name+" is from 1s to 24h: nobody is kept out for good")
	}
	for name, n := range map[string]int{
		"SIGN_IN_FAILURES": c.SignInFailures, "SIGN_IN_ACCOUNT_FAILURES": c.SignInAccountFailures, "SIGN_IN_NETWORK_FAILURES": c.SignInNetworkFailures,
		"ACCOUNT_REQUESTS": c.AccountRequests, "ACCOUNT_NETWORK_REQUESTS": c.AccountNetworkRequests,
	} {
		f.check(n > 0, name+" is more than 0")
	}
	f.check(c.PasswordMemoryKiB >= 8 && c.PasswordMemoryKiB <= 4<<20, "PASSWORD_MEMORY_KIB is from 8 to 4194304")
	f.check(c.PasswordIterations >= 1 && c.PasswordIterations <= 100, "PASSWORD_ITERATIONS is from 1 to 100")
	f.check(c.PasswordParallelism >= 1 && c.PasswordParallelism <= 64, "PASSWORD_PARALLELISM is from 1 to 64")
	f.check(c.PasswordConcurrent >= 0, "PASSWORD_CONCURRENT is 0 for the number of CPUs, or more")
	f.check(c.Mode != Production || c.PasswordMemoryKiB*c.PasswordIterations >= 19*1024*2,
		"PASSWORD_MEMORY_KIB times PASSWORD_ITERATIONS is 38912 or more in production: less is too easily tried")
}

// accountMetrics is users.Metrics.
type accountMetrics struct {
	throttled *prometheus.CounterVec
	lost      prometheus.Counter
}

func newAccountMetrics(r prometheus.Registerer) accountMetrics {
	m := accountMetrics{
		throttled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "account_attempts_throttled_total", Help: "Attempts to sign in, register, verify or reset that had to wait, by action.",
		}, []string{"action"}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "account_limits_local_total", Help: "Attempts that one process counted by itself, as Redis did not answer. An alarm: limits are looser meanwhile.",
		}),
	}
	r.MustRegister(m.throttled, m.lost)
	return m
}

// Throttled implements users.Metrics.
func (m accountMetrics) Throttled(action string) { m.throttled.WithLabelValues(action).Inc() }

// LimitsLost implements users.Metrics.
func (m accountMetrics) LimitsLost() { m.lost.Inc() }
