package control_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
)

// restorable is a workspace with an admin who removes bob, and bob's keys: one that works, one that bob disabled
// himself, and one that an admin disabled.
type restorable struct {
	*kit
	ws   string
	now  time.Time
	keys []id.Key
}

func newRestorable(t *testing.T) *restorable {
	t.Helper()
	r := &restorable{now: time.Now()}
	driver, err := sqlite.Open(filepath.Join(t.TempDir(), "keyward.db"), sqlite.Options{Lock: true})
	must(t, err)
	db, err := store.Open(t.Context(), driver, store.Options{Now: func() time.Time { return r.now }, Catalogue: catalogue})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	r.kit = newKitOn(t, db)
	r.ws = r.found(t)
	for user, role := range map[string]string{"adam": "Admin", "eve": "Admin", "vic": "Viewer", "bob": "Member"} {
		r.join(t, r.ws, user, role)
	}
	for range 3 {
		r.keys = append(r.keys, r.key(t, r.ws, "bob", "calls:read").Key.ID)
	}
	r.set(t, r.person("bob"), r.keys[1], control.UpdateKey{IsActive: control.Some(false)})
	r.set(t, r.person("adam"), r.keys[2], control.UpdateKey{IsActive: control.Some(false)})
	return r
}

func (r *restorable) person(user string) control.Caller { return person(r.ws, user) }

func (r *restorable) set(t failer, c control.Caller, key id.Key, u control.UpdateKey) {
	t.Helper()
	u.ID = string(key)
	_, failed, err := r.UpdateKeys(context.Background(), c, []control.UpdateKey{u})
	must(t, err)
	if len(failed) > 0 {
		t.Fatalf("key %s: %v", key, failed[0].Fault)
	}
}

func (r *restorable) remove(t failer, c control.Caller, in control.RemoveMember) control.Removed {
	t.Helper()
	out, err := r.RemoveMember(context.Background(), c, r.ws, "bob", in)
	must(t, err)
	return out
}

// read gives the keys as they are; one that is gone is left out.
func (r *restorable) read(t failer) map[id.Key]apikey.Key {
	t.Helper()
	out := map[id.Key]apikey.Key{}
	for _, k := range r.keys {
		got, err := r.GetKey(context.Background(), r.root, string(k))
		if codeOf(err) == "not_found" {
			continue
		}
		must(t, err)
		got.Key.UpdatedAt = time.Time{}
		out[k] = got.Key
	}
	return out
}

func (r *restorable) undo(c control.Caller, out control.Removed) (control.Restored, error) {
	return r.RestoreMember(context.Background(), c, r.ws, "bob", string(out.Removal))
}

func sameKeys(a, b map[id.Key]apikey.Key) string {
	return gocmp.Diff(
		a, b, cmpopts.EquateComparable(perm.Set{}), cmpopts.IgnoreFields(apikey.Key{}, "Period", "Unsettled", "UpdatedAt"),
		cmpopts.EquateEmpty(),
	)
}

func TestARemovalIsUndoneWholeT97(t *testing.T) {
	t.Parallel()
	for keys, want := range map[string]control.Restored{
		"stop":         {Enabled: 1, Unchanged: 2},
		"keep":         {Returned: 3},
		"transfer:eve": {Returned: 3},
		"transfer:vic": {Returned: 3},
	} {
		t.Run(keys, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t)
			before := r.read(t)
			member, err := r.GetMember(t.Context(), r.root, r.ws, "bob")
			must(t, err)
			out := r.remove(t, r.person("adam"), control.RemoveMember{Keys: keys})
			if out.Removal == "" || !out.Until.After(r.now) || out.Until.After(r.now.Add(control.RestorableFor)) {
				t.Fatalf("the removal %q can be undone until %v", out.Removal, out.Until)
			}
			got, err := r.undo(r.person("adam"), out)
			must(t, err)
			if got.Enabled != want.Enabled || got.Returned != want.Returned || got.Unchanged != want.Unchanged {
				t.Errorf("restored %+v, want %+v", got, want)
			}
			if diff := sameKeys(before, r.read(t)); diff != "" {
				t.Errorf("the keys (-before +after):\n%s", diff)
			}
			back, err := r.GetMember(t.Context(), r.root, r.ws, "bob")
			must(t, err)
			if diff := gocmp.Diff(member, back,
				cmpopts.IgnoreFields(control.Member{}, "Member.UpdatedAt", "Member.Period")); diff != "" {
				t.Errorf("the member (-before +after):\n%s", diff)
			}
			if _, err := r.undo(r.person("adam"), out); codeOf(err) != "conflict" {
				t.Errorf("the second time: %v", err)
			}
		})
	}
}

// refused is what happens between a removal and its undoing, and who asks.
type refused struct {
	name    string
	keys    string
	between func(t *testing.T, r *restorable)
	by      string // adam where it is ""
	code    string
	says    string
}

func (r *restorable) changeRole(t *testing.T, user, role string) {
	t.Helper()
	_, err := r.UpdateMember(
		t.Context(), r.root, r.ws, user, control.UpdateMember{Role: control.Some(string(r.roles(t, r.ws)[role].ID))},
	)
	must(t, err)
}

func TestARemovalIsNotUndonePastWhatHappenedSinceT97(t *testing.T) {
	t.Parallel()
	first := func(u control.UpdateKey) func(*testing.T, *restorable) {
		return func(t *testing.T, r *restorable) { r.set(t, r.person("eve"), r.keys[0], u) }
	}
	for _, c := range []refused{
		{name: "by another admin", by: "eve", code: "permission_denied", says: "removalId"},
		{name: "by a viewer", by: "vic", code: "permission_denied", says: "members:invite"},
		{name: "the author is no admin any more",
			between: func(t *testing.T, r *restorable) { r.changeRole(t, "adam", "Viewer") },
			code:    "permission_denied", says: "members:invite"},
		{name: "the author has left", between: func(t *testing.T, r *restorable) {
			_, err := r.RemoveMember(t.Context(), r.root, r.ws, "adam", control.RemoveMember{})
			must(t, err)
		}, code: "not_found"},
		{name: "too late", between: func(_ *testing.T, r *restorable) { r.now = r.now.Add(control.RestorableFor) },
			code: "conflict", says: "until"},
		{name: "a member again", between: func(t *testing.T, r *restorable) { r.join(t, r.ws, "bob", "Viewer") },
			code: "conflict", says: "userId"},
		{name: "a member again, and removed again", between: func(t *testing.T, r *restorable) {
			r.join(t, r.ws, "bob", "Viewer")
			r.remove(t, r.root, control.RemoveMember{})
		}, code: "conflict", says: "userId"},
		{name: "narrower limits", between: first(
			control.UpdateKey{RateLimit: control.Some(control.LimitsInput{PerMinute: control.Some[int64](1)})},
		), code: "conflict",
			says: "was changed since"},
		{name: "another name", between: first(control.UpdateKey{Name: control.Some("x")}), code: "conflict",
			says: "was changed since"},
		{name: "disabled once more", between: first(control.UpdateKey{IsActive: control.Some(false)}), code: "conflict",
			says: "was changed since"},
		{name: "rotated", between: func(t *testing.T, r *restorable) {
			_, err := r.RotateKey(t.Context(), r.person("eve"), string(r.keys[0]), 0)
			must(t, err)
		}, code: "conflict", says: "was changed since"},
		{name: "deleted", between: func(t *testing.T, r *restorable) {
			_, failed, err := r.DeleteKeys(t.Context(), r.person("eve"), []string{string(r.keys[1])})
			must(t, err)
			if len(failed) > 0 {
				t.Fatal(failed)
			}
		}, code: "conflict", says: "was deleted since"},
		{name: "its heir disabled it", keys: "transfer:eve", between: first(control.UpdateKey{IsActive: control.Some(false)}),
			code: "conflict", says: "changed since"},
		{name: "its heir left", keys: "transfer:vic", between: func(t *testing.T, r *restorable) {
			_, err := r.RemoveMember(t.Context(), r.root, r.ws, "vic", control.RemoveMember{Keys: "keep"})
			must(t, err)
		}, code: "conflict", says: "changed since"},
		{name: "the workspace wants an expiry", between: func(t *testing.T, r *restorable) {
			_, err := r.UpdateWorkspace(t.Context(), r.root, r.ws,
				control.UpdateWorkspace{Settings: control.Some(control.SettingsInput{RequireExpiry: control.Some(true)})})
			must(t, err)
		}, code: "conflict", says: "expir"},
		{name: "the plan has no room", between: func(t *testing.T, r *restorable) {
			_, err := r.PutPlan(t.Context(), r.root, r.ws, control.PlanInput{MaxMembers: control.Some[int64](4)})
			must(t, err)
		}, code: "limit_reached", says: "maxMembers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t)
			out := r.remove(t, r.person("adam"), control.RemoveMember{Keys: c.keys})
			if c.between != nil {
				c.between(t, r)
			}
			before, n := r.read(t), r.db.Stats().LogHead
			by := "adam"
			if c.by != "" {
				by = c.by
			}
			_, err := r.undo(r.person(by), out)
			if codeOf(err) != c.code && (c.code != "not_found" || codeOf(err) != "unauthenticated") ||
				!strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("answered %v, want %s that says %q", err, c.code, c.says)
			}
			if diff := sameKeys(before, r.read(t)); diff != "" || r.db.Stats().LogHead != n {
				t.Errorf("the refusal changed something:\n%s", diff)
			}
		})
	}
}

func TestARoleOfAnotherShapeKeepsARemovalFinalT97(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, r *restorable, role string) error{
		"narrower": func(t *testing.T, r *restorable, role string) error {
			_, err := r.UpdateRole(t.Context(), r.root, r.ws, role,
				control.UpdateRole{Permissions: control.Some([]string{"calls:read"})})
			return err
		},
		"wider": func(t *testing.T, r *restorable, role string) error {
			_, err := r.UpdateRole(t.Context(), r.root, r.ws, role,
				control.UpdateRole{Permissions: control.Some([]string{"calls:read", "calls:write", "members:read"})})
			return err
		},
		"gone": func(t *testing.T, r *restorable, role string) error {
			return r.DeleteRole(t.Context(), r.root, r.ws, role)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t)
			role, err := r.CreateRole(
				t.Context(), r.root, r.ws, control.CreateRole{Name: "Ops", Permissions: []string{"calls:read", "calls:write"}},
			)
			must(t, err)
			_, err = r.UpdateMember(t.Context(), r.root, r.ws, "bob", control.UpdateMember{Role: control.Some(string(role.ID))})
			must(t, err)
			out := r.remove(t, r.person("adam"), control.RemoveMember{})
			must(t, change(t, r, string(role.ID)))
			var f *fault.Error
			if _, err := r.undo(r.person("owner"), out); !errors.As(err, &f) || f.Code != fault.Conflict ||
				!slices.ContainsFunc(f.Details, func(d fault.Detail) bool { return d.Field == "roleId" }) {
				t.Errorf("answered %v", err)
			}
		})
	}
}

func TestALeakIsFinalT97(t *testing.T) {
	t.Parallel()
	r := newRestorable(t)
	if out := r.remove(t, r.person("adam"), control.RemoveMember{Reason: control.ReasonLeaked}); out.Removal != "" ||
		!out.Until.IsZero() {
		t.Errorf("a removal after a leak can be undone: %+v", out)
	}
	_, err := r.RemoveMember(t.Context(), r.person("adam"), r.ws, "eve", control.RemoveMember{Reason: "Leaked"})
	if codeOf(err) != "invalid_request" || !strings.Contains(err.Error(), "reason") {
		t.Errorf("a reason that is none: %v", err)
	}
}

// A key of bob's that holds more than his role by now comes back through a caller that holds as much alone.
func TestAKeyBeyondTheCallerKeepsARemovalFinalT97(t *testing.T) {
	t.Parallel()
	r := newRestorable(t)
	r.changeRole(t, "bob", "Admin")
	r.keys = append(r.keys, r.key(t, r.ws, "bob", "roles:write").Key.ID)
	r.changeRole(t, "bob", "Viewer")
	holds := append(
		catalogue.Names(r.roles(t, r.ws)["Viewer"].Permissions), "members:invite", "members:remove", "api-keys:write",
		"api-keys:manage-others",
	)
	lean := by(r.key(t, r.ws, "adam", holds...))
	out := r.remove(t, lean, control.RemoveMember{})
	if _, err := r.undo(lean, out); codeOf(err) != "permission_escalation" ||
		!strings.Contains(err.Error(), "roles:write") {
		t.Errorf("answered %v", err)
	}
	if _, err := r.undo(r.person("adam"), out); err != nil {
		t.Errorf("by the author in person: %v", err)
	}
}

func TestAnOwnerOrAKeyOfTheAuthorUndoesWithinTheirBoundsT97(t *testing.T) {
	t.Parallel()
	r := newRestorable(t)
	out := r.remove(t, r.person("adam"), control.RemoveMember{})
	lean := r.key(t, r.ws, "adam", "members:invite", "members:read", "api-keys:write", "api-keys:manage-others")
	if _, err := r.undo(by(lean), out); codeOf(err) != "permission_escalation" {
		t.Errorf("by a key of the author that holds less than the member: %v", err)
	}
	if _, err := r.undo(r.person("owner"), out); err != nil {
		t.Errorf("by an owner: %v", err)
	}
}

func TestRemovalsAreListedForThoseWhoMayUndoThemT97(t *testing.T) {
	t.Parallel()
	r := newRestorable(t)
	listed := func(user string) int {
		t.Helper()
		all, err := r.Restorable(t.Context(), r.person(user), r.ws)
		must(t, err)
		for _, one := range all {
			if one.User != "bob" || one.Until.Sub(one.At) != control.RestorableFor {
				t.Errorf("listed as %+v", one)
			}
		}
		return len(all)
	}
	out := r.remove(t, r.person("adam"), control.RemoveMember{})
	for user, want := range map[string]int{"adam": 1, "owner": 1, "eve": 0, "vic": 0} {
		if got := listed(user); got != want {
			t.Errorf("%s sees %d, want %d", user, got, want)
		}
	}
	r.now = r.now.Add(control.RestorableFor - time.Millisecond)
	if _, err := r.undo(r.person("adam"), out); err != nil {
		t.Errorf("in the last moment: %v", err)
	}
	if got := listed("owner"); got != 0 {
		t.Errorf("%d are listed after the undoing", got)
	}
}

// Once the heir has left as well, with few keys or with more than are walked along, the first removal is final.
func TestARemovalIsFinalOnceTheHeirHasLeftT97(t *testing.T) {
	t.Parallel()
	for _, more := range []int{0, 1001} {
		r := newRestorable(t)
		for made := 0; made < more; made += 1000 {
			items := make([]control.ImportKey, min(1000, more-made))
			for i := range items {
				items[i] = control.ImportKey{Generate: true, CreateKey: control.CreateKey{User: "eve", Name: "more"}}
			}
			_, failed, err := r.ImportKeys(t.Context(), r.root, r.ws, items)
			must(t, err)
			if len(failed) > 0 {
				t.Fatal(failed[0].Fault)
			}
		}
		other := r.remove(t, r.root, control.RemoveMember{Keys: "transfer:eve"})
		_, err := r.RemoveMember(t.Context(), r.root, r.ws, "eve", control.RemoveMember{Keys: "keep"})
		must(t, err)
		if _, err := r.undo(r.root, other); codeOf(err) != "conflict" {
			t.Errorf("with %d keys of the heir's own: %v", more, err)
		}
	}
}
