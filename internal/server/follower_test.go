package server_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/server"
)

// core is a server with a workspace, and root its root key's client.
type core struct {
	t     *testing.T
	url   string
	token string
	root  *keyward.Client
	ws    string
}

const staleness = 2 * time.Second

func newCore(t *testing.T, cfg config.Config) *core {
	t.Helper()
	cfg.MaxStaleness = staleness
	s, _ := start(t, cfg, server.Options{})
	c := &core{t: t, url: s.URL()}
	c.token = s.Minted().Reveal()
	c.root = c.as(c.url, c.token)
	w, err := c.root.CreateWorkspace(t.Context(), keyward.CreateWorkspaceRequest{Name: "W",
		Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"}})
	c.must(err)
	c.ws = w.ID
	return c
}

func (c *core) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *core) as(url, token string) *keyward.Client {
	c.t.Helper()
	client, err := keyward.New(url, keyward.WithToken(token), keyward.WithRetry(0))
	c.must(err)
	c.t.Cleanup(client.Close)
	return client
}

func (c *core) service(scopes ...keyward.Scope) string {
	c.t.Helper()
	k, err := c.root.CreateServiceKey(c.t.Context(), keyward.CreateServiceKeyRequest{Name: "s", Scopes: scopes})
	c.must(err)
	return k.Key.Reveal()
}

func (c *core) key(limits keyward.Field[keyward.Limits]) (id, value string) {
	c.t.Helper()
	k, err := c.root.CreateKey(
		c.t.Context(), keyward.CreateKeyRequest{WorkspaceID: c.ws, UserID: "ada", Name: "k", RateLimit: limits},
	)
	c.must(err)
	return k.APIKey.ID, k.Key.Reveal()
}

// follower runs a follower of a URL, and gives its address.
func (c *core) follower(url, token string) string {
	c.t.Helper()
	address, stop := c.followerUntil(url, token)
	c.t.Cleanup(stop)
	return address
}

// followerUntil runs a follower with more settings until stop is called.
func (c *core) followerUntil(url, token string, more ...string) (address string, stop func()) {
	c.t.Helper()
	cfg, err := config.LoadFollow(
		config.Sources{Environ: append([]string{"KEYWARD_SOURCE_URL=" + url, "KEYWARD_SOURCE_TOKEN=" + token,
			"KEYWARD_ADDR=127.0.0.1:0", "KEYWARD_MAX_STALENESS=" + staleness.String()}, more...)},
	)
	c.must(err)
	f, err := server.NewFollower(c.t.Context(), cfg, server.Options{})
	c.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	return f.Address(), func() {
		cancel()
		if err := errors.Join(<-ended, f.Close()); err != nil {
			c.t.Error(err)
		}
	}
}

// A hub that is stopped does not sign off for those below it, which answer on for a while.
func TestT110AHubThatIsStoppedIsWaitedForWithThoseBelowIt(t *testing.T) {
	t.Parallel()
	c := newCore(t, settings(t))
	token := c.service("follow")
	hub, stop := c.followerUntil(c.url, token, "KEYWARD_FEED=true")
	last := c.follower(hub, token)
	id, value := c.key(keyward.Field[keyward.Limits]{})
	at := c.as(last, token)
	eventually(t, "a new key", func() bool {
		v, err := at.Verify(t.Context(), keyward.VerifyRequest{Key: value})
		return err == nil && v.Valid
	})
	stop()
	c.remove(id)
	if v, err := at.Verify(t.Context(), keyward.VerifyRequest{Key: value}); !errors.Is(err, keyward.ErrUnavailable) {
		t.Errorf("after wait=all, at a follower of a hub that is gone: %s, %v", v.Code, err)
	}
}

func (c *core) says(at *keyward.Client, value string, want keyward.VerdictCode, when string) {
	c.t.Helper()
	v, err := at.Verify(c.t.Context(), keyward.VerifyRequest{Key: value})
	if err != nil || v.Code != want {
		c.t.Errorf("%s: %s, %v; want %s", when, v.Code, err, want)
	}
}

// remove deletes a key, and waits until that is true everywhere.
func (c *core) remove(id string) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodDelete, c.url+"/api/v2/api-keys/"+id+"?wait=all", nil)
	c.must(err)
	r.Header.Set("Authorization", "Bearer "+c.token)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	c.must(err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		c.t.Errorf("a deletion answers %d", resp.StatusCode)
	}
}

func TestT110AFollowerDecidesWithItsSourceAndARevocationIsTrueAfterWaitAll(t *testing.T) {
	t.Parallel()
	c := newCore(t, settings(t))
	token := c.service("follow", "verify")
	_, limited := c.key(keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(2)}))
	address := c.follower(c.url, token)
	at := c.as(address, token)
	c.says(at, limited, keyward.VerdictValid, "the first of two")
	c.says(c.as(c.url, token), limited, keyward.VerdictValid, "the second, at the source")
	c.says(at, limited, keyward.VerdictRateLimited, "the third")
	for range 5 {
		id, value := c.key(keyward.Field[keyward.Limits]{})
		eventually(t, "a new key", func() bool {
			v, err := at.Verify(t.Context(), keyward.VerifyRequest{Key: value})
			return err == nil && v.Valid
		})
		c.remove(id)
		c.says(at, value, keyward.VerdictNotFound, "after wait=all")
	}
	if _, err := c.as(address, c.service("manage")).Verify(t.Context(), keyward.VerifyRequest{Key: limited}); !errors.Is(
		err, keyward.ErrUnauthenticated,
	) {
		t.Errorf("a caller that the feed does not tell of: %v", err)
	}
	followers, err := c.root.ListFollowers(t.Context())
	if err != nil || len(followers) != 1 || followers[0].State != "ready" {
		t.Errorf("%+v, %v", followers, err)
	}
	if status, _ := get(t, address+"/api/v2/workspaces"); status != http.StatusNotFound {
		t.Errorf("another operation answers %d", status)
	}
}

// A link that is cut: the change waits until the follower must have fenced itself, and from then on it says nothing.
func TestT110AFollowerThatIsCutOffIsFencedWhenWaitAllAnswers(t *testing.T) {
	t.Parallel()
	c := newCore(t, settings(t))
	token := c.service("follow")
	to, err := url.Parse(c.url)
	c.must(err)
	var cut atomic.Bool
	through := httputil.NewSingleHostReverseProxy(to)
	through.Transport = &http.Transport{DisableKeepAlives: true}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cut.Load() {
			panic(http.ErrAbortHandler)
		}
		through.ServeHTTP(w, r)
		if cut.Load() { // the answer does not arrive
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(proxy.Close)
	id, value := c.key(keyward.Field[keyward.Limits]{})
	at := c.as(c.follower(proxy.URL, token), token)
	c.says(at, value, keyward.VerdictValid, "in step")
	cut.Store(true)
	began := time.Now()
	c.remove(id)
	if v, err := at.Verify(t.Context(), keyward.VerifyRequest{Key: value}); !errors.Is(err, keyward.ErrUnavailable) {
		t.Errorf("%s after the change, which was answered: %s, %v", time.Since(began), v.Code, err)
	}
	cut.Store(false)
	eventually(t, "the link is back", func() bool {
		v, err := at.Verify(t.Context(), keyward.VerifyRequest{Key: value})
		return err == nil && v.Code == keyward.VerdictNotFound
	})
}
