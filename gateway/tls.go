package gateway

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// lookEvery bounds how often the files of a certificate are looked at.
const lookEvery = time.Second

// Certificate is a TLS certificate in two PEM files. It is read anew once they change, so that a
// renewed one needs no restart; new files that do not fit together are logged, and the old
// certificate stays in use.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	every             time.Duration

	mu     sync.Mutex
	inUse  *tls.Certificate
	seen   [2]version // of the files, good or not
	looked time.Time
}

// version tells whether a file has changed.
type version struct {
	at   time.Time
	size int64
}

// NewCertificate reads the certificate and its key for the first time.
func NewCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, log: log, every: lookEvery, seen: versions(certFile, keyFile), looked: time.Now()}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("TLS certificate: %w", err)
	}
	c.inUse = &pair
	return c, nil
}

// Config gives the settings of a TLS server with the certificate: TLS 1.2 and newer, HTTP/2.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(), nil },
	}
}

// current gives the certificate, after a look at its files.
func (c *Certificate) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= c.every {
		c.looked = now
		if seen := versions(c.certFile, c.keyFile); seen != c.seen {
			c.seen = seen
			pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
			if err != nil {
				c.log.Error("the new TLS certificate is not good; the old one stays in use", "error", err)
			} else {
				c.inUse = &pair
				c.log.Info("a new TLS certificate is in use", "until", pair.Leaf.NotAfter)
			}
		}
	}
	return c.inUse
}

func versions(files ...string) (v [2]version) {
	for i, name := range files {
		if info, err := os.Stat(name); err == nil {
			v[i] = version{info.ModTime(), info.Size()}
		}
	}
	return v
}
