package server_test

import (
	"testing"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/server"
)

const pepperOfHubs = "the pepper of the core and its hub"

func (c *core) bound(workspaces ...string) string {
	c.t.Helper()
	k, err := c.root.CreateServiceKey(c.t.Context(), keyward.CreateServiceKeyRequest{
		Name: "bound", Scopes: []keyward.Scope{"follow", "verify"}, WorkspaceIDs: workspaces,
	})
	c.must(err)
	return k.Key.Reveal()
}

// A follower that is bound to a workspace has no pepper, whether it follows the core, a hub that has the pepper, or one
// that is bound itself. Its own service key may ask it.
func TestABoundFollowerNeedsNoPepperBelowAHub(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	cfg.Pepper = keyfmt.NewSecret(pepperOfHubs)
	c := newCore(t, cfg)
	other, err := c.root.CreateWorkspace(t.Context(), keyward.CreateWorkspaceRequest{Name: "Other",
		Owner: &keyward.Owner{UserID: "eve", Email: "eve@example.com"}})
	c.must(err)
	theirs, err := c.root.CreateKey(t.Context(), keyward.CreateKeyRequest{WorkspaceID: other.ID, UserID: "eve", Name: "k"})
	c.must(err)
	_, before := c.key(keyward.Field[keyward.Limits]{})
	operator, both, one := c.service("follow"), c.bound(c.ws, other.ID), c.bound(c.ws)

	wide, stopWide := c.followerUntil(c.url, operator, "KEYWARD_FEED=true", "KEYWARD_PEPPER="+pepperOfHubs)
	t.Cleanup(stopWide)
	narrow, stopNarrow := c.followerUntil(c.url, both, "KEYWARD_FEED=true")
	t.Cleanup(stopNarrow)
	_, after := c.key(keyward.Field[keyward.Limits]{})
	for where, source := range map[string]string{"the core": c.url, "a hub with the pepper": wide, "a bound hub": narrow} {
		at := c.as(c.follower(source, one), one)
		for what, value := range map[string]string{"an earlier key": before, "a later key": after} {
			eventually(t, what+" below "+where, func() bool {
				v, err := at.Verify(t.Context(), keyward.VerifyRequest{Key: value})
				return err == nil && v.Valid
			})
		}
		c.says(at, theirs.Key.Reveal(), keyward.VerdictNotFound, "another workspace's key below "+where)
		if _, err := c.as(c.url, both).Verify(t.Context(), keyward.VerifyRequest{Key: after}); err != nil {
			t.Error(err)
		}
	}
	wideAt := c.as(wide, operator)
	if v, err := wideAt.Verify(t.Context(), keyward.VerifyRequest{Key: theirs.Key.Reveal()}); err != nil || !v.Valid {
		t.Errorf("at the hub with the pepper: %+v, %v", v, err)
	}
}

// A digest of a key from before a change of the pepper is under a key of the old one, which the feed tells as long as
// that is configured.
func TestAChangedPepperIsFollowedByBoundFollowers(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	cfg.Pepper = keyfmt.NewSecret(pepperOfHubs)
	var token, old string
	t.Run("before", func(t *testing.T) {
		c := newCore(t, cfg)
		token = c.bound(c.ws)
		_, old = c.key(keyward.Field[keyward.Limits]{})
	})
	cfg.Pepper, cfg.PepperPrevious = keyfmt.NewSecret("the pepper that came later"), []keyfmt.Secret{cfg.Pepper}
	cfg.MaxStaleness = staleness
	s, _ := start(t, cfg, server.Options{})
	c := &core{t: t, url: s.URL()}
	at := c.as(c.follower(c.url, token), token)
	c.says(at, old, keyward.VerdictValid, "a key of the old pepper")
}
