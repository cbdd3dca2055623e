package server_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/verifier"
)

// gate is a proxy of the feed that can be closed, and that can pass questions on elsewhere.
type gate struct {
	sync.RWMutex // held for writing while it is closed; a question is passed on under the reader's lock
	to           atomic.Pointer[url.URL]
	conflicts    atomic.Int64
}

func newGate(t *testing.T, to string) (g *gate, address string) {
	t.Helper()
	g = &gate{}
	g.lead(t, to)
	proxy := &httputil.ReverseProxy{FlushInterval: -1, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(g.to.Load()) },
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode == http.StatusConflict {
				g.conflicts.Add(1)
			}
			return nil
		}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/v2/feed") {
			g.RLock()
			defer g.RUnlock()
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return g, server.URL
}

// lead has questions passed on to an address.
func (g *gate) lead(t *testing.T, to string) {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	g.to.Store(u)
}

// A hub answers 409 to a cursor of the core that lies between its own pages. A follower that is sent from the core to
// the hub there loads a whole copy, and one that is sent back goes on without a load.
func TestAFollowerGoesFromACoreToAHubBetweenItsPages(t *testing.T) {
	t.Parallel()
	c := newCore(t, settings(t))
	token := c.service("follow", "verify")
	toCore, address := newGate(t, c.url)
	hub, stop := c.followerUntil(address, token, "KEYWARD_FEED=true")
	t.Cleanup(stop)
	toAny, anywhere := newGate(t, c.url)
	v, err := verifier.New(t.Context(), verifier.Config{URL: anywhere, Token: token, MaxStaleness: staleness,
		Logger: slog.New(slog.DiscardHandler)})
	c.must(err)
	t.Cleanup(func() { _ = v.Close() })
	says := func(value string, want keyward.VerdictCode) {
		t.Helper()
		rig.WaitFor(t, string(want), func() error {
			got, err := v.Verify(t.Context(), keyward.VerifyRequest{Key: value})
			if err == nil && got.Code != want {
				err = errors.New(string(got.Code))
			}
			return err
		})
	}

	toCore.Lock() // the hub hears of neither change before the other
	first, a := c.key(keyward.Field[keyward.Limits]{})
	says(a, keyward.VerdictValid)
	toAny.Lock()
	between := c.cursor(t, token)
	_, err = c.root.UpdateKeys(t.Context(), []keyward.KeyUpdate{{ID: first, IsActive: keyward.Set(false)}})
	c.must(err)
	_, b := c.key(keyward.Field[keyward.Limits]{})
	toCore.Unlock()
	c.knows(t, hub, token, b)
	page := "/api/v2/feed?fields=name,metadata&after=" + between
	if status, text := c.get(t, hub, token, page); status != http.StatusConflict ||
		!strings.Contains(text, "load a snapshot") {
		t.Errorf("a cursor between the pages of a hub: %d %s", status, text)
	}
	toAny.lead(t, hub)
	toAny.Unlock()
	says(b, keyward.VerdictValid)
	says(a, keyward.VerdictDisabled)
	if n := v.Stats().Loads; n != 2 || toAny.conflicts.Load() == 0 {
		t.Errorf("%d loads, %d answers of 409", n, toAny.conflicts.Load())
	}

	toAny.lead(t, c.url)
	_, last := c.key(keyward.Field[keyward.Limits]{})
	says(last, keyward.VerdictValid)
	if n := v.Stats().Loads; n != 2 {
		t.Errorf("%d loads after the way back", n)
	}
}

// cursor is the present one at the core.
func (c *core) cursor(t *testing.T, token string) string {
	t.Helper()
	_, text := c.get(t, c.url, token, "/api/v2/feed/snapshot?fields=name,metadata")
	_, cursor, _ := strings.Cut(text, `"cursor":"`)
	cursor, _, _ = strings.Cut(cursor, `"`)
	return cursor
}

func (c *core) get(t *testing.T, address, token, path string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+path, nil)
	c.must(err)
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	c.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	c.must(err)
	return resp.StatusCode, string(body)
}
