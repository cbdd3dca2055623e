package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keyward/keyward"
)

// paths is a proxy in front of a server that counts the questions by their path.
func (c *core) paths(of string) (at string, count func(path string) int64) {
	to, err := url.Parse(of)
	c.must(err)
	var asked sync.Map
	counter := func(path string) *atomic.Int64 {
		n, _ := asked.LoadOrStore(path, new(atomic.Int64))
		return n.(*atomic.Int64)
	}
	through := httputil.NewSingleHostReverseProxy(to)
	through.Transport = &http.Transport{DisableKeepAlives: true}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		counter(r.URL.Path).Add(1)
		through.ServeHTTP(w, r)
	}))
	c.t.Cleanup(s.Close)
	return s.URL, func(path string) int64 { return counter(path).Load() }
}

// admitted counts the verifications that are admitted of so many, at all doors in turn.
func (c *core) admitted(value string, tries int, doors ...*keyward.Client) (n int) {
	c.t.Helper()
	for i := range tries {
		v, err := doors[i%len(doors)].Verify(c.t.Context(), keyward.VerifyRequest{Key: value})
		c.must(err)
		if v.Valid {
			n++
		}
	}
	return n
}

// A chain spends the limits of the node at its head: a follower of a hub leases units and reserves blocks through the
// hub, and asks for no verdict. What it has used is counted there. So does one whose service key is bound to networks,
// which the node would see another address of.
func TestLimitsAreExactBehindAHub(t *testing.T) {
	t.Parallel()
	c := newCore(t, settings(t))
	for what, token := range map[string]string{
		"any service key":         c.service("follow"),
		"one bound to networks":   c.networked("127.0.0.0/8"),
		"one bound to everything": c.networked("127.0.0.0/8", c.ws),
	} {
		t.Run(what, func(t *testing.T) { c.limitsBehindAHub(t, token) })
	}
}

// networked makes a service key that is bound to a network, and to workspaces.
func (c *core) networked(network string, workspaces ...string) string {
	c.t.Helper()
	made, err := c.root.CreateServiceKey(c.t.Context(), keyward.CreateServiceKeyRequest{
		Name: "networked", Scopes: []keyward.Scope{"follow", "verify"}, AllowedIPs: []string{network},
		WorkspaceIDs: workspaces,
	})
	c.must(err)
	return made.Key.Reveal()
}

func (c *core) limitsBehindAHub(t *testing.T, token string) {
	hub, stop := c.followerUntil(c.url, c.service("follow"), "KEYWARD_FEED=true")
	t.Cleanup(stop)
	second, stopSecond := c.followerUntil(hub, token, "KEYWARD_FEED=true")
	t.Cleanup(stopSecond)
	through, asked := c.paths(second)
	lastAt, stopLast := c.followerUntil(through, token)
	t.Cleanup(stopLast)
	last := c.as(lastAt, token)
	doors := []*keyward.Client{last, c.as(hub, token), c.root, last}
	for what, limits := range map[string]keyward.Limits{
		"per minute": {RequestsPerMinute: keyward.Set(20)}, "per day": {RequestsPerDay: keyward.Set(20)},
	} {
		id, value := c.key(keyward.Set(limits))
		eventually(t, "the key at the end", func() bool {
			v, err := last.Verify(t.Context(), keyward.VerifyRequest{Key: value})
			return err == nil && v.Code != keyward.VerdictNotFound
		})
		n := 1 + c.admitted(value, 60, doors...)
		if n > 20 {
			t.Errorf("%s: %d of 20 were admitted", what, n)
		}
		n += c.admitted(value, 60, last)
		if n > 20 || n < 10 {
			t.Errorf("%s: %d of 20 were admitted", what, n)
		}
		eventually(t, "the uses "+what, func() bool {
			u, err := c.root.KeyUsage(t.Context(), id, keyward.UsageOptions{})
			c.must(err)
			verified := int64(0)
			for _, b := range u.Series {
				verified += b.Verified
			}
			return verified == int64(n)
		})
	}
	if n := asked("/api/v2/api-keys/verify"); n != 0 {
		t.Errorf("the hub was asked for %d verdicts", n)
	}
	for _, path := range []string{"/api/v2/feed/leases", "/api/v2/feed/days", "/api/v2/feed/usage"} {
		if asked(path) == 0 {
			t.Errorf("the hub was not asked for %s", path)
		}
	}
}

// post asks an operation of the feed.
func (c *core) post(t *testing.T, url, token, path, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/v2/feed"+path, strings.NewReader(body))
	c.must(err)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	c.must(err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	c.must(err)
	return resp.StatusCode, string(text)
}

// knows waits until a follower takes a service key.
func (c *core) knows(t *testing.T, url, token, value string) {
	t.Helper()
	eventually(t, "the follower knows the service key", func() bool {
		v, err := c.as(url, token).Verify(t.Context(), keyward.VerifyRequest{Key: value, Cost: new(int)})
		return err == nil && v.Valid
	})
}

// A hub asks for a child by the credential of that child: what it may spend itself is none of the child's.
func TestAHubBorrowsForAChildWithinTheBoundsOfTheChild(t *testing.T) {
	t.Parallel()
	c := newCore(t, settings(t))
	hub, stop := c.followerUntil(c.url, c.service("follow"), "KEYWARD_FEED=true")
	t.Cleanup(stop)
	other, err := c.root.CreateWorkspace(t.Context(), keyward.CreateWorkspaceRequest{Name: "Other",
		Owner: &keyward.Owner{UserID: "eve", Email: "eve@example.com"}})
	c.must(err)
	theirs, err := c.root.CreateKey(t.Context(), keyward.CreateKeyRequest{WorkspaceID: other.ID, UserID: "eve", Name: "k",
		RateLimit: keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(5)})})
	c.must(err)
	mine, value := c.key(keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(5)}))
	token := c.bound(c.ws)
	c.knows(t, hub, token, value)
	lease := func(number, key string) string {
		_, answer := c.post(t, hub, token, "/leases",
			`{"incarnation":"i","leases":[{"number":`+number+`,"keyId":"`+key+`","cost":1,"minute":{"want":1}}]}`)
		return answer
	}
	if got := lease("1", mine); !strings.Contains(got, `"granted":1`) {
		t.Errorf("of a key within its bounds: %s", got)
	}
	if got := lease("2", theirs.APIKey.ID); !strings.Contains(got, `"not_found"`) {
		t.Errorf("of another workspace's key: %s", got)
	}
}
