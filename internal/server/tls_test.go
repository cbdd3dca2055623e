package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/server"
)

// encrypted is a server with all of its listeners under TLS.
func encrypted(t *testing.T) (s *server.Server, stop func() error, trusted *tls.Config) {
	t.Helper()
	cfg := settings(t)
	var pool *x509.CertPool
	cfg.TLSCert, cfg.TLSKey, pool = rig.Certificate(t)
	cfg.DataAddr, cfg.GRPCAddr = "127.0.0.1:0", "127.0.0.1:0"
	s, stop = start(t, cfg, server.Options{})
	return s, stop, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

func TestTheDataListenerSpeaksTLSWhereHTTPDoes(t *testing.T) {
	t.Parallel()
	s, _, trusted := encrypted(t)
	c := http.Client{Transport: &http.Transport{TLSClientConfig: trusted, DisableKeepAlives: true}}
	for _, base := range []string{s.URL(), s.DataURL()} {
		if !strings.HasPrefix(base, "https://") {
			t.Errorf("%s", base)
		}
		for range 2 {
			r, err := http.NewRequestWithContext(
				t.Context(), http.MethodPost, base+"/api/v2/api-keys/verify", strings.NewReader(`{"key":"x"}`),
			)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+s.Minted().Reveal())
			r.Header.Set("Content-Type", "application/json")
			a, err := c.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(a.Body)
			a.Body.Close()
			if err != nil || a.StatusCode != 200 || !bytes.Contains(body, []byte("MALFORMED")) {
				t.Errorf("%s: %d %s %v", base, a.StatusCode, body, err)
			}
		}
	}
	// In plain words it says nothing.
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.DataURL(), "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /check HTTP/1.1\r\nHost: h\r\n\r\n")
	if b, _ := io.ReadAll(conn); bytes.Contains(b, []byte("unauthenticated")) {
		t.Errorf("%q", b)
	}
}

// dial is a gRPC client of a server under TLS.
func dial(t *testing.T, s *server.Server, trusted *tls.Config) *grpc.ClientConn {
	t.Helper()
	c, err := grpc.NewClient(s.GRPCAddr(), grpc.WithTransportCredentials(credentials.NewTLS(trusted)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// denied asks, and expects the answer to a request without a key.
func denied(ctx context.Context, c *grpc.ClientConn) error {
	a, err := authv3.NewAuthorizationClient(c).Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{Method: "GET", Path: "/"}}}})
	switch {
	case err != nil:
		return err
	case a.GetDeniedResponse().GetStatus().GetCode() != http.StatusUnauthorized:
		return errors.New(a.String())
	}
	return nil
}

// A stop tells watching clients, and answers requests that have begun.
func TestGRPCIsEncryptedAndStopsInOrder(t *testing.T) {
	t.Parallel()
	s, stop, trusted := encrypted(t)
	c := dial(t, s, trusted)
	if err := denied(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	watch, err := healthv1.NewHealthClient(c).Watch(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	state := func() (healthv1.HealthCheckResponse_ServingStatus, error) {
		r, err := watch.Recv()
		return r.GetStatus(), err
	}
	if got, err := state(); err != nil || got != healthv1.HealthCheckResponse_SERVING {
		t.Fatalf("%v %v", got, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	if got, err := state(); err != nil || got != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("while it stops: %v %v", got, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := state(); status.Code(err) != grpccodes.Unavailable {
		t.Errorf("after the stop: %v", err)
	}
}

// attack opens an HTTP/2 connection, sends a client's preface, and returns the framer.
func attack(t *testing.T, addr string, trusted *tls.Config) (*http2.Framer, net.Conn) {
	t.Helper()
	config := trusted.Clone()
	config.NextProtos = []string{"h2"}
	conn, err := tls.Dial("tcp", addr, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	f := http2.NewFramer(conn, conn)
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return f, conn
}

func headers(path string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, h := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", path},
		{"content-type", "application/grpc"}, {"te", "trailers"}} {
		_ = e.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	return b.Bytes()
}

// The two attacks on HTTP/2 that cost a server more than its client, on both listeners that speak it: streams that are
// opened and taken back at once (CVE-2023-44487), and a head that never ends (CVE-2023-45288). Others are answered
// meanwhile, and the second is cut off.
func TestT55AnHTTP2ClientThatAbusesItsConnectionHarmsNobodyElse(t *testing.T) {
	t.Parallel()
	s, _, trusted := encrypted(t)
	c := dial(t, s, trusted)
	web := http.Client{Transport: &http.Transport{TLSClientConfig: trusted, ForceAttemptHTTP2: true}}
	defer web.CloseIdleConnections()
	good := func() {
		t.Helper()
		if err := denied(t.Context(), c); err != nil {
			t.Errorf("another client of gRPC: %v", err)
		}
		a, err := web.Get(s.URL() + "/healthz")
		if err != nil {
			t.Fatalf("another client: %v", err)
		}
		a.Body.Close()
		if a.StatusCode != 200 || a.ProtoMajor != 2 {
			t.Errorf("another client: %d over HTTP/%d", a.StatusCode, a.ProtoMajor)
		}
	}
	paths := map[string]string{
		s.GRPCAddr():                            "/envoy.service.auth.v3.Authorization/Check",
		strings.TrimPrefix(s.URL(), "https://"): "/healthz",
	}
	for addr, path := range paths {
		f, _ := attack(t, addr, trusted)
		if n := streams(t, f); n == 0 || n > 1000 {
			t.Errorf("%s admits %d streams at once", addr, n)
		}
		head := headers(path)
		for i := range uint32(3000) {
			id := 2*i + 1
			if err := errors.Join(f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: head, EndHeaders: true}),
				f.WriteRSTStream(id, http2.ErrCodeCancel)); err != nil {
				break // the server has had enough
			}
			if i%1000 == 0 {
				good()
			}
		}
		good()

		f, conn := attack(t, addr, trusted)
		if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head}); err != nil {
			t.Fatal(err)
		}
		filler := bytes.Repeat(append([]byte{0x00, 0x01, 'a', 0x7e}, bytes.Repeat([]byte{'b'}, 126)...), 100) // never indexed
		sent := 0
		for f.WriteContinuation(1, false, filler) == nil && sent < 64<<20 {
			sent += len(filler)
		}
		if sent >= 64<<20 {
			t.Errorf("%s takes a head of %d bytes", addr, sent)
		}
		_, _ = io.Copy(io.Discard, conn)
		good()
	}
}

// streams reads how many streams the server admits at once.
func streams(t *testing.T, f *http2.Framer) uint32 {
	t.Helper()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := frame.(*http2.SettingsFrame); ok && !s.IsAck() {
			n, _ := s.Value(http2.SettingMaxConcurrentStreams)
			return n
		}
	}
}

func TestEveryListenerIsWithinTheBoundOfConnectionsT105(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	cfg.DataAddr, cfg.GRPCAddr, cfg.MetricsAddr, cfg.MaxConnections = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", 2
	s, _ := start(t, cfg, server.Options{})
	for _, address := range []string{strings.TrimPrefix(s.DataURL(), "http://"), s.GRPCAddr(), s.MetricsAddr()} {
		var last net.Conn
		for range 3 {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			last = c
			time.Sleep(20 * time.Millisecond) // in this order
		}
		_ = last.SetReadDeadline(time.Now().Add(2 * time.Second))
		if _, err := io.ReadAll(last); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s takes a third connection where two are the bound", address)
		}
	}
}

// A certificate that is renewed is shown by every listener, without a restart; pages have browsers come by TLS alone.
func TestARenewedCertificateIsShownByEveryListener(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	cfg.TLSCert, cfg.TLSKey, _ = rig.Certificate(t)
	cfg.DataAddr, cfg.GRPCAddr = "127.0.0.1:0", "127.0.0.1:0"
	s, _ := start(t, cfg, server.Options{})
	shown := func(addr string) string {
		t.Helper()
		c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		return string(c.ConnectionState().PeerCertificates[0].Raw)
	}
	listeners := []string{
		strings.TrimPrefix(s.URL(), "https://"), strings.TrimPrefix(s.DataURL(), "https://"), s.GRPCAddr(),
	}
	first := shown(listeners[0])
	cert, key, pool := rig.Certificate(t)
	for from, to := range map[string]string{cert: cfg.TLSCert, key: cfg.TLSKey} {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.Reload() // as SIGHUP does
	for _, at := range listeners {
		if shown(at) == first {
			t.Errorf("%s shows the certificate from before", at)
		}
	}
	c := http.Client{
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
		},
	}
	for _, path := range []string{"/docs", "/"} {
		a, err := c.Get(s.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = a.Body.Close()
		if a.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: %d %v", path, a.StatusCode, a.Header)
		}
	}
}
