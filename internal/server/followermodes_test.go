package server_test

import (
	"errors"
	"testing"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/follower"
	"github.com/keyward/keyward/internal/server"
)

// A follower that is to admit more than its source does starts only with leave in its service key, and then counts by
// itself.
func TestAFollowerIsLessStrictThanItsSourceOnlyWithLeave(t *testing.T) {
	t.Parallel()
	c := newCore(t, settings(t))
	made := func(modes ...keyward.FollowerMode) string {
		k, err := c.root.CreateServiceKey(t.Context(), keyward.CreateServiceKeyRequest{
			Name: "f", Scopes: []keyward.Scope{"follow"}, FollowerModes: modes,
		})
		c.must(err)
		if len(k.ServiceKey.FollowerModes) != len(modes) {
			t.Errorf("made with %v", k.ServiceKey.FollowerModes)
		}
		return k.Key.Reveal()
	}
	starts := func(token, setting string) error {
		cfg, err := config.LoadFollow(config.Sources{Environ: []string{"KEYWARD_SOURCE_URL=" + c.url,
			"KEYWARD_SOURCE_TOKEN=" + token, "KEYWARD_ADDR=127.0.0.1:0", "KEYWARD_MAX_STALENESS=" + staleness.String(),
			setting}})
		c.must(err)
		f, err := server.NewFollower(t.Context(), cfg, server.Options{})
		if err == nil {
			c.must(f.Close())
		}
		return err
	}
	none, local, open := made(), made(keyward.FollowLocal), made(keyward.FollowOpen)
	for _, one := range []struct {
		what, token, setting string
		leave                bool
	}{
		{"local without leave", none, "KEYWARD_LIMIT_MODE=local", false},
		{"local with leave for open", open, "KEYWARD_LIMIT_MODE=local", false},
		{"local with leave", local, "KEYWARD_LIMIT_MODE=local", true},
		{"open without leave", none, "KEYWARD_LIMIT_POLICY=open", false},
		{"open with leave for local", local, "KEYWARD_LIMIT_POLICY=open", false},
		{"open with leave", open, "KEYWARD_LIMIT_POLICY=open", true},
		{"leased", none, "KEYWARD_LIMIT_MODE=leased", true},
	} {
		if err := starts(one.token, one.setting); (err == nil) != one.leave || err != nil &&
			!errors.Is(err, follower.ErrLeave) {
			t.Errorf("%s: %v", one.what, err)
		}
	}
	address, stop := c.followerUntil(c.url, local, "KEYWARD_LIMIT_MODE=local")
	t.Cleanup(stop)
	_, value := c.key(keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(4)}))
	at := c.as(address, local)
	eventually(t, "the key at the follower", func() bool {
		v, err := at.Verify(t.Context(), keyward.VerifyRequest{Key: value, Cost: new(int)})
		return err == nil && v.Valid
	})
	if n := c.admitted(value, 9, at); n != 4 {
		t.Errorf("%d of 4 at the follower", n)
	}
	if n := c.admitted(value, 9, c.root); n != 4 {
		t.Errorf("%d of 4 at the node, which does not know of the follower's", n)
	}
	for _, wrong := range []keyward.CreateServiceKeyRequest{
		{Name: "f", Scopes: []keyward.Scope{"verify"}, FollowerModes: []keyward.FollowerMode{"local"}},
		{Name: "f", Scopes: []keyward.Scope{"follow"}, FollowerModes: []keyward.FollowerMode{"exact"}},
	} {
		if _, err := c.root.CreateServiceKey(t.Context(), wrong); !errors.Is(err, keyward.ErrInvalid) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
}
