package app

import (
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/techmart/techmart/graph/federation"
	"github.com/techmart/techmart/migrations"
	"github.com/techmart/techmart/platform/telemetry"
	"github.com/techmart/techmart/services/clients"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/users"
)

// Validate checks the whole configuration and reports every fault at once. Faults never quote a
// secret.
func (c Config) Validate() error {
	f := faults{}
	f.check(c.Mode == Production || c.Mode == Development, "MODE is production or development")
	_, _, err := net.SplitHostPort(c.HTTPAddr)
	f.check(err == nil, "HTTP_ADDR is host:port, such as 127.0.0.1:8080")
	_, _, err = net.SplitHostPort(c.WorkerAddr)
	f.check(err == nil || c.WorkerAddr == "", "WORKER_ADDR is host:port, such as 127.0.0.1:8081, or empty")
	public, err := url.Parse(c.PublicURL)
	f.check(err == nil && public.Host != "" && (public.Scheme == "http" || public.Scheme == "https"), "PUBLIC_URL is an http or https address")
	for _, o := range c.AllowedOrigins {
		u, err := url.Parse(o)
		f.check(err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && u.Path == "" && !strings.Contains(o, "*"),
			"ALLOWED_ORIGINS are origins such as https://shop.example, without a path or *")
	}
	_, err = federation.Parse(c.Subgraph)
	f.check(err == nil, "SUBGRAPH names parts of the graph, such as users,orders: "+reason(err))
	_, err = networks(c.TrustedProxies)
	f.check(err == nil, "TRUSTED_PROXIES are networks such as 10.0.0.0/8")
	_, err = networks(c.MetricsFrom)
	f.check(err == nil, "METRICS_FROM are networks such as 10.0.0.0/8")
	f.check((c.TLSCert == "") == (c.TLSKey == ""), "TLS_CERT and TLS_KEY are given both or not at all")
	for _, domain := range migrations.Domains {
		f.check(c.postgresURL(domain) != "", "POSTGRES_URL is missing")
	}
	f.check(c.MongoURL != "", "MONGODB_URL is missing")
	f.check(c.RedisURL != "", "REDIS_URL is missing")
	f.check(c.RabbitURL != "", "RABBITMQ_URL is missing")
	if c.Mode == Production {
		f.check(!strings.HasPrefix(c.SMTPURL, "mailbox:"), "SMTP_URL is missing: mails are kept in a mailbox in development only")
		f.check(!strings.HasPrefix(c.RabbitURL, "memory:"), "RABBITMQ_URL names a server in production: what is inside a process is lost with it")
	}
	_, err = c.keys()
	f.check(err == nil, "TOKEN_KEYS are Ed25519 keys: "+reason(err)+"; make one with: openssl rand -base64 32")
	c.checkAccounts(f)
	c.checkPayments(f)
	c.checkHolds(f)
	c.checkWebhooks(f)
	f.check(len(c.CursorSecret) >= 32 && distinct(c.CursorSecret) >= 8,
		"CURSOR_SECRET has 32 random characters or more; make one with: openssl rand -hex 32")
	f.check(money.Currency(c.Currency).Known(), "CURRENCY is an ISO 4217 code that the shop knows, such as EUR")
	for name, amount := range map[string]string{"SHIPPING_FEE": c.ShippingFee, "FREE_SHIPPING_FROM": c.FreeShippingFrom} {
		m, err := money.Parse(amount, money.Currency(c.Currency))
		f.check(err == nil && m.Amount >= 0, name+" is an amount in the shop's currency, such as 4.90")
	}
	f.check(c.ReturnPeriod >= 24*time.Hour && c.ReturnPeriod <= 10*365*24*time.Hour, "RETURN_PERIOD is from 24h to ten years")
	f.check(len(c.ReturnAddress) <= 1000, "RETURN_ADDRESS has at most 1000 characters")
	f.check(c.TaxRatePercent >= 0 && c.TaxRatePercent < 100, "TAX_RATE_PERCENT is from 0 to 99")
	_, err = c.taxRates()
	f.check(err == nil, "TAX_RATES are countries with percentages, such as FR=20,FI=25.5")
	_, err = c.shippingMethods()
	f.check(err == nil, "SHIPPING_METHODS are code:title:fee:free from:countries, such as express:Express:12.90:100.00:DE|AT, in the shop's currency")
	for name, n := range map[string]int{
		"STREAMS_PER_VIEWER": c.StreamsPerViewer, "STREAMS_PER_ADDRESS": c.StreamsPerAddress, "STREAMS_TOTAL": c.StreamsTotal, "STREAM_OPERATIONS": c.StreamOperations,
		"MAX_COST": c.MaxCost, "MAX_DEPTH": c.MaxDepth, "MAX_ALIASES": c.MaxAliases, "MAX_ROOT_FIELDS": c.MaxRootFields,
		"MAX_DIRECTIVES": c.MaxDirectives, "MAX_TOKENS": c.MaxTokens, "MAX_FRAGMENTS": c.MaxFragments, "MAX_LIST_ITEMS": c.MaxListItems, "MAX_BATCH": c.MaxBatch, "MAX_BODY_BYTES": int(c.MaxBodyBytes), "UNTRUSTED_COST": c.UntrustedCost,
		"POSTGRES_MAX_CONNS": int(c.PostgresMaxConns), "EMAIL_WORKERS": c.EmailWorkers, "EVENT_WORKERS": c.EventWorkers, "ORDER_WORKERS": c.OrderWorkers,
	} {
		f.check(n > 0, name+" is more than 0")
	}
	c.checkBudgets(f)
	for name, d := range map[string]time.Duration{
		"SHUTDOWN_GRACE": c.ShutdownGrace, "ACCESS_TTL": c.AccessTTL, "SESSION_IDLE": c.SessionIdle,
		"OPERATION_TIMEOUT": c.OperationTimeout, "IDEMPOTENCY_LEASE": c.IdempotencyLease, "KEEP_ALIVE": c.KeepAlive, "STREAM_SLOW_READER": c.StreamSlowReader, "STREAM_RESERVATION": c.StreamReservation, "PERSISTED_TTL": c.PersistedTTL,
	} {
		f.check(d > 0, name+" is a time such as 15s")
	}
	f.check(clients.Mode(c.Documents).Known(), "DOCUMENTS is open, log, prefer or only")
	var level slog.Level
	f.check(level.UnmarshalText([]byte(c.LogLevel)) == nil, "LOG_LEVEL is debug, info, warn or error")
	f.check(c.LogFormat == "json" || c.LogFormat == "text", "LOG_FORMAT is json or text")
	for _, name := range c.unread { // Load has told what is wrong with it
		maps.DeleteFunc(f, func(fault string, _ bool) bool { return strings.HasPrefix(fault, name+" ") })
	}
	return f.err()
}

// faults gathers what is wrong, each once, sorted.
type faults map[string]bool

func (f faults) check(ok bool, sentence string) {
	if !ok {
		f[Prefix+sentence] = true
	}
}

func (f faults) err() error {
	var list []error
	for _, sentence := range slices.Sorted(maps.Keys(f)) {
		list = append(list, errors.New(sentence))
	}
	return errors.Join(list...)
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return strings.TrimPrefix(err.Error(), "users: ")
}

func distinct(s string) int {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen)
}

// networks reads networks as they stand in the configuration.
func networks(texts []string) ([]netip.Prefix, error) {
	list := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, err
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

func (c Config) keys() (*users.KeySet, error) {
	return users.NewKeySet(users.KeyConfig{Keys: c.TokenKeys, Issuer: c.TokenIssuer, Audience: c.TokenAudience})
}

// postgresURL gives the server of a domain.
func (c Config) postgresURL(domain string) string {
	own := map[string]string{
		"users": c.UsersPostgresURL, "carts": c.CartsPostgresURL, "orders": c.OrdersPostgresURL,
		"payments": c.PaymentsPostgresURL, "notifications": c.NotificationsPostgresURL, "clients": c.ClientsPostgresURL,
		"promotions": c.PromotionsPostgresURL, "webhooks": c.WebhooksPostgresURL,
	}[domain]
	if own != "" {
		return own
	}
	return c.PostgresURL
}

// postgresName names the server of a domain: postgres, and where a domain has its own, that domain.
func (c Config) postgresName(domain string) string {
	if c.postgresURL(domain) == c.PostgresURL {
		return string(telemetry.Postgres)
	}
	return string(telemetry.Postgres) + "-" + domain
}
