package control_test

import (
	"context"
	"testing"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/store"
)

// rootKeys lists all service keys of an installation that has root keys alone.
func (k *kit) rootKeys(t failer) (all []account.ServiceKey) {
	t.Helper()
	must(t, k.db.View(context.Background(), func(v *store.View) error {
		found, err := v.ServiceKeys(store.Page{Limit: 100})
		all = found
		return err
	}))
	return all
}

// The root key of the environment ends when the variable is gone or changed, and where none would be left, one is
// minted.
func TestTheRootKeyOfTheEnvironmentEndsWithIt(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k := newKit(t, t.TempDir())
	t.Cleanup(func() { must(t, k.db.Close()) })
	start := func(given keyfmt.Secret) control.Roots {
		t.Helper()
		out, err := k.SetUp(ctx, given, 0)
		must(t, err)
		return out
	}
	first, second := k.secret(t), k.secret(t)
	if out := start(first); !out.Minted.IsZero() || out.Kept != 0 {
		t.Errorf("the first start: %+v", out)
	}
	environment := func() (ids []string) {
		for _, s := range k.rootKeys(t) {
			if s.FromEnv {
				ids = append(ids, string(s.ID))
			}
		}
		return ids
	}
	was := environment()
	start(first)
	if again := environment(); len(was) != 1 || len(again) != 1 || again[0] != was[0] {
		t.Fatalf("the same again: %v, then %v", was, again)
	}
	if err := k.DeleteServiceKey(ctx, k.root, was[0]); !fault.Is(err, fault.Conflict) {
		t.Errorf("deleted while it is set: %v", err)
	}
	if out := start(second); len(out.Ended) != 1 || out.Ended[0] != was[0] {
		t.Errorf("another value ended %v, want %v", out.Ended, was)
	}
	if out, err := k.EndRoots(ctx, 0); err != nil || len(out.Ended) != 0 || !out.Minted.IsZero() {
		t.Errorf("a look with nothing to end: %+v, %v", out, err)
	}
	start(first)
	if now := environment(); len(now) != 1 || now[0] == was[0] {
		t.Errorf("after another value: %v", now)
	}
	// Without the key that was minted at first, none is left when the variable goes.
	for _, s := range k.rootKeys(t) {
		if !s.FromEnv {
			c := control.Caller{}
			for _, e := range k.rootKeys(t) {
				if e.FromEnv {
					c = control.Caller{ServiceKey: e.ID, Presented: e.Digest.Sum}
				}
			}
			must(t, k.DeleteServiceKey(ctx, c, string(s.ID)))
		}
	}
	out := start(keyfmt.Secret{})
	if left := k.rootKeys(t); out.Minted.IsZero() || len(left) != 1 || left[0].FromEnv {
		t.Errorf("without the variable: minted %v, left %+v", !out.Minted.IsZero(), left)
	}
	if out := start(keyfmt.Secret{}); !out.Minted.IsZero() {
		t.Error("a second one is minted")
	}
}
