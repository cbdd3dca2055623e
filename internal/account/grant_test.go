package account_test

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
)

var catalogue = perm.Builtin()

func set(t *rapid.T, label string) perm.Set {
	var names []string
	for _, e := range catalogue.Entries() {
		names = append(names, e.Name())
	}
	s, _, _ := catalogue.Set(rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID).Draw(t, label))
	return s
}

// T1: the granted permissions lie within the caller's set and within the creator's, and Grant refuses no permission
// without need.
func TestT1TheGrantRule(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		wanted, caller, creator := set(t, "wanted"), set(t, "caller"), set(t, "creator")
		refused := account.Grant(wanted, caller, creator)
		granted := wanted.Without(refused)
		if !granted.Within(caller) || !granted.Within(creator) {
			t.Fatalf("granted %v beyond caller or creator", catalogue.Names(granted))
		}
		if refused.Meets(caller.And(creator)) || !refused.Within(wanted) {
			t.Fatalf("refused %v without need", catalogue.Names(refused))
		}
	})
}

func TestSystemRoles(t *testing.T) {
	t.Parallel()
	holds := func(r account.SystemRole, name string) bool { return catalogue.Holds(r.Permissions(catalogue), name) }
	if account.Owner.Permissions(catalogue) != catalogue.All() {
		t.Error("the owner does not hold everything")
	}
	if holds(account.Admin, "workspace:delete") || holds(account.Admin, "billing:manage") ||
		account.Admin.Permissions(catalogue).Len() != 99 {
		t.Error("the admin holds the wrong permissions")
	}
	if !holds(account.MemberRole, "api-keys:write") || !holds(account.MemberRole, "api-keys:delete") ||
		holds(
			account.MemberRole, "api-keys:manage-others",
		) || holds(account.MemberRole, "calls:write") || !holds(account.MemberRole, "calls:cdr-read") {
		t.Error("the member holds the wrong permissions")
	}
	if account.Viewer.Permissions(catalogue) != catalogue.Reads() {
		t.Error("the viewer does not hold every read action, and no more")
	}
}

func nets(s ...string) (out []netip.Prefix) {
	for _, n := range s {
		out = append(out, netip.MustParsePrefix(n))
	}
	return out
}

// T2: a derived key's expiry, limits and networks lie within the calling key's.
func TestT2Bounds(t *testing.T) {
	t.Parallel()
	at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	b := &account.Bound{
		ExpiresAt: at, Limits: ratelimit.Limits{PerMinute: 10}, AllowedIPs: nets("10.0.0.0/8", "2001:db8::/32"),
	}
	checks := []struct {
		what string
		got  bool
		want bool
	}{
		{"the same expiry", b.Expiry(at), true}, {"an earlier expiry", b.Expiry(at.Add(-1)), true},
		{"a later expiry", b.Expiry(at.Add(1)), false}, {"no expiry", b.Expiry(time.Time{}), false},
		{
			"the same limit", b.PerMinute(10), true,
		}, {"a higher limit", b.PerMinute(11), false}, {"no limit", b.PerMinute(0), false},
		{"any limit where there is none", b.PerDay(0), true},
		{
			"a network within", b.Addresses(nets("10.1.0.0/16")), true,
		}, {"a wider network", b.Addresses(nets("0.0.0.0/0")), false},
		{
			"one of two outside", b.Addresses(nets("10.1.0.0/16", "11.0.0.0/8")), false,
		}, {"every address", b.Addresses(nil), false},
		{"another family", b.Addresses(nets("2001:db9::/32")), false},
		{
			"anything, for who is not bound", (*account.Bound)(nil).Addresses(nil) && (*account.Bound)(nil).Expiry(time.Time{}),
			true,
		},
	}
	for _, c := range checks {
		if c.got != c.want {
			t.Errorf("%s: %v", c.what, c.got)
		}
	}
	for what, end := range map[string]time.Time{"a later end": at.Add(1), "the same end": at} {
		if b.EndBy(end); !b.ExpiresAt.Equal(at) {
			t.Errorf("%s moves the expiry to %v", what, b.ExpiresAt)
		}
	}
	if b.EndBy(at.Add(-1)); !b.ExpiresAt.Equal(at.Add(-1)) {
		t.Errorf("an end that comes sooner leaves the expiry at %v", b.ExpiresAt)
	}
	if b = (&account.Bound{}); b.Expiry(time.Time{}) {
		if b.EndBy(at); b.Expiry(time.Time{}) || b.Expiry(at.Add(1)) {
			t.Error("an end leaves who had none without one")
		}
	}
}
