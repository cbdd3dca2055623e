package verifier_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/follower"
	"github.com/keyward/keyward/keywardtest"
	"github.com/keyward/keyward/verifier"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const staleness = time.Second

// house is a real server with a workspace, a service key for verifiers, and a client that asks the server with it.
type house struct {
	*keywardtest.Server
	t         *testing.T
	workspace string
	serviceID string
	token     string
	client    *keyward.Client
}

func newHouse(t *testing.T, opts ...keywardtest.Option) *house {
	t.Helper()
	h := &house{Server: keywardtest.New(t, opts...), t: t}
	h.workspace = h.Workspace(t, "Acme", "ada")
	h.serviceID, h.token = h.service("follow", "verify")
	h.client = h.As(t, h.token)
	return h
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) service(scopes ...keyward.Scope) (id, value string) {
	h.t.Helper()
	made, err := h.Client().
		CreateServiceKey(h.t.Context(), keyward.CreateServiceKeyRequest{Name: "follower", Scopes: scopes})
	h.must(err)
	return made.ServiceKey.ID, made.Key.Reveal()
}

// key makes a key as the change of a request says.
func (h *house) key(change func(*keyward.CreateKeyRequest)) (id, value string) {
	h.t.Helper()
	req := keyward.CreateKeyRequest{
		WorkspaceID: h.workspace,
		UserID:      "ada",
		Name:        "k",
		Permissions: keyward.Permissions("calls:read"),
	}
	if change != nil {
		change(&req)
	}
	made, err := h.Client().CreateKey(h.t.Context(), req)
	h.must(err)
	return made.APIKey.ID, made.Key.Reveal()
}

// verifier starts one, which is closed when the test ends.
func (h *house) verifier(change func(*verifier.Config)) *verifier.Verifier {
	h.t.Helper()
	return h.verifierBy(time.Now, change)
}

// verifierBy is verifier in a process with another clock.
func (h *house) verifierBy(now func() time.Time, change func(*verifier.Config)) *verifier.Verifier {
	h.t.Helper()
	cfg := verifier.Config{URL: h.URL, Token: h.token, MaxStaleness: staleness}
	if change != nil {
		change(&cfg)
	}
	ctx, cancel := context.WithTimeout(h.t.Context(), 20*time.Second)
	defer cancel()
	v, err := verifier.New(follower.WithClock(ctx, now), cfg)
	h.must(err)
	h.t.Cleanup(func() {
		if err := v.Close(); err != nil {
			h.t.Error(err)
		}
	})
	return v
}

func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 15 seconds", what)
		}
	}
}

// says waits until a verifier has heard of a change.
func (h *house) says(v keyward.Verifier, value string, want keyward.VerdictCode) {
	h.t.Helper()
	eventually(h.t, string(want), func() bool {
		got, err := v.Verify(h.t.Context(), keyward.VerifyRequest{Key: value})
		return err == nil && got.Code == want
	})
}

// link is a proxy in front of servers, which can be cut, and leads to one of them.
type link struct {
	*httptest.Server
	cut atomic.Bool
	to  atomic.Pointer[target]
}

type target struct{ url, token string }

func newLink(t *testing.T, to *house) *link {
	t.Helper()
	l := &link{}
	l.leadTo(to)
	quiet := log.New(io.Discard, "", 0)
	through := &httputil.ReverseProxy{
		ErrorLog:  quiet,
		Transport: &http.Transport{DisableKeepAlives: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			to := l.to.Load()
			u, _ := url.Parse(to.url)
			r.SetURL(u)
			r.Out.Header.Set("Authorization", "Bearer "+to.token)
		},
	}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.cut.Load() {
			panic(http.ErrAbortHandler)
		}
		through.ServeHTTP(w, r)
		if l.cut.Load() { // the answer does not arrive
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *link) leadTo(h *house) { l.to.Store(&target{h.URL, h.token}) }

// stale asks until the copy is too old, and holds that nothing is said from then on.
func (h *house) stale(v *verifier.Verifier, value string, since time.Time) {
	h.t.Helper()
	for {
		asked := time.Now()
		got, err := v.Verify(h.t.Context(), keyward.VerifyRequest{Key: value})
		if errors.Is(err, verifier.ErrStale) {
			break
		}
		if err != nil || !got.Valid {
			h.t.Fatalf("%s after: %s, %v", time.Since(since), got.Code, err)
		}
		if asked.Sub(since) > staleness {
			h.t.Fatalf("VALID to a question %s after the source was gone", asked.Sub(since))
		}
		time.Sleep(2 * time.Millisecond)
	}
	for range 50 {
		if got, err := v.Verify(h.t.Context(), keyward.VerifyRequest{Key: value}); !errors.Is(err, verifier.ErrStale) ||
			got.Valid {
			h.t.Fatalf("after ErrStale: %s, %v", got.Code, err)
		}
	}
	if v.Ready() || v.Stats().Ready {
		h.t.Error("it says that it is ready")
	}
	items := []keyward.VerifyRequest{{Key: value}, {Key: "nonsense"}}
	if got, err := v.VerifyBatch(h.t.Context(), items); !errors.Is(err, verifier.ErrStale) {
		h.t.Errorf("a batch: %v, %v", got, err)
	}
}
