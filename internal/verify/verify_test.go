package verify_test

import (
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/verify"
)

func TestAGoodKeyIsValidAndItsOwnerIsNamed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	v := b.check(verify.Question{Key: b.key(), Demand: all("calls:read")})
	if v.Code != verify.Valid || !v.Known() {
		t.Fatalf("%s", v.Code)
	}
	if v.Key.ID() != keyID || v.Key.Workspace != "w" || v.Key.User != "ann" || v.Key.Name != "a key" {
		t.Errorf("the verdict is about %+v", v.Key)
	}
	if v.Permissions != set("calls:read", "agents:read") || !v.Missing.IsEmpty() {
		t.Errorf("permissions %v, missing %v", catalogue.Names(v.Permissions), catalogue.Names(v.Missing))
	}
}

// A key with every defect; they are taken away one after another in the contract's order.
func TestT43TheFirstDefectInTheContractsOrderIsTheAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	broken := &apikey.Key{}
	value := b.key(
		inactive, expiring(noon), networks("10.0.0.0/8"), func(k *apikey.Key) { k.Permissions = set(); *broken = *k },
	)
	b.apply(feed.Change{KeyGone: keyID})
	b.replica.Fence()
	q := verify.Question{Key: value + "0", Demand: all("calls:read"), IP: ip("192.0.2.1")}
	edit := func(f func(k *apikey.Key)) func() {
		return func() {
			f(broken)
			k := *broken
			b.apply(feed.Change{Key: &k})
		}
	}
	steps := []struct {
		mend func()
		want verify.Code
	}{
		{func() {}, verify.Malformed},
		{func() { q.Key = value }, verify.Unavailable},
		{b.replica.MarkReady, verify.NotFound},
		{edit(func(*apikey.Key) {}), verify.Disabled},
		{edit(func(k *apikey.Key) { k.IsActive = true }), verify.Expired},
		{edit(func(k *apikey.Key) { k.ExpiresAt = noon.Add(time.Hour) }), verify.IPForbidden},
		{func() { q.IP = ip("10.1.2.3") }, verify.InsufficientPermissions},
		{edit(func(k *apikey.Key) { k.Permissions = set("calls:read") }), verify.Valid},
	}
	for _, s := range steps {
		if s.mend(); b.code(q) != s.want {
			t.Errorf("%s, want %s", b.code(q), s.want)
		}
	}
}

func TestNothingIsToldOfAKeyThatIsNotThere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cases := map[string]struct {
		key  string
		want verify.Code
	}{
		"no text":       {"", verify.Malformed},
		"another text":  {"hello", verify.Malformed},
		"cut":           {b.key()[:56], verify.Malformed},
		"never minted":  {b.mint(keyfmt.Live).Reveal(), verify.NotFound},
		"service key":   {b.service(time.Time{}), verify.NotFound},
		"no longer its": {b.key(), verify.NotFound},
	}
	b.key() // replaces the value of the last case
	for name, c := range cases {
		v := b.check(verify.Question{Key: c.key})
		if v.Code != c.want || v.Known() || v.Key.UUID != [16]byte{} || v.Key.Metadata != "" || !v.Permissions.IsEmpty() {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestADeletedKeyAndAKeyOfADeletedWorkspaceAreNotFound(t *testing.T) {
	t.Parallel()
	for _, gone := range []feed.Change{{KeyGone: keyID}, {WorkspaceGone: "w"}} {
		b := newBench(t)
		q := verify.Question{Key: b.key()}
		b.apply(gone)
		if got := b.code(q); got != verify.NotFound {
			t.Errorf("after %+v: %s", gone, got)
		}
	}
}

func TestADisabledKeyWorkspaceOrCreatorDisables(t *testing.T) {
	t.Parallel()
	left := feed.Change{MemberGone: &feed.MemberID{Workspace: "w", User: "ann"}}
	orphan := func(k *apikey.Key) { k.Orphan = true }
	cases := map[string]struct {
		edit  func(*apikey.Key)
		after []feed.Change
		want  verify.Code
	}{
		"the key":                     {inactive, nil, verify.Disabled},
		"the key, by revocation":      {func(k *apikey.Key) { k.Revoked = true }, nil, verify.Disabled},
		"its workspace":               {nil, []feed.Change{workspace(false, account.Frozen)}, verify.Disabled},
		"its creator has left":        {nil, []feed.Change{left}, verify.Disabled},
		"its creator never was there": {func(k *apikey.Key) { k.User = "bob" }, nil, verify.Disabled},
		"it was kept":                 {orphan, []feed.Change{left}, verify.Valid},
		"kept, in a disabled workspace": {orphan, []feed.Change{left, workspace(false, account.Frozen)},
			verify.Disabled},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			edit := c.edit
			if edit == nil {
				edit = func(*apikey.Key) {}
			}
			q := verify.Question{Key: b.key(edit)}
			b.apply(c.after...)
			if got := b.code(q); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestT32AKeyAndAnEarlierValueEndOnTheMillisecond(t *testing.T) {
	t.Parallel()
	end := noon.Add(time.Hour)
	cases := []struct {
		now            time.Time
		expiry, former verify.Code
	}{
		{end.Add(-time.Millisecond), verify.Valid, verify.Valid},
		{end.Add(-time.Nanosecond), verify.Valid, verify.Valid},
		{end, verify.Expired, verify.NotFound},
		{end.Add(time.Millisecond), verify.Expired, verify.NotFound},
		{end.AddDate(300, 0, 0), verify.Expired, verify.NotFound},
	}
	for _, c := range cases {
		b := newBench(t)
		q := verify.Question{Key: b.key(expiring(end))}
		if b.now = c.now; b.code(q) != c.expiry {
			t.Errorf("at %s the key is %s, want %s", c.now, b.code(q), c.expiry)
		}

		b = newBench(t)
		old := b.mint(keyfmt.Live)
		b.key(func(k *apikey.Key) { k.Previous = []apikey.Value{{Digest: b.digester.Store(old), Until: end}} })
		q = verify.Question{Key: old.Reveal()}
		if b.now = c.now; b.code(q) != c.former {
			t.Errorf("at %s the earlier value is %s, want %s", c.now, b.code(q), c.former)
		}
	}
}

func TestT32ExpiriesAtTheEdgesOfTimeAreNotTakenForNever(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, expiry := range []time.Time{time.Unix(0, 0), time.UnixMilli(-1), noon.AddDate(-300, 0, 0),
		time.Time{}.Add(time.Millisecond)} {
		if got := b.code(verify.Question{Key: b.key(expiring(expiry))}); got != verify.Expired {
			t.Errorf("a key that expired at %s is %s", expiry, got)
		}
	}
	for _, expiry := range []time.Time{{}, time.Unix(0, 1<<63-1), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got := b.code(verify.Question{Key: b.key(expiring(expiry))}); got != verify.Valid {
			t.Errorf("a key that expires at %s is %s", expiry, got)
		}
	}
}

func TestT15AForgedChecksumProvesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	value := b.key()
	for range 1000 {
		if got := b.code(verify.Question{Key: b.mint(keyfmt.Live).Reveal()}); got != verify.NotFound {
			t.Fatalf("a key that was never issued is %s", got)
		}
	}
	const head = len("kw_live_")
	for i := head; i < len(value); i++ {
		other := "A"
		if value[i] == 'A' {
			other = "B"
		}
		if got := b.code(verify.Question{Key: value[:i] + other + value[i+1:]}); got != verify.Malformed {
			t.Errorf("with another character at %d: %s", i, got)
		}
	}
	if got := b.code(verify.Question{Key: strings.Replace(value, "live", "test", 1)}); got != verify.Malformed {
		t.Errorf("with another environment: %s", got)
	}
}

func TestAnAddressOutsideTheListIsForbidden(t *testing.T) {
	t.Parallel()
	cases := []struct {
		allowed []string
		ip      string
		want    verify.Code
	}{
		{nil, "", verify.Valid},
		{nil, "192.0.2.1", verify.Valid},
		{[]string{"10.0.0.0/8"}, "", verify.IPForbidden},
		{[]string{"0.0.0.0/0", "::/0"}, "", verify.IPForbidden},
		{[]string{"10.0.0.0/8"}, "10.255.255.255", verify.Valid},
		{[]string{"10.0.0.0/8"}, "11.0.0.0", verify.IPForbidden},
		{[]string{"10.0.0.0/8"}, "::ffff:10.1.2.3", verify.Valid},
		{[]string{"::/0"}, "::ffff:10.1.2.3", verify.IPForbidden},
		{[]string{"10.0.0.0/8", "2001:db8::/32"}, "2001:db8::1", verify.Valid},
		{[]string{"10.0.0.0/8", "2001:db8::/32"}, "2001:db9::1", verify.IPForbidden},
		{[]string{"fe80::/10"}, "fe80::1%eth0", verify.Valid},
	}
	for _, c := range cases {
		b := newBench(t)
		q := verify.Question{Key: b.key(networks(c.allowed...))}
		if c.ip != "" {
			q.IP = ip(c.ip)
		}
		if got := b.code(q); got != c.want {
			t.Errorf("%s against %v: %s, want %s", c.ip, c.allowed, got, c.want)
		}
		if _, got := b.authenticate(q.Key, q.IP); got != c.want {
			t.Errorf("%s against %v: our own API says %s, want %s", c.ip, c.allowed, got, c.want)
		}
	}
}

func TestADemandIsMetOrWhatIsMissingIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	value := b.key()
	cases := []struct {
		all, any, missing []string
	}{
		{nil, nil, nil},
		{[]string{"calls:read", "agents:read"}, nil, nil},
		{[]string{"calls:read", "calls:write"}, nil, []string{"calls:write"}},
		{nil, []string{"calls:write", "agents:read"}, nil},
		{nil, []string{"calls:write", "agents:write"}, []string{"calls:write", "agents:write"}},
		{[]string{"calls:write"}, []string{"calls:read"}, []string{"calls:write"}},
	}
	for _, c := range cases {
		v := b.check(verify.Question{Key: value, Demand: perm.Demand{All: set(c.all...), Any: set(c.any...)}})
		want := verify.Valid
		if c.missing != nil {
			want = verify.InsufficientPermissions
		}
		if v.Code != want || v.Missing != set(c.missing...) {
			t.Errorf("all %v, any %v: %s, missing %v", c.all, c.any, v.Code, catalogue.Names(v.Missing))
		}
	}
}

func TestACappedWorkspaceNarrowsAKeyToWhatItsCreatorHoldsNow(t *testing.T) {
	t.Parallel()
	role := func(held ...string) feed.Change {
		return feed.Change{Role: &account.Role{ID: "r", Workspace: "w", Permissions: set(held...)}}
	}
	cases := []struct {
		name   string
		mode   account.PermissionMode
		change feed.Change
		want   []string
	}{
		{"frozen", account.Frozen, role(), []string{"calls:read", "agents:read"}},
		{
			"capped by all", account.Capped, role("calls:read", "agents:read", "calls:write"),
			[]string{"calls:read", "agents:read"},
		},
		{"capped by less", account.Capped, role("calls:read", "calls:write"), []string{"calls:read"}},
		{"capped by nothing", account.Capped, role(), nil},
		{"capped without a role", account.Capped, feed.Change{RoleGone: "r"}, nil},
		{
			"capped without a member", account.Capped, feed.Change{MemberGone: &feed.MemberID{Workspace: "w", User: "ann"}}, nil,
		},
	}
	for _, c := range cases {
		b := newBench(t)
		value := b.key(func(k *apikey.Key) { k.Orphan = true })
		b.apply(workspace(true, c.mode), c.change)
		v := b.check(verify.Question{Key: value})
		if v.Code != verify.Valid || v.Permissions != set(c.want...) {
			t.Errorf("%s: %s with %v, want %v", c.name, v.Code, catalogue.Names(v.Permissions), c.want)
		}
		if p, _ := b.authenticate(value, netip.Addr{}); p.Permissions != v.Permissions {
			t.Errorf("%s: our own API takes %v", c.name, catalogue.Names(p.Permissions))
		}
	}
}

func TestT23KeysOfEarlierPeppersAreGoodWhileThesePeppersAreAdmitted(t *testing.T) {
	t.Parallel()
	makers := map[string]*bench{"none": newBench(t), "old": newBench(t, "old"), "new": newBench(t, "new")}
	cases := []struct {
		peppers []string
		admits  map[string]bool
	}{
		{nil, map[string]bool{"none": true}},
		{[]string{"new"}, map[string]bool{"new": true}},
		{[]string{"new", "old"}, map[string]bool{"new": true, "old": true}},
		{[]string{"new", "old", "none"}, map[string]bool{"new": true, "old": true, "none": true}},
	}
	for _, c := range cases {
		for made, maker := range makers {
			b := newBench(t, c.peppers...)
			live, svc := maker.mint(keyfmt.Live), maker.mint(keyfmt.Service)
			b.key(func(k *apikey.Key) { k.Value.Digest = maker.digester.Store(live) })
			b.apply(feed.Change{ServiceKey: &account.ServiceKey{ID: "s", Digest: maker.digester.Store(svc)}})
			want := verify.NotFound
			if c.admits[made] {
				want = verify.Valid
			}
			if got := b.code(verify.Question{Key: live.Reveal()}); got != want {
				t.Errorf("with peppers %v a key made under %q is %s", c.peppers, made, got)
			}
			if _, got := b.authenticate(svc.Reveal(), netip.Addr{}); got != want {
				t.Errorf("with peppers %v a service key made under %q is %s", c.peppers, made, got)
			}
		}
	}
}

func TestAuthenticateTellsServiceKeysFromAPIKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p, code := b.authenticate(b.key(), netip.Addr{})
	if code != verify.Valid || p.IsService || p.Key.ID() != keyID || p.Permissions != set("calls:read", "agents:read") {
		t.Errorf("an API key: %s %+v", code, p)
	}
	p, code = b.authenticate(b.service(noon.Add(time.Millisecond)), netip.Addr{})
	if code != verify.Valid || !p.IsService || p.Service.ID != "s" || !p.Service.Has(account.ScopeVerify) {
		t.Errorf("a service key: %s %+v", code, p)
	}
	token := b.service(noon)
	if _, code = b.authenticate(token, netip.Addr{}); code != verify.Expired {
		t.Errorf("an expired service key: %s", code)
	}
	b.apply(feed.Change{ServiceKeyGone: "s"})
	if p, code = b.authenticate(token, netip.Addr{}); code != verify.NotFound || p.IsService {
		t.Errorf("a deleted service key: %s %+v", code, p)
	}
	if _, code = b.authenticate("Bearer", netip.Addr{}); code != verify.Malformed {
		t.Errorf("another text: %s", code)
	}
	b.replica.Fence()
	if _, code = b.authenticate(token, netip.Addr{}); code != verify.Unavailable {
		t.Errorf("behind the fence: %s", code)
	}
}

func TestTheZeroVerdictIsNotValidAndAVerdictIsSetAnew(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var v verify.Verdict
	if v.Known() || v.Code == verify.Valid {
		t.Error("the zero verdict says something")
	}
	b.engine.Check(&verify.Question{Key: b.key(), Demand: all("calls:write")}, &v)
	b.engine.Check(&verify.Question{Key: "nothing"}, &v)
	if v.Code != verify.Malformed || v.Key.UUID != [16]byte{} || !v.Permissions.IsEmpty() || !v.Missing.IsEmpty() {
		t.Errorf("something of the verdict before is left: %+v", v)
	}
}

// Not parallel: allocations of other tests would count.
func TestT29AVerificationAllocatesNothingForGoodUnknownAndMalformedKeys(t *testing.T) {
	b := newBench(t)
	questions := map[string]verify.Question{
		"good":        {Key: b.key(networks("10.0.0.0/8")), Demand: all("calls:read"), IP: ip("10.1.2.3")},
		"unknown":     {Key: b.mint(keyfmt.Test).Reveal()},
		"service key": {Key: b.service(time.Time{})},
		"malformed":   {Key: strings.Repeat("x", 10_000)},
	}
	var v verify.Verdict
	var p verify.Principal
	for name, q := range questions {
		if n := testing.AllocsPerRun(1000, func() { b.engine.Check(&q, &v) }); n != 0 {
			t.Errorf("%s: Check allocates %v times", name, n)
		}
		if n := testing.AllocsPerRun(1000, func() { b.engine.Authenticate(q.Key, q.IP, &p) }); n != 0 {
			t.Errorf("%s: Authenticate allocates %v times", name, n)
		}
	}
	if b.replica.Size() != 1 {
		t.Errorf("questions left %d keys", b.replica.Size())
	}
}

func BenchmarkCheck(b *testing.B) {
	h := newBench(b)
	questions := map[string]verify.Question{
		"good":      {Key: h.key(), Demand: all("calls:read")},
		"unknown":   {Key: h.mint(keyfmt.Live).Reveal()},
		"malformed": {Key: "kw_live_" + strings.Repeat("A", 49)},
	}
	for name, q := range questions {
		b.Run(name, func(b *testing.B) {
			var v verify.Verdict
			b.ReportAllocs()
			for b.Loop() {
				h.engine.Check(&q, &v)
			}
		})
	}
}

// Not parallel: allocations of other tests would count.
func TestT29InventedKeysLeaveNothingBehind(t *testing.T) {
	b := newBench(t)
	b.key()
	const n = 20_000
	invented := make([]string, n)
	for i := range invented {
		invented[i] = b.mint(keyfmt.Live).Reveal()
	}
	held := b.replica.Memory()
	var v verify.Verdict
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 5 {
		for _, value := range invented {
			if b.engine.Check(&verify.Question{Key: value, Cost: 1}, &v); v.Code != verify.NotFound {
				t.Fatalf("an invented key is %s", v.Code)
			}
		}
	}
	runtime.ReadMemStats(&after)
	if now := b.replica.Memory(); now != held || b.replica.Size() != 1 {
		t.Errorf("the replica has grown from %+v to %+v", held, now)
	}
	if made := after.Mallocs - before.Mallocs; made > n/100 {
		t.Errorf("%d questions allocated %d times", 5*n, made)
	}
}

func TestTheCapOfAWorkspaceAllocatesNothing(t *testing.T) {
	b := newBench(t)
	value := b.key()
	b.apply(workspace(true, account.Capped))
	var v verify.Verdict
	q := verify.Question{Key: value, Cost: 1}
	b.engine.Check(&q, &v)
	if v.Permissions != set("calls:read") {
		t.Fatalf("the key may do %v", catalogue.Names(v.Permissions))
	}
	if n := testing.AllocsPerRun(1000, func() { b.engine.Check(&q, &v) }); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}
