package control_test

import (
	"context"
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
)

// leave removes a member.
func (k *kit) leave(t failer, ws, user, keys string) {
	t.Helper()
	_, err := k.RemoveMember(context.Background(), k.root, ws, user, control.RemoveMember{Keys: keys})
	must(t, err)
}

func (k *kit) enable(key control.Key) *fault.Error {
	_, failed, err := k.UpdateKeys(
		context.Background(), k.root, []control.UpdateKey{{ID: string(key.ID), IsActive: control.Some(true)}},
	)
	if err != nil {
		return fault.From(err)
	}
	if len(failed) > 0 {
		return failed[0].Fault
	}
	return nil
}

// events reads the whole log, the oldest event first.
func (k *kit) events(t failer) []audit.Event {
	t.Helper()
	found, err := k.ListLogs(context.Background(), k.root, control.ListLogs{Limit: 100, Ascending: true})
	must(t, err)
	if found.NextCursor != "" {
		t.Fatalf("there are more than 100 events")
	}
	return found.Events
}

// T98: a key that was kept is an ordinary one again once its creator is back: it stops when they leave again, and
// nobody enables it.
func TestT98AKeptKeyIsAnOrdinaryOneAgainOnceItsCreatorIsBack(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	k.join(t, ws, "ada", "Admin")
	working, off := k.key(t, ws, "ada"), k.key(t, ws, "ada")
	_, _, err := k.UpdateKeys(
		context.Background(), k.root, []control.UpdateKey{{ID: string(off.Key.ID), IsActive: control.Some(false)}},
	)
	must(t, err)
	k.leave(t, ws, "ada", "keep")
	k.join(t, ws, "ada", "Viewer")
	for _, made := range []control.Revealed{working, off} {
		got, err := k.GetKey(context.Background(), k.root, string(made.Key.ID))
		must(t, err)
		if got.Orphan {
			t.Errorf("%s is marked as kept although its creator is back", got.ID)
		}
	}
	cleared := 0
	for _, e := range k.events(t) {
		var m struct{ Before, After map[string]any }
		must(t, json.Unmarshal([]byte(e.Metadata), &m))
		if e.Type == audit.APIKeyUpdated && m.Before["kept"] == true && m.After["kept"] == false {
			cleared++
		}
	}
	if cleared != 2 {
		t.Errorf("%d events say that a mark was cleared, want 2", cleared)
	}
	k.leave(t, ws, "ada", "stop")
	for _, made := range []control.Revealed{working, off} {
		if f := k.enable(made.Key); f == nil || f.Code != fault.Conflict {
			t.Errorf("the key of one who has left is enabled: %v", f)
		}
	}
}

func TestT98ATransferredKeyIsNotAKeptOne(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	k.join(t, ws, "ada", "Admin")
	k.join(t, ws, "bob", "Admin")
	made := k.key(t, ws, "ada")
	k.leave(t, ws, "ada", "keep")
	k.join(t, ws, "ada", "Admin")
	k.leave(t, ws, "ada", "transfer:bob")
	got, err := k.GetKey(context.Background(), k.root, string(made.Key.ID))
	must(t, err)
	if got.Orphan || got.User != "bob" || !got.IsActive {
		t.Fatalf("after the transfer: %+v", got)
	}
	k.leave(t, ws, "bob", "stop")
	if f := k.enable(got); f == nil {
		t.Error("the key of one who has left is enabled")
	}
}

// An update that changes nothing is no change: whatever it names, it writes no event and moves no updatedAt.
func TestAnUpdateThatChangesNothingLeavesNoTrace(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, ws := inWorkspace(t)
	k.join(t, ws, "ada", "Member")
	in := control.CreateKey{
		Workspace:   ws,
		User:        "ada",
		Name:        "key",
		ExpiresAt:   control.Some("2100-01-01"),
		Description: control.Some("d"),
		RateLimit: control.Some(
			control.LimitsInput{PerMinute: control.Some[int64](5)},
		),
		AllowedIPs: control.Some([]string{"203.0.113.0/24"}),
		Metadata: control.Some(
			json.RawMessage(`{"a": 1, "b": {"x": 1, "y": [2, 3]}}`),
		),
		Permissions: control.Some([]string{"calls:read"}),
	}
	made, err := k.CreateKey(ctx, k.root, in)
	must(t, err)
	role, err := k.CreateRole(
		ctx, k.root, ws, control.CreateRole{Name: "r", Description: control.Some("d"), Permissions: few},
	)
	must(t, err)
	before := k.events(t)
	time.Sleep(2 * time.Millisecond)

	same := control.UpdateKey{
		ID: string(made.Key.ID), Name: control.Some("key"), IsActive: control.Some(true), ExpiresAt: in.ExpiresAt,
		RateLimit: in.RateLimit, Description: in.Description,
		Metadata: control.Some(json.RawMessage(`{ "b" : {"y":[2,3],"x":1}, "a" : 1 }`)), AllowedIPs: in.AllowedIPs,
	}
	updated, failed, err := k.UpdateKeys(
		ctx, k.root, []control.UpdateKey{same, {ID: same.ID}, {ID: same.ID, ExpiresAt: in.ExpiresAt}},
	)
	must(t, err)
	if len(failed) > 0 || len(updated) != 3 {
		t.Fatalf("updated %v, refused %v", updated, failed)
	}
	for _, u := range updated {
		if !u.UpdatedAt.Equal(made.Key.UpdatedAt) {
			t.Error("the key's updatedAt has moved")
		}
	}
	place, err := k.GetWorkspace(ctx, k.root, ws)
	must(t, err)
	w, err := k.UpdateWorkspace(
		ctx,
		k.root,
		ws,
		control.UpdateWorkspace{Name: control.Some("w"), IsActive: control.Some(true),
			Settings: control.Some(
				control.SettingsInput{PermissionMode: control.Some("frozen"), RequireExpiry: control.Some(false),
					MaxKeyLifetimeSeconds: control.Null[int64](), DefaultRateLimit: control.Null[control.LimitsInput]()},
			)},
	)
	must(t, err)
	r, err := k.UpdateRole(
		ctx,
		k.root,
		ws,
		string(role.ID),
		control.UpdateRole{Name: control.Some("r"), Description: control.Some("d"),
			Permissions: control.Some(few)},
	)
	must(t, err)
	m, err := k.GetMember(ctx, k.root, ws, "ada")
	must(t, err)
	changed, err := k.UpdateMember(
		ctx, k.root, ws, "ada", control.UpdateMember{Role: control.Some(string(m.Role)), Email: control.Some(m.Email)},
	)
	must(t, err)
	put, created, err := k.PutMember(ctx, k.root, ws, "ada", control.PutMember{Email: m.Email, Role: string(m.Role)})
	must(t, err)
	if created || !w.UpdatedAt.Equal(place.UpdatedAt) || !r.UpdatedAt.Equal(role.UpdatedAt) ||
		!changed.UpdatedAt.Equal(m.UpdatedAt) ||
		!put.UpdatedAt.Equal(m.UpdatedAt) {
		t.Errorf(
			"an updatedAt has moved: workspace %v, role %v, member %v %v", w.UpdatedAt, r.UpdatedAt, changed.UpdatedAt,
			put.UpdatedAt,
		)
	}
	if after := k.events(t); len(after) != len(before) {
		t.Errorf("%d events were written: %v", len(after)-len(before), after[len(before):])
	}
}

// An event shows every field that an operation can change; a field that is left out would make its change look like
// none.
func TestAnEventShowsEveryFieldThatCanChange(t *testing.T) {
	t.Parallel()
	k, _ := inWorkspace(t)
	kept := []string{
		"ID", "Workspace", "Environment", "CreatedAt", "UpdatedAt", "LastUsedAt", "LastTriedAt", "KeyCount", "MemberCount",
		"System", "Period", "Unsettled",
	}
	own := []string{"Value", "Previous", "ValueMadeAt"} // shown by the events of rotation and revocation
	everyField(t, apikey.Key{}, append(kept, own...), k.KeyFields)
	everyField(t, account.Workspace{}, kept, k.WorkspaceFields)
	everyField(t, account.Role{}, kept, k.RoleFields)
}

// everyField changes one field after another, those of a struct within apart, and wants to see it in the event.
func everyField[T any](t *testing.T, zero T, except []string, show func(T) map[string]any) {
	t.Helper()
	var walk func(path []int, at reflect.Type)
	walk = func(path []int, at reflect.Type) {
		for i := range at.NumField() {
			f := at.Field(i)
			full := append(slices.Clone(path), i)
			switch {
			case len(path) == 0 && slices.Contains(except, f.Name):
				continue
			case f.Type == reflect.TypeFor[ratelimit.Limits]() || f.Type == reflect.TypeFor[account.Settings](),
				f.Type == reflect.TypeFor[account.Plan]() || f.Type == reflect.TypeFor[account.Ceiling]() ||
					f.Type == reflect.TypeFor[apikey.Mark]() || f.Type == reflect.TypeFor[account.SwitchedOff]():
				walk(full, f.Type)
				continue
			}
			changed := zero
			alter(t, reflect.ValueOf(&changed).Elem().FieldByIndex(full))
			if reflect.DeepEqual(show(zero), show(changed)) {
				t.Errorf("%T: no event shows a change of %s", zero, f.Name)
			}
		}
	}
	walk(nil, reflect.TypeOf(zero))
}

func alter(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1e9, 0)))
		return
	case perm.Set:
		v.Set(reflect.ValueOf(catalogue.All()))
		return
	case []netip.Prefix:
		v.Set(reflect.ValueOf([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(`{"a":1}`)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(int64(time.Hour))
	default:
		t.Fatalf("a field of type %s: say here how it changes", v.Type())
	}
}

// Null is no limit and no expiry; 0 and "" would be values.
func TestEventsSayNoLimitAsNull(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	made := k.key(t, ws, "owner", "calls:read")
	_, err := k.CreateServiceKey(
		context.Background(), k.root, control.CreateServiceKey{Name: "s", Scopes: []string{"verify"}},
	)
	must(t, err)
	seen := 0
	for _, e := range k.events(t) {
		var m struct{ After map[string]any }
		must(t, json.Unmarshal([]byte(e.Metadata), &m))
		for _, field := range []string{"expiresAt", "requestsPerMinute", "requestsPerDay", "maxKeyLifetimeSeconds",
			"defaultRequestsPerMinute",
			"defaultRequestsPerDay"} {
			value, given := m.After[field]
			if given && value != nil {
				t.Errorf("%s: %s is %v, want null", e.Type, field, value)
			}
			if given {
				seen++
			}
		}
	}
	if seen < 3+3+1 {
		t.Errorf("%d fields were seen of %s: too few to say anything", seen, made.Key.ID)
	}
}
