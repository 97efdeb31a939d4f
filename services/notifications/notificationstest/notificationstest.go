// Package notificationstest gives tests a store on real PostgreSQL and a real SMTP server that
// fails as told. Its own tests are those of the Service on real servers.
package notificationstest

import (
	"context"
	"io"
	"maps"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/migrations"
	platform "github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/notifications/postgres"
)

// Open migrates the empty database at an URL, such as stacktest.Postgres gives, and gives a store on it and its pool.
func Open(t testing.TB, url string) (*postgres.Store, *pgxpool.Pool) {
	t.Helper()
	pool, err := platform.Open(t.Context(), platform.Config{URL: url, MaxConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := platform.Migrate(t.Context(), pool, migrations.FS("notifications"), postgres.Schema); err != nil {
		t.Fatal(err)
	}
	return postgres.New(pool), pool
}

// Mail is what the server took.
type Mail struct {
	Recipient string
	Header    mail.Header
	Body      string
}

// Delivery gives the id of the delivery that the message is of. It fails where the Message-Id names none.
func (m Mail) Delivery() (uuid.UUID, error) {
	id, _, _ := strings.Cut(strings.TrimPrefix(m.Header.Get("Message-Id"), "<"), ".")
	return uuid.Parse(id)
}

// MailServer is an SMTP server on a loopback port.
type MailServer struct {
	Addr string

	// Forgetful makes the server keep nothing of a message but that it had this Message-Id, for who sends very many.
	Forgetful bool

	mu     sync.Mutex
	taken  []Mail
	counts map[uuid.UUID]int // by delivery, of a forgetful server
	tries  int
	conns  int
	answer func(try int) error
}

// Vanish, as an answer, makes the server take the message and drop the connection without saying so.
var Vanish = &smtp.SMTPError{Code: 0, Message: "vanish"}

// Refusal is an answer of the server.
func Refusal(code int, message string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 0, 0}, Message: message}
}

// NewMailServer starts a server that answers the end of the data of try 1, 2, ... with answer(try);
// nil, and a nil answer, take the message. configure, where given, changes the server before it starts.
func NewMailServer(t testing.TB, answer func(try int) error, configure ...func(*smtp.Server)) *MailServer {
	t.Helper()
	m := &MailServer{answer: answer}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.conns++
		return &session{server: m, conn: c}, nil
	}))
	server.Domain = "mail.test"
	server.ErrorLog = quiet{}
	for _, f := range configure {
		f(server)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.Addr = listener.Addr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with the Close below
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return m
}

// Taken gives what was taken so far, in order.
func (m *MailServer) Taken() []Mail {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Mail(nil), m.taken...)
}

// Counts gives how often the e-mail of each delivery was taken. It fails where a message names no delivery.
func (m *MailServer) Counts() (map[uuid.UUID]int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := make(map[uuid.UUID]int, len(m.counts)+len(m.taken))
	maps.Copy(counts, m.counts)
	for _, mail := range m.taken {
		id, err := mail.Delivery()
		if err != nil {
			return nil, err
		}
		counts[id]++
	}
	return counts, nil
}

// Tries gives how many messages were offered in full.
func (m *MailServer) Tries() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tries
}

// Connections gives how many clients have greeted the server.
func (m *MailServer) Connections() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.conns
}

type session struct {
	server    *MailServer
	conn      *smtp.Conn
	recipient string
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func (s *session) Mail(string, *smtp.MailOptions) error { return nil }

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.recipient = to
	return nil
}

func (s *session) Data(r io.Reader) error {
	parsed, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(parsed.Body)
	if err != nil {
		return err
	}
	answer := s.server.offer(Mail{Recipient: s.recipient, Header: parsed.Header, Body: string(body)})
	if answer == error(Vanish) {
		_ = s.conn.Conn().Close()
	}
	return answer
}

// offer decides about a message.
func (m *MailServer) offer(offered Mail) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries++
	var answer error
	if m.answer != nil {
		answer = m.answer(m.tries)
	}
	if answer != nil && answer != error(Vanish) {
		return answer
	}
	if !m.Forgetful {
		m.taken = append(m.taken, offered)
		return answer
	}
	id, err := offered.Delivery()
	if err != nil {
		return err
	}
	if m.counts == nil {
		m.counts = make(map[uuid.UUID]int)
	}
	m.counts[id]++
	return answer
}

// quiet keeps the server's complaints about dropped connections out of the output.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// Eventually waits until check gives true, and fails the test when it does not within a minute.
func Eventually(t testing.TB, what string, check func(ctx context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !check(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
