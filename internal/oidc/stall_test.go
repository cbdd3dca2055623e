package oidc_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
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
		_, _ = w.Write(
			[]byte(`{"issuer":"` + iss.URL + `","authorization_endpoint":"` + iss.URL + `/a","token_endpoint":"` + iss.URL +
				`/t","jwks_uri":"` + iss.URL + `/k","id_token_signing_alg_values_supported":["RS256"]}`),
		)
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
	p := oidc.New(
		oidc.Config{Issuer: "http://127.0.0.1:1", ClientID: "c", UserClaim: "sub", Now: time.Now, Transport: hole},
	)
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

// hanging is a real provider of which one part or all hang once that is switched on: the connection is taken, and no
// answer comes.
type hanging struct {
	*forger
	part  atomic.Value // string: the beginning of the paths that hang, "" for none
	stuck atomic.Int64 // requests that hung
	now   atomic.Int64 // requests that hang
}

func newHanging(t *testing.T) *hanging {
	h := &hanging{forger: forge(t)}
	h.part.Store("")
	h.divert(func(_ http.ResponseWriter, r *http.Request) bool {
		part := h.part.Load().(string)
		if part == "" || !strings.HasPrefix(r.URL.Path, part) {
			return false
		}
		h.stuck.Add(1)
		h.now.Add(1)
		<-r.Context().Done()
		h.now.Add(-1)
		return true
	})
	t.Cleanup(h.CloseClientConnections)
	return h
}

// atOnce runs call in many goroutines, checks that none waited longer than limit, and returns their errors.
func (h *hanging) atOnce(name string, limit time.Duration, call func() error) []error {
	h.Helper()
	errs := make([]error, 50)
	took := make([]time.Duration, len(errs))
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			began := time.Now()
			errs[i] = call()
			took[i] = time.Since(began)
		})
	}
	wg.Wait()
	if longest := slices.Max(took); longest > limit {
		h.Errorf("%s: a caller waited %s, want at most %s", name, longest, limit)
	}
	return errs
}

// never is an upper bound of no wait on a busy machine, and shorter than every wait in this package.
const never = 900 * time.Millisecond

// knownToHang waits until a request has come, until those that hang have been given up, and for the caller to note
// that.
func (h *hanging) knownToHang() {
	for h.stuck.Load() == 0 || h.now.Load() > 0 {
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(time.Second)
}

func TestT105AKeySetThatHangsDelaysNoCheckWithAKnownKey(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for name, part := range map[string]string{"the keys": "/jwks", "discovery": "/.well-known", "all": "/"} {
		h := newHanging(t)
		all.Go(func() { h.delaysNone(name, part) })
	}
	all.Wait()
}

func (h *hanging) delaysNone(name, part string) {
	p := h.provider()
	token := h.sign(nil, merged(h.good(), object{"exp": h.forger.now().Add(99 * time.Hour).Unix()}))
	known := func() error {
		_, err := p.Verify(h.Context(), token)
		if err == nil && part != "/jwks" {
			_, _, err = p.Begin(h.Context(), "http://127.0.0.1/back")
		}
		return err
	}
	if err := known(); err != nil {
		h.Error(err)
		return
	}
	h.part.Store(part)
	for _, c := range []struct {
		name string
		pass time.Duration
	}{
		{"just read", time.Minute},
		{"due to be read again", 40 * time.Minute},
		{"due, and known to hang", time.Minute},
		{"a day later, and known to hang", 24 * time.Hour},
	} {
		h.pass(c.pass)
		for _, err := range h.atOnce(name+": "+c.name, never, known) {
			if err != nil {
				h.Errorf("%s: %s: %v", name, c.name, err)
				return
			}
		}
		if c.name == "due to be read again" {
			h.knownToHang()
		}
	}
	if n := h.stuck.Load(); n == 0 || n > 4 {
		h.Errorf("%s: %d requests hung, want one at a time of each kind", name, n)
	}
}

func TestT105AnUnknownKeyIsAskedForOnceAndNoCallerQueuesBehindAnother(t *testing.T) {
	t.Parallel()
	h := newHanging(t)
	p := h.provider()
	known := h.sign(nil, merged(h.good(), object{"exp": h.forger.now().Add(9 * time.Hour).Unix()}))
	unknown := h.sign(object{"kid": "unknown"}, merged(h.good(), object{"exp": h.forger.now().Add(9 * time.Hour).Unix()}))
	verify := func(token string) func() error {
		return func() error {
			_, err := p.Verify(t.Context(), token)
			return err
		}
	}
	if err := verify(known)(); err != nil {
		t.Fatal(err)
	}
	h.part.Store("/jwks")
	h.pass(time.Minute)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 5 {
			time.Sleep(200 * time.Millisecond) // meanwhile
			for _, err := range h.atOnce("a known key beside", never, verify(known)) {
				if err != nil {
					t.Errorf("a known key beside an unknown one: %v", err)
				}
			}
		}
	})
	for _, err := range h.atOnce("an unknown key", 6*time.Second, verify(unknown)) {
		if !errors.Is(err, oidc.ErrDown) {
			t.Errorf("%v, want that the provider is down", err)
		}
	}
	wg.Wait()
	h.knownToHang()
	began := time.Now()
	for range 20 {
		if err := verify(unknown)(); !errors.Is(err, oidc.ErrDown) {
			t.Errorf("%v, want that the provider is down", err)
		}
	}
	if took := time.Since(began); took > never {
		t.Errorf("twenty callers after a failure waited %s one behind another", took)
	}
	if n := h.stuck.Load(); n != 1 {
		t.Errorf("%d requests for the keys, want one", n)
	}
	h.part.Store("")
	h.rotate()
	h.pass(time.Minute)
	if err := verify(h.sign(nil, h.good()))(); err != nil {
		t.Errorf("the provider is back, and its new key is not known: %v", err)
	}
}

func TestT70KeysOfAnAddressThatTheProviderLeftAreForgotten(t *testing.T) {
	t.Parallel()
	f := forge(t)
	p := f.provider()
	before := f.sign(nil, merged(f.good(), object{"exp": f.now().Add(9 * time.Hour).Unix()}))
	if _, err := p.Verify(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	f.divert(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/moved" {
			r.URL.Path = "/jwks"
		}
		return false
	})
	f.mu.Lock()
	f.metadata["jwks_uri"] = f.URL + "/moved"
	f.mu.Unlock()
	f.rotate()
	f.pass(40 * time.Minute)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := p.Verify(t.Context(), before); err != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a key of the address before is good still")
		}
	}
}
