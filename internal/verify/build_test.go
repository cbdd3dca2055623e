package verify_test

import (
	"crypto/rand"
	"net/netip"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/verify"
)

var (
	catalogue = perm.Builtin()
	noon      = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
)

func set(names ...string) perm.Set { return catalogue.Known(names) }

func all(names ...string) perm.Demand { return perm.Demand{All: set(names...)} }

// bench is one engine with its replica, at noon.
type bench struct {
	t        testing.TB
	format   keyfmt.Format
	digester *keyfmt.Digester
	replica  *replica.Replica
	engine   *verify.Engine
	now      time.Time
	revision int64
}

// newBench holds a workspace w, where ann has a role with calls:read and calls:write.
func newBench(t testing.TB, peppers ...string) *bench {
	t.Helper()
	b := &bench{t: t, replica: replica.New(), now: noon}
	var err error
	if b.format, err = keyfmt.NewFormat(keyfmt.DefaultPrefix); err != nil {
		t.Fatal(err)
	}
	current := ""
	if len(peppers) > 0 {
		current, peppers = peppers[0], peppers[1:]
	}
	if b.digester, err = keyfmt.NewDigester(current, peppers...); err != nil {
		t.Fatal(err)
	}
	b.engine = verify.New(
		verify.Config{Replica: b.replica, Format: b.format, Digests: b.digester, Now: func() time.Time { return b.now }},
	)
	b.apply(
		feed.Change{Workspace: &account.Workspace{ID: "w", IsActive: true}},
		feed.Change{Role: &account.Role{ID: "r", Workspace: "w", Permissions: set("calls:read", "calls:write")}},
		feed.Change{Member: &account.Member{Workspace: "w", User: "ann", Role: "r"}},
	)
	b.replica.MarkReady()
	return b
}

func (b *bench) apply(changes ...feed.Change) {
	b.revision++
	for i := range changes {
		changes[i].Revision = b.revision
	}
	b.replica.Apply(changes)
}

func (b *bench) mint(env keyfmt.Environment) keyfmt.Secret {
	b.t.Helper()
	s, err := b.format.Mint(rand.Reader, env)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// keyID is the id of the one key that most tests are about.
const keyID = id.Key("00000000-0000-7000-8000-00000000000c")

// key puts an active key of ann's with calls:read and agents:read in place, and gives its value.
func (b *bench) key(edit ...func(*apikey.Key)) string {
	b.t.Helper()
	s := b.mint(keyfmt.Live)
	k := &apikey.Key{ID: keyID, Workspace: "w", User: "ann", Name: "a key", Environment: keyfmt.Live, IsActive: true,
		Permissions: set("calls:read", "agents:read"), Value: apikey.Value{Digest: b.digester.Store(s)}}
	for _, e := range edit {
		e(k)
	}
	b.apply(feed.Change{Key: k})
	return s.Reveal()
}

// service puts a service key in place, and gives its value.
func (b *bench) service(expiry time.Time) string {
	b.t.Helper()
	s := b.mint(keyfmt.Service)
	b.apply(
		feed.Change{ServiceKey: &account.ServiceKey{ID: "s", Name: "platform", Scopes: []account.Scope{account.ScopeVerify},
			Digest: b.digester.Store(s), ExpiresAt: expiry}},
	)
	return s.Reveal()
}

func (b *bench) check(q verify.Question) verify.Verdict {
	var v verify.Verdict
	b.engine.Check(&q, &v)
	return v
}

func (b *bench) code(q verify.Question) verify.Code { return b.check(q).Code }

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func networks(list ...string) func(*apikey.Key) {
	return func(k *apikey.Key) {
		for _, n := range list {
			k.AllowedIPs = append(k.AllowedIPs, netip.MustParsePrefix(n))
		}
	}
}

func expiring(t time.Time) func(*apikey.Key) { return func(k *apikey.Key) { k.ExpiresAt = t } }

func inactive(k *apikey.Key) { k.IsActive = false }

func workspace(active bool, mode account.PermissionMode) feed.Change {
	return feed.Change{
		Workspace: &account.Workspace{ID: "w", IsActive: active, Settings: account.Settings{PermissionMode: mode}},
	}
}

// authenticate is Authenticate for a test that wants both answers.
func (b *bench) authenticate(token string, ip netip.Addr) (p verify.Principal, code verify.Code) {
	code = b.engine.Authenticate(token, ip, &p)
	return p, code
}
