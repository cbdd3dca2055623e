package replica_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/replica"
)

func TestLookupTellsEverythingThatAVerificationNeeds(t *testing.T) {
	t.Parallel()
	r := house()
	w := workspace("w")
	w.Workspace.Settings.PermissionMode = account.Capped
	expiry := time.UnixMilli(1_800_000_000_123)
	net := netip.MustParsePrefix("10.0.0.0/8")
	r.Apply(at(2, w, key("w", "ann", "full", func(k *apikey.Key) {
		k.Environment = keyfmt.Test
		k.Orphan = true
		k.Permissions = set("calls:read", "agents:read")
		k.Limits = ratelimit.Limits{PerMinute: 5, PerDay: 50}
		k.AllowedIPs = []netip.Prefix{net}
		k.Metadata = `{"a":1}`
		k.ExpiresAt = expiry
	}, previous("earlier", expiry.Add(time.Second)))))

	want := replica.View{
		UUID: uuid("full"), Workspace: "w", User: "ann", Name: "key full", Environment: keyfmt.Test, IsActive: true,
		Orphan:    true,
		ExpiresAt: 1_800_000_000_123, Permissions: set("calls:read", "agents:read"),
		Limits: ratelimit.Limits{
			PerMinute: 5, PerDay: 50,
		}, AllowedIPs: replica.NewNetworks([]netip.Prefix{net}), Metadata: `{"a":1}`,
		WorkspaceActive: true, Capped: true, CreatorPresent: true, CreatorHolds: set("calls:read", "calls:write"),
		Effective: set("calls:read"),
	}
	if d := diff(want, find(t, r, "full")); d != "" {
		t.Errorf("by the current value (-want +got):\n%s", d)
	}
	want.Until = 1_800_000_001_123
	if d := diff(want, find(t, r, "earlier")); d != "" {
		t.Errorf("by an earlier value (-want +got):\n%s", d)
	}
}

func TestLookupOfAnUnknownDigestLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	r := house()
	v := find(t, r, "k")
	for _, d := range []keyfmt.Digest{sum("nobody's"), {}} {
		if r.Lookup(d, &v) {
			t.Fatalf("a key was found under %x", d)
		}
		if d := diff(replica.View{}, v); d != "" {
			t.Errorf("the view is not zero (-want +got):\n%s", d)
		}
	}
}

func TestLookupOfADigestThatAgreesInItsFirstBytesFindsNothing(t *testing.T) {
	t.Parallel()
	r := house()
	d := sum("k")
	d[31] ^= 1
	var v replica.View
	if r.Lookup(d, &v) {
		t.Error("a digest whose last bit differs was taken for the key's")
	}
}

func TestKeysWhoseDigestsAgreeInTheIndexAreToldApart(t *testing.T) {
	t.Parallel()
	r := house()
	twin := sum("k")
	twin[31] ^= 1
	r.Apply(at(2, key("w", "ann", "twin", func(k *apikey.Key) { k.Value.Digest.Sum = twin })))
	var v replica.View
	if !r.Lookup(twin, &v) || v.ID() != keyID("twin") {
		t.Errorf("the twin's digest leads to %q", v.ID())
	}
	if got := find(t, r, "k"); got.UUID != uuid("k") {
		t.Errorf("the first key's digest leads to %q", got.ID())
	}
}

func TestARotatedKeyAnswersToTheValuesItHasNow(t *testing.T) {
	t.Parallel()
	r := house()
	r.Apply(at(2, key("w", "ann", "k", value("second"), previous("k", time.UnixMilli(5)))))
	if !finds(r, "second") || !finds(r, "k") {
		t.Error("with an overlap both values are the key's")
	}
	r.Apply(at(3, key("w", "ann", "k", value("third"))))
	if finds(r, "second") || finds(r, "k") || !finds(r, "third") {
		t.Error("without an overlap only the new value is the key's")
	}
}

func TestAnInstantIsNeverTakenForNever(t *testing.T) {
	t.Parallel()
	r := house()
	r.Apply(at(2, key("w", "ann", "k", func(k *apikey.Key) { k.ExpiresAt = time.Unix(0, 0) },
		previous("no end", time.Time{}), previous("1970", time.Unix(0, 0)))))
	if got := find(t, r, "k").ExpiresAt; got >= 0 {
		t.Errorf("an expiry in 1970 reads as %d", got)
	}
	for _, word := range []string{"no end", "1970"} {
		if got := find(t, r, word).Until; got >= 0 {
			t.Errorf("the earlier value %q reads as good until %d", word, got)
		}
	}
}

func TestARevokedKeyIsNotActive(t *testing.T) {
	t.Parallel()
	r := house()
	r.Apply(at(2, key("w", "ann", "k", func(k *apikey.Key) { k.Revoked = true })))
	if find(t, r, "k").IsActive {
		t.Error("the key is active")
	}
}

func TestAWorkspaceSpeaksForAllItsKeysAtOnce(t *testing.T) {
	t.Parallel()
	r := house()
	r.Apply(at(2, key("w", "ann", "k2")))
	off := workspace("w")
	off.Workspace.IsActive = false
	r.Apply(at(3, off))
	for _, word := range []string{"k", "k2"} {
		if find(t, r, word).WorkspaceActive {
			t.Errorf("%s: the workspace is off, its key does not say so", word)
		}
	}
	r.Apply(at(4, feed.Change{WorkspaceGone: "w"}))
	for _, word := range []string{"k", "k2"} {
		if finds(r, word) {
			t.Errorf("%s is found in a workspace that is gone", word)
		}
	}
	if r.Size() != 0 {
		t.Errorf("%d keys are counted in a workspace that is gone", r.Size())
	}
}

func TestACreatorHoldsWhatTheirRoleHoldsNow(t *testing.T) {
	t.Parallel()
	r := house()
	r.Apply(at(2, capped("w")))
	steps := []struct {
		name    string
		change  feed.Change
		present bool
		holds   []string
	}{
		{"the role changes", role("w", "r", "calls:read"), true, []string{"calls:read"}},
		{"another role", member("w", "ann", "other"), true, nil},
		{"whose row comes later", role("w", "other", "agents:read"), true, []string{"agents:read"}},
		{"the role goes", feed.Change{RoleGone: "other"}, true, nil},
		{"the member goes", memberGone("w", "ann"), false, nil},
		{"and comes back", member("w", "ann", "r"), true, []string{"calls:read"}},
	}
	for i, s := range steps {
		r.Apply(at(int64(2+i), s.change))
		v := find(t, r, "k")
		if v.CreatorPresent != s.present || v.CreatorHolds != set(s.holds...) {
			t.Errorf("%s: present %v with %v", s.name, v.CreatorPresent, catalogue.Names(v.CreatorHolds))
		}
	}
}

func TestAKeyOfAnUnknownWorkspaceIsNotFoundUntilTheWorkspaceComes(t *testing.T) {
	t.Parallel()
	r := replica.New()
	r.Apply(at(0, key("w", "ann", "k")))
	if finds(r, "k") {
		t.Error("the key is found before its workspace is known")
	}
	r.Apply(at(0, workspace("w")))
	if v := find(t, r, "k"); v.CreatorPresent {
		t.Error("the creator is taken for a member before that is known")
	}
}

func TestServiceKeysAreFoundByTheirDigest(t *testing.T) {
	t.Parallel()
	r := house()
	r.Apply(at(2, service("s", "one"), service("s2", "two")))
	r.Apply(at(3, service("s", "new")))
	if k, ok := r.LookupService(sum("new")); !ok || k.ID != "s" {
		t.Errorf("found %v, %q", ok, k.ID)
	}
	if _, ok := r.LookupService(sum("one")); ok {
		t.Error("the value before is still good")
	}
	r.Apply(at(4, feed.Change{ServiceKeyGone: "s"}))
	r.Apply(at(3, service("s", "new")))
	if _, ok := r.LookupService(sum("new")); ok {
		t.Error("a deleted service key is found")
	}
	if _, ok := r.LookupService(sum("two")); !ok {
		t.Error("another service key was lost")
	}
}

func TestOnlyTheLastOfSeveralChangesToAnObjectInOneTransactionCounts(t *testing.T) {
	t.Parallel()
	r := house()
	off := func(k *apikey.Key) { k.IsActive = false }
	changes := at(2, key("w", "ann", "k"), key("w", "ann", "k", off), memberGone("w", "ann"), member("w", "ann", "r"))
	for range 2 {
		r.Apply(changes)
		if v := find(t, r, "k"); v.IsActive || !v.CreatorPresent {
			t.Fatalf("active %v, creator present %v", v.IsActive, v.CreatorPresent)
		}
	}
}

func TestT27AnOlderChangeDoesNotBringBackWhatIsGone(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		gone feed.Change
	}{
		{"key", keyGone("k")},
		{"workspace", feed.Change{WorkspaceGone: "w"}},
	}
	for _, c := range cases {
		for _, swept := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, swept %v", c.name, swept), func(t *testing.T) {
				t.Parallel()
				r := house()
				r.Apply(at(9, c.gone))
				if swept {
					r.Sweep(8)
				}
				for _, revision := range []int64{0, 1, 8, 9} {
					r.Apply(at(revision, workspace("w"), key("w", "ann", "k")))
				}
				if finds(r, "k") || r.Size() != 0 {
					t.Errorf("it is back: found %v, size %d", finds(r, "k"), r.Size())
				}
			})
		}
	}
}

func TestT27ALoadNeverOverridesAChangeButMayBeRepeated(t *testing.T) {
	t.Parallel()
	r := replica.New()
	r.Apply(at(0, workspace("w"), key("w", "ann", "k")))
	r.Apply(at(0, key("w", "ann", "k", value("later load"))))
	if !finds(r, "later load") {
		t.Error("the load that was begun anew does not win over the first")
	}
	r.Apply(at(3, key("w", "ann", "k", value("change"))))
	r.Apply(at(0, key("w", "ann", "k", value("stale load"))))
	if !finds(r, "change") || finds(r, "stale load") {
		t.Error("a load overrode a change")
	}
}

func TestSweepGivesBackWhatIsGoneAndNothingElse(t *testing.T) {
	t.Parallel()
	r := house()
	const n = 3000 // more than one batch
	changes := []feed.Change{workspace("big")}
	for i := range n {
		changes = append(changes, key("big", "bob", fmt.Sprint("big", i)))
	}
	r.Apply(at(2, changes...))
	r.Apply(at(3, feed.Change{WorkspaceGone: "big"}, key("w", "ann", "k2")))
	r.Apply(at(4, keyGone("k2")))
	if got, want := r.Sweep(3), n+1; got != want { // the keys, and the mark of the workspace
		t.Errorf("the first sweep let %d go, want %d", got, want)
	}
	if got := r.Sweep(4); got != 1 {
		t.Errorf("the second sweep let %d go, want the mark of one key", got)
	}
	if got := r.Sweep(4); got != 0 {
		t.Errorf("a third sweep let %d go", got)
	}
	if !finds(r, "k") || r.Size() != 1 {
		t.Errorf("what is not gone: found %v, size %d", finds(r, "k"), r.Size())
	}
	r.Apply(at(5, key("w", "ann", "k2")))
	if r.Sweep(9); !finds(r, "k2") {
		t.Error("a sweep took a key that has come back")
	}
}

func TestRevisionNeverGoesBackAndReadinessFollowsItsMarks(t *testing.T) {
	t.Parallel()
	r := replica.New()
	if r.Ready() || r.Revision() != 0 {
		t.Error("a new replica is neither ready nor at any revision")
	}
	r.SetRevision(7)
	r.SetRevision(3)
	r.Apply(at(5, workspace("w")))
	if r.Revision() != 7 {
		t.Errorf("the revision is %d, want 7", r.Revision())
	}
	r.Apply(append(at(8, workspace("w")), at(9, workspace("v"))...))
	if r.Revision() != 9 {
		t.Errorf("the revision is %d, want 9", r.Revision())
	}
	r.MarkReady()
	if !r.Ready() {
		t.Error("it is not ready after MarkReady")
	}
	if r.Fence(); r.Ready() {
		t.Error("it is ready after Fence")
	}
}

// Not parallel: allocations of other tests would count.
func TestT29LookupsAllocateNothing(t *testing.T) {
	r := house()
	r.Apply(at(2, service("s", "one")))
	var v replica.View
	for _, word := range []string{"k", "nobody's"} {
		d := sum(word)
		if n := testing.AllocsPerRun(1000, func() { r.Lookup(d, &v) }); n != 0 {
			t.Errorf("looking up %q allocates %v times", word, n)
		}
	}
	for _, word := range []string{"one", "nobody's"} {
		d := sum(word)
		if n := testing.AllocsPerRun(1000, func() { r.LookupService(d) }); n != 0 {
			t.Errorf("looking up service key %q allocates %v times", word, n)
		}
	}
}

func TestPackedNetworksAreTheListAndHoldTheSameAddresses(t *testing.T) {
	t.Parallel()
	list := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("0.0.0.0/0"),
		netip.MustParsePrefix("::/0"),
		netip.MustParsePrefix(
			"2001:db8::/128",
		),
		netip.MustParsePrefix("::ffff:10.0.0.0/104"),
		netip.MustParsePrefix("1.2.3.4/32"),
		{},
	}
	addresses := []netip.Addr{
		netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("2001:db8::"),
		netip.MustParseAddr("::ffff:10.1.2.3"), netip.MustParseAddr("::"), {},
	}
	for i, p := range list {
		packed := replica.NewNetworks(list[i : i+1])
		if packed.Len() != 1 || packed.At(0) != p {
			t.Errorf("%v is read as %v", p, packed.At(0))
		}
		for _, a := range addresses {
			if got := packed.Contain(a); got != p.Contains(a) {
				t.Errorf("%v holds %v: %v", p, a, got)
			}
		}
	}
	if n := replica.NewNetworks(list); n.Len() != len(list) || n.At(4) != list[4] || replica.NewNetworks(nil).Len() != 0 {
		t.Error("a list is not what was packed")
	}
}

func TestT27AChangeThatComesAfterItsMarkWasSweptBringsNothingBack(t *testing.T) {
	t.Parallel()
	r := house()
	r.Apply(at(11, keyGone("x")))
	r.Apply(at(12, feed.Change{WorkspaceGone: "other"}))
	r.Sweep(12)
	r.Apply(at(10, key("w", "ann", "x"), workspace("other"), key("other", "ann", "y")))
	if finds(r, "x") || finds(r, "y") || r.Size() != 1 {
		t.Errorf("found %v and %v of %d keys", finds(r, "x"), finds(r, "y"), r.Size())
	}
	if r.Apply(at(13, key("w", "ann", "z"))); !finds(r, "z") {
		t.Error("a new change was dropped")
	}
}
