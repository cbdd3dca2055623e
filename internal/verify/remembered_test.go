package verify_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/verify"
)

// connection is a caller that presents one text after the other.
type connection struct {
	*bench
	caller verify.Remembered
}

// presents authenticates twice, so that the second time uses the state left by the first, and once without a memory.
func (c *connection) presents(token string, from netip.Addr, want verify.Code) {
	c.t.Helper()
	var k account.ServiceKey
	for _, caller := range []*verify.Remembered{&c.caller, &c.caller, nil} {
		if got := c.engine.AuthenticateService(token, from, c.engine.Look(), caller, &k); got != want {
			c.t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestARememberedCredentialIsJudgedAtEveryRequest(t *testing.T) {
	t.Parallel()
	c := &connection{bench: newBench(t)}
	near, far := netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("192.0.2.9")
	s := c.mint(keyfmt.Service)
	k := account.ServiceKey{
		ID: "s", Scopes: []account.Scope{account.ScopeVerify}, Digest: c.digester.Store(s), ExpiresAt: noon.Add(time.Minute),
	}
	c.apply(feed.Change{ServiceKey: &k})
	c.presents(s.Reveal(), far, verify.Valid)

	bound := k
	bound.Bounds.AllowedIPs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	c.apply(feed.Change{ServiceKey: &bound})
	c.presents(s.Reveal(), far, verify.NotFound)
	c.presents(s.Reveal(), near, verify.Valid)

	c.now = noon.Add(time.Minute)
	c.presents(s.Reveal(), near, verify.Expired)
	c.now = noon
	c.presents(s.Reveal(), near, verify.Valid)

	c.replica.Fence()
	c.presents(s.Reveal(), near, verify.Unavailable)
	c.replica.MarkReady()

	c.apply(feed.Change{ServiceKeyGone: "s"})
	c.presents(s.Reveal(), near, verify.NotFound)
}

func TestWhatIsRememberedOfOneCredentialIsOfNoUseToAnother(t *testing.T) {
	t.Parallel()
	c := &connection{bench: newBench(t)}
	good, live := c.service(time.Time{}), c.key()
	strangers := []string{"", "x", good[:len(good)-1], good + "x", c.mint(keyfmt.Service).Reveal(), live}
	for i := range good {
		strangers = append(strangers, good[:i]+string(good[i]^1)+good[i+1:])
	}
	for _, s := range strangers {
		c.presents(good, netip.Addr{}, verify.Valid)
		c.presents(s, netip.Addr{}, verify.NotFound)
	}
	c.presents(good, netip.Addr{}, verify.Valid)
	c.caller.Forget()
	c.presents("", netip.Addr{}, verify.NotFound)
}

// One key takes the place of another under the same connection: the answer is about the key whose text is presented.
func TestTheKeyIsTheOneWhoseTextIsPresented(t *testing.T) {
	t.Parallel()
	b := newBench(t, "a pepper", "none")
	plain, err := keyfmt.NewDigester("")
	if err != nil {
		t.Fatal(err)
	}
	one, two := b.mint(keyfmt.Service), b.mint(keyfmt.Service)
	b.apply(feed.Change{ServiceKey: &account.ServiceKey{ID: "one", Digest: b.digester.Store(one)}},
		feed.Change{ServiceKey: &account.ServiceKey{ID: "two", Digest: plain.Store(two)}})
	var caller verify.Remembered
	for i := range 20 {
		s, want := one, "one"
		if i/2%2 == 1 {
			s, want = two, "two"
		}
		var k account.ServiceKey
		if code := b.engine.AuthenticateService(
			s.Reveal(), netip.Addr{}, b.engine.Look(), &caller, &k,
		); code != verify.Valid ||
			string(k.ID) != want {
			t.Fatalf("call %d: %s, %q, want %q", i, code, k.ID, want)
		}
	}
}

func TestARepeatedCredentialAllocatesNothing(t *testing.T) {
	b := newBench(t)
	token := b.service(time.Time{})
	var caller verify.Remembered
	var k account.ServiceKey
	ask := func() { b.engine.AuthenticateService(token, netip.Addr{}, b.engine.Look(), &caller, &k) }
	ask()
	if n := testing.AllocsPerRun(100, ask); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkAuthenticateService costs the caller's credential, as a connection presents it again and as it is presented
// once.
func BenchmarkAuthenticateService(b *testing.B) {
	for name, caller := range map[string]*verify.Remembered{"again": {}, "once": nil} {
		b.Run(name, func(b *testing.B) {
			e := newBench(b)
			token := e.service(time.Time{})
			var k account.ServiceKey
			b.ReportAllocs()
			for b.Loop() {
				e.engine.AuthenticateService(token, netip.Addr{}, e.engine.Look(), caller, &k)
			}
		})
	}
}
