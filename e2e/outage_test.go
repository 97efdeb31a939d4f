package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/services/users"
)

// A cable leads to a server, and can be cut.
type cable struct {
	t       *testing.T
	address string // to connect to
	network string // where it leads
	target  string

	mu       sync.Mutex
	listener net.Listener // nil while it is cut
	open     map[net.Conn]bool
	all      sync.WaitGroup
	muted    atomic.Bool
}

// lay lays a cable in front of the server of an URL, and gives the URL with the cable's address in it.
func lay(t *testing.T, server string) (*cable, string) {
	t.Helper()
	// The host of MongoDB's URL can be a path, which net/url does not read.
	scheme, rest, _ := strings.Cut(server, "://")
	authority, path, _ := strings.Cut(rest, "/")
	account, host := "", authority
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		account, host = authority[:at+1], authority[at+1:]
	}
	c := &cable{t: t, network: "tcp", target: host, open: make(map[net.Conn]bool)}
	if socket, err := url.PathUnescape(host); err == nil && strings.HasPrefix(socket, "/") {
		c.network, c.target = "unix", socket
	}
	c.listen("127.0.0.1:0")
	c.address = c.listener.Addr().String()
	t.Cleanup(func() { c.cut(); c.all.Wait() })
	return c, scheme + "://" + account + c.address + "/" + path
}

func (c *cable) listen(address string) {
	c.t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listener = l
	c.all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := (&net.Dialer{}).DialContext(context.Background(), c.network, c.target)
			if err != nil {
				_ = near.Close()
				continue
			}
			c.join(near, far)
		}
	})
}

// join carries bytes both ways until one side ends.
func (c *cable) join(near, far net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listener == nil {
		_, _ = near.Close(), far.Close()
		return
	}
	c.open[near], c.open[far] = true, true
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		c.all.Go(func() {
			_, _ = io.Copy(mutable{way[0], &c.muted}, way[1])
			_, _ = near.Close(), far.Close()
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(c.open, way[1])
		})
	}
}

// cut ends all connections, and refuses new ones.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listener == nil {
		return
	}
	_ = c.listener.Close()
	c.listener = nil
	for conn := range c.open {
		_ = conn.Close()
	}
}

// mute keeps connections, and carries nothing any more.
func (c *cable) mute() { c.muted.Store(true) }

// mutable swallows what is written while it is mute.
type mutable struct {
	io.Writer
	muted *atomic.Bool
}

// Write writes, or only seems to.
func (m mutable) Write(b []byte) (int, error) {
	if m.muted.Load() {
		return len(b), nil
	}
	return m.Writer.Write(b)
}

// mend lets connections through again.
func (c *cable) mend() { c.listen(c.address) }

// leaks is what an answer never says: of servers, drivers, statements and code.
var leaks = regexp.MustCompile(`(?i)127\.0\.0\.1|localhost|:\d{4,5}\b|dial|connection|refused|reset|\bEOF\b|broken pipe|postgres|mongo|redis|rabbit|amqp|pgx|sqlstate|\bSELECT\b|\bINSERT\b|topology|server selection|goroutine|\.go\b|techmart_|password`)

// While a server does not answer, what needs it fails with a code and the request's id, what does not goes on, and nothing is
// said about the inside; afterwards all is as before.
func TestOutages(t *testing.T) {
	t.Parallel()
	const (
		me       = `{ me { id orders { nodes { id } } } }`
		products = `{ products(first: 1) { nodes { id title } } }`
	)
	for _, tt := range []struct {
		server string // as /readyz calls it
		url    func(*app.Config) *string
		fails  []string // operations that do
		works  []string
	}{
		{"postgres", func(c *app.Config) *string { return &c.PostgresURL }, []string{
			me, `{ orders { nodes { id } } }`, `{ node(id: "ord_01h455vb4pex5vsknk084sn02q") { id } }`,
			`mutation { orderPlace(input: {paymentToken: "tok_visa", shippingAddress: {recipient: "Ada", line1: "Ackerstr. 1", postalCode: "10115", city: "Berlin", countryCode: "DE"}}) { order { id } userErrors { code } } }`,
			`mutation { userUpdate(input: {displayName: "Ada"}) { userErrors { code } } }`,
		}, []string{products}},
		{"mongodb", func(c *app.Config) *string { return &c.MongoURL }, []string{
			products, `{ search(query: "camera") { products { nodes { id } } } }`, `{ categories { id } }`,
			`mutation { cartLinesAdd(input: {lines: [{variantId: "var_01h455vb4pex5vsknk084sn02q"}]}) { userErrors { code } } }`,
		}, []string{me}},
		{"redis", func(c *app.Config) *string { return &c.RedisURL }, nil, []string{me, products}},
		{"rabbitmq", func(c *app.Config) *string { return &c.RabbitURL }, nil, []string{me, products}},
	} {
		t.Run(tt.server, func(t *testing.T) {
			t.Parallel()
			var line *cable
			s := setup(t, func(c *app.Config) {
				server := tt.url(c)
				line, *server = lay(t, *server)
				c.OperationTimeout, c.LogLevel = 5*time.Second, "error"
			})
			staff := s.as(users.Admin)
			s.confirmed(staff, 1)
			s.mailed("confirmed") // so everything runs
			for _, operation := range append(tt.fails, tt.works...) {
				if a := staff.do(operation, nil); len(a.Errors) > 0 {
					t.Fatalf("at first %s is answered %+v", operation, a.Errors)
				}
			}
			line.cut()
			for _, operation := range tt.fails {
				a := staff.do(operation, nil)
				text := fmt.Sprintf("%s %+v", a.Data, a.Errors)
				code := a.code()
				if code != "INTERNAL" && code != "UNAVAILABLE" && code != "TIMEOUT" {
					t.Errorf("%s is answered %d %s", operation, a.Status, text)
				}
				for _, e := range a.Errors {
					if id := e.Extensions["requestId"]; id == nil || id != a.Header.Get("X-Request-Id") {
						t.Errorf("%s: the request %s is answered with the id %v: %s", operation, a.Header.Get("X-Request-Id"), id, text)
					}
				}
				if found := leaks.FindString(text); found != "" {
					t.Errorf("%s: the answer says %q: %s", operation, found, text)
				}
			}
			for _, operation := range tt.works {
				if a := staff.do(operation, nil); len(a.Errors) > 0 {
					t.Errorf("%s is answered %+v", operation, a.Errors)
				}
			}
			page := s.page("/readyz")
			if !strings.Contains(page, "503 Service Unavailable") || !strings.Contains(page, fmt.Sprintf(`%q:{"status":"unavailable"`, tt.server)) {
				t.Errorf("it says that it is ready: %s", page)
			}
			if found := regexp.MustCompile(`127\.0\.0\.1|dial|refused`).FindString(page); found != "" {
				t.Errorf("the readiness says %q: %s", found, page)
			}
			if page := s.page("/healthz"); !strings.Contains(page, "200 OK") {
				t.Errorf("it says that it is not alive: %s", page)
			}
			line.mend()
			for _, operation := range append(tt.fails, tt.works...) {
				eventually(t, operation+" works again", func() bool { return len(staff.do(operation, nil).Errors) == 0 })
			}
			eventually(t, "it is ready again", func() bool { return strings.Contains(s.page("/readyz"), "200 OK") })
		})
	}
}

// Without the broker orders go on; what is to be told waits, and is told afterwards, once.
func TestOrdersWithoutTheBroker(t *testing.T) {
	t.Parallel()
	var line *cable
	post := newPost(t, nil)
	s := setup(t, post.deliver(100*time.Millisecond), func(c *app.Config) {
		line, c.RabbitURL = lay(t, c.RabbitURL)
		c.LogLevel = "error"
	})
	staff := s.as(users.Admin)
	s.confirmed(staff, 1)
	eventually(t, "everything runs", func() bool { return len(post.Taken()) == 1 })
	line.cut()
	s.confirmed(staff, 1)
	s.confirmed(staff, 1)
	line.mend()
	eventually(t, "the mails are delivered", func() bool { return len(post.Taken()) >= 3 })
	s.confirmed(staff, 1)
	eventually(t, "the next mail is delivered", func() bool { return len(post.Taken()) >= 4 })
	seen := map[string]bool{}
	for _, m := range post.Taken() {
		if seen[m.Recipient] {
			t.Errorf("%s got two mails", m.Recipient)
		}
		seen[m.Recipient] = true
	}
}
