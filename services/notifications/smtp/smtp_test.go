package smtp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"

	"github.com/techmart/techmart/services/notifications"
	"github.com/techmart/techmart/services/notifications/notificationstest"
)

func message() notifications.Message {
	return notifications.Message{
		ID: "1.delivery@techmart.example", From: `"TechMart" <shop@techmart.example>`, To: `"Ada Lovelace" <ada@example.com>`,
		Recipient: "ada@example.com", Subject: "Grüße €", Text: "Hello €\n", HTML: "<p>Hello €</p>",
		Date: time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC),
	}
}

func begun(context.Context) error { return nil }

func sender(t *testing.T, address string) *Sender {
	t.Helper()
	s, err := New(address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A worker sends several e-mails at once, each within its own time: the race detector looks on.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	server := notificationstest.NewMailServer(t, nil)
	s := sender(t, "smtp://"+server.Addr+"?tls=off")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := s.Send(t.Context(), message(), begun); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(server.Taken()); n != 8 {
		t.Errorf("%d e-mails arrived", n)
	}
}

// Messages that follow one another share a connection, also where an attempt was revoked; after a refusal, or when the server has hung up
// meanwhile, the next message has a new one.
func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	refuse := make(chan bool, 1)
	var hangUp func()
	server := notificationstest.NewMailServer(t, func(int) error {
		select {
		case <-refuse:
			return notificationstest.Refusal(451, "try later")
		default:
			return nil
		}
	}, func(s *gosmtp.Server) {
		s.ReadTimeout = time.Minute
		backend := s.Backend
		s.Backend = gosmtp.BackendFunc(func(c *gosmtp.Conn) (gosmtp.Session, error) {
			hangUp = func() { _ = c.Conn().Close() }
			return backend.NewSession(c)
		})
	})
	s := sender(t, "smtp://"+server.Addr+"?tls=off")
	send := func(connections int) {
		t.Helper()
		if err := s.Send(t.Context(), message(), begun); err != nil {
			t.Fatal(err)
		}
		if n := server.Connections(); n != connections {
			t.Errorf("%d connections so far, want %d", n, connections)
		}
	}
	send(1)
	send(1)
	revoked := errors.New("not now")
	if err := s.Send(t.Context(), message(), func(context.Context) error { return revoked }); !errors.Is(err, revoked) {
		t.Fatal(err)
	}
	send(1)
	hangUp()
	send(2)
	refuse <- true
	if err := s.Send(t.Context(), message(), begun); err == nil {
		t.Fatal("a refusal is no error")
	}
	send(3)
	for range maxMessages {
		if err := s.Send(t.Context(), message(), begun); err != nil {
			t.Fatal(err)
		}
	}
	if n := server.Connections(); n != 4 {
		t.Errorf("%d connections after so many messages, want 4", n)
	}
	if n := len(server.Taken()); n != 5+maxMessages {
		t.Errorf("%d e-mails arrived", n)
	}
	s.Close()
	if err := s.Send(t.Context(), message(), begun); !errors.Is(err, errClosed) {
		t.Errorf("a closed sender answers %v", err)
	}
	if n := len(s.connections.idle); n != 0 {
		t.Errorf("%d connections are kept by a closed sender", n)
	}
}

// What nobody uses is ended.
func TestIdleConnectionsEnd(t *testing.T) {
	t.Parallel()
	server := notificationstest.NewMailServer(t, nil)
	s := sender(t, "smtp://"+server.Addr+"?tls=off")
	if err := s.Send(t.Context(), message(), begun); err != nil {
		t.Fatal(err)
	}
	s.connections.mu.Lock()
	c := s.connections.idle[0]
	s.connections.mu.Unlock()
	s.connections.expire(c)
	if c.session.HasConnection() {
		t.Error("the connection is still there")
	}
	if err := s.Send(t.Context(), message(), begun); err != nil || server.Connections() != 2 {
		t.Errorf("%v, %d connections", err, server.Connections())
	}
}

func TestMessageArrives(t *testing.T) {
	t.Parallel()
	server := notificationstest.NewMailServer(t, nil)
	if err := sender(t, "smtp://"+server.Addr).Send(t.Context(), message(), begun); err != nil {
		t.Fatal(err)
	}
	taken := server.Taken()
	if len(taken) != 1 || taken[0].Recipient != "ada@example.com" {
		t.Fatalf("taken: %+v", taken)
	}
	h := taken[0].Header
	subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
	if err != nil || subject != "Grüße €" {
		t.Errorf("subject %q, %v", subject, err)
	}
	for name, want := range map[string]string{
		"Message-Id": "<1.delivery@techmart.example>", "From": `"TechMart" <shop@techmart.example>`,
		"To": `"Ada Lovelace" <ada@example.com>`, "Auto-Submitted": "auto-generated", "Date": "Sun, 01 Mar 2026 09:30:00 +0000",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	parts := map[string]string{}
	mediaType, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || mediaType != "multipart/alternative" {
		t.Fatalf("content type %q, %v", h.Get("Content-Type"), err)
	}
	r := multipart.NewReader(strings.NewReader(taken[0].Body), params["boundary"])
	for {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(part.Header.Get("Content-Type"), ";")
		parts[kind] = strings.TrimSpace(string(body))
	}
	if parts["text/plain"] != "Hello €" || parts["text/html"] != "<p>Hello €</p>" {
		t.Errorf("parts: %q", parts)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	refuseBegin := errors.New("not now")
	for name, c := range map[string]struct {
		answer            error
		begin             func(context.Context) error
		rejected, unknown bool
		is                error
	}{
		"refused for now":         {answer: notificationstest.Refusal(451, "try later")},
		"refused for good":        {answer: notificationstest.Refusal(550, "no such user"), rejected: true},
		"no answer to the data":   {answer: notificationstest.Vanish, unknown: true},
		"the attempt was revoked": {begin: func(context.Context) error { return refuseBegin }, is: refuseBegin},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := notificationstest.NewMailServer(t, func(int) error { return c.answer })
			begin := begun
			if c.begin != nil {
				begin = c.begin
			}
			err := sender(t, "smtp://"+server.Addr).Send(t.Context(), message(), begin)
			if err == nil {
				t.Fatal("no error")
			}
			if got := errors.Is(err, notifications.ErrRejected); got != c.rejected {
				t.Errorf("rejected: %v, want %v: %v", got, c.rejected, err)
			}
			if got := errors.Is(err, notifications.ErrOutcomeUnknown); got != c.unknown {
				t.Errorf("unknown: %v, want %v: %v", got, c.unknown, err)
			}
			if c.is != nil && (!errors.Is(err, c.is) || server.Tries() != 0) {
				t.Errorf("error %v after %d messages, want %v after none", err, server.Tries(), c.is)
			}
		})
	}
}

func TestMessageThatCannotBeComposed(t *testing.T) {
	t.Parallel()
	m := message()
	m.To = "nobody"
	if err := sender(t, "smtp://127.0.0.1:1").Send(t.Context(), m, begun); !errors.Is(err, notifications.ErrRejected) {
		t.Errorf("error %v, want a rejection", err)
	}
}

func TestServersThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // it accepts in its backlog, and never greets
	began := false
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err = sender(t, "smtp://"+listener.Addr().String()).Send(ctx, message(), func(context.Context) error {
		began = true
		return nil
	})
	if err == nil || began || errors.Is(err, notifications.ErrOutcomeUnknown) || errors.Is(err, notifications.ErrRejected) {
		t.Errorf("a silent server: %v, begun %v; want a failure to be tried again", err, began)
	}
}

// certificate makes a certificate of 127.0.0.1 and a pool that trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestSTARTTLSAndPassword(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t)
	server := notificationstest.NewMailServer(t, nil, func(s *gosmtp.Server) {
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		s.Backend = withPassword{s.Backend}
	})
	trusting := &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
	for address, want := range map[string]bool{
		"smtp://shop:right@" + server.Addr + "?tls=required": true,
		"smtp://shop:wrong@" + server.Addr + "?tls=required": false,
		"smtp://shop:right@" + server.Addr + "?tls=off":      false, // a password is not sent in the clear
	} {
		s, err := newSender(address, trusting)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(t.Context(), message(), begun); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
	if n := len(server.Taken()); n != 1 {
		t.Errorf("%d messages taken, want 1", n)
	}
	if err := sender(t, "smtp://shop:right@"+server.Addr+"?tls=required").Send(t.Context(), message(), begun); err == nil {
		t.Error("a certificate that nobody vouches for was accepted")
	}
}

func TestSTARTTLSIsDemanded(t *testing.T) {
	t.Parallel()
	server := notificationstest.NewMailServer(t, nil)
	if err := sender(t, "smtp://"+server.Addr+"?tls=required").Send(t.Context(), message(), begun); err == nil || server.Tries() > 0 {
		t.Errorf("a server without STARTTLS got the message: %v", err)
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"smtp://mail.example", "smtps://shop:p%40ss@mail.example", "smtps://mail.example:4465", "smtp://localhost:25?tls=off"} {
		if _, err := New(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "mail.example", "http://mail.example", "smtp://", "smtp://secret:pa55word@mail.example:99999", "smtp://mail.example?tls=maybe", "smtp://secret:pa55word@ho st"} {
		_, err := New(bad)
		if err == nil {
			t.Errorf("%q was taken", bad)
		} else if strings.Contains(err.Error(), "pa55word") {
			t.Errorf("%q: the error quotes the password: %v", bad, err)
		}
	}
}

// withPassword is a backend that wants the password "right".
type withPassword struct{ gosmtp.Backend }

func (b withPassword) NewSession(c *gosmtp.Conn) (gosmtp.Session, error) {
	s, err := b.Backend.NewSession(c)
	return &authSession{Session: s}, err
}

type authSession struct {
	gosmtp.Session
	authenticated bool
}

func (s *authSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *authSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != "shop" || password != "right" {
			return gosmtp.ErrAuthFailed
		}
		s.authenticated = true
		return nil
	}), nil
}

func (s *authSession) Mail(from string, o *gosmtp.MailOptions) error {
	if !s.authenticated {
		return gosmtp.ErrAuthRequired
	}
	return s.Session.Mail(from, o)
}
