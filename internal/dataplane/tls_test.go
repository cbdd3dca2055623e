package dataplane_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/dataplane"
	"github.com/keyward/keyward/internal/fastpath"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/verify"
)

// seen is a door that answers nothing at once, and tells how it was asked.
type seen struct{}

func (seen) Quick(*fastpath.Request, *fastpath.Reply) bool      { return false }
func (seen) Admits(string, netip.Addr, *verify.Remembered) bool { return true }
func (seen) QuickCheck(*fastpath.Check, *fastpath.Reply) bool   { return false }
func (seen) Client(peer netip.Addr, _ []string) netip.Addr      { return peer }
func (seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s over TLS %t", r.Proto, r.TLS != nil && r.TLS.HandshakeComplete)
}

// A connection that is handed over is known to be encrypted there, too: cookies depend on it.
func TestARequestThatIsHandedOverIsKnownToBeEncrypted(t *testing.T) {
	t.Parallel()
	certFile, keyFile, pool := rig.Certificate(t)
	certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := dataplane.New(seen{}, &http.Server{}, time.Now, slog.New(slog.DiscardHandler))
	ended := make(chan error, 1)
	go func() {
		ended <- s.Serve(tls.NewListener(
			l, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}},
		))
	}()
	defer func() { must(t, s.Close()); <-ended }()
	for _, two := range []bool{false, true} {
		protocols := &http.Protocols{}
		protocols.SetHTTP1(!two)
		protocols.SetHTTP2(two)
		c := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, Protocols: protocols}}
		for range 3 {
			a, err := c.Get("https://" + l.Addr().String() + "/")
			must(t, err)
			body, err := io.ReadAll(a.Body)
			must(t, err)
			must(t, a.Body.Close())
			if want := map[bool]string{false: "HTTP/1.1 over TLS true", true: "HTTP/2.0 over TLS true"}[two]; string(
				body,
			) != want {
				t.Errorf("%q, want %q", body, want)
			}
		}
		c.CloseIdleConnections()
	}
	if got := raw(t, l.Addr().String(), "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.0 400 ") ||
		!strings.Contains(got, "to an HTTPS server") {
		t.Errorf("in plain words: %q", got)
	}
}
