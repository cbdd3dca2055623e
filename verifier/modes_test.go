package verifier_test

import (
	"errors"
	"testing"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/verifier"
)

// A verifier that is to admit more than its server starts only with leave in its service key, and then counts by
// itself. One that is to admit less needs none.
func TestAVerifierIsLessStrictThanItsServerOnlyWithLeave(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	made := func(modes ...keyward.FollowerMode) string {
		k, err := h.Client().CreateServiceKey(t.Context(), keyward.CreateServiceKeyRequest{
			Name: "f", Scopes: []keyward.Scope{"follow"}, FollowerModes: modes,
		})
		h.must(err)
		return k.Key.Reveal()
	}
	none, local, open := made(), made(keyward.FollowLocal), made(keyward.FollowOpen)
	start := func(token string, mode verifier.LimitMode, policy verifier.LimitPolicy) (*verifier.Verifier, error) {
		return verifier.New(t.Context(), verifier.Config{URL: h.URL, Token: token, LimitMode: mode, LimitPolicy: policy})
	}
	for _, one := range []struct {
		what, token string
		mode        verifier.LimitMode
		policy      verifier.LimitPolicy
		leave       bool
	}{
		{"local without leave", none, verifier.LimitLocal, "", false},
		{"local with leave for open", open, verifier.LimitLocal, "", false},
		{"local with leave", local, verifier.LimitLocal, "", true},
		{"open without leave", none, "", verifier.PolicyOpen, false},
		{"open with leave for local", local, "", verifier.PolicyOpen, false},
		{"open with leave", open, "", verifier.PolicyOpen, true},
		{"exact", none, verifier.LimitExact, verifier.PolicyShare, true},
		{"closed", none, verifier.LimitLeased, verifier.PolicyClosed, true},
	} {
		v, err := start(one.token, one.mode, one.policy)
		if err == nil {
			h.must(v.Close())
		}
		if (err == nil) != one.leave || err != nil && !errors.Is(err, verifier.ErrLeave) {
			t.Errorf("%s: %v", one.what, err)
		}
	}
	v, err := start(local, verifier.LimitLocal, "")
	h.must(err)
	t.Cleanup(func() { _ = v.Close() })
	_, value := h.key(func(r *keyward.CreateKeyRequest) {
		r.RateLimit = keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(4)})
	})
	eventually(t, "the key at the verifier", func() bool {
		got, err := v.Verify(t.Context(), keyward.VerifyRequest{Key: value, Cost: new(0)})
		return err == nil && got.Valid
	})
	for place, ask := range map[string]keyward.Verifier{"the verifier": v, "the server": h.client} {
		admitted := 0
		for range 9 {
			if got, err := ask.Verify(t.Context(), keyward.VerifyRequest{Key: value}); err == nil && got.Valid {
				admitted++
			}
		}
		if admitted != 4 {
			t.Errorf("%s admits %d of 4", place, admitted)
		}
	}
}

func TestAWrongModeOrPolicyIsNamed(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]verifier.Config{
		`verifier: Config.LimitMode: "Local": want leased, exact or local`:  {LimitMode: "Local"},
		`verifier: Config.LimitPolicy: "never": want share, open or closed`: {LimitPolicy: "never"},
		`verifier: Config.RefuseWhileAway: give either this or Config.LimitPolicy`: {
			RefuseWhileAway: true, LimitPolicy: verifier.PolicyOpen,
		},
	} {
		c.URL, c.Token = "http://127.0.0.1:1", "kw_svc_x"
		if _, err := verifier.New(t.Context(), c); err == nil || err.Error() != what {
			t.Errorf("%v, want %s", err, what)
		}
	}
}
