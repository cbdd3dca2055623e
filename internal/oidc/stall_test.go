package oidc_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/oidc"
)

// stalling is a transport whose requests hang, once that is switched on, until their context ends.
type stalling struct {
	on    atomic.Bool
	calls atomic.Int64
}

func (b *stalling) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.on.Load() {
		b.calls.Add(1)
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return http.DefaultTransport.RoundTrip(r)
}

func newIssuer(t *testing.T) *httptest.Server {
	var iss *httptest.Server
	iss = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"issuer":"` + iss.URL + `","authorization_endpoint":"` + iss.URL + `/a","token_endpoint":"` + iss.URL +
			`/t","jwks_uri":"` + iss.URL + `/k","id_token_signing_alg_values_supported":["RS256"]}`))
	}))
	t.Cleanup(iss.Close)
	return iss
}

func TestAProviderThatHangsKeepsNobodyWaitingForWhatIsKnownT105(t *testing.T) {
	t.Parallel()
	iss := newIssuer(t)
	hole := &stalling{}
	var shift atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }
	p := oidc.New(oidc.Config{Issuer: iss.URL, ClientID: "c", UserClaim: "sub", Now: now, Transport: hole})
	if _, _, err := p.Begin(t.Context(), "http://x/cb"); err != nil {
		t.Fatal(err)
	}
	shift.Store(int64(2 * time.Hour)) // what is known is old now
	hole.on.Store(true)
	for range 4 {
		began := time.Now()
		_, _, err := p.Begin(t.Context(), "http://x/cb")
		if took := time.Since(began); err != nil || took > 2*time.Second {
			t.Fatalf("a caller who needs only what is known: %v after %s", err, took)
		}
	}
	if n := hole.calls.Load(); n > 1 {
		t.Errorf("%d looks at the provider at once, want one", n)
	}
}

func TestCallersWaitForOneLookTogetherWhereNothingIsKnownT105(t *testing.T) {
	t.Parallel()
	hole := &stalling{}
	hole.on.Store(true)
	p := oidc.New(oidc.Config{Issuer: "http://127.0.0.1:1", ClientID: "c", UserClaim: "sub", Now: time.Now, Transport: hole})
	began := time.Now()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, _, err := p.Begin(t.Context(), "http://x/cb"); !errors.Is(err, oidc.ErrDown) {
				t.Errorf("%v, want that the provider is down", err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(began); took > 9*time.Second { // one look lasts five
		t.Errorf("eight callers waited %s: one after another", took)
	}
	if n := hole.calls.Load(); n != 1 {
		t.Errorf("%d looks, want one", n)
	}
}
