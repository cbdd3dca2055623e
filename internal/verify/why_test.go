package verify_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/limittest"
	"github.com/keyward/keyward/internal/refusal"
	"github.com/keyward/keyward/internal/verify"
)

// kept keeps every refusal that it is told of.
type kept struct{ all []refusal.Record }

func (k *kept) Refused(r refusal.Record) { k.all = append(k.all, r) }

// judged is a bench with real limits, and with the receiver of refusals.
func judged(t testing.TB) (*bench, *kept) {
	b, told := newBench(t), &kept{}
	limits := ratelimit.New(ratelimit.Config{Elapsed: func() time.Duration { return b.now.Sub(noon) + time.Hour },
		Wall: func() time.Time { return b.now }, Ledger: &limittest.Ledger{}})
	t.Cleanup(func() { _ = limits.Close(context.Background()) })
	b.engine = verify.New(
		verify.Config{Replica: b.replica, Format: b.format, Digests: b.digester, Now: func() time.Time { return b.now },
			Limiter: limits, Refusals: told},
	)
	return b, told
}

// anyKey puts a key in some state in place, and gives its value.
func anyKey(r *rapid.T, b *bench) (value string) {
	flag := func(name string, odds int) bool { return rapid.IntRange(1, odds).Draw(r, name) == 1 }
	mode := account.Frozen
	if flag("capped", 3) {
		mode = account.Capped
	}
	role := set("calls:read", "calls:write")
	if flag("lesser role", 3) {
		role = set("calls:write")
	}
	b.apply(
		feed.Change{
			Workspace: &account.Workspace{
				ID: "w", IsActive: !flag("switched off", 8), Settings: account.Settings{PermissionMode: mode},
			},
		},
		feed.Change{Role: &account.Role{ID: "r", Workspace: "w", Permissions: role}},
	)
	if flag("creator gone", 6) {
		b.apply(feed.Change{MemberGone: &feed.MemberID{Workspace: "w", User: "ann"}})
	}
	return b.key(func(k *apikey.Key) {
		k.ID = id.Key(id.Format([16]byte{15: byte(rapid.IntRange(1, 255).Draw(r, "id"))}))
		k.IsActive, k.Orphan = !flag("disabled", 8), flag("kept", 2)
		k.ExpiresAt = rapid.SampledFrom([]time.Time{{}, noon, noon.Add(-time.Second), noon.Add(time.Millisecond)}).
			Draw(r, "expiry")
		k.Permissions = rapid.SampledFrom([]perm.Set{{}, set("calls:read"), set("calls:read", "calls:write")}).
			Draw(r, "holds")
		for _, n := range rapid.SampledFrom([][]string{nil, {"10.0.0.0/8"}, {"10.0.0.0/8", "2001:db8::/32"}}).Draw(r,
			"networks") {
			k.AllowedIPs = append(k.AllowedIPs, netip.MustParsePrefix(n))
		}
		k.Limits = rapid.SampledFrom([]ratelimit.Limits{{}, {PerMinute: 2}, {PerDay: 3}, {PerMinute: 3, PerDay: 2}}).
			Draw(r, "limits")
	})
}

func anyQuestion(r *rapid.T) (q verify.Question) {
	demands := []perm.Demand{
		{}, all("calls:read"), all("calls:read", "calls:write"), {Any: set("calls:write", "agents:read")},
		{All: set("calls:read"), Any: set("agents:read")},
	}
	q.Demand = rapid.SampledFrom(demands).Draw(r, "demand")
	q.IP = rapid.SampledFrom([]netip.Addr{{}, ip("10.1.2.3"), ip("::ffff:10.1.2.3"), ip("192.0.2.1"), ip("2001:db8::1")}).
		Draw(r, "ip")
	q.Cost = rapid.SampledFrom([]int{0, 1, 1, 2, 5}).Draw(r, "cost")
	reaches := []account.Reach{{}, {}, {}, {Workspaces: []id.Workspace{"w"}}, {Workspaces: []id.Workspace{"w2"}},
		{Environments: []keyfmt.Environment{keyfmt.Live}}, {Environments: []keyfmt.Environment{keyfmt.Test}}}
	q.Where = rapid.SampledFrom(reaches).Draw(r, "where")
	return q
}

// In every state, and for every question, the explanation comes to the code that a verification then gives, any number
// of times; its steps agree with it and say why; and a refusal is told with the same words, but for the networks.
func TestAnExplanationIsWhatAVerificationThenSays(t *testing.T) {
	t.Parallel()
	codes := map[verify.Code]int{}
	wanted := []verify.Code{
		verify.NotFound, verify.Disabled, verify.Expired, verify.IPForbidden, verify.InsufficientPermissions,
		verify.RateLimited, verify.QuotaExceeded, verify.Valid,
	}
	property := func(r *rapid.T) {
		b, told := judged(t)
		value := anyKey(r, b)
		digest := b.digester.Current(value)
		for range 6 {
			q := anyQuestion(r)
			var explained verify.Code
			var steps []verify.Step
			for range 3 {
				explained, steps = b.engine.Explain(digest, q, catalogue.Names)
			}
			before := len(told.all)
			q.Key = value
			v := b.check(q)
			codes[v.Code]++
			if explained != v.Code {
				r.Fatalf("explained as %s, verified as %s", explained, v.Code)
			}
			why := consistent(r, v.Code, steps)
			switch refused := told.all[before:]; {
			case v.Code == verify.Valid && len(refused) > 0, v.Code != verify.Valid && len(refused) != 1:
				r.Fatalf("%s, and told of %d refusals", v.Code, len(refused))
			case len(refused) == 1 && !strings.HasPrefix(why, strings.TrimSuffix(refused[0].Why(catalogue.Names), " networks")):
				r.Fatalf("explained as %q, told as %q", why, refused[0].Why(catalogue.Names))
			}
		}
	}
	missing := func(c verify.Code) bool { return codes[c] == 0 }
	for tries := 0; tries == 0 || tries < 20 && slices.ContainsFunc(wanted, missing); tries++ { // some codes are rare
		rapid.Check(t, property)
	}
	for _, c := range wanted {
		if missing(c) {
			t.Errorf("%s never came out: the test says nothing of it", c)
		}
	}
}

// consistent checks the steps against the code, and gives the words of the one that refused.
func consistent(r *rapid.T, code verify.Code, steps []verify.Step) (why string) {
	refused := false
	for _, s := range steps {
		own := s.Code == code
		if s.Reached == refused || s.Passed != (!refused && !own) || s.Why == "" || strings.Contains(s.Why, "kw_") {
			r.Fatalf("%s: step %+v", code, s)
		}
		if own {
			refused, why = true, s.Why
		}
	}
	if refused == (code == verify.Valid) {
		r.Fatalf("%s: no step refuses, or one does: %+v", code, steps)
	}
	return why
}

// The words name the values.
func TestTheWordsOfAnExplanationNameTheValues(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit func(*apikey.Key)
		ask  verify.Question
		code verify.Code
		want string
	}{
		"from elsewhere": {networks("10.0.0.0/8"), verify.Question{IP: ip("203.0.113.7")}, verify.IPForbidden,
			"IP not allowed: 203.0.113.7 is not in 10.0.0.0/8"},
		"from nowhere": {networks("10.0.0.0/8"), verify.Question{}, verify.IPForbidden,
			"IP not allowed: none was given, and the key is bound to 10.0.0.0/8"},
		"from within": {networks("10.0.0.0/8", "192.0.2.0/24"), verify.Question{IP: ip("192.0.2.9")}, verify.IPForbidden,
			"192.0.2.9 is in 192.0.2.0/24"},
		"expired": {expiring(noon.Add(-time.Hour)), verify.Question{}, verify.Expired,
			"the key expired at 2026-11-23T11:00:00.000Z"},
		"lacking": {nil, verify.Question{Demand: all("calls:read", "calls:write")}, verify.InsufficientPermissions,
			"the key lacks calls:write"},
		"none of some": {nil, verify.Question{Demand: perm.Demand{Any: set("calls:write", "agents:write")}},
			verify.InsufficientPermissions,
			"the key holds none of agents:write, calls:write"},
		"too dear": {func(k *apikey.Key) { k.Limits.PerMinute = 3 }, verify.Question{Cost: 5}, verify.RateLimited,
			"the request costs 5, more than the limit of 3 in any 60 seconds"},
		"disabled": {inactive, verify.Question{}, verify.Disabled, "the key is disabled"},
		"elsewhere": {nil, verify.Question{Where: account.Reach{Environments: []keyfmt.Environment{keyfmt.Test}}},
			verify.NotFound,
			"the key is of another environment than the one asked for"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := judged(t)
			edit := c.edit
			if edit == nil {
				edit = func(*apikey.Key) {}
			}
			_, steps := b.engine.Explain(b.digester.Current(b.key(edit)), c.ask, catalogue.Names)
			for _, s := range steps {
				if s.Code == c.code && s.Why != c.want {
					t.Errorf("%q, want %q", s.Why, c.want)
				}
			}
		})
	}
}

// A good key, and a text that is no key at all, record no refusal and allocate nothing.
func TestARefusalIsToldOfKeysThatAreThereAlone(t *testing.T) {
	b, told := judged(t)
	good := verify.Question{Key: b.key(), Cost: 1}
	unknown := verify.Question{Key: b.mint(keyfmt.Live).Reveal(), Cost: 1}
	malformed := verify.Question{Key: "kw_live_nonsense", Cost: 1}
	var v verify.Verdict
	for name, q := range map[string]*verify.Question{"good": &good, "unknown": &unknown, "malformed": &malformed} {
		if n := testing.AllocsPerRun(100, func() { b.engine.Check(q, &v) }); n > 0 || len(told.all) > 0 {
			t.Errorf("%s: %v allocations, told of %d", name, n, len(told.all))
		}
	}
}
