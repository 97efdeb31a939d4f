package app

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Prefix starts the name of every setting in the environment.
const Prefix = "TECHMART_"

// Config is everything that can be set. Each field is read from TECHMART_ and its name. It is
// validated whole before anything opens.
type Config struct {
	Mode string `env:"MODE" envDefault:"production" doc:"production, or development: shows the playground, the mailbox, and details that help a developer"`

	HTTPAddr       string        `env:"HTTP_ADDR" envDefault:"127.0.0.1:8080" doc:"address to listen at"`
	WorkerAddr     string        `env:"WORKER_ADDR" doc:"address at which techmart worker answers /healthz, /readyz and /metrics, such as 127.0.0.1:8081; empty for none"`
	PublicURL      string        `env:"PUBLIC_URL" envDefault:"http://localhost:8080" doc:"address of the shop's web pages, for links in e-mails"`
	ShopKey        string        `env:"SHOP_KEY" secret:"true" doc:"API key of the shop front at /shop, which techmart shop publish gives; empty for no shop front"`
	ShowDocs       bool          `env:"SHOW_DOCS" envDefault:"false" doc:"whether /docs shows the documentation in production, too: it has the whole schema"`
	AllowedOrigins []string      `env:"ALLOWED_ORIGINS" doc:"origins of web pages that may call the graph, separated by commas: https://shop.example"`
	TrustedProxies []string      `env:"TRUSTED_PROXIES" doc:"networks of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed, separated by commas: 10.0.0.0/8"`
	Subgraph       []string      `env:"SUBGRAPH" doc:"parts of the graph that this process serves, separated by commas: users, products, orders, payments, notifications; all when empty"`
	MetricsFrom    []string      `env:"METRICS_FROM" envDefault:"127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7" doc:"networks that may read /metrics, separated by commas; for others there is nothing"`
	TLSCert        string        `env:"TLS_CERT" doc:"file with the TLS certificate and its chain, as PEM; empty where a proxy speaks TLS. A renewed file is read without a restart"`
	TLSKey         string        `env:"TLS_KEY" doc:"file with the key of the TLS certificate, as PEM"`
	ShutdownGrace  time.Duration `env:"SHUTDOWN_GRACE" envDefault:"20s" doc:"how long running requests and jobs may take to finish at a shutdown"`

	PostgresURL              string `env:"POSTGRES_URL" secret:"true" doc:"PostgreSQL 15 or newer: postgres://user:password@host:5432/database"`
	UsersPostgresURL         string `env:"USERS_POSTGRES_URL" secret:"true" doc:"PostgreSQL of the users domain, where it is another one"`
	CartsPostgresURL         string `env:"CARTS_POSTGRES_URL" secret:"true" doc:"PostgreSQL of the carts domain, where it is another one"`
	OrdersPostgresURL        string `env:"ORDERS_POSTGRES_URL" secret:"true" doc:"PostgreSQL of the orders domain, where it is another one"`
	PaymentsPostgresURL      string `env:"PAYMENTS_POSTGRES_URL" secret:"true" doc:"PostgreSQL of the payments domain, where it is another one"`
	NotificationsPostgresURL string `env:"NOTIFICATIONS_POSTGRES_URL" secret:"true" doc:"PostgreSQL of the notifications domain, where it is another one"`
	ClientsPostgresURL       string `env:"CLIENTS_POSTGRES_URL" secret:"true" doc:"PostgreSQL of the clients domain, where it is another one"`
	PromotionsPostgresURL    string `env:"PROMOTIONS_POSTGRES_URL" secret:"true" doc:"PostgreSQL of the promotions domain, where it is another one"`
	WebhooksPostgresURL      string `env:"WEBHOOKS_POSTGRES_URL" secret:"true" doc:"PostgreSQL of the webhooks domain, where it is another one"`
	PostgresMaxConns         int32  `env:"POSTGRES_MAX_CONNS" envDefault:"20" doc:"connections to each PostgreSQL"`
	MongoURL                 string `env:"MONGODB_URL" secret:"true" doc:"MongoDB 7 or newer: mongodb://user:password@host:27017/database"`
	MongoDatabase            string `env:"MONGODB_DATABASE" envDefault:"techmart" doc:"MongoDB database, where the URL names none"`
	RedisURL                 string `env:"REDIS_URL" secret:"true" doc:"Redis 7 or newer: redis://user:password@host:6379/0"`
	RedisPrefix              string `env:"REDIS_PREFIX" envDefault:"techmart" doc:"start of every key in Redis"`
	RabbitURL                string `env:"RABBITMQ_URL" secret:"true" doc:"RabbitMQ 3.10 or newer: amqp://user:password@host:5672/; memory: for one inside the process"`
	RabbitNamespace          string `env:"RABBITMQ_NAMESPACE" envDefault:"techmart" doc:"start of every queue's and exchange's name"`

	SMTPURL  string `env:"SMTP_URL" secret:"true" envDefault:"mailbox:" doc:"mail server: smtp://user:password@host:587 or smtps://...; mailbox: keeps mails and shows them at /dev/mailbox (development)"`
	MailFrom string `env:"MAIL_FROM" envDefault:"TechMart <shop@techmart.example>" doc:"sender of all e-mails"`

	TokenKeys     string        `env:"TOKEN_KEYS" secret:"true" doc:"Ed25519 keys of access tokens: 32-byte seeds in base64, or PKCS #8 in PEM; the first signs, all verify"`
	TokenIssuer   string        `env:"TOKEN_ISSUER" envDefault:"https://techmart.example" doc:"issuer (iss) of access tokens"`
	TokenAudience string        `env:"TOKEN_AUDIENCE" envDefault:"techmart" doc:"audience (aud) of access tokens"`
	AccessTTL     time.Duration `env:"ACCESS_TTL" envDefault:"15m" doc:"life of an access token"`
	SessionIdle   time.Duration `env:"SESSION_IDLE" envDefault:"720h" doc:"a session ends when it is not renewed for so long"`
	SessionMax    time.Duration `env:"SESSION_MAX" envDefault:"4320h" doc:"a session ends at the latest after this"`
	CursorSecret  string        `env:"CURSOR_SECRET" secret:"true" doc:"signs the cursors of lists: 32 random characters or more, the same in every process"`

	SecondFactorKeys    string        `env:"SECOND_FACTOR_KEYS" secret:"true" doc:"32-byte keys in base64 that seal the secrets of second factors in the database, separated by commas; the first seals, all open; needed in production"`
	VerificationTTL     time.Duration `env:"VERIFICATION_TTL" envDefault:"48h" doc:"life of the token that proves an e-mail address"`
	ResetTTL            time.Duration `env:"RESET_TTL" envDefault:"1h" doc:"life of the token that resets a password"`
	ChallengeTTL        time.Duration `env:"CHALLENGE_TTL" envDefault:"10m" doc:"time to give a code of the second factor after the password"`
	PasswordMemoryKiB   int           `env:"PASSWORD_MEMORY_KIB" envDefault:"19456" doc:"memory of a password's hash (argon2id); hashes are made anew at the next sign-in"`
	PasswordIterations  int           `env:"PASSWORD_ITERATIONS" envDefault:"2" doc:"passes of a password's hash (argon2id)"`
	PasswordParallelism int           `env:"PASSWORD_PARALLELISM" envDefault:"1" doc:"lanes of a password's hash (argon2id)"`
	PasswordConcurrent  int           `env:"PASSWORD_CONCURRENT" envDefault:"0" doc:"passwords that a process hashes at a time; 0 for the number of CPUs"`

	SignInFailures         int           `env:"SIGN_IN_FAILURES" envDefault:"5" doc:"wrong passwords or codes for an account from one network (IPv6: a /64) before delays begin"`
	SignInAccountFailures  int           `env:"SIGN_IN_ACCOUNT_FAILURES" envDefault:"50" doc:"wrong passwords or codes for an account from anywhere before delays begin, except for networks that it is known to sign in from"`
	SignInNetworkFailures  int           `env:"SIGN_IN_NETWORK_FAILURES" envDefault:"50" doc:"wrong passwords, codes or tokens from one network before delays begin, except for accounts that are known to sign in from it"`
	AccountRequests        int           `env:"ACCOUNT_REQUESTS" envDefault:"5" doc:"registrations, verifications or resets for an address that a network asks for before delays begin"`
	AccountNetworkRequests int           `env:"ACCOUNT_NETWORK_REQUESTS" envDefault:"20" doc:"registrations, verifications or resets for any address that a network asks for before delays begin"`
	AttemptMaxDelay        time.Duration `env:"ATTEMPT_MAX_DELAY" envDefault:"15m" doc:"delays double up to this"`
	AttemptWindow          time.Duration `env:"ATTEMPT_WINDOW" envDefault:"1h" doc:"a count of attempts that was left alone for so long starts anew"`

	Currency         string   `env:"CURRENCY" envDefault:"EUR" doc:"currency of the shop"`
	TaxRatePercent   int64    `env:"TAX_RATE_PERCENT" envDefault:"19" doc:"value added tax contained in prices"`
	ShippingFee      string   `env:"SHIPPING_FEE" envDefault:"4.90" doc:"what sending an order costs"`
	FreeShippingFrom string   `env:"FREE_SHIPPING_FROM" envDefault:"50.00" doc:"sum of an order from which sending costs nothing"`
	TaxRates         []string `env:"TAX_RATES" envDefault:"AT=20,BE=21,BG=20,CY=19,CZ=21,DK=25,EE=24,ES=21,FI=25.5,FR=20,GR=24,HR=25,HU=27,IE=23,IT=22,LT=21,LU=17,LV=21,MT=18,NL=21,PL=23,PT=23,RO=21,SE=25,SI=22,SK=23" doc:"the same by the country that an order goes to, where it is another one, separated by commas: FR=20,FI=25.5"`
	ShippingMethods  []string `env:"SHIPPING_METHODS" envDefault:"express:Express shipping:12.90" doc:"ways of sending beside the usual one, separated by commas, each code:title:fee:sum from which it is free:countries; the last two may be left out: express:Express:12.90:100.00:DE|AT"`
	CaptureNow       bool     `env:"CAPTURE_NOW" envDefault:"false" doc:"take the money at confirmation, not parcel by parcel"`

	ReturnPeriod  time.Duration `env:"RETURN_PERIOD" envDefault:"720h" doc:"how long after a parcel's arrival what was in it can be returned"`
	ReturnAddress string        `env:"RETURN_ADDRESS" doc:"where customers send what they return, as it stands in the e-mail; staff may say another place for each return"`

	OrderPatience   time.Duration `env:"ORDER_PATIENCE" envDefault:"24h" doc:"how long an accepted order waits for the payment provider or another server that is away before it is given up; 0s for some minutes"`
	CartHold        time.Duration `env:"CART_HOLD" envDefault:"0s" doc:"how long a cart holds the stock of what was put into it, since its last change; 0s for not at all"`
	CheckoutHold    time.Duration `env:"CHECKOUT_HOLD" envDefault:"15m" doc:"how long an order that is being placed holds its stock until its saga takes it over; 0s to reserve in the saga only"`
	InventoryRepair bool          `env:"INVENTORY_REPAIR" envDefault:"true" doc:"the hourly check of the stock repairs what follows from the reservations; false to report only"`

	PaymentProvider     string `env:"PAYMENT_PROVIDER" envDefault:"sandbox" doc:"stripe, or sandbox, which moves no money"`
	StripeKey           string `env:"STRIPE_KEY" secret:"true" doc:"secret key of the Stripe account"`
	StripeWebhookSecret string `env:"STRIPE_WEBHOOK_SECRET" secret:"true" doc:"secret of Stripe's webhook endpoint, whose address is /webhooks/stripe"`
	StripeURL           string `env:"STRIPE_URL" doc:"address of Stripe's API, where it is not Stripe's own"`

	MaxCost           int           `env:"MAX_COST" envDefault:"5000" doc:"estimated cost of an operation at most"`
	MaxDepth          int           `env:"MAX_DEPTH" envDefault:"15" doc:"nested fields of an operation at most"`
	MaxAliases        int           `env:"MAX_ALIASES" envDefault:"50" doc:"aliases of a document at most"`
	MaxRootFields     int           `env:"MAX_ROOT_FIELDS" envDefault:"20" doc:"fields at the root of an operation at most"`
	MaxDirectives     int           `env:"MAX_DIRECTIVES" envDefault:"100" doc:"directives in a document at most"`
	MaxTokens         int           `env:"MAX_TOKENS" envDefault:"5000" doc:"tokens of a document at most"`
	MaxFragments      int           `env:"MAX_FRAGMENTS" envDefault:"100" doc:"fragments of a document at most"`
	MaxListItems      int           `env:"MAX_LIST_ITEMS" envDefault:"1000" doc:"items of all lists in a request's variables, and in a document's arguments, at most"`
	MaxBatch          int           `env:"MAX_BATCH" envDefault:"10" doc:"operations of a batch at most"`
	MaxBodyBytes      int64         `env:"MAX_BODY_BYTES" envDefault:"1048576" doc:"bytes of a request at most"`
	OperationTimeout  time.Duration `env:"OPERATION_TIMEOUT" envDefault:"10s" doc:"a query or mutation is stopped after this"`
	IdempotencyLease  time.Duration `env:"IDEMPOTENCY_LEASE" envDefault:"15s" doc:"how long an idempotency key stays taken by a call whose process was killed"`
	KeepAlive         time.Duration `env:"KEEP_ALIVE" envDefault:"15s" doc:"time between signs of life on event streams"`
	StreamsPerViewer  int           `env:"STREAMS_PER_VIEWER" envDefault:"20" doc:"WebSockets and event streams of an account that a process holds at most"`
	StreamsPerAddress int           `env:"STREAMS_PER_ADDRESS" envDefault:"200" doc:"WebSockets and event streams from an IP address (IPv6: a /64) that a process holds at most"`
	StreamsTotal      int           `env:"STREAMS_TOTAL" envDefault:"10000" doc:"WebSockets and event streams that a process holds at most"`
	StreamOperations  int           `env:"STREAM_OPERATIONS" envDefault:"50" doc:"operations on a WebSocket or shared event stream at a time at most"`
	StreamSlowReader  time.Duration `env:"STREAM_SLOW_READER" envDefault:"10s" doc:"a WebSocket or event stream whose reader keeps a message waiting for so long is cut off"`
	StreamReservation time.Duration `env:"STREAM_RESERVATION" envDefault:"30s" doc:"how long a reserved event stream is kept for its reader"`
	PersistedTTL      time.Duration `env:"PERSISTED_TTL" envDefault:"168h" doc:"how long a persisted query is kept"`
	Documents         string        `env:"DOCUMENTS" envDefault:"open" doc:"which documents requests without API key may run: open, log, prefer or only (those that an API client has published)"`
	UntrustedCost     int           `env:"UNTRUSTED_COST" envDefault:"500" doc:"estimated cost at most of a document that was not published beforehand, in mode prefer"`
	ShowBackendCalls  bool          `env:"SHOW_BACKEND_CALLS" envDefault:"false" doc:"answers carry X-TechMart-Backend-Calls, the calls made to each server"`

	// Budgets are capacity and restore rate.
	BudgetAnonymous string `env:"BUDGET_ANONYMOUS" envDefault:"10000/100" doc:"budget of cost for each address (IPv6: /64) without an account, also by an API key without scopes: capacity, and what comes back each second"`
	BudgetCustomer  string `env:"BUDGET_CUSTOMER" envDefault:"20000/400" doc:"budget of cost for each customer: capacity, and what comes back each second"`
	BudgetStaff     string `env:"BUDGET_STAFF" envDefault:"50000/2000" doc:"budget of cost for each account with scopes: capacity, and what comes back each second"`
	BudgetClient    string `env:"BUDGET_CLIENT" envDefault:"50000/1000" doc:"budget of cost for each API client with scopes, without an account: capacity, and what comes back each second"`

	EmailWorkers int `env:"EMAIL_WORKERS" envDefault:"32" doc:"e-mails that a worker sends at once"`
	EventWorkers int `env:"EVENT_WORKERS" envDefault:"128" doc:"events that a worker handles at once"`
	OrderWorkers int `env:"ORDER_WORKERS" envDefault:"32" doc:"orders that a worker settles at once"`

	WebhookTimeout       time.Duration   `env:"WEBHOOK_TIMEOUT" envDefault:"15s" doc:"how long a receiver of webhooks may take to answer"`
	WebhookWorkers       int             `env:"WEBHOOK_WORKERS" envDefault:"32" doc:"webhooks that a worker sends at once"`
	WebhookConcurrency   int             `env:"WEBHOOK_CONCURRENCY" envDefault:"4" doc:"webhooks that are sent to one endpoint at once"`
	WebhookMaxCost       int             `env:"WEBHOOK_MAX_COST" envDefault:"500" doc:"estimated cost of a webhook's payload selection at most"`
	WebhookRetryDelays   []time.Duration `env:"WEBHOOK_RETRY_DELAYS" doc:"waits before the second, third, ... attempt at a webhook, separated by commas; empty for those of the Standard Webhooks specification, 27 hours in all"`
	WebhookPauseAfter    int             `env:"WEBHOOK_PAUSE_AFTER" envDefault:"5" doc:"failures in a row that pause a webhook endpoint"`
	WebhookProbeEvery    time.Duration   `env:"WEBHOOK_PROBE_EVERY" envDefault:"1m" doc:"wait until a paused webhook endpoint is tried; it doubles each time, up to an hour"`
	WebhookGiveUpAfter   time.Duration   `env:"WEBHOOK_GIVE_UP_AFTER" envDefault:"120h" doc:"a webhook endpoint that fails for so long is disabled"`
	WebhookRetention     time.Duration   `env:"WEBHOOK_RETENTION" envDefault:"720h" doc:"how long the log of webhook deliveries is kept"`
	WebhookAllowNetworks []string        `env:"WEBHOOK_ALLOW_NETWORKS" doc:"networks that webhooks may be sent to though they are not public, separated by commas: 127.0.0.0/8; refused in production"`

	LogLevel  string `env:"LOG_LEVEL" envDefault:"info" doc:"debug, info, warn or error"`
	LogFormat string `env:"LOG_FORMAT" envDefault:"json" doc:"json, or text for people"`

	// RetryDelays, where set, are the waits between attempts at an event or e-mail.
	RetryDelays []time.Duration `env:"RETRY_DELAYS" doc:"waits before the second, third, ... attempt at an event or e-mail, separated by commas; empty for the usual ones"`

	origins map[string]string // by name
	unread  []string          // names of those whose value cannot be read
}

// Modes.
const (
	Production  = "production"
	Development = "development"
)

// Load reads the configuration from these variables (as os.Environ gives them). It reports every
// value that cannot be read at once; Validate reports the rest.
func Load(environ []string) (Config, error) {
	vars := env.ToMap(environ)
	c := Config{origins: make(map[string]string)}
	err := env.ParseWithOptions(&c, env.Options{Prefix: Prefix, Environment: vars})
	var faults []error
	var all env.AggregateError
	if errors.As(err, &all) {
		for _, one := range all.Errors {
			name, fault := readable(one)
			c.unread = append(c.unread, name)
			faults = append(faults, fault)
		}
	} else if err != nil {
		faults = append(faults, err)
	}
	for name := range vars {
		if !strings.HasPrefix(name, Prefix) {
			continue
		}
		c.origins[name] = "environment"
		if !known(name) {
			faults = append(faults, fmt.Errorf("%s is no setting; `techmart config` lists them", name))
		}
	}
	return c, errors.Join(faults...)
}

// readable gives the name of a setting and what is wrong with its value, which it never quotes: it
// may be a secret.
func readable(err error) (name string, fault error) {
	var parse env.ParseError
	if !errors.As(err, &parse) {
		return "", err
	}
	field, ok := reflect.TypeFor[Config]().FieldByName(parse.Name)
	if !ok {
		return "", err
	}
	name = Prefix + field.Tag.Get("env")
	wanted := "is not a whole number"
	switch field.Type {
	case reflect.TypeFor[bool]():
		wanted = "is neither true nor false"
	case reflect.TypeFor[time.Duration]():
		wanted = "is not a time such as 15s"
	case reflect.TypeFor[[]time.Duration]():
		wanted = "is not a list of times such as 1s,10s,1m"
	}
	return name, errors.New(name + " " + wanted)
}

// known tells whether a variable is a setting, or one of those that belong to development and tests.
func known(name string) bool {
	if strings.HasPrefix(name, Prefix+"TEST_") {
		return true
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		if tag := f.Tag.Get("env"); tag != "" && name == Prefix+tag {
			return true
		}
	}
	return false
}

// Default gives a text setting a value where the environment gives it none. origin says where the
// value comes from.
func (c *Config) Default(field *string, value, origin string) {
	v := reflect.ValueOf(c).Elem()
	for _, f := range reflect.VisibleFields(v.Type()) {
		tag := f.Tag.Get("env")
		if tag == "" || v.FieldByIndex(f.Index).Addr().Interface() != any(field) || c.origins[Prefix+tag] != "" {
			continue
		}
		if c.origins == nil {
			c.origins = make(map[string]string)
		}
		*field = value
		c.origins[Prefix+tag] = origin
	}
}
