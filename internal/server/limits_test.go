package server_test

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/server"
)

// limited makes a workspace with a key that has limits; 0 is none.
func limited(t *testing.T, c *keyward.Client, perMinute, perDay int) string {
	t.Helper()
	w, err := c.CreateWorkspace(
		t.Context(),
		keyward.CreateWorkspaceRequest{Name: "Acme", Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	l := keyward.Limits{}
	if perMinute > 0 {
		l.RequestsPerMinute = keyward.Set(perMinute)
	}
	if perDay > 0 {
		l.RequestsPerDay = keyward.Set(perDay)
	}
	k, err := c.CreateKey(
		t.Context(), keyward.CreateKeyRequest{WorkspaceID: w.ID, UserID: "ada", Name: "k", RateLimit: keyward.Set(l)},
	)
	if err != nil {
		t.Fatal(err)
	}
	return k.Key.Reveal()
}

// codes verifies a number of times and returns the outcomes.
func codes(t *testing.T, c *keyward.Client, key string, times int) string {
	t.Helper()
	var out []string
	for range times {
		v, err := c.Verify(t.Context(), keyward.VerifyRequest{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(v.Code))
	}
	return strings.Join(out, " ")
}

func TestARestartInOrderForgetsNoLimitT38(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	s, stop := start(t, cfg, server.Options{})
	root := s.Minted().Reveal()
	c := client(t, s, root)
	minute, day := limited(t, c, 5, 0), limited(t, c, 0, 40)
	codes(t, c, minute, 3)
	codes(t, c, day, 38)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	s, _ = start(t, cfg, server.Options{})
	c = client(t, s, root)
	if got := codes(t, c, minute, 3); got != "VALID VALID RATE_LIMITED" {
		t.Errorf("the minute after a restart: %s", got)
	}
	if got := codes(t, c, day, 3); got != "VALID VALID QUOTA_EXCEEDED" {
		t.Errorf("the day after a restart: %s", got)
	}
}

// crash starts a server on a copy of the files of one that still runs: the files that a machine finds after a loss of
// power.
func crash(t *testing.T, cfg config.Config) (s *server.Server) {
	t.Helper()
	copied := settings(t)
	copied.StrictRestart = cfg.StrictRestart
	for _, part := range []string{"", "-wal"} {
		copyFile(t, cfg.Database+part, copied.Database+part)
	}
	s, _ = start(t, copied, server.Options{})
	return s
}

func TestAfterACrashTheDayNeverAdmitsMoreT38(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	s, _ := start(t, cfg, server.Options{})
	root := s.Minted().Reveal()
	c := client(t, s, root)
	key := limited(t, c, 0, 100)
	before := strings.Count(codes(t, c, key, 60), "VALID")
	c = client(t, crash(t, cfg), root)
	after := strings.Count(codes(t, c, key, 60), "VALID")
	if before != 60 || before+after > 100 || before+after < 95 {
		t.Errorf("%d before the crash and %d after it; the limit is 100, a block 5", before, after)
	}
}

func TestAStrictRestartRefusesForAMinuteT38(t *testing.T) {
	t.Parallel()
	for strict, want := range map[bool]string{true: "RATE_LIMITED", false: "VALID"} {
		cfg := settings(t)
		cfg.StrictRestart = strict
		s, _ := start(t, cfg, server.Options{})
		root := s.Minted().Reveal()
		c := client(t, s, root)
		key := limited(t, c, 2, 0)
		if got := codes(t, c, key, 3); got != "VALID VALID RATE_LIMITED" {
			t.Errorf("before: %s", got)
		}
		if got := codes(t, client(t, crash(t, cfg), root), key, 1); got != want {
			t.Errorf("after a crash, strict %v: %s", strict, got)
		}
	}
}

func TestTheDayEndsAtMidnightUTCAndNeverComesBackT31(t *testing.T) {
	t.Parallel()
	base := time.Now()
	var offset atomic.Int64
	midnight := base.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	offset.Store(int64(midnight.Add(-time.Hour).Sub(base)))
	s, _ := start(t, settings(t), server.Options{Now: now})
	c := client(t, s, s.Minted().Reveal())
	key := limited(t, c, 0, 2)
	if got := codes(t, c, key, 3); got != "VALID VALID QUOTA_EXCEEDED" {
		t.Errorf("today: %s", got)
	}
	step := func(d time.Duration) {
		offset.Add(int64(d))
		time.Sleep(20 * time.Millisecond) // the wall clock is looked at every 10
	}
	step(2 * time.Hour)
	if got := codes(t, c, key, 3); got != "VALID VALID QUOTA_EXCEEDED" {
		t.Errorf("tomorrow: %s", got)
	}
	step(-12 * time.Hour)
	if got := codes(t, c, key, 2); got != "QUOTA_EXCEEDED QUOTA_EXCEEDED" {
		t.Errorf("back to today: %s", got)
	}
}

func TestOurOwnAPICountsWhatAKeyAsksT43(t *testing.T) {
	t.Parallel()
	s, _ := start(t, settings(t), server.Options{})
	c := client(t, s, s.Minted().Reveal())
	key := limited(t, c, 3, 0)
	self := func() *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/api/v2/permissions", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp
	}
	for i := range 3 {
		resp := self()
		if got, want := resp.Header.Get("RateLimit"), `"minute";r=`+strconv.Itoa(2-i)+`;t=60`; resp.StatusCode != 200 ||
			got != want {
			t.Errorf("request %d: %d, RateLimit %s, want %s", i+1, resp.StatusCode, got, want)
		}
	}
	resp := self()
	wait, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	if resp.StatusCode != 429 || wait < 55 || wait > 61 || resp.Header.Get("RateLimit-Policy") != `"minute";q=3;w=60` {
		t.Errorf("the fourth: %d %v", resp.StatusCode, resp.Header)
	}
	if got := codes(t, c, key, 1); got != "RATE_LIMITED" {
		t.Errorf("a verification of the same key: %s", got)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestNoOtherRefusalSpendsALimitT43(t *testing.T) {
	t.Parallel()
	var offset atomic.Int64
	s, _ := start(
		t, settings(t), server.Options{Now: func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }},
	)
	c := client(t, s, s.Minted().Reveal())
	key := limited(t, c, 5, 50)
	v, err := c.Verify(t.Context(), keyward.VerifyRequest{Key: key, Cost: new(0)})
	if err != nil {
		t.Fatal(err)
	}
	roles := map[string]string{}
	for r, err := range c.AllRoles(t.Context(), v.WorkspaceID, keyward.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		roles[r.Name] = r.ID
	}
	member := func(role string) {
		t.Helper()
		update := keyward.MemberUpdate{RoleID: keyward.Set(roles[role])}
		if _, err := c.UpdateMember(t.Context(), v.WorkspaceID, "bob", update); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := c.PutMember(t.Context(), v.WorkspaceID, "bob",
		keyward.PutMemberRequest{Email: "bob@example.com", RoleID: roles["Admin"]}); err != nil {
		t.Fatal(err)
	}
	capped := keyward.WorkspaceUpdate{
		Settings: keyward.SettingsUpdate{PermissionMode: keyward.Set(keyward.PermissionModeCapped)},
	}
	if _, err := c.UpdateWorkspace(t.Context(), v.WorkspaceID, capped); err != nil {
		t.Fatal(err)
	}
	ends := time.Now().Add(time.Hour)
	k, err := c.CreateKey(
		t.Context(),
		keyward.CreateKeyRequest{WorkspaceID: v.WorkspaceID, UserID: "bob", Name: "k", ExpiresAt: &ends,
			RateLimit: keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(5), RequestsPerDay: keyward.Set(50)})},
	)
	if err != nil {
		t.Fatal(err)
	}
	change := func(u keyward.KeyUpdate) {
		t.Helper()
		u.ID = k.APIKey.ID
		if done, err := c.UpdateKeys(t.Context(), []keyward.KeyUpdate{u}); err != nil || len(done.Errors) > 0 {
			t.Fatal(err, done)
		}
	}
	write := keyward.Demand{All: []string{"api-keys:write", "members:invite"}}
	refusals := 0
	refused := func(want keyward.VerdictCode, d keyward.Demand) {
		t.Helper()
		for range 10 {
			v, err := c.Verify(t.Context(), keyward.VerifyRequest{Key: k.Key.Reveal(), Permissions: d})
			if err != nil || v.Code != want || v.RateLimit != nil {
				t.Fatalf("%+v, %v; want %s", v, err, want)
			}
			refusals++
		}
	}
	refused(keyward.VerdictInsufficientPermissions, keyward.Demand{All: []string{"workspace:delete"}})
	member("Viewer") // the cap narrows the key, and the limits come after it
	refused(keyward.VerdictInsufficientPermissions, write)
	member("Admin")
	change(keyward.KeyUpdate{AllowedIPs: keyward.Set([]string{"192.0.2.0/24"})})
	refused(keyward.VerdictIPForbidden, write)
	change(keyward.KeyUpdate{AllowedIPs: keyward.Set([]string{}), IsActive: keyward.Set(false)})
	refused(keyward.VerdictDisabled, write)
	change(keyward.KeyUpdate{IsActive: keyward.Set(true)})
	got, err := c.Verify(t.Context(), keyward.VerifyRequest{Key: k.Key.Reveal(), Permissions: write})
	if err != nil || !got.Valid || got.RateLimit.Minute.Remaining != 4 || got.RateLimit.Day.Remaining != 49 ||
		refusals != 40 {
		t.Errorf("after %d refusals: %+v, %+v, %v", refusals, got, got.RateLimit, err)
	}
	offset.Store(int64(2 * time.Hour))
	refused(keyward.VerdictExpired, write)
}

// T43: asking for itself costs a key nothing and is refused by no spent limit, but each address is bounded; all else
// costs.
func TestAKeyAsksForItselfWithoutCost(t *testing.T) {
	t.Parallel()
	s, _ := start(t, settings(t), server.Options{})
	c := client(t, s, s.Minted().Reveal())
	key := limited(t, c, 1, 2)
	self := func() *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/api/v2/api-keys/self", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp
	}
	for range 5 {
		if resp := self(); resp.StatusCode != 200 || resp.Header.Get("RateLimit") != "" ||
			resp.Header.Get("RateLimit-Policy") != "" {
			t.Fatalf("before: %d %v", resp.StatusCode, resp.Header)
		}
	}
	if got := codes(t, c, key, 2); got != "VALID RATE_LIMITED" {
		t.Errorf("after it asked for itself: %s", got)
	}
	if resp := attempt(t, s, key); resp.StatusCode != 429 {
		t.Errorf("another operation, the minute spent: %d", resp.StatusCode)
	}
	refused := 0
	for range 200 {
		switch resp := self(); {
		case resp.StatusCode == 200 && refused == 0:
		case resp.StatusCode == 429 && resp.Header.Get("Retry-After") != "":
			refused++
		default:
			if resp.StatusCode != 200 {
				t.Fatalf("too often: %d %v", resp.StatusCode, resp.Header)
			}
		}
	}
	if refused < 50 {
		t.Errorf("of 205 in a moment from one address %d are refused", refused)
	}
}

// attempt asks for the permissions with a credential and answers the status.
func attempt(t *testing.T, s *server.Server, token string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/api/v2/permissions", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp
}

func TestGuessingIsRefusedAndGoodCredentialsGoOnT14(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	cfg.BadCredentials = 20
	s, _ := start(t, cfg, server.Options{})
	c := client(t, s, s.Minted().Reveal())
	key := limited(t, c, 0, 0)
	const unknown = "kw_live_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA2ImIO6"
	for range 30 {
		if got := codes(t, c, unknown, 1); got != "NOT_FOUND" { // somebody else's guess: no attempt of the service that asks
			t.Fatal(got)
		}
	}
	for i, guess := range []string{unknown, "nonsense"} {
		for range 10 {
			if resp := attempt(t, s, guess); resp.StatusCode != 401 {
				t.Errorf("guess %d: %d", i, resp.StatusCode)
			}
		}
	}
	for _, guess := range []string{unknown, "nonsense", "kw_svc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAzzzzzz"} {
		if resp := attempt(t, s, guess); resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s after twenty others: %d %v", guess, resp.StatusCode, resp.Header)
		}
	}
	if resp := attempt(t, s, key); resp.StatusCode != 200 {
		t.Errorf("a good key from the same address: %d", resp.StatusCode)
	}
}
