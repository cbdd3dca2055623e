package server_test

import (
	"strings"
	"testing"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/server"
)

// Two installations with one Redis and one key stand for two nodes: they share the key's id.
func TestAServerSharesItsMinutesOverRedisT37(t *testing.T) {
	t.Parallel()
	r := rig.StartRedis(t)
	cfg := settings(t)
	cfg.Redis = keyfmt.NewSecret("redis://" + r.Addr)
	s, stop := start(t, cfg, server.Options{})
	c := client(t, s, s.Minted().Reveal())
	w, err := c.CreateWorkspace(
		t.Context(),
		keyward.CreateWorkspaceRequest{Name: "Acme", Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	k, err := c.CreateKey(t.Context(), keyward.CreateKeyRequest{WorkspaceID: w.ID, UserID: "ada", Name: "k",
		RateLimit: keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(3), RequestsPerDay: keyward.Set(5)})})
	if err != nil {
		t.Fatal(err)
	}
	verify := func(c *keyward.Client) keyward.Verdict {
		t.Helper()
		v, err := c.Verify(t.Context(), keyward.VerifyRequest{Key: k.Key.Reveal()})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for want := 2; want >= 0; want-- {
		if v := verify(c); !v.Valid || v.RateLimit.Minute.Remaining != want || v.RateLimit.Day.Remaining != want+2 {
			t.Errorf("%+v", v.RateLimit)
		}
	}
	if v := verify(c); v.Code != keyward.VerdictRateLimited || v.RateLimit.Day.Remaining != 2 {
		t.Errorf("%s %+v", v.Code, v.RateLimit.Day)
	}
	if keys := r.CLI("--scan"); !strings.Contains(keys, strings.ReplaceAll(k.APIKey.ID, "-", "")) ||
		strings.Contains(keys, "kw_") {
		t.Errorf("Redis holds %s", keys)
	}

	// The windows are in Redis: a server that is new to them knows.
	root := s.Minted().Reveal()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	s, _ = start(t, cfg, server.Options{})
	if v := verify(client(t, s, root)); v.Code != keyward.VerdictRateLimited {
		t.Error(v.Code)
	}
}

func TestAServerStartsAndVerifiesWithoutTheRedisThatItIsToldOfT88(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	cfg.Redis = keyfmt.NewSecret("redis://127.0.0.1:1")
	s, _ := start(t, cfg, server.Options{})
	c := client(t, s, s.Minted().Reveal())
	if err := c.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	w, err := c.CreateWorkspace(
		t.Context(),
		keyward.CreateWorkspaceRequest{Name: "Acme", Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	k, err := c.CreateKey(t.Context(), keyward.CreateKeyRequest{WorkspaceID: w.ID, UserID: "ada", Name: "k",
		RateLimit: keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(1)})})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []keyward.VerdictCode{keyward.VerdictValid, keyward.VerdictRateLimited} {
		if v, err := c.Verify(t.Context(), keyward.VerifyRequest{Key: k.Key.Reveal()}); err != nil || v.Code != want {
			t.Errorf("%s, %v, want %s", v.Code, err, want)
		}
	}
}
