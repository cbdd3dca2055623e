package keyward_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/keyward/keyward"
)

// failing is a transport that fails some times, and answers then.
type failing struct {
	*script
	err   error
	times int
	tried int
}

func (f *failing) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.tried++; f.tried <= f.times {
		return nil, f.err
	}
	return f.script.RoundTrip(r)
}

func TestAFailedConnectionIsTriedAgainWhereThatDoesNoHarm(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	broken := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	calls := map[string]func(context.Context, *keyward.Client) error{
		"list": func(ctx ctx, c *keyward.Client) error { return last(c.ListKeys(ctx, keyward.ListKeysOptions{})) },
		"verify": func(ctx ctx, c *keyward.Client) error {
			return last(c.Verify(ctx, keyward.VerifyRequest{Key: "x"}))
		},
		"delete": func(ctx ctx, c *keyward.Client) error { return last(c.DeleteKeys(ctx, []string{"k"})) },
		"create": func(ctx ctx, c *keyward.Client) error {
			return last(c.CreateKey(ctx, keyward.CreateKeyRequest{UserID: "u", Name: "n"}))
		},
		"create once": func(ctx ctx, c *keyward.Client) error {
			return last(c.CreateKey(ctx, keyward.CreateKeyRequest{UserID: "u", Name: "n", IdempotencyKey: "one"}))
		},
	}
	for name, call := range calls {
		for _, tc := range []struct {
			err  error
			want int
		}{
			{refused, 3},
			{broken, map[string]int{"list": 3, "create": 3, "create once": 3, "delete": 3}[name]},
			{io.ErrUnexpectedEOF, map[string]int{"list": 3, "create": 3, "create once": 3, "delete": 3}[name]},
			{&net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}, 1},
			{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, 1},
			{&net.OpError{Op: "read", Err: context.DeadlineExceeded}, 1},
		} {
			synctest.Test(t, func(t *testing.T) {
				f := &failing{script: &script{answers: []scripted{done}}, err: tc.err, times: 2}
				c := newClient(t, "http://keyward.test", keyward.WithHTTPClient(&http.Client{Transport: f}))
				err := call(t.Context(), c)
				if want := max(tc.want, 1); f.tried != want || (err == nil) != (want == 3) {
					t.Errorf("%s after %v: sent %d times, want %d: %v", name, tc.err, f.tried, want, err)
				}
			})
		}
	}
}

func TestTheClientSaysWhichItIsAndLetsGoOfItsConnections(t *testing.T) {
	t.Parallel()
	var open atomic.Int64
	var agent atomic.Value
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent.Store(r.UserAgent())
		_, _ = io.WriteString(w, "ok")
	}))
	closed := make(chan struct{})
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			if open.Add(-1) == 0 {
				close(closed)
			}
		}
	}
	server.Start()
	defer server.Close()
	c, err := keyward.New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, _ := agent.Load().(string); !strings.HasPrefix(got, "keyward-go") {
		t.Errorf("the client calls itself %q", got)
	}
	if open.Load() != 1 {
		t.Fatalf("%d connections are open", open.Load())
	}
	c.Close()
	<-closed
}

func TestAKindOfRefusalIsFoundThroughWhatWrapsIt(t *testing.T) {
	t.Parallel()
	client, _ := answering(t, 404, `{"error":{"code":"not_found"}}`)
	_, err := client.GetKey(t.Context(), "k")
	wrapped := errors.Join(errors.New("load the key"), err)
	if !errors.Is(wrapped, keyward.ErrNotFound) || errors.Is(wrapped, keyward.ErrConflict) || errors.Is(err, io.EOF) {
		t.Errorf("%v", wrapped)
	}
	// A proxy's answer has no code, and its status says enough.
	for status, want := range map[int]error{429: keyward.ErrRateLimited, 503: keyward.ErrUnavailable} {
		client, _ := answering(t, status, `busy`, keyward.WithRetry(0))
		if _, err := client.GetKey(t.Context(), "k"); !errors.Is(err, want) {
			t.Errorf("status %d: %v", status, err)
		}
	}
}
