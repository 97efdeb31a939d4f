// Package smtp sends e-mails over SMTP.
package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/techmart/techmart/platform/fault"
	"github.com/techmart/techmart/services/notifications"
)

// Sender is a [notifications.Sender] over one mail server. Messages that follow one another soon share a connection.
type Sender struct {
	// Guard refuses to connect while the server does not answer; nil never does. Set it before the first message.
	Guard *fault.Guard

	host        string
	options     []mail.Option
	connections connections
}

var _ notifications.Sender = (*Sender)(nil)

const (
	portSubmission = 587
	portImplicit   = 465
	// fallbackTimeout bounds an attempt whose context has no deadline.
	fallbackTimeout = time.Minute
	// phases is how many times go-mail starts its timeout anew: connecting, greeting with TLS and
	// authentication, and the message.
	phases = 3
)

// New makes a Sender of an URL. smtps://user:password@host:465 is TLS from the start;
// smtp://user:password@host:587 is STARTTLS, which the server has to offer unless it is on a loopback
// address. The query parameter tls=required, tls=offered or tls=off says otherwise. It connects to nothing yet.
func New(address string) (*Sender, error) { return newSender(address, nil) }

// newSender is New with the TLS settings of a test.
func newSender(address string, config *tls.Config) (*Sender, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("smtp: the URL cannot be parsed") // the error would quote its password
	}
	host := u.Hostname()
	if host == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return nil, errors.New("smtp: the URL has the form smtp://user:password@host:port or smtps://user:password@host:port")
	}
	if config == nil {
		config = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	}
	options := []mail.Option{mail.WithTLSConfig(config), mail.WithoutNoop()}
	port := portSubmission
	if u.Scheme == "smtps" {
		port = portImplicit
		options = append(options, mail.WithSSL())
	} else {
		policy, err := tlsPolicy(u.Query().Get("tls"), host)
		if err != nil {
			return nil, err
		}
		options = append(options, mail.WithTLSPolicy(policy))
	}
	if text := u.Port(); text != "" {
		if port, err = strconv.Atoi(text); err != nil {
			return nil, errors.New("smtp: the URL's port is not a number")
		}
	}
	options = append(options, mail.WithPort(port))
	if u.User != nil {
		password, _ := u.User.Password()
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover),
			mail.WithUsername(u.User.Username()), mail.WithPassword(password))
	}
	s := &Sender{host: host, options: options}
	if _, err := mail.NewClient(host, options...); err != nil {
		return nil, fmt.Errorf("smtp: %w", err)
	}
	return s, nil
}

func tlsPolicy(text, host string) (mail.TLSPolicy, error) {
	switch text {
	case "required":
		return mail.TLSMandatory, nil
	case "offered":
		return mail.TLSOpportunistic, nil
	case "off":
		return mail.NoTLS, nil
	case "":
		if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
			return mail.TLSOpportunistic, nil
		}
		return mail.TLSMandatory, nil
	}
	return 0, errors.New("smtp: the URL's parameter tls is required, offered or off")
}

// Send gives m to the mail server; see [notifications.Sender].
func (s *Sender) Send(ctx context.Context, m notifications.Message, begin func(context.Context) error) error {
	message, err := compose(m)
	if err != nil {
		return fmt.Errorf("%w: %w", notifications.ErrRejected, err)
	}
	timeout := fallbackTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = time.Until(deadline)
	}
	c, err := s.connect(ctx, timeout)
	if err != nil {
		return fmt.Errorf("smtp: connect: %w", err)
	}
	if err := begin(ctx); err != nil {
		s.connections.keep(c)
		return err
	}
	if err := outcome(c.send(message), message.IsDelivered()); err != nil {
		c.end()
		return err
	}
	s.connections.keep(c)
	return nil
}

// Close ends the connections that wait for another message. It may be called again.
func (s *Sender) Close() { s.connections.clear(true) }

// outcome classifies how giving a message to the server ended.
func outcome(err error, delivered bool) error {
	var refusal *mail.SendError
	switch {
	case err == nil || delivered: // what fails after the server took the message is of no account
		return nil
	case !errors.As(err, &refusal):
		return fmt.Errorf("%w: %w", notifications.ErrOutcomeUnknown, err)
	case refusal.ErrorCode() >= 500:
		return fmt.Errorf("%w: %w", notifications.ErrRejected, err)
	case refusal.ErrorCode() >= 400:
		return err
	case refusal.Reason == mail.ErrSMTPDataClose: // the end of the data was sent, and no answer came
		return fmt.Errorf("%w: %w", notifications.ErrOutcomeUnknown, err)
	}
	return err
}

// compose makes the MIME message: text and HTML as alternatives.
func compose(m notifications.Message) (*mail.Msg, error) {
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := message.From(m.From); err != nil {
		return nil, err
	}
	if err := message.To(m.To); err != nil {
		return nil, err
	}
	message.SetMessageIDWithValue(m.ID)
	message.SetDateWithValue(m.Date)
	message.Subject(m.Subject)
	message.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers
	message.SetBodyString(mail.TypeTextPlain, m.Text)
	message.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	return message, nil
}
