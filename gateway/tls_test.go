package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writeCertificate writes a self-signed certificate with the serial number.
func writeCertificate(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

func write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCertificateIsRenewed(t *testing.T) {
	t.Parallel()
	certFile, keyFile := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	log := slog.New(slog.DiscardHandler)
	if _, err := NewCertificate(certFile, keyFile, log); err == nil {
		t.Fatal("there is no certificate, and nobody says so")
	}
	writeCertificate(t, certFile, keyFile, 1)
	c, err := NewCertificate(certFile, keyFile, log)
	if err != nil {
		t.Fatal(err)
	}
	c.every = 0
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = c.Config()
	server.StartTLS()
	defer server.Close()
	serial := func() int64 {
		conn, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", NextProtos: []string{"h2"}}) //nolint:gosec // self-signed
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := conn.ConnectionState(); got.NegotiatedProtocol != "h2" || got.Version < tls.VersionTLS12 {
			t.Errorf("protocol %q, version %x", got.NegotiatedProtocol, got.Version)
		}
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := c.current().Leaf.SerialNumber.Int64(); got != 1 {
		t.Errorf("serial number %d", got)
	}
	writeCertificate(t, certFile, keyFile, 2)
	if err := os.Chtimes(certFile, time.Time{}, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got := c.current().Leaf.SerialNumber.Int64(); got != 2 {
		t.Errorf("serial number %d after the renewal", got)
	}
	write(t, certFile, []byte("half a file"))
	if got := c.current().Leaf.SerialNumber.Int64(); got != 2 {
		t.Errorf("serial number %d after a bad file", got)
	}
	if got := serial(); got != 2 {
		t.Errorf("a client sees serial number %d", got)
	}
}

func TestEncrypted(t *testing.T) {
	t.Parallel()
	p := proxies{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		remote string
		proto  []string
		tls    bool
		want   bool
	}{
		{"10.1.2.3:4", []string{"https"}, false, true},
		{"10.1.2.3:4", []string{"http, HTTPS"}, false, true},
		{"10.1.2.3:4", []string{"https", "http"}, false, false},
		{"10.1.2.3:4", nil, false, false},
		{"203.0.113.1:4", []string{"https"}, false, false}, // no proxy of ours
		{"203.0.113.1:4", nil, true, true},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr, r.Header["X-Forwarded-Proto"] = c.remote, c.proto
		if c.tls {
			r.TLS = new(tls.ConnectionState)
		}
		if got := p.encrypted(r); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
