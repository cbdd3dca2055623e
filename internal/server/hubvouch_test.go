package server_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	neturl "net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward"
)

// otherWorkspace makes one, with a plan, and a key in it with limits.
func (c *core) otherWorkspace(t *testing.T) (workspace, key string) {
	t.Helper()
	other, err := c.root.CreateWorkspace(t.Context(), keyward.CreateWorkspaceRequest{Name: "Other",
		Owner: &keyward.Owner{UserID: "eve", Email: "eve@example.com"}})
	c.must(err)
	_, err = c.root.PutPlan(t.Context(), other.ID, keyward.Plan{RequestsPerDay: new(int64(100_000))})
	c.must(err)
	k, err := c.root.CreateKey(t.Context(), keyward.CreateKeyRequest{WorkspaceID: other.ID, UserID: "eve", Name: "k",
		RateLimit: keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(50), RequestsPerDay: keyward.Set(50)})})
	c.must(err)
	_, err = c.root.Verify(t.Context(), keyward.VerifyRequest{Key: k.Key.Reveal()})
	c.must(err)
	return other.ID, k.APIKey.ID
}

// A hub vouches for a caller whose service key is bound to networks, and asks by its own: no question reaches beyond
// the caller's workspaces and environments, and no caller gets at what another one holds.
func TestAHubVouchesForNoMoreThanTheBoundsOfTheCaller(t *testing.T) {
	t.Parallel()
	c := newCore(t, settings(t))
	both := keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(50), RequestsPerDay: keyward.Set(50)})
	mine, value := c.key(both)
	other, theirs := c.otherWorkspace(t)
	test, err := c.root.CreateKey(t.Context(), keyward.CreateKeyRequest{
		WorkspaceID: c.ws, UserID: "ada", Name: "test", Environment: keyward.EnvironmentTest, RateLimit: both,
	})
	c.must(err)
	testKey := test.APIKey.ID
	live, err := c.root.CreateServiceKey(t.Context(), keyward.CreateServiceKeyRequest{Name: "live",
		Scopes: []keyward.Scope{"follow"}, AllowedIPs: []string{"127.0.0.0/8"},
		Environments: []keyward.Environment{keyward.EnvironmentLive}})
	c.must(err)
	liveOnly := live.Key.Reveal()
	bound, twin := c.networked("127.0.0.1/32", c.ws), c.networked("127.0.0.1/32", c.ws)
	hub, stop := c.followerUntil(c.url, c.service("follow"), "KEYWARD_FEED=true")
	t.Cleanup(stop)
	today := time.Now().UTC().Format(time.DateOnly)
	lease := func(number int, key, minute string) string {
		return fmt.Sprintf(`{"incarnation":"i","leases":[{"number":%d,"keyId":"%s","cost":1,"minute":%s}]}`,
			number, key, minute)
	}
	day := func(number int, account string, want, give int) string {
		return fmt.Sprintf(`{"incarnation":"i","number":%d,"claims":[{"accountId":"%s","day":"%s","want":%d,"giveBack":%d}]}`,
			number, account, today, want, give)
	}
	now := time.Now().UnixMilli()
	uses := func(number int, keys ...string) string {
		var all, refusals []string
		for _, k := range keys {
			all = append(all, fmt.Sprintf(`{"keyId":"%s","workspaceId":"%s","startMs":%d,"counts":{"VALID":3}}`, k, c.ws, now))
			refusals = append(refusals, fmt.Sprintf(`{"keyId":"%s","atMs":%d,"seq":1,"code":"RATE_LIMITED","cost":1}`, k, now))
		}
		return fmt.Sprintf(`{"incarnation":"i","number":%d,"uses":[%s],"previous":[{"keyId":"%s","untilMs":%d,"usedMs":%d}],"refusals":[%s]}`,
			number, strings.Join(all, ","), keys[0], now, now, strings.Join(refusals, ","))
	}
	nothing := `{"granted":0,"reserved":0`
	for _, one := range []struct {
		what, token, path, body string
		status                  int
		says                    string
	}{
		{"a key within", bound, "/leases", lease(1, mine, `{"want":10,"ahead":true}`), 200, `"granted":10,`},
		{"the same again", bound, "/leases", lease(1, mine, `{"want":10,"ahead":true}`), 200, `"charged":10,`},
		{"another question under its number", bound, "/leases", lease(1, mine, `{"want":9}`), 200, `"conflict"`},
		{"another caller's first", twin, "/leases", lease(1, mine, `{"want":10,"ahead":true}`), 200, `"charged":20,`},
		{"another workspace's key", bound, "/leases", lease(2, theirs, `{"want":1}`), 200, `"not_found"`},
		{"another environment's key", liveOnly, "/leases", lease(1, testKey, `{"want":1}`), 200, `"not_found"`},
		{"a question of none", bound, "/leases", lease(3, mine, `{"want":-1}`), 400, "want"},

		{"the day of a key within", bound, "/days", day(1, mine, 10, 0), 200, `"granted":10,"reserved":10`},
		{"the same again", bound, "/days", day(1, mine, 10, 0), 200, `"granted":10,"reserved":10`},
		{"another under its number", bound, "/days", day(1, theirs, 10, 0), 409, "conflict"},
		{"another caller gives that back", twin, "/days", day(1, mine, 0, 10), 200, `"granted":0,"reserved":10`},
		{"another workspace's key", bound, "/days", day(2, theirs, 10, 0), 200, nothing},
		{"another workspace", bound, "/days", day(3, other, 10, 0), 200, nothing},
		{"no account", bound, "/days", day(4, "00000000-0000-7000-8000-000000000001", 10, 0), 200, nothing},
		{"it gives back what it has", bound, "/days", day(5, mine, 0, 50), 200, nothing},
		{"another environment's key", liveOnly, "/days", day(1, testKey, 10, 0), 200, nothing},
		{"no account", liveOnly, "/days", day(2, "00000000-0000-7000-8000-000000000001", 10, 0), 200, nothing},
		{"a workspace with a plan", liveOnly, "/days", day(3, other, 10, 0), 200, `"granted":10,`},
		{"a claim of none", bound, "/days", day(6, mine, -1, 0), 400, "want"},

		{"uses of all", bound, "/usage", uses(1, theirs, mine), 200, `"taken":true`},
		{"the same again", bound, "/usage", uses(1, theirs, mine), 200, `"taken":true`},
		{"another environment's", liveOnly, "/usage", uses(1, testKey), 200, `"taken":true`},
		{"a use of none", bound, "/usage", `{"incarnation":"i","number":2,"uses":[{"startMs":0,"counts":{}}]}`, 400,
			"startMs"},
	} {
		if status, answer := c.post(t, hub, one.token, one.path, one.body); status != one.status ||
			!strings.Contains(answer, one.says) {
			t.Errorf("%s: %d %s, want %d and %s", one.what, status, answer, one.status, one.says)
		}
	}
	for id, want := range map[string]int64{mine: 3, theirs: 1, testKey: 0} {
		u, err := c.root.KeyUsage(t.Context(), id, keyward.UsageOptions{})
		c.must(err)
		refused, err := c.root.KeyRefusals(t.Context(), id, 10)
		c.must(err)
		if u.Total > want || id == mine && (u.Total != want || len(refused) != 1) || id != mine && len(refused) > 0 {
			t.Errorf("%s: %d uses, want %d, and %d refusals", id, u.Total, want, len(refused))
		}
	}
	look, err := c.root.Verify(t.Context(), keyward.VerifyRequest{Key: value, Cost: new(int)})
	c.must(err)
	if look.RateLimit.Minute.Remaining != 30 || look.RateLimit.Day.Remaining != 50 {
		t.Errorf("%d of the minute and %d of the day are left", look.RateLimit.Minute.Remaining, look.RateLimit.Day.Remaining)
	}
}

// A hub vouches for no caller from outside of the networks of its service key, and for none whose service key has
// ended.
func TestAHubVouchesForNobodyFromElsewhereAndForNobodyThatHasEnded(t *testing.T) {
	t.Parallel()
	c := newCore(t, settings(t))
	id, value := c.key(keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(50), RequestsPerDay: keyward.Set(50)}))
	elsewhere := c.networked("192.0.2.0/24")
	made, err := c.root.CreateServiceKey(t.Context(), keyward.CreateServiceKeyRequest{
		Name: "ends", Scopes: []keyward.Scope{"follow"}, AllowedIPs: []string{"127.0.0.1/32"},
	})
	c.must(err)
	ends := made.Key.Reveal()
	hub, stop := c.followerUntil(c.url, c.service("follow"), "KEYWARD_FEED=true")
	t.Cleanup(stop)
	c.knows(t, hub, ends, value)
	questions := func(n int) map[string]string {
		return map[string]string{
			"/leases": fmt.Sprintf(
				`{"incarnation":"i","leases":[{"number":%d,"keyId":"%s","cost":1,"minute":{"want":1}}]}`, n, id),
			"/days": fmt.Sprintf(`{"incarnation":"i","number":%d,"claims":[{"accountId":"%s","day":"%s","want":1,"giveBack":0}]}`,
				n, id, time.Now().UTC().Format(time.DateOnly)),
			"/usage": fmt.Sprintf(`{"incarnation":"i","number":%d,"uses":[{"startMs":%d,"counts":{"NOT_FOUND":1}}]}`,
				n, time.Now().UnixMilli()),
		}
	}
	for path, body := range questions(1) {
		if status, answer := c.post(t, hub, ends, path, body); status != http.StatusOK {
			t.Errorf("%s before: %d %s", path, status, answer)
		}
		if status, answer := c.post(t, hub, elsewhere, path, body); status != http.StatusUnauthorized {
			t.Errorf("%s from elsewhere: %d %s", path, status, answer)
		}
	}
	_, err = c.root.DeleteServiceKey(t.Context(), made.ServiceKey.ID, keyward.WaitAll())
	c.must(err)
	for path, body := range questions(2) {
		if status, answer := c.post(t, hub, ends, path, body); status != http.StatusUnauthorized {
			t.Errorf("%s after the end: %d %s", path, status, answer)
		}
	}
	look, err := c.root.Verify(t.Context(), keyward.VerifyRequest{Key: value, Cost: new(int)})
	c.must(err)
	if look.RateLimit.Minute.Remaining != 49 || look.RateLimit.Day.Remaining != 49 {
		t.Errorf("%d of the minute and %d of the day are left", look.RateLimit.Minute.Remaining, look.RateLimit.Day.Remaining)
	}
}

// behind is a proxy in front of a server that holds the feed back while hold is set. Questions about limits pass.
func (c *core) behind(t *testing.T) (url string, hold *atomic.Bool) {
	t.Helper()
	to, err := neturl.Parse(c.url)
	c.must(err)
	hold = new(atomic.Bool)
	wait := func(r *http.Request) error {
		for r.Method == http.MethodGet && hold.Load() && r.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		return nil
	}
	through := httputil.NewSingleHostReverseProxy(to)
	through.Transport = &http.Transport{DisableKeepAlives: true}
	through.ModifyResponse = func(r *http.Response) error { return wait(r.Request) }
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = wait(r)
		through.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, hold
}

// A key that the node knows and the hub does not know yet may lie outside of the caller's environments: the hub vouches
// for no claim on it.
func TestAHubVouchesForNoKeyThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	c := newCore(t, settings(t))
	live, err := c.root.CreateServiceKey(t.Context(), keyward.CreateServiceKeyRequest{Name: "live",
		Scopes: []keyward.Scope{"follow"}, AllowedIPs: []string{"127.0.0.0/8"},
		Environments: []keyward.Environment{keyward.EnvironmentLive}})
	c.must(err)
	front, hold := c.behind(t)
	hub, stop := c.followerUntil(front, c.service("follow"), "KEYWARD_FEED=true")
	t.Cleanup(stop)
	t.Cleanup(func() { hold.Store(false) })
	n := 0
	eventually(t, "the hub is fresh, and does not know the key", func() bool {
		hold.Store(true)
		defer hold.Store(false)
		made, err := c.root.CreateKey(t.Context(), keyward.CreateKeyRequest{WorkspaceID: c.ws, UserID: "ada", Name: "late",
			Environment: keyward.EnvironmentTest, RateLimit: keyward.Set(keyward.Limits{RequestsPerDay: keyward.Set(50)})})
		c.must(err)
		n++
		status, answer := c.post(t, hub, live.Key.Reveal(), "/days", fmt.Sprintf(
			`{"incarnation":"i","number":%d,"claims":[{"accountId":"%s","day":"%s","want":5,"giveBack":0}]}`,
			n, made.APIKey.ID, time.Now().UTC().Format(time.DateOnly),
		))
		if status == http.StatusOK && !strings.Contains(answer, `"granted":0,"reserved":0`) {
			t.Errorf("of a key that the hub does not know: %s", answer)
		}
		return status == http.StatusOK
	})
}

// A caller is good at a hub by its own address, and would be refused at the core, which sees the hub's.
func TestAHubAsksByItsOwnCredentialWhereTheSourceWouldRefuseTheCaller(t *testing.T) {
	t.Parallel()
	c := newCore(t, settings(t))
	hub, stop := c.followerUntil(c.url, c.service("follow"), "KEYWARD_FEED=true")
	t.Cleanup(stop)
	key, value := c.key(keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(50)}))
	token := c.networked("127.0.0.2/32", c.ws)
	c.knows(t, hub, c.service("verify"), value)
	elsewhere := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	transport := &http.Transport{DialContext: elsewhere.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	lease := func(client *http.Client, to string) (status int, answer string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to+"/api/v2/feed/leases", strings.NewReader(
			`{"incarnation":"i","leases":[{"number":1,"keyId":"`+key+`","cost":1,"minute":{"want":1}}]}`))
		c.must(err)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(r)
		c.must(err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		c.must(err)
		return resp.StatusCode, string(body)
	}
	eventually(t, "the hub to know the service key, and to borrow by its own", func() bool {
		status, answer := lease(&http.Client{Transport: transport}, hub)
		return status == http.StatusOK && strings.Contains(answer, `"granted":1`)
	})
	if status, answer := lease(http.DefaultClient, c.url); status == http.StatusOK {
		t.Errorf("the core takes the caller's credential from the hub's address: %s", answer)
	}
}
