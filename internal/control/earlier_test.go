package control_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

// refusedWith fails unless the error is the fault, and names all the fields.
func refusedWith(t *testing.T, err error, code fault.Code, fields ...string) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("%v, want %s", err, code)
		return
	}
	for _, want := range fields {
		if !slices.ContainsFunc(fault.From(err).Details, func(d fault.Detail) bool { return d.Field == want }) {
			t.Errorf("%v does not name %s", fault.From(err).Details, want)
		}
	}
}

// one updates one key, and gives the refusal of that item.
func (k *kit) one(c control.Caller, in control.UpdateKey) error {
	_, failed, err := k.UpdateKeys(context.Background(), c, []control.UpdateKey{in})
	if err == nil && len(failed) > 0 {
		return failed[0].Fault
	}
	return err
}

// T9, T2: an earlier value works until its end, rotates nothing, and makes and changes nothing that reaches beyond that
// end.
func TestT9AnEarlierValueReachesNoFurtherThanItsEnd(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, ws := inWorkspace(t)
	first := k.key(t, ws, "owner")
	other := k.key(t, ws, "owner")
	second, err := k.RotateKey(ctx, k.root, string(first.Key.ID), 3600)
	must(t, err)
	end := second.Key.Previous[0].Until
	early, text := by(first),
		func(t time.Time) control.Optional[string] { return control.Some(t.Format(time.RFC3339Nano)) }

	for _, key := range []control.Revealed{first, other} {
		_, err = k.RotateKey(ctx, early, string(key.Key.ID), 0)
		refusedWith(t, err, fault.PermissionDenied)
	}
	made, err := k.CreateKey(ctx, early, control.CreateKey{User: "owner", Name: "derived"})
	must(t, err)
	if !made.Key.ExpiresAt.Equal(end) {
		t.Errorf("a key made by an earlier value expires %v, want the value's end %v", made.Key.ExpiresAt, end)
	}
	_, err = k.CreateKey(
		ctx, early, control.CreateKey{User: "owner", Name: "beyond", ExpiresAt: text(end.Add(time.Millisecond))},
	)
	refusedWith(t, err, fault.PermissionEscalation, "expiresAt")
	_, err = k.CreateKey(ctx, early, control.CreateKey{User: "owner", Name: "for ever", ExpiresAt: control.Null[string]()})
	refusedWith(t, err, fault.PermissionEscalation, "expiresAt")

	key := string(made.Key.ID)
	must(t, k.one(k.root, control.UpdateKey{ID: key, ExpiresAt: text(end.Add(-time.Minute))}))
	must(t, k.one(early, control.UpdateKey{ID: key, ExpiresAt: text(end)}))
	refusedWith(
		t, k.one(early, control.UpdateKey{ID: key, ExpiresAt: text(end.Add(time.Minute))}), fault.PermissionEscalation,
		"expiresAt",
	)
	must(t, k.one(early, control.UpdateKey{ID: string(other.Key.ID), Name: control.Some("renamed")}))
	role, err := k.CreateRole(ctx, k.root, ws, control.CreateRole{Name: "Before", Permissions: []string{"calls:read"}})
	must(t, err)
	_, err = k.CreateRole(ctx, early, ws, control.CreateRole{Name: "Lasting", Permissions: []string{"calls:read"}})
	refusedWith(t, err, fault.PermissionDenied, "Authorization")
	wider := control.UpdateRole{Permissions: control.Some([]string{"calls:read", "calls:write"})}
	_, err = k.UpdateRole(ctx, early, ws, string(role.ID), wider)
	refusedWith(t, err, fault.PermissionDenied, "Authorization")
	member := control.PutMember{Email: "bob@example.org", Role: string(role.ID)}
	_, _, err = k.PutMember(ctx, early, ws, "bob", member)
	refusedWith(t, err, fault.PermissionDenied, "Authorization")
	_, _, err = k.PutMember(ctx, by(second), ws, "bob", member)
	must(t, err)
	if _, err := k.RotateKey(ctx, by(second), string(first.Key.ID), 0); err != nil {
		t.Errorf("the current value rotates its key: %v", err)
	}
	if _, err := k.SelfKey(ctx, early); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("an earlier value that was ended: %v", err)
	}
}

// T9: a caller names its presented credential; one without it is refused.
func TestT9WhoPresentsNothingIsNobody(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	key := by(k.key(t, ws, "owner"))
	late := person(ws, "owner")
	late.Until = time.Now().Add(-time.Millisecond)
	for name, c := range map[string]control.Caller{
		"a key without its value":                {APIKey: key.APIKey},
		"a key with another's value":             {APIKey: key.APIKey, Presented: k.root.Presented},
		"a service key without its value":        {ServiceKey: k.root.ServiceKey},
		"a person without a session and a token": {Person: late.Person},
		"a person whose token has ended":         late,
		"nobody":                                 {},
	} {
		if _, _, err := k.ListKeys(context.Background(), c, control.ListKeys{Workspace: ws}); !fault.Is(
			err, fault.Unauthenticated,
		) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
