package app

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/techmart/techmart/migrations"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/users"
)

// Prefix starts the name of every setting in the environment.
const Prefix = "TECHMART_"

// Config is everything that can be set. Each field is read from TECHMART_ and its name. It is
// validated whole before anything opens.
type Config struct {
	Mode string `env:"MODE" envDefault:"production" doc:"production, or development: shows the playground, the mailbox, and details that help a developer"`

	HTTPAddr       string        `env:"HTTP_ADDR" envDefault:"127.0.0.1:8080" doc:"address to listen at"`
	PublicURL      string        `env:"PUBLIC_URL" envDefault:"http://localhost:8080" doc:"address of the shop's web pages, for links in e-mails"`
	AllowedOrigins []string      `env:"ALLOWED_ORIGINS" doc:"origins of web pages that may call the graph, separated by commas: https://shop.example"`
	TrustedProxies []string      `env:"TRUSTED_PROXIES" doc:"networks of reverse proxies whose X-Forwarded-For is believed, separated by commas: 10.0.0.0/8"`
	ShutdownGrace  time.Duration `env:"SHUTDOWN_GRACE" envDefault:"20s" doc:"how long running requests and jobs may take to finish at a shutdown"`

	PostgresURL              string `env:"POSTGRES_URL" secret:"true" doc:"PostgreSQL 15 or newer: postgres://user:password@host:5432/database"`
	UsersPostgresURL         string `env:"USERS_POSTGRES_URL" secret:"true" doc:"PostgreSQL of the users domain, where it is another one"`
	CartsPostgresURL         string `env:"CARTS_POSTGRES_URL" secret:"true" doc:"PostgreSQL of the carts domain, where it is another one"`
	OrdersPostgresURL        string `env:"ORDERS_POSTGRES_URL" secret:"true" doc:"PostgreSQL of the orders domain, where it is another one"`
	PaymentsPostgresURL      string `env:"PAYMENTS_POSTGRES_URL" secret:"true" doc:"PostgreSQL of the payments domain, where it is another one"`
	NotificationsPostgresURL string `env:"NOTIFICATIONS_POSTGRES_URL" secret:"true" doc:"PostgreSQL of the notifications domain, where it is another one"`
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
	CursorSecret  string        `env:"CURSOR_SECRET" secret:"true" doc:"signs the cursors of lists: 32 random characters or more, the same in every process"`

	Currency         string `env:"CURRENCY" envDefault:"EUR" doc:"currency of the shop"`
	TaxRatePercent   int64  `env:"TAX_RATE_PERCENT" envDefault:"19" doc:"value added tax contained in prices"`
	ShippingFee      string `env:"SHIPPING_FEE" envDefault:"4.90" doc:"what sending an order costs"`
	FreeShippingFrom string `env:"FREE_SHIPPING_FROM" envDefault:"50.00" doc:"sum of an order from which sending costs nothing"`
	CaptureNow       bool   `env:"CAPTURE_NOW" envDefault:"false" doc:"take the money at confirmation, not parcel by parcel"`

	MaxCost          int           `env:"MAX_COST" envDefault:"25000" doc:"estimated cost of an operation at most"`
	MaxDepth         int           `env:"MAX_DEPTH" envDefault:"15" doc:"nested fields of an operation at most"`
	MaxAliases       int           `env:"MAX_ALIASES" envDefault:"50" doc:"aliases of a document at most"`
	MaxRootFields    int           `env:"MAX_ROOT_FIELDS" envDefault:"20" doc:"fields at the root of an operation at most"`
	MaxDirectives    int           `env:"MAX_DIRECTIVES" envDefault:"100" doc:"directives in a document at most"`
	MaxTokens        int           `env:"MAX_TOKENS" envDefault:"5000" doc:"tokens of a document at most"`
	MaxBodyBytes     int64         `env:"MAX_BODY_BYTES" envDefault:"1048576" doc:"bytes of a request at most"`
	OperationTimeout time.Duration `env:"OPERATION_TIMEOUT" envDefault:"10s" doc:"a query or mutation is stopped after this"`
	KeepAlive        time.Duration `env:"KEEP_ALIVE" envDefault:"15s" doc:"time between signs of life on event streams"`
	PersistedTTL     time.Duration `env:"PERSISTED_TTL" envDefault:"168h" doc:"how long a persisted query is kept"`
	ShowBackendCalls bool          `env:"SHOW_BACKEND_CALLS" envDefault:"false" doc:"answers carry X-TechMart-Backend-Calls, the calls made to each server"`

	EmailWorkers int `env:"EMAIL_WORKERS" envDefault:"8" doc:"e-mails that a worker sends at once"`
	EventWorkers int `env:"EVENT_WORKERS" envDefault:"16" doc:"events that a worker handles at once"`
	OrderWorkers int `env:"ORDER_WORKERS" envDefault:"16" doc:"orders that a worker settles at once"`

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

// Setting is one setting as `techmart config` shows it.
type Setting struct{ Name, Value, Origin, Doc string }

// Settings gives all settings in the order of the struct, secrets masked.
func (c Config) Settings() []Setting {
	var list []Setting
	v := reflect.ValueOf(c)
	for _, f := range reflect.VisibleFields(v.Type()) {
		tag := f.Tag.Get("env")
		if tag == "" {
			continue
		}
		value := written(v.FieldByIndex(f.Index).Interface())
		if f.Tag.Get("secret") != "" {
			value = masked(value)
		}
		origin := c.origins[Prefix+tag]
		switch {
		case origin == "" && value == "":
			origin = "not set"
		case origin == "":
			origin = "default"
		}
		list = append(list, Setting{Name: Prefix + tag, Value: value, Origin: origin, Doc: f.Tag.Get("doc")})
	}
	return list
}

// Environ gives, in the form of os.Environ, all settings that have other values than the defaults,
// secrets included: another process with them runs against the same servers.
func (c Config) Environ() []string {
	var list []string
	v := reflect.ValueOf(c)
	for _, f := range reflect.VisibleFields(v.Type()) {
		if name := Prefix + f.Tag.Get("env"); c.origins[name] != "" {
			list = append(list, name+"="+written(v.FieldByIndex(f.Index).Interface()))
		}
	}
	return list
}

// written gives a value as it stands in the environment.
func written(value any) string {
	switch v := value.(type) {
	case []string:
		return strings.Join(v, ",")
	case []time.Duration:
		texts := make([]string, len(v))
		for i, d := range v {
			texts[i] = written(d)
		}
		return strings.Join(texts, ",")
	case time.Duration:
		text := v.String()
		if cut, ok := strings.CutSuffix(text, "m0s"); ok {
			text = cut + "m"
		}
		if cut, ok := strings.CutSuffix(text, "h0m"); ok {
			text = cut + "h"
		}
		return text
	}
	return fmt.Sprint(value)
}

// masked hides a secret; of an URL only the password and the query, which may hold one.
func masked(value string) string {
	if value == "" {
		return ""
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme == "" || u.Host == "" && u.Opaque == "" && !strings.HasSuffix(value, ":") {
		return "***"
	}
	u.RawQuery = ""
	return u.Redacted()
}

// Validate checks the whole configuration and reports every fault at once. Faults never quote a
// secret.
func (c Config) Validate() error {
	f := faults{}
	f.check(c.Mode == Production || c.Mode == Development, "MODE is production or development")
	_, _, err := net.SplitHostPort(c.HTTPAddr)
	f.check(err == nil, "HTTP_ADDR is host:port, such as 127.0.0.1:8080")
	public, err := url.Parse(c.PublicURL)
	f.check(err == nil && public.Host != "" && (public.Scheme == "http" || public.Scheme == "https"), "PUBLIC_URL is an http or https address")
	for _, o := range c.AllowedOrigins {
		u, err := url.Parse(o)
		f.check(err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && u.Path == "" && !strings.Contains(o, "*"),
			"ALLOWED_ORIGINS are origins such as https://shop.example, without a path or *")
	}
	_, err = c.proxies()
	f.check(err == nil, "TRUSTED_PROXIES are networks such as 10.0.0.0/8")
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
	f.check(len(c.CursorSecret) >= 32 && distinct(c.CursorSecret) >= 8,
		"CURSOR_SECRET has 32 random characters or more; make one with: openssl rand -hex 32")
	f.check(money.Currency(c.Currency).Known(), "CURRENCY is an ISO 4217 code that the shop knows, such as EUR")
	for name, amount := range map[string]string{"SHIPPING_FEE": c.ShippingFee, "FREE_SHIPPING_FROM": c.FreeShippingFrom} {
		m, err := money.Parse(amount, money.Currency(c.Currency))
		f.check(err == nil && m.Amount >= 0, name+" is an amount in the shop's currency, such as 4.90")
	}
	f.check(c.TaxRatePercent >= 0 && c.TaxRatePercent < 100, "TAX_RATE_PERCENT is from 0 to 99")
	for name, n := range map[string]int{
		"MAX_COST": c.MaxCost, "MAX_DEPTH": c.MaxDepth, "MAX_ALIASES": c.MaxAliases, "MAX_ROOT_FIELDS": c.MaxRootFields,
		"MAX_DIRECTIVES": c.MaxDirectives, "MAX_TOKENS": c.MaxTokens, "MAX_BODY_BYTES": int(c.MaxBodyBytes),
		"POSTGRES_MAX_CONNS": int(c.PostgresMaxConns), "EMAIL_WORKERS": c.EmailWorkers, "EVENT_WORKERS": c.EventWorkers, "ORDER_WORKERS": c.OrderWorkers,
	} {
		f.check(n > 0, name+" is more than 0")
	}
	for name, d := range map[string]time.Duration{
		"SHUTDOWN_GRACE": c.ShutdownGrace, "ACCESS_TTL": c.AccessTTL, "SESSION_IDLE": c.SessionIdle,
		"OPERATION_TIMEOUT": c.OperationTimeout, "KEEP_ALIVE": c.KeepAlive, "PERSISTED_TTL": c.PersistedTTL,
	} {
		f.check(d > 0, name+" is a time such as 15s")
	}
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

func (c Config) proxies() ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, text := range c.TrustedProxies {
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
		"payments": c.PaymentsPostgresURL, "notifications": c.NotificationsPostgresURL,
	}[domain]
	if own != "" {
		return own
	}
	return c.PostgresURL
}
