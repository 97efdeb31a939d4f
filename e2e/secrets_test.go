package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/services/notifications/notificationstest"
	"github.com/techmart/techmart/services/users"
)

// mayShow says where a mark may be found although it is not who sent it that reads it there, and why. Places are
// "log", "metrics", "headers of messages", "keys in Redis" and "answers to others"; a name ends with * for all that begin so.
var mayShow = map[string][]string{
	"log": {
		"header X-Request-Id", // the client's own name for the request, by which both find it in their logs
		"the operation's name",
	},
	"answers to others": {
		// What staff write into the catalogue is there to be read.
		"staff: Mutation.productCreate*", "staff: Mutation.productUpdate*", "staff: Mutation.categoryCreate*", "staff: Mutation.categoryUpdate*",
		// So are reviews, and the name that their author goes by.
		"customer: Mutation.reviewCreate(input.title)", "customer: Mutation.reviewCreate(input.body)", "staff: Mutation.reviewCreate(input.title)", "staff: Mutation.reviewCreate(input.body)", "customer: Mutation.userUpdate(input.displayName)*",
	},
}

// marks are values that are recognized wherever they turn up.
type marks struct {
	mu   sync.Mutex
	what map[string]string // what was marked, by mark
	kept map[string]string // secrets that the shop itself made or was given, by value
}

var marked = regexp.MustCompile(`(?i)mq[0-9]{5}zx`)

// mark makes a new one.
func (m *marks) mark(what string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	text := fmt.Sprintf("mq%05dzx", len(m.what))
	m.what[text] = what
	return text
}

// secret adds a value that must be found nowhere.
func (m *marks) secret(what, value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(value) >= 8 {
		m.kept[value] = what
	}
}

// search looks for marks and secrets in what was written to a place.
func (m *marks) search(t *testing.T, place, text string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	found := map[string]string{}
	for _, at := range marked.FindAllStringIndex(text, -1) {
		what := m.what[strings.ToLower(text[at[0]:at[1]])]
		if found[what] == "" && !slices.ContainsFunc(mayShow[place], func(allowed string) bool {
			prefix, wild := strings.CutSuffix(allowed, "*")
			return what == allowed || wild && strings.HasPrefix(what, prefix)
		}) {
			found[what] = around(text, at[0], at[1])
		}
	}
	for value, what := range m.kept {
		if i := strings.Index(text, value); i >= 0 {
			found[what] = around(text, i, i+len(value))
		}
	}
	for _, what := range slices.Sorted(maps.Keys(found)) {
		t.Errorf("%s: shows %s: ...%s...", place, what, found[what])
	}
}

func around(text string, from, to int) string {
	return text[max(0, from-200):min(len(text), to+100)]
}

// programEnv makes TestProgram the program itself.
const programEnv = "TECHMART_TEST_PROGRAM"

// TestProgram is the program in a process of its own, API and worker, when another test has started it as such.
func TestProgram(t *testing.T) {
	if os.Getenv(programEnv) == "" {
		return
	}
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // it ends with who started it
		stop()
	}()
	c, err := app.Load(os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(ctx, c, app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := app.Listen(ctx, c.HTTPAddr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("listening at %s\n", l.Addr())
	if err := a.Run(ctx, app.Parts{API: l, Worker: true}); err != nil {
		t.Error(err)
	}
	if err := a.Close(context.WithoutCancel(ctx)); err != nil {
		t.Error(err)
	}
}

// A program is the shop in a process of its own.
type program struct {
	*shop   // its stores and services; the URL is that of the process
	command *exec.Cmd
	input   io.Closer
	output  journal // all that the process writes
}

// journal keeps what is written to it.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write keeps b.
func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// environ writes a configuration as the environment of a process.
func environ(c app.Config) []string {
	list := append(os.Environ(), programEnv+"=1")
	v := reflect.ValueOf(c)
	for _, f := range reflect.VisibleFields(v.Type()) {
		name := f.Tag.Get("env")
		if name == "" {
			continue
		}
		var text string
		switch value := v.FieldByIndex(f.Index).Interface().(type) {
		case []string:
			text = strings.Join(value, ",")
		case []time.Duration:
			for i, d := range value {
				text += strings.Repeat(",", min(i, 1)) + d.String()
			}
		default:
			text = fmt.Sprint(value)
		}
		list = append(list, app.Prefix+name+"="+text)
	}
	return list
}

// start runs the program on fresh stores, until the test ends.
func start(t *testing.T, change func(*app.Config)) *program {
	t.Helper()
	c := config(t)
	change(&c)
	p := &program{shop: open(t, c)}
	if err := p.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.command = exec.Command(os.Args[0], "-test.run=^TestProgram$")
	p.command.Env = environ(c)
	p.command.Stdout, p.command.Stderr = &p.output, &p.output
	input, err := p.command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.input = input
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.command.Process.Kill() }) // where stop was not reached
	listening := regexp.MustCompile(`listening at (\S+)`)
	eventually(t, "the program listens", func() bool {
		at := listening.FindStringSubmatch(p.output.String())
		if at != nil {
			p.url = "http://" + at[1]
		}
		return at != nil
	})
	return p
}

// stop ends the process, and waits for its end.
func (p *program) stop() {
	p.t.Helper()
	_ = p.input.Close()
	if err := p.command.Wait(); err != nil {
		p.t.Errorf("the program ended with %v:\n%s", err, p.output.String())
	}
}

// messages gathers the routing keys, properties and headers of every event until the function it gives is called.
func (p *program) messages() func() string {
	t := p.t
	t.Helper()
	u, err := url.Parse(p.config.RabbitURL)
	if err != nil {
		t.Fatal(err)
	}
	u.RawQuery = ""
	conn, err := amqp.Dial(u.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	queue, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	// The worker declares it, too, and may come later.
	if err := ch.ExchangeDeclare(p.config.RabbitNamespace+".events", amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := ch.QueueBind(queue.Name, "#", p.config.RabbitNamespace+".events", false, nil); err != nil {
		t.Fatal(err)
	}
	deliveries, err := ch.Consume(queue.Name, "", true, true, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	var seen journal
	over := make(chan struct{})
	go func() {
		defer close(over)
		for d := range deliveries {
			d.Body = nil // data of the event are its consumers' business
			fmt.Fprintf(&seen, "%+v\n", d)
		}
	}()
	return func() string {
		_ = conn.Close()
		<-over
		return seen.String()
	}
}

// Marked values go in by every input there is, and turn up nowhere but with who sent them: not in what the process
// writes, in metrics, in the headers of messages, in keys, or in what others are answered; and secrets are never stored.
func TestNothingMarkedIsWritten(t *testing.T) {
	t.Parallel()
	mails := notificationstest.NewMailServer(t, func(try int) error {
		if try%5 == 0 {
			return notificationstest.Refusal(450, "Not now.")
		}
		return nil
	})
	p := start(t, func(c *app.Config) {
		inProduction(c)
		unthrottled(c)
		c.SMTPURL, c.LogLevel, c.LogFormat = "smtp://"+mails.Addr+"?tls=off", "debug", "json"
	})
	m := &marks{what: make(map[string]string), kept: make(map[string]string)}
	p.keep(m)
	events := p.messages()

	helper, staff := p.as(users.Support), p.as(users.Admin)
	ada, bob := p.as(users.Customer), p.as(users.Customer)
	own := p.own(ada, helper)
	stock := p.unique(1000)
	for who, c := range map[string]*client{"customer": ada, "nobody": p.anonymous(), "staff": staff} {
		p.fillEverySlot(m, who, c, own, stock)
	}
	p.everyFlow(m, stock)
	p.everyHeader(m, ada)
	p.everyDocument(m, ada)
	p.everyMessage(m, ada)

	metrics := p.page("/metrics")
	var others strings.Builder
	for _, c := range []*client{bob, p.anonymous()} {
		others.WriteString(c.public(stock))
	}
	others.WriteString(bob.shows(everything, nil))
	others.WriteString(metrics)
	keys := p.redisKeys()
	for _, mail := range mails.Taken() {
		for _, found := range mailToken.FindAllStringSubmatch(mail.Body, -1) {
			m.secret("a token that was sent by e-mail", found[1])
		}
	}
	p.stop()
	log := p.output.String()
	if !strings.Contains(log, `"msg":"request"`) || !strings.Contains(metrics, "http_requests_total") {
		t.Fatal("nothing was written at all")
	}
	headers := events()
	if !strings.Contains(headers, "users.registered") {
		t.Fatal("no event was seen")
	}
	t.Logf("%d marks; %d bytes of log, %d of headers", len(m.what), len(log), len(headers))
	m.search(t, "log", log)
	m.search(t, "metrics", metrics)
	m.search(t, "headers of messages", headers)
	m.search(t, "keys in Redis", keys)
	m.search(t, "answers to others", others.String())
	p.nothingStored(m)
}

// keep adds what the shop was configured with.
func (p *program) keep(m *marks) {
	for _, s := range []struct{ what, value string }{
		{"the signing keys", p.config.TokenKeys}, {"the secret of cursors", p.config.CursorSecret}, {"the keys of second factors", p.config.SecondFactorKeys},
	} {
		m.secret(s.what, s.value)
	}
	for _, address := range []string{p.config.PostgresURL, p.config.RedisURL, p.config.RabbitURL} {
		if u, err := url.Parse(address); err == nil && u.User != nil {
			if word, ok := u.User.Password(); ok {
				m.secret("a server's password", word)
			}
		}
	}
}

// public is what everybody may read.
func (c *client) public(p stocked) string {
	c.s.t.Helper()
	a := c.do(`query($id: ID!) { products(first: 50) { nodes { id slug title description vendor tags attributes { key name value } reviews { nodes { title body authorName } } } }
		search(query: "w") { correctedQuery facets { key name values { value label } } products { nodes { title } } }
		searchSuggestions(prefix: "w") categories { name slug description children { name slug } }
		product(id: $id) { reviews(first: 50) { nodes { title body authorName } } } }`, vars{"id": p.productID})
	if len(a.Errors) > 0 {
		c.s.t.Errorf("the public part: %+v", a.Errors)
	}
	suggested := c.do(`{ searchSuggestions(prefix: "mq", first: 100) search(query: "mq") { correctedQuery } }`, nil)
	return string(a.Data) + string(suggested.Data)
}

// redisKeys are the names of all keys.
func (p *program) redisKeys() string {
	p.t.Helper()
	x := p.signals()
	var list strings.Builder
	keys := x.client.Scan(p.t.Context(), 0, p.config.RedisPrefix+"*", 1000).Iterator()
	for keys.Next(p.t.Context()) {
		list.WriteString(keys.Val() + "\n")
	}
	if err := keys.Err(); err != nil {
		p.t.Fatal(err)
	}
	return list.String()
}

// neverStored are inputs that no database may hold as they came.
var neverStored = regexp.MustCompile(`(?i)password|refreshToken|apiKey|api-key|authorization|cookie`)

// nothingStored looks for passwords and refresh tokens in every row of every table.
func (p *program) nothingStored(m *marks) {
	t := p.t
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.config.PostgresURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	rows, err := conn.Query(t.Context(), `SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables
		WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 10 {
		t.Fatalf("tables: %v, %v", tables, err)
	}
	for _, table := range tables {
		rows, err := conn.Query(t.Context(), `SELECT row::text FROM `+table+` AS row`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var row string
			if err := rows.Scan(&row); err != nil {
				t.Fatal(err)
			}
			for _, mark := range marked.FindAllString(row, -1) {
				if what := m.what[strings.ToLower(mark)]; neverStored.MatchString(what) {
					t.Errorf("%s holds %s: %.300s", table, what, row)
				}
			}
			for value, what := range m.kept {
				if neverStored.MatchString(what) && strings.Contains(row, value) {
					t.Errorf("%s holds %s: %.300s", table, what, row)
				}
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// send sends a request whatever comes of it, and gives the answer's text.
func (p *program) send(req *http.Request) (int, string) {
	p.t.Helper()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close() // it is read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
