package control_test

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

var (
	switchOn  = control.UpdateKey{IsActive: control.Some(true)}
	switchOff = control.UpdateKey{IsActive: control.Some(false)}
)

// A workspace that wants an end, or an earlier one, applies that to every change that lets a value work again:
// enabling is refused with the wrong field, unless the same item brings a legal end. For every caller, in bulk,
// beside other items.
func TestT97EnablingIsHeldAgainstTheLongestLifetimeOfTheWorkspace(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]control.SettingsInput{
		"a longest lifetime": {MaxKeyLifetimeSeconds: control.Some[int64](3600)},
		"a required expiry":  {RequireExpiry: control.Some(true)},
		"both":               {MaxKeyLifetimeSeconds: control.Some[int64](3600), RequireExpiry: control.Some(true)},
	} {
		k, ws := inWorkspace(t)
		k.join(t, ws, "ada", "Admin")
		service, err := k.CreateServiceKey(context.Background(), k.root,
			control.CreateServiceKey{Name: "s", Scopes: []string{"manage"}, Workspaces: control.Some([]string{ws})})
		must(t, err)
		callers := map[string]control.Caller{
			"the root": k.root, "a bound service key": operator(service), "the owner": person(ws, "owner"),
			"a key": by(k.key(t, ws, "owner")),
		}
		old := map[string][]control.Revealed{}
		for who := range callers {
			endless, far := k.key(t, ws, "ada", "calls:read"), k.key(t, ws, "ada", "calls:read")
			must(t, k.one(k.root, of(far, control.UpdateKey{ExpiresAt: control.Some("2099-01-01")})))
			if old[who] = []control.Revealed{endless}; policy.MaxKeyLifetimeSeconds.Set {
				old[who] = append(old[who], far)
			}
		}
		k.settings(t, ws, policy)
		for who, c := range callers {
			for _, key := range old[who] {
				must(t, k.one(c, of(key, switchOff)))
				refusedWith(t, k.one(c, of(key, switchOn)), fault.InvalidRequest, "expiresAt")
				again := switchOn
				again.ExpiresAt = control.Null[string]()
				refusedWith(t, k.one(c, of(key, again)), fault.InvalidRequest, "expiresAt")
				must(t, k.one(c, of(key, control.UpdateKey{Name: control.Some("off as before")})))
				again.ExpiresAt = instant(key.Key.CreatedAt.Add(30 * time.Minute))
				if err := k.one(c, of(key, again)); err != nil {
					t.Errorf("%s, %s: with a legal end: %v", name, who, details(err))
				}
			}
		}
	}
}

// A key that is off and whose value is too old for any end that is legal gets a new value first.
func TestAKeyThatIsTooOldIsEnabledAfterARotation(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	key := k.key(t, ws, "owner")
	k.settings(t, ws, control.SettingsInput{MaxKeyLifetimeSeconds: control.Some[int64](1)})
	must(t, k.one(k.root, of(key, switchOff)))
	time.Sleep(1100 * time.Millisecond)
	soon := switchOn
	soon.ExpiresAt = instant(time.Now().Add(time.Minute))
	refusedWith(t, k.one(k.root, of(key, soon)), fault.InvalidRequest, "expiresAt")
	k.settings(t, ws, control.SettingsInput{MaxKeyLifetimeSeconds: control.Some[int64](3600)})
	rotated := k.rotate(t, key.Key, 0)
	if rotated.Key.IsActive || !rotated.Key.ExpiresAt.Equal(rotated.Key.Made().Add(time.Hour)) {
		t.Fatalf("rotated: active %t, until %v", rotated.Key.IsActive, rotated.Key.ExpiresAt)
	}
	must(t, k.one(k.root, of(key, switchOn)))
}

// lives returns the fault of a key value's end by the settings; "" for none.
func lives(key *control.Key, set account.Settings) string {
	switch last := key.Made().Add(set.MaxKeyLifetime); {
	case key.ExpiresAt.IsZero() && (set.RequireExpiry || set.MaxKeyLifetime > 0):
		return "has no end"
	case set.MaxKeyLifetime > 0 && key.ExpiresAt.After(last):
		return "ends after " + last.String()
	}
	return ""
}

// After every step by which a value begins to work, works again or works longer, its end is one that the workspace
// allows at that moment.
func TestT97NoDoorLetsAValueLiveLongerThanTheWorkspaceAllows(t *testing.T) {
	t.Parallel()
	k := newKit(t, t.TempDir())
	t.Cleanup(func() { must(t, k.db.Close()) })
	ctx := context.Background()
	ends := []control.Optional[string]{
		{}, control.Null[string](), control.Some("2099-01-01"), instant(time.Now().Add(10 * time.Minute)),
		instant(time.Now().Add(3 * time.Hour)),
	}
	refused := 0
	rapid.Check(t, func(rt *rapid.T) {
		ws := k.found(rt)
		k.join(rt, ws, "ada", "Admin")
		known := map[string]control.Key{}
		look := func(step string) {
			w, err := k.GetWorkspace(ctx, k.root, ws)
			must(rt, err)
			list, _, err := k.ListKeys(ctx, k.root, control.ListKeys{Workspace: ws, Paging: control.Paging{Limit: 100}})
			must(rt, err)
			for _, now := range list {
				was, there := known[string(now.ID)]
				known[string(now.ID)] = now
				longer := !was.ExpiresAt.IsZero() && (now.ExpiresAt.IsZero() || now.ExpiresAt.After(was.ExpiresAt))
				if there && (was.IsActive || !now.IsActive) && was.Value.Digest == now.Value.Digest && !longer {
					continue
				}
				if wrong := lives(&now, w.Settings); wrong != "" {
					rt.Fatalf("after %s a value that was made at %v %s", step, now.Made(), wrong)
				}
			}
		}
		some := func() string {
			names := make([]string, 0, len(known))
			for name := range known {
				names = append(names, name)
			}
			return rapid.SampledFrom(append(names, "none")).Draw(rt, "key")
		}
		steps := map[string]func() error{
			"a key made": func() error {
				_, err := k.CreateKey(ctx, k.root, control.CreateKey{Workspace: ws, User: "ada", Name: "n",
					ExpiresAt: rapid.SampledFrom(ends).Draw(rt, "end")})
				return err
			},
			"an import": func() error {
				_, failed, err := k.ImportKeys(
					ctx,
					k.root,
					ws,
					[]control.ImportKey{{CreateKey: control.CreateKey{User: "ada", Name: "n",
						ExpiresAt: rapid.SampledFrom(ends).Draw(rt, "end")}, Generate: true}},
				)
				if len(failed) > 0 {
					return failed[0].Fault
				}
				return err
			},
			"an update": func() error {
				in := control.UpdateKey{ID: some(), ExpiresAt: rapid.SampledFrom(ends).Draw(rt, "end")}
				if rapid.Bool().Draw(rt, "switched") {
					in.IsActive = control.Some(rapid.Bool().Draw(rt, "on"))
				}
				return k.one(k.root, in)
			},
			"a rotation": func() error {
				_, err := k.RotateKey(ctx, k.root, some(), rapid.SampledFrom([]int64{0, 60, 3600}).Draw(rt, "overlap"))
				return err
			},
			"other settings": func() error {
				in := control.SettingsInput{RequireExpiry: control.Some(rapid.Bool().Draw(rt, "required"))}
				in.MaxKeyLifetimeSeconds = rapid.SampledFrom(
					[]control.Optional[int64]{{}, control.Null[int64](), control.Some[int64](3600)},
				).
					Draw(rt, "longest")
				_, err := k.UpdateWorkspace(ctx, k.root, ws, control.UpdateWorkspace{Settings: control.Some(in)})
				return err
			},
			"leaving": func() error {
				_, err := k.RemoveMember(
					ctx, k.root, ws, "ada",
					control.RemoveMember{Keys: rapid.SampledFrom([]string{"stop", "keep", "transfer:owner"}).Draw(rt, "keys")},
				)
				return err
			},
			"coming back": func() error {
				_, _, err := k.PutMember(
					ctx, k.root, ws, "ada", control.PutMember{Email: "a@example.org", Role: string(k.roles(rt, ws)["Admin"].ID)},
				)
				return err
			},
		}
		names := []string{
			"a key made", "an import", "an update", "an update", "an update", "a rotation", "other settings", "leaving",
			"coming back",
		}
		for range rapid.IntRange(5, 25).Draw(rt, "steps") {
			step := rapid.SampledFrom(names).Draw(rt, "step")
			if steps[step]() != nil {
				refused++
			}
			look(step)
		}
	})
	if refused == 0 {
		t.Error("nothing was ever refused")
	}
}
