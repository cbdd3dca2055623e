package control_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
)

// guarded says of each field of what can let keys or people do more where its widening is asked for. The fields of a
// key are classified in the product itself.
var guarded = map[reflect.Type]map[string]string{
	reflect.TypeFor[ratelimit.Limits](): {"PerMinute": "Limits of a key", "PerDay": "Limits of a key"},
	reflect.TypeFor[apikey.Mark]():      {"By": "says", "At": "says", "Right": "Disabled of a key"},
	reflect.TypeFor[apikey.Value](): {"Digest": "Value of a key", "Masked": "says", "Until": "Previous of a key",
		"LastUsedAt": "says", "LastUsedFrom": "says", "Second": "says"},
	reflect.TypeFor[account.Settings](): {
		"PermissionMode": "mayUnfreeze", "DefaultRateLimit": "creation", "MaxKeyLifetime": "creation and change",
		"RequireExpiry": "creation and change", "NoSelfRotation": "mayRotateItself",
	},
	reflect.TypeFor[account.Workspace](): {
		"ID": "fixed", "Name": "says", "IsActive": "switchWorkspace", "Off": "switchWorkspace",
		"OwnerID": "passOwnership", "Settings": "its fields", "Plan": "an operator's", "CreatedAt": "says",
		"UpdatedAt": "says",
	},
	reflect.TypeFor[account.SwitchedOff](): {"By": "says", "At": "says", "Operator": "switchWorkspace"},
	reflect.TypeFor[account.Member](): {
		"Workspace": "fixed", "User": "fixed", "Email": "says", "DisplayName": "says",
		"Role": "givableRole", "KeyCount": "counted", "Period": "counted", "CreatedAt": "says",
		"UpdatedAt": "says",
	},
	reflect.TypeFor[account.Role](): {
		"ID": "fixed", "Workspace": "fixed", "Name": "says", "Description": "says",
		"Permissions": "mayGrant", "System": "systemRole", "MemberCount": "counted", "CreatedAt": "says",
		"UpdatedAt": "says",
	},
	reflect.TypeFor[account.Bound](): {"ExpiresAt": "withinBound", "Limits": "withinBound", "AllowedIPs": "withinBound"},
}

func fieldNames(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		names = append(names, t.Field(i).Name)
	}
	return names
}

// T97: a new field of a key, a workspace, a member or a role is classified before it is there.
func TestT97EveryFieldSaysWhetherItLetsAKeyDoMore(t *testing.T) {
	t.Parallel()
	if have, want := control.Classified(), fieldNames(reflect.TypeFor[apikey.Key]()); !sameNames(have, want) {
		t.Errorf("fields of a key: classified are %v, there are %v", have, want)
	}
	for typ, fields := range guarded {
		var have []string
		for name := range fields {
			have = append(have, name)
		}
		if want := fieldNames(typ); !sameNames(have, want) {
			t.Errorf("fields of %s: named are %v, there are %v", typ, have, want)
		}
	}
}

func sameNames(a, b []string) bool {
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// T97: what widens a key and what narrows it, field by field.
func TestT97WhatWidensAKeyAndWhatDoesNot(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	set := func(names ...string) perm.Set { return catalogue.Known(names) }
	nets := func(s ...string) (out []netip.Prefix) {
		for _, n := range s {
			out = append(out, netip.MustParsePrefix(n))
		}
		return out
	}
	value := func(b byte) keyfmt.Stored { return keyfmt.Stored{Sum: keyfmt.Digest{b}} }
	base := func() apikey.Key {
		return apikey.Key{
			ID:          "k",
			Workspace:   "w",
			User:        "u",
			Environment: keyfmt.Test,
			IsActive:    true,
			Permissions: set("calls:read", "calls:write"),
			Limits: ratelimit.Limits{
				PerMinute: 10, PerDay: 100,
			},
			AllowedIPs: nets("10.0.0.0/8"),
			ExpiresAt:  at,
			Value:      apikey.Value{Digest: value(1)},
			Previous:   []apikey.Value{{Digest: value(2), Until: at}},
		}
	}
	off := func(m apikey.Mark) func(*apikey.Key) {
		return func(k *apikey.Key) { k.IsActive, k.Disabled = false, m }
	}
	for name, c := range map[string]struct {
		before, change func(k *apikey.Key)
		widens         string
	}{
		"another id":          {change: func(k *apikey.Key) { k.ID = "l" }, widens: "ID"},
		"another workspace":   {change: func(k *apikey.Key) { k.Workspace = "x" }, widens: "Workspace"},
		"another creator":     {change: func(k *apikey.Key) { k.User = "v" }, widens: "User"},
		"another environment": {change: func(k *apikey.Key) { k.Environment = keyfmt.Live }, widens: "Environment"},
		"enabled": {before: off(apikey.Mark{}), change: func(k *apikey.Key) { k.Enable() },
			widens: "IsActive"},
		"disabled": {change: off(apikey.Mark{By: "a"})},
		"a weaker mark": {before: off(apikey.Mark{By: "a", Right: true}), change: off(apikey.Mark{By: "u"}),
			widens: "Disabled"},
		"a mark that is forgotten": {before: off(apikey.Mark{}), change: off(apikey.Mark{By: "u"}), widens: "Disabled"},
		"a stronger mark":          {before: off(apikey.Mark{By: "u"}), change: off(apikey.Mark{By: "a", Right: true})},
		"a revocation undone": {before: func(k *apikey.Key) { k.Revoked = true },
			change: func(k *apikey.Key) { k.Revoked = false }, widens: "Revoked"},
		"revoked":  {change: func(k *apikey.Key) { k.Revoked = true }},
		"kept":     {change: func(k *apikey.Key) { k.Orphan = true }},
		"confined": {change: func(k *apikey.Key) { k.Confined = true }},
		"confined no more": {before: func(k *apikey.Key) { k.Confined = true },
			change: func(k *apikey.Key) { k.Confined = false },
			widens: "Confined"},
		"one permission more": {change: func(k *apikey.Key) {
			k.Permissions = set("calls:read", "calls:write", "kb:read")
		}, widens: "Permissions"},
		"another permission":  {change: func(k *apikey.Key) { k.Permissions = set("kb:read") }, widens: "Permissions"},
		"one permission less": {change: func(k *apikey.Key) { k.Permissions = set("calls:read") }},
		"a higher limit":      {change: func(k *apikey.Key) { k.Limits.PerMinute++ }, widens: "Limits"},
		"no limit":            {change: func(k *apikey.Key) { k.Limits.PerDay = 0 }, widens: "Limits"},
		"one up, one down": {change: func(k *apikey.Key) { k.Limits = ratelimit.Limits{PerMinute: 1, PerDay: 101} },
			widens: "Limits"},
		"lower limits": {change: func(k *apikey.Key) { k.Limits = ratelimit.Limits{PerMinute: 9, PerDay: 99} }},
		"a limit where none was": {before: func(k *apikey.Key) { k.Limits = ratelimit.Limits{} },
			change: func(k *apikey.Key) { k.Limits.PerDay = 1 }},
		"no networks":     {change: func(k *apikey.Key) { k.AllowedIPs = nil }, widens: "AllowedIPs"},
		"a wider network": {change: func(k *apikey.Key) { k.AllowedIPs = nets("10.0.0.0/7") }, widens: "AllowedIPs"},
		"one network more": {change: func(k *apikey.Key) { k.AllowedIPs = nets("10.0.0.0/8", "::1/128") },
			widens: "AllowedIPs"},
		"narrower networks": {change: func(k *apikey.Key) { k.AllowedIPs = nets("10.1.0.0/16", "10.2.0.0/16") }},
		"networks where none were": {before: func(k *apikey.Key) { k.AllowedIPs = nil },
			change: func(k *apikey.Key) { k.AllowedIPs = nets("0.0.0.0/0") }},
		"a later expiry": {change: func(k *apikey.Key) { k.ExpiresAt = at.Add(time.Millisecond) },
			widens: "ExpiresAt"},
		"no expiry":         {change: func(k *apikey.Key) { k.ExpiresAt = time.Time{} }, widens: "ExpiresAt"},
		"an earlier expiry": {change: func(k *apikey.Key) { k.ExpiresAt = at.Add(-1) }},
		"an expiry where none was": {before: func(k *apikey.Key) { k.ExpiresAt = time.Time{} },
			change: func(k *apikey.Key) { k.ExpiresAt = at }},
		"a new value": {change: func(k *apikey.Key) {
			k.Rotate(apikey.Value{Digest: value(3)}, at.Add(-time.Hour), time.Minute)
		}, widens: "Value"},
		"an earlier value more": {change: func(k *apikey.Key) {
			k.Previous = append(k.Previous, apikey.Value{Digest: value(4), Until: at})
		}, widens: "Previous"},
		"a longer overlap": {change: func(k *apikey.Key) {
			k.Previous = []apikey.Value{{Digest: value(2), Until: at.Add(1)}}
		}, widens: "Previous"},
		"a shorter overlap": {
			change: func(k *apikey.Key) { k.Previous = []apikey.Value{{Digest: value(2), Until: at.Add(-1)}} },
		},
		"no earlier value": {change: func(k *apikey.Key) { k.Previous = nil }},
		"words": {change: func(k *apikey.Key) {
			k.Name, k.Description, k.Metadata, k.UpdatedAt, k.LastUsedAt = "n", "d", "{}", at, at
		}},
	} {
		was := base()
		if c.before != nil {
			c.before(&was)
		}
		now := was
		now.Previous = slices.Clone(was.Previous)
		c.change(&now)
		if got := strings.Join(control.Widened(&was, &now), " "); got != c.widens {
			t.Errorf("%s: widens by %q, want %q", name, got, c.widens)
		}
	}
}

// T97: keys that there are change in one place, and elsewhere only in a restore, which repeats what was allowed before.
func TestT97KeysChangeThroughOneDoor(t *testing.T) {
	t.Parallel()
	found := map[string]int{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			strings.HasPrefix(path, "../store/") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if s, ok := call.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "UpdateKey" {
					found[filepath.ToSlash(path)]++
				}
			}
			return true
		})
		return nil
	})
	must(t, err)
	for path, n := range found {
		if path == "../control/widen.go" && n == 1 || path == "../auditreplay/replay.go" {
			continue
		}
		t.Errorf("%s changes keys in %d places beside the rule of grants", path, n)
	}
	if found["../control/widen.go"] != 1 {
		t.Error("no key is changed by the rule of grants")
	}
}

// widenings are the changes after which a key may do more, each with what narrows the key before, so that there is
// something to widen.
var widenings = map[string]struct{ before, change control.UpdateKey }{
	"enabled": {control.UpdateKey{IsActive: control.Some(false)}, control.UpdateKey{IsActive: control.Some(true)}},
	"a later expiry": {
		control.UpdateKey{ExpiresAt: control.Some("2100-01-01")}, control.UpdateKey{ExpiresAt: control.Some("2100-01-02")},
	},
	"no expiry": {
		control.UpdateKey{ExpiresAt: control.Some("2100-01-01")}, control.UpdateKey{ExpiresAt: control.Null[string]()},
	},
	"a higher limit":  {limited(5), limited(6)},
	"no limit":        {limited(5), control.UpdateKey{RateLimit: control.Null[control.LimitsInput]()}},
	"a wider network": {networks("10.0.0.0/16"), networks("10.0.0.0/8")},
	"one more":        {networks("10.0.0.0/16"), networks("10.0.0.0/16", "::1")},
	"no networks":     {networks("10.0.0.0/16"), control.UpdateKey{AllowedIPs: control.Null[[]string]()}},
}

func limited(n int64) control.UpdateKey {
	return control.UpdateKey{RateLimit: control.Some(control.LimitsInput{PerMinute: control.Some(n)})}
}

func networks(n ...string) control.UpdateKey { return control.UpdateKey{AllowedIPs: control.Some(n)} }

func of(k control.Revealed, in control.UpdateKey) control.UpdateKey {
	in.ID = string(k.Key.ID)
	return in
}

// T97: every widening of a key, by people and keys that hold less than it, is refused, and names what they lack. Who
// holds it may.
func TestT97WideningIsAGrant(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	k.join(t, ws, "ada", "Admin")
	role, err := k.CreateRole(
		context.Background(),
		k.root,
		ws,
		control.CreateRole{
			Name: "Writer", Permissions: []string{account.APIKeysWrite, account.APIKeysManageOthers, "calls:read"},
		},
	)
	must(t, err)
	k.join(t, ws, "wim", role.Name)
	poor := by(k.key(t, ws, "ada", account.APIKeysWrite))
	for name, w := range widenings {
		rich := k.key(t, ws, "ada", "calls:read", "kb:write")
		must(t, k.one(person(ws, "ada"), of(rich, w.before)))
		for who, c := range map[string]control.Caller{"a key that may only write keys": poor,
			"a person of less": person(ws, "wim")} {
			err := k.one(c, of(rich, w.change))
			refusedWith(t, err, fault.PermissionEscalation, "permissions")
			if !strings.Contains(details(err), "kb:write") ||
				who == "a person of less" && strings.Contains(details(err), "calls:read") {
				t.Errorf("%s, %s: %v", name, who, details(err))
			}
			must(t, k.one(c, of(rich, control.UpdateKey{Name: control.Some("renamed by " + who)})))
			must(t, k.one(c, of(rich, w.before))) // as narrow as it is
		}
		must(t, k.one(person(ws, "ada"), of(rich, w.change)))
	}
	rich := k.key(t, ws, "ada", "calls:read", "kb:write")
	must(
		t, k.one(k.root, of(rich, control.UpdateKey{IsActive: control.Some(false)})),
	) // for two reasons it stays off: what it holds comes first
	refusedWith(
		t, k.one(poor, of(rich, control.UpdateKey{IsActive: control.Some(true)})), fault.PermissionEscalation, "permissions",
	)
}

func details(err error) string {
	var out []string
	for _, d := range fault.From(err).Details {
		out = append(out, d.Message)
	}
	return strings.Join(out, " ")
}

// T97, T2: a caller that is an API key widens no key, itself included, beyond its own bounds, whatever permissions it
// holds; and a key that reaches beyond them in one way is not widened in another.
func TestT97AKeyWidensWithinItsOwnBounds(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	ctx := context.Background()
	in := control.CreateKey{Workspace: ws, User: "owner", Name: "k", ExpiresAt: control.Some("2090-01-01"),
		RateLimit:  control.Some(control.LimitsInput{PerMinute: control.Some[int64](50)}),
		AllowedIPs: control.Some([]string{"10.0.0.0/8"})}
	bound, err := k.CreateKey(ctx, k.root, in)
	must(t, err)
	c := by(bound)
	c.Address = "10.9.9.9"
	inner, err := k.CreateKey(
		ctx,
		c,
		control.CreateKey{User: "owner", Name: "inner", ExpiresAt: control.Some("2080-01-01"),
			RateLimit:  control.Some(control.LimitsInput{PerMinute: control.Some[int64](5)}),
			AllowedIPs: control.Some([]string{"10.1.0.0/16"})},
	)
	must(t, err)
	for _, key := range []control.Revealed{bound, inner} {
		refusedWith(
			t, k.one(c, of(key, control.UpdateKey{ExpiresAt: control.Some("2090-01-02")})), fault.PermissionEscalation,
			"expiresAt",
		)
		refusedWith(
			t, k.one(c, of(key, control.UpdateKey{ExpiresAt: control.Null[string]()})), fault.PermissionEscalation, "expiresAt",
		)
		refusedWith(t, k.one(c, of(key, limited(51))), fault.PermissionEscalation, "rateLimit.requestsPerMinute")
		refusedWith(t, k.one(c, of(key, networks("10.0.0.0/7"))), fault.PermissionEscalation, "allowedIps")
		refusedWith(t, k.one(c, of(key, networks())), fault.PermissionEscalation, "allowedIps")
	}
	must(t, k.one(c, of(inner, control.UpdateKey{ExpiresAt: control.Some("2090-01-01")})))
	must(t, k.one(c, of(inner, limited(50))))
	must(t, k.one(c, of(inner, networks("10.0.0.0/8"))))

	wide := k.key(t, ws, "owner")
	must(t, k.one(c, of(wide, control.UpdateKey{ExpiresAt: control.Some("2095-01-01")}))) // narrowing is free
	must(t, k.one(c, of(wide, limited(5))))
	refusedWith(t, k.one(c, of(wide, limited(6))), fault.PermissionEscalation, "expiresAt", "allowedIps")
	must(t, k.one(k.root, of(wide, control.UpdateKey{IsActive: control.Some(false)})))
	refusedWith(
		t, k.one(c, of(wide, control.UpdateKey{IsActive: control.Some(true)})), fault.PermissionEscalation, "expiresAt",
		"allowedIps",
	)
	_, err = k.RotateKey(ctx, c, string(wide.Key.ID), 0)
	refusedWith(t, err, fault.PermissionEscalation, "expiresAt", "allowedIps")
}

// T97, T98: what was disabled by right of manage-others is enabled by that right, whoever did it and by whatever it was
// done.
func TestT97T98OnlyTheRightByWhichAKeyWasDisabledEnablesIt(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	ctx := context.Background()
	off, on := control.UpdateKey{IsActive: control.Some(false)}, control.UpdateKey{IsActive: control.Some(true)}
	k.join(t, ws, "mia", "Member")
	k.join(t, ws, "ada", "Admin")
	mia, ada := person(ws, "mia"), person(ws, "ada")
	key := k.key(t, ws, "mia", "calls:read")
	mias := by(k.key(t, ws, "mia"))
	shown := func() control.Key {
		got, err := k.GetKey(ctx, k.root, string(key.Key.ID))
		must(t, err)
		return got
	}
	events := func() int64 {
		logs, err := k.ListLogs(ctx, k.root, control.ListLogs{Workspace: ws, Limit: 1})
		must(t, err)
		return logs.Total
	}
	if d := shown().Disabled; d != (apikey.Mark{}) {
		t.Errorf("an enabled key was disabled by %v", d)
	}
	must(t, k.one(mia, of(key, off)))
	if d := shown().Disabled; d.By != "mia" || d.Right || d.At.IsZero() {
		t.Errorf("disabled by its creator: %v", d)
	}
	must(t, k.one(mias, of(key, on)))
	must(t, k.one(mias, of(key, off)))

	before := events()
	must(t, k.one(ada, of(key, off)))
	if d := shown().Disabled; d.By != "ada" || !d.Right || events() != before+1 {
		t.Errorf("taken over: %v, %d events", d, events()-before)
	}
	must(t, k.one(mia, of(key, off)))
	if d := shown().Disabled; d.By != "ada" {
		t.Errorf("a lesser right has taken the mark: %v", d)
	}
	for _, c := range []control.Caller{mia, mias} {
		refusedWith(t, k.one(c, of(key, on)), fault.PermissionDenied, "permissions")
	}
	must(t, k.one(ada, of(key, on)))
	if got := shown(); !got.IsActive || got.Disabled != (apikey.Mark{}) {
		t.Errorf("enabled: %v", got.Disabled)
	}
	must(t, k.one(k.root, of(key, off)))
	if d := shown().Disabled; d.By != string(k.root.ServiceKey) || !d.Right {
		t.Errorf("by a service key: %v", d)
	}
	refusedWith(t, k.one(mia, of(key, on)), fault.PermissionDenied, "permissions")
	must(t, k.one(ada, of(key, on)))

	must(t, k.one(mia, of(key, off)))
	_, err := k.RemoveMember(ctx, ada, ws, "mia", control.RemoveMember{})
	must(t, err)
	if d := shown().Disabled; d.By != "ada" || !d.Right {
		t.Errorf("stopped with its creator: %v", d)
	}
	k.join(t, ws, "mia", "Member")
	refusedWith(t, k.one(mia, of(key, on)), fault.PermissionDenied, "permissions")
	imported, failed, err := k.ImportKeys(ctx, k.root, ws, []control.ImportKey{
		{CreateKey: control.CreateKey{User: "mia", Name: "i"}, IsActive: control.Some(false), Generate: true}})
	must(t, err)
	if len(failed) > 0 {
		t.Fatal(failed)
	}
	refusedWith(
		t, k.one(mia, control.UpdateKey{ID: string(imported[0].ID), IsActive: control.Some(true)}), fault.PermissionDenied,
		"permissions",
	)
}

// T97: a member who was demoted, or was removed and is back with less, does not get back what they had by an old key.
func TestT97WhoHoldsLessDoesNotReviveWhatTheyHad(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	on := control.UpdateKey{IsActive: control.Some(true)}
	for name, demote := range map[string]func(t *testing.T, k *kit, ws string){
		"demoted": func(t *testing.T, k *kit, ws string) { k.join(t, ws, "bob", "Keeper") },
		"removed, and back with less": func(t *testing.T, k *kit, ws string) {
			_, err := k.RemoveMember(ctx, k.root, ws, "bob", control.RemoveMember{})
			must(t, err)
			k.join(t, ws, "bob", "Keeper")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, ws := inWorkspace(t)
			_, err := k.CreateRole(
				ctx, k.root, ws,
				control.CreateRole{Name: "Keeper", Permissions: []string{account.APIKeysWrite, account.APIKeysManageOthers}},
			)
			must(t, err)
			k.join(t, ws, "bob", "Admin")
			old := k.key(t, ws, "bob")
			must(t, k.one(person(ws, "bob"), of(old, control.UpdateKey{IsActive: control.Some(false)})))
			demote(t, k, ws)
			refusedWith(t, k.one(person(ws, "bob"), of(old, on)), fault.PermissionEscalation, "permissions")
			must(t, k.one(person(ws, "owner"), of(old, on)))
		})
	}
}

// T97: a capped workspace is freed by an owner or an operator, and never by an API key; so is one that is off, by an
// owner only where a person switched it off.
func TestT97TheWorkspacesOwnSwitchesAreDoors(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	ctx := context.Background()
	k.join(t, ws, "ada", "Admin")
	mode := func(m account.PermissionMode) control.UpdateWorkspace {
		return control.UpdateWorkspace{Settings: control.Some(control.SettingsInput{PermissionMode: control.Some(string(m))})}
	}
	do := func(c control.Caller, in control.UpdateWorkspace) error {
		_, err := k.UpdateWorkspace(ctx, c, ws, in)
		return err
	}
	owner, ada, key := person(ws, "owner"), person(ws, "ada"), by(k.key(t, ws, "owner"))
	for _, may := range []control.Caller{owner, k.root} {
		must(t, do(key, mode(account.Capped)))
		for _, c := range []control.Caller{key, ada} {
			refusedWith(t, do(c, mode(account.Frozen)), fault.PermissionDenied, "settings.permissionMode")
		}
		must(t, do(may, mode(account.Frozen)))
	}

	off, on := control.UpdateWorkspace{
		IsActive: control.Some(false),
	}, control.UpdateWorkspace{
		IsActive: control.Some(true),
	}
	must(t, do(ada, off))
	refusedWith(t, do(ada, on), fault.PermissionDenied)
	must(t, do(owner, on))
	must(t, do(key, off))
	must(t, do(owner, on))
	must(t, do(owner, off))
	must(t, do(k.root, off)) // takes over
	refusedWith(t, do(owner, on), fault.PermissionDenied, "isActive")
	must(t, do(owner, off)) // takes nothing over
	refusedWith(t, do(owner, on), fault.PermissionDenied, "isActive")
	must(t, do(k.root, on))
	must(t, do(owner, off))
	must(t, do(k.root, on))
}

// T97: a transfer is a grant: a key that does not lie within the caller, or beyond the calling key's bounds, stops
// instead.
func TestT97ATransferIsAGrant(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	ctx := context.Background()
	k.join(t, ws, "bob", "Admin")
	k.join(t, ws, "eve", "Admin")
	key := k.key(t, ws, "bob")
	caller, err := k.CreateKey(
		ctx, k.root, control.CreateKey{Workspace: ws, User: "owner", Name: "c", ExpiresAt: control.Some("2090-01-01")},
	)
	must(t, err)
	out, err := k.RemoveMember(ctx, by(caller), ws, "bob", control.RemoveMember{Keys: "transfer:eve"})
	must(t, err)
	got, err := k.GetKey(ctx, k.root, string(key.Key.ID))
	must(t, err)
	if out.Stopped != 1 || got.IsActive || got.User != "bob" || !got.Disabled.Right {
		t.Errorf("%+v; %s, active %v", out, got.User, got.IsActive)
	}
}
