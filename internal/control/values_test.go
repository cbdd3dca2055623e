package control_test

import (
	"context"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

// settings changes the workspace's settings.
func (k *kit) settings(t failer, ws string, in control.SettingsInput) {
	t.Helper()
	_, err := k.UpdateWorkspace(context.Background(), k.root, ws, control.UpdateWorkspace{Settings: control.Some(in)})
	must(t, err)
}

func (k *kit) rotate(t failer, key control.Key, overlap int64) control.Revealed {
	t.Helper()
	out, err := k.RotateKey(context.Background(), k.root, string(key.ID), overlap)
	must(t, err)
	return out
}

func (k *kit) expire(key control.Key, at control.Optional[string]) (control.Key, *fault.Error) {
	done, failed, err := k.UpdateKeys(
		context.Background(), k.root, []control.UpdateKey{{ID: string(key.ID), ExpiresAt: at}},
	)
	switch {
	case err != nil:
		return control.Key{}, fault.From(err)
	case len(failed) > 0:
		return control.Key{}, failed[0].Fault
	}
	return done[0], nil
}

func instant(t time.Time) control.Optional[string] {
	return control.Some(t.UTC().Format("2006-01-02T15:04:05.000Z"))
}

// The longest lifetime counts from the making of the value, so no update carries a value beyond it, however often it is
// repeated.
func TestNoUpdateCarriesAValueBeyondTheLongestLifetime(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	k.settings(t, ws, control.SettingsInput{MaxKeyLifetimeSeconds: control.Some[int64](3600)})
	made := k.key(t, ws, "owner")
	end := made.Key.CreatedAt.Add(time.Hour)
	if !made.Key.ExpiresAt.Equal(end) {
		t.Fatalf("expires %v, want %v", made.Key.ExpiresAt, end)
	}
	time.Sleep(5 * time.Millisecond) // an hour from now lies beyond an hour from the making
	for name, at := range map[string]control.Optional[string]{
		"an hour from now": instant(time.Now().Add(time.Hour)), "a moment beyond": instant(end.Add(time.Millisecond)),
		"never": control.Null[string](),
	} {
		if _, f := k.expire(made.Key, at); f == nil || f.Code != fault.InvalidRequest || f.Details[0].Field != "expiresAt" {
			t.Errorf("%s: %v", name, f)
		}
	}
	if got, f := k.expire(made.Key, instant(end.Add(-time.Minute))); f != nil ||
		!got.ExpiresAt.Equal(end.Add(-time.Minute)) {
		t.Errorf("earlier: %v %v", got.ExpiresAt, f)
	}
	if _, f := k.expire(made.Key, instant(end)); f != nil {
		t.Errorf("to the longest lifetime: %v", f)
	}

	rotated := k.rotate(t, made.Key, 0)
	if !rotated.Key.ExpiresAt.Equal(end) {
		t.Errorf("a rotation moved the expiry from %v to %v", end, rotated.Key.ExpiresAt)
	}
	later := rotated.Key.Made().Add(time.Hour)
	if _, f := k.expire(made.Key, instant(later)); f != nil {
		t.Errorf("the new value may live as long as any: %v", f)
	}
	if _, f := k.expire(made.Key, instant(later.Add(time.Millisecond))); f == nil {
		t.Error("the new value is carried beyond the longest lifetime")
	}
}

// A rotated value has an end where the workspace wants one: rotation moves the expiry earlier, and never later.
func TestARotationMovesTheExpiryOnlyEarlier(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	open, far, soon := k.key(t, ws, "owner"), k.key(t, ws, "owner"), k.key(t, ws, "owner")
	_, f := k.expire(far.Key, control.Some("2100-01-01"))
	if f != nil {
		t.Fatal(f)
	}
	near := time.Now().Add(time.Minute).UTC().Truncate(time.Millisecond)
	if _, f = k.expire(soon.Key, instant(near)); f != nil {
		t.Fatal(f)
	}
	k.settings(t, ws, control.SettingsInput{RequireExpiry: control.Some(true)})
	if _, err := k.RotateKey(context.Background(), k.root, string(open.Key.ID), 0); !fault.Is(err, fault.Conflict) {
		t.Errorf("a value without an end in a workspace that wants one: %v", err)
	}
	if got := k.rotate(t, far.Key, 60); got.Key.ExpiresAt.Year() != 2100 {
		t.Errorf("without a longest lifetime the expiry moved to %v", got.Key.ExpiresAt)
	}
	k.settings(t, ws, control.SettingsInput{MaxKeyLifetimeSeconds: control.Some[int64](3600)})
	for name, one := range map[string]control.Key{"none": open.Key, "a later one": far.Key} {
		if got := k.rotate(t, one, 60); !got.Key.ExpiresAt.Equal(got.Key.Made().Add(time.Hour)) {
			t.Errorf("%s: expires %v, made %v", name, got.Key.ExpiresAt, got.Key.Made())
		}
	}
	if got := k.rotate(t, soon.Key, 3600); !got.Key.ExpiresAt.Equal(near) || !got.Key.Previous[0].Until.Equal(near) {
		t.Errorf("a sooner expiry: %v, and its earlier value until %v", got.Key.ExpiresAt, got.Key.Previous[0].Until)
	}
}

// A workspace that begins to want an end does not refuse an update which leaves the expiry as it is.
func TestAnExpiryThatStaysAsItIsIsNotHeldAgainstTheSettings(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	open := k.key(t, ws, "owner")
	k.settings(
		t, ws, control.SettingsInput{RequireExpiry: control.Some(true), MaxKeyLifetimeSeconds: control.Some[int64](60)},
	)
	if _, f := k.expire(open.Key, control.Null[string]()); f != nil {
		t.Error(f)
	}
}

func TestAKeyHasAtMostTenEarlierValues(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	made := k.key(t, ws, "owner")
	for range apikey.MaxPrevious {
		k.rotate(t, made.Key, 3600)
	}
	_, err := k.RotateKey(context.Background(), k.root, string(made.Key.ID), 3600)
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("an eleventh earlier value: %v", err)
	}
	got, err := k.GetKey(context.Background(), k.root, string(made.Key.ID))
	must(t, err)
	if len(got.Previous) != apikey.MaxPrevious {
		t.Errorf("%d earlier values after the refusal", len(got.Previous))
	}
	if got := k.rotate(t, made.Key, 0); len(got.Key.Previous) != 0 {
		t.Errorf("%d earlier values live on", len(got.Key.Previous))
	}
}

// What is revoked is the value that was shown: the current one with its key, an earlier one alone, and one that was
// rotated away since the engine found it ends nothing.
func TestARevocationEndsTheValueThatWasShown(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, ws := inWorkspace(t)
	first := k.key(t, ws, "owner")
	second := k.rotate(t, first.Key, 3600)
	third := k.rotate(t, first.Key, 3600)
	revoke := func(of control.Revealed) control.Key {
		t.Helper()
		must(t, k.RevokeByValue(ctx, k.root, first.Key.ID, of.Key.Value.Digest.Sum))
		got, err := k.GetKey(ctx, k.root, string(first.Key.ID))
		must(t, err)
		return got
	}
	got := revoke(first)
	if len(got.Previous) != 1 || got.Previous[0].Masked != second.Key.Value.Masked || !got.IsActive || got.Revoked {
		t.Fatalf("after an earlier value was revoked: %+v", got.Key)
	}
	before := len(k.events(t))
	if got = revoke(first); len(got.Previous) != 1 || len(k.events(t)) != before {
		t.Error("revoked twice, it ends something else")
	}
	k.rotate(t, first.Key, 0)
	if got = revoke(third); !got.IsActive || got.Revoked {
		t.Error("a value that was rotated away ends the key")
	}
	fifth := k.rotate(t, first.Key, 3600)
	if got = revoke(fifth); got.IsActive || !got.Revoked {
		t.Error("the current value does not end the key")
	}
}

// The scope verify asks, and takes nothing away.
func TestARevocationWantsItsScope(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, ws := inWorkspace(t)
	made, other := k.key(t, ws, "owner"), k.key(t, ws, "owner")
	scoped := func(scope string) control.Caller {
		out, err := k.CreateServiceKey(ctx, k.root, control.CreateServiceKey{Name: scope, Scopes: []string{scope}})
		must(t, err)
		return operator(out)
	}
	refused := map[string]control.Caller{
		"verify": scoped("verify"), "follow": scoped("follow"), "portal": scoped("portal"),
		"a person": person(ws, "owner"), "another key": by(other),
	}
	for name, c := range refused {
		if err := k.RevokeByValue(ctx, c, made.Key.ID, made.Key.Value.Digest.Sum); !fault.Is(err, fault.PermissionDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]control.Caller{"revoke": scoped("revoke"), "manage": scoped("manage"), "root": k.root,
		"the key itself": {}} {
		made := k.key(t, ws, "owner")
		if name == "the key itself" {
			c = by(made)
		}
		if err := k.RevokeByValue(ctx, c, made.Key.ID, made.Key.Value.Digest.Sum); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
