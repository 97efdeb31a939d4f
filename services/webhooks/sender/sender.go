// Package sender sends webhooks over HTTP, to addresses of the public internet only.
package sender

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/techmart/techmart/services/webhooks"
)

// Headers of the Standard Webhooks specification.
const (
	headerID        = "webhook-id"
	headerTimestamp = "webhook-timestamp"
	headerSignature = "webhook-signature"
)

const (
	userAgent    = "TechMart-Webhooks/1"
	maxExcerpt   = 2048     // bytes of a response that are read: half of them are kept, without what is secret
	maxHeaders   = 16 << 10 // bytes of a response's headers
	idleFor      = 30 * time.Second
	idlePerHost  = 2
	idleConns    = 100
	statusOK     = 200
	statusBeyond = 300
)

// Config says what may be called. The zero value is right for production.
type Config struct {
	Timeout time.Duration  // of a request with its connection; 0 for 15 s
	Allowed []netip.Prefix // networks that may be called though they are not public: in development and tests
	Clock   func() time.Time
	// Lookup resolves names; nil for the machine's resolver.
	Lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
	// TLS is of connections; nil for the default.
	TLS *tls.Config
}

// Sender is webhooks.Sender. It is for many goroutines.
type Sender struct {
	client *http.Client
	clock  func() time.Time
}

var _ webhooks.Sender = (*Sender)(nil)

// New makes a Sender.
func New(c Config) *Sender {
	if c.Timeout == 0 {
		c.Timeout = 15 * time.Second
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	g := guard(c.Allowed)
	dialer := &net.Dialer{Timeout: c.Timeout, ControlContext: g.control}
	dial := dialer.DialContext
	if c.Lookup != nil {
		dial = resolved(c.Lookup, dialer)
	}
	return &Sender{clock: c.Clock, client: &http.Client{
		Timeout:       c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  nil, // one would connect for us, where it likes
			DialContext:            dial,
			TLSClientConfig:        c.TLS,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
			TLSHandshakeTimeout:    c.Timeout,
			ResponseHeaderTimeout:  c.Timeout,
			MaxResponseHeaderBytes: maxHeaders,
			MaxIdleConns:           idleConns,
			MaxIdleConnsPerHost:    idlePerHost,
			IdleConnTimeout:        idleFor,
		},
	}}
}

// Close ends connections that are kept.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Send implements webhooks.Sender. A redirect is no success: whoever moves changes the endpoint.
func (s *Sender) Send(ctx context.Context, r webhooks.Request) webhooks.Response {
	began := time.Now()
	out := s.send(ctx, r)
	out.Duration = time.Since(began)
	return out
}

func (s *Sender) send(ctx context.Context, r webhooks.Request) webhooks.Response {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return webhooks.Response{Outcome: webhooks.Blocked, Error: "The URL cannot be read."}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set(headerID, r.ID)
	req.Header.Set(headerTimestamp, strconv.FormatInt(r.Timestamp.Unix(), 10))
	req.Header.Set(headerSignature, r.Signature)
	resp, err := s.client.Do(req)
	if err != nil {
		return failure(err)
	}
	defer resp.Body.Close() // what is left of it is of no use
	excerpt, _ := io.ReadAll(io.LimitReader(resp.Body, maxExcerpt))
	out := webhooks.Response{Outcome: webhooks.Succeeded, Status: resp.StatusCode, Excerpt: string(excerpt)}
	if resp.StatusCode < statusOK || resp.StatusCode >= statusBeyond {
		out.Outcome, out.Error = webhooks.Refused, fmt.Sprintf("The receiver answered %d.", resp.StatusCode)
		out.RetryAfter = s.retryAfter(resp.Header.Get("Retry-After"))
	}
	return out
}

// retryAfter reads the header of that name: seconds or a date.
func (s *Sender) retryAfter(text string) time.Duration {
	if seconds, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(s.clock()))
	}
	return 0
}

// failure says what went wrong, in words that name no address of ours.
func failure(err error) webhooks.Response {
	var (
		blocked *blockedError
		dns     *net.DNSError
		cert    *tls.CertificateVerificationError
		timeout interface{ Timeout() bool }
	)
	switch {
	case errors.As(err, &blocked):
		return webhooks.Response{Outcome: webhooks.Blocked, Error: "The name stands for an address that is not on the public internet."}
	case errors.As(err, &timeout) && timeout.Timeout():
		return webhooks.Response{Outcome: webhooks.TimedOut, Error: "The receiver did not answer in time."}
	case errors.As(err, &dns):
		return webhooks.Response{Outcome: webhooks.Unreachable, Error: "The name has no address."}
	case errors.As(err, &cert):
		return webhooks.Response{Outcome: webhooks.Unreachable, Error: "The certificate of the receiver is not good."}
	case errors.Is(err, syscall.ECONNREFUSED):
		return webhooks.Response{Outcome: webhooks.Unreachable, Error: "The receiver refused the connection."}
	}
	return webhooks.Response{Outcome: webhooks.Unreachable, Error: "The connection to the receiver failed."}
}

// resolved dials the addresses that a name is resolved to, one after the other.
func resolved(lookup func(context.Context, string, string) ([]netip.Addr, error), dialer *net.Dialer) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		ips, err := lookup(ctx, "ip", host)
		if err != nil {
			return nil, err
		}
		failed := error(&net.DNSError{Err: "no address", Name: host})
		for _, ip := range ips {
			conn, err := dialer.DialContext(ctx, network, net.JoinHostPort(ip.String(), port))
			if err == nil {
				return conn, nil
			}
			failed = err
		}
		return nil, failed
	}
}
