package server_test

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/server"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
	"github.com/keyward/keyward/internal/store/sqlite"
)

const years = 3 * 365 * 24 * time.Hour

// steppable is a wall clock that a test steps.
type steppable struct{ by atomic.Int64 }

func (s *steppable) now() time.Time       { return time.Now().Add(time.Duration(s.by.Load())) }
func (s *steppable) step(d time.Duration) { s.by.Add(int64(d)) }

// expiring makes a workspace with a key for three months, a key without an end, and one that was rotated with an
// overlap of an hour, and answers their values; of the last one the earlier value.
func expiring(t *testing.T, c *keyward.Client) (workspace string, three, endless, earlier keyward.Secret) {
	t.Helper()
	w, err := c.CreateWorkspace(
		t.Context(),
		keyward.CreateWorkspaceRequest{Name: "Acme", Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	soon := time.Now().AddDate(0, 3, 0)
	create := func(at *time.Time) keyward.CreatedKey {
		k, err := c.CreateKey(
			t.Context(), keyward.CreateKeyRequest{WorkspaceID: w.ID, UserID: "ada", Name: "k", ExpiresAt: at},
		)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	rotated := create(nil)
	if _, err := c.RotateKey(t.Context(), rotated.APIKey.ID, time.Hour); err != nil {
		t.Fatal(err)
	}
	return w.ID, create(&soon).Key, create(nil).Key, rotated.Key
}

func verdictOf(t *testing.T, c *keyward.Client, value keyward.Secret) string {
	t.Helper()
	v, err := c.Verify(t.Context(), keyward.VerifyRequest{Key: value.Reveal()})
	var failed *keyward.Error
	if errors.As(err, &failed) {
		return string(failed.Code)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(v.Code)
}

func TestT103AStartWithAWrongClockIsTakenBack(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	var wall steppable
	s, stop := start(t, cfg, server.Options{Now: wall.now})
	root := s.Minted().Reveal()
	ws, three, endless, earlier := expiring(t, client(t, s, root))
	halt := func() {
		t.Helper()
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	is := func(when, wantThree, wantEarlier string) {
		t.Helper()
		c := client(t, s, root)
		if a, b, e := verdictOf(t, c, three), verdictOf(t, c, endless), verdictOf(t, c, earlier); a != wantThree ||
			b != "VALID" ||
			e != wantEarlier {
			t.Errorf("%s: the key for three months is %s, the one without an end %s, the earlier value %s", when, a, b, e)
		}
	}
	is("at first", "VALID", "VALID")
	for _, jump := range []time.Duration{2 * time.Hour, years} {
		want := "EXPIRED"
		if jump < 90*24*time.Hour {
			want = "VALID"
		}
		halt()
		wall.step(jump)
		log := &rig.Output{}
		s, stop = start(t, cfg, server.Options{Now: wall.now, Log: log})
		is("ahead, from a start", want, "NOT_FOUND")
		if _, err := client(t, s, root).UpdateWorkspace(t.Context(), ws,
			keyward.WorkspaceUpdate{Name: keyward.Set("Acme " + jump.String())}); err != nil {
			t.Error(err)
		}
		if !strings.Contains(log.String(), "provisional") {
			t.Error("the start does not say that the jump is provisional")
		}
		wall.step(-jump)
		is("put right, running", "VALID", "VALID")
		wall.step(jump)
		is("ahead, running", want, "NOT_FOUND")
		halt()
		wall.step(-jump)
		s, stop = start(t, cfg, server.Options{Now: wall.now})
		is("put right, from a start", "VALID", "VALID")
	}
	soon := time.Now().AddDate(0, 1, 0)
	if _, err := client(t, s, root).CreateKey(t.Context(),
		keyward.CreateKeyRequest{WorkspaceID: ws, UserID: "ada", Name: "new", ExpiresAt: &soon}); err != nil {
		t.Error("a new key for a month:", err)
	}
}

func TestT103TheClockOfANodeMovesNothing(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Addr = "127.0.0.1:0"
	if cfg.RootKey, err = format.Mint(rand.Reader, keyfmt.Service); err != nil {
		t.Fatal(err)
	}
	cfg.Postgres = keyfmt.NewSecret(pgtest.Database(t))
	root := cfg.RootKey.Reveal()
	a, _ := start(t, cfg, server.Options{})
	ca := client(t, a, root)
	ws, three, endless, earlier := expiring(t, ca)
	for _, by := range []time.Duration{years, -years, 20 * time.Second} {
		b, stop := start(t, cfg, server.Options{Now: func() time.Time { return time.Now().Add(by) }})
		cb := client(t, b, root)
		if err := cb.Ready(t.Context()); err == nil {
			t.Errorf("%v off: the node is ready", by)
		}
		for name, want := range map[string]struct {
			value keyward.Secret
			code  string
		}{"with an expiry": {three, "unavailable"}, "in its overlap": {earlier, "unavailable"}, "without an end": {endless,
			"VALID"}} {
			if got := verdictOf(t, cb, want.value); got != want.code {
				t.Errorf("%v off: a key %s is %s", by, name, got)
			}
		}
		if listed := earlierValues(t, cb, ws); listed["k"] != 1 {
			t.Errorf("%v off: the node lists the earlier values %v, and one works", by, listed)
		}
		soon := time.Now().AddDate(0, 1, 0)
		if _, err := cb.CreateKey(t.Context(),
			keyward.CreateKeyRequest{WorkspaceID: ws, UserID: "ada", Name: "new", ExpiresAt: &soon}); err != nil {
			t.Errorf("%v off: the node takes no change: %v", by, err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		for name, value := range map[string]keyward.Secret{"with an expiry": three, "in its overlap": earlier} {
			if got := verdictOf(t, ca, value); got != "VALID" {
				t.Errorf("after a node that was %v off, a key %s is %s at another", by, name, got)
			}
		}
		list, err := ca.ListLogs(t.Context(), keyward.ListLogsOptions{WorkspaceID: ws, Limit: 1})
		if err != nil || time.Since(list.Logs[0].CreatedAt).Abs() > time.Minute {
			t.Errorf("the change of a node that was %v off is dated %v, %v", by, list.Logs, err)
		}
	}
	b, _ := start(t, cfg, server.Options{Now: func() time.Time { return time.Now().Add(4 * time.Second) }})
	if err := client(t, b, root).Ready(t.Context()); err != nil {
		t.Error("4 s off:", err)
	}
}

// What is told of a key goes by the time by which it is verified, which here is years ahead of the machine's clock.
func TestT103AnswersGoByTheTimeOfVerification(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	s, stop := start(t, cfg, server.Options{})
	root := s.Minted().Reveal()
	ws, _, _, before := expiring(t, client(t, s, root))
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	leaveBehind(t, cfg.Database, years)
	s, _ = start(t, cfg, server.Options{})
	c := client(t, s, root)
	created, err := c.CreateKey(t.Context(), keyward.CreateKeyRequest{WorkspaceID: ws, UserID: "ada", Name: "new",
		RateLimit: keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(2)})})
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.RotateKey(t.Context(), created.APIKey.ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	listed := earlierValues(t, c, ws)
	if listed["k"] != 0 || listed["new"] != 1 {
		t.Errorf("earlier values that are listed: %v, want that of the new key alone", listed)
	}
	if got := verdictOf(t, c, before); got != "NOT_FOUND" {
		t.Errorf("the earlier value of before is %s", got)
	}
	own, err := keyward.New(s.URL(), keyward.WithToken(second.Key.Reveal()), keyward.WithRetry(0))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err = own.ListKeys(t.Context(), keyward.ListKeysOptions{Limit: 1})
	}
	var refused *keyward.Error
	if !errors.As(err, &refused) || refused.Status != http.StatusTooManyRequests || refused.RetryAfter > time.Minute {
		t.Errorf("over the limit: %+v, want a wait within the minute", refused)
	}
}

// earlierValues counts the previousKeys of a workspace's keys by their names.
func earlierValues(t *testing.T, c *keyward.Client, workspace string) map[string]int {
	t.Helper()
	listed := map[string]int{}
	for k, err := range c.AllKeys(t.Context(), keyward.ListKeysOptions{WorkspaceID: workspace}) {
		if err != nil {
			t.Fatal(err)
		}
		listed[k.Name] += len(k.PreviousKeys)
	}
	return listed
}

// leaveBehind has a database believe that it is later than it is, as after hours with a wrong clock.
func leaveBehind(t *testing.T, file string, ahead time.Duration) {
	t.Helper()
	now := time.Now().UTC()
	d, err := sqlite.Open(file, sqlite.Options{Lock: true})
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(
		t.Context(), d, store.Options{Now: func() time.Time { return now.Round(0) }, Catalogue: perm.Builtin()},
	)
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(ahead)
	if err := errors.Join(db.MarkTime(t.Context()), db.Close()); err != nil {
		t.Error(err)
	}
}
