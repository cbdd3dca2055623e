package verify_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/limittest"
	"github.com/keyward/keyward/internal/verify"
)

const customer = id.Workspace("019a5c3e-7b10-7a44-9c1d-2f6b8e0d4a11")

// planned puts keys with some limits into a workspace with a plan.
func (b *bench) planned(shared ratelimit.Limits, keys int, own ratelimit.Limits) []verify.Question {
	b.apply(feed.Change{Workspace: &account.Workspace{ID: customer, IsActive: true, Plan: account.Plan{Shared: shared}}},
		feed.Change{Role: &account.Role{ID: "customer's", Workspace: customer, Permissions: set("calls:read")}},
		feed.Change{Member: &account.Member{Workspace: customer, User: "ann", Role: "customer's"}})
	return b.keysOf(customer, keys, own)
}

func (b *bench) keysOf(ws id.Workspace, n int, own ratelimit.Limits) (questions []verify.Question) {
	for range n {
		secret := b.mint(keyfmt.Live)
		b.key(func(k *apikey.Key) {
			k.ID = id.Key(fmt.Sprintf("00000000-0000-7000-8002-%012d", b.revision))
			k.Workspace = ws
			k.Value.Digest = b.digester.Store(secret)
			k.Limits = own
		})
		questions = append(questions, verify.Question{Key: secret.Reveal(), Cost: 1})
	}
	return questions
}

func (b *bench) stored(value string) keyfmt.Stored { return b.digester.Store(keyfmt.NewSecret(value)) }

func TestAPlanRefusesWithTheCodesOfAKeysLimitsAndIsNamed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.limited(&limittest.Ledger{}, nil)
	keys := b.planned(ratelimit.Limits{PerMinute: 3, PerDay: 4}, 2, ratelimit.Limits{PerMinute: 2})
	want := func(key int, code verify.Code, byPlan bool) {
		t.Helper()
		if v := b.check(keys[key]); v.Code != code || v.Limits.ByPlan != byPlan {
			t.Errorf("key %d: %s, by the plan %v, want %s, %v: %+v", key, v.Code, v.Limits.ByPlan, code, byPlan, v.Limits)
		}
	}
	want(0, verify.Valid, false)
	want(0, verify.Valid, false)
	want(0, verify.RateLimited, false)
	want(1, verify.Valid, false)
	want(1, verify.RateLimited, true)
	if why := b.why(keys[1], verify.RateLimited); !strings.Contains(
		why, "of 3 in any 60 seconds that all keys of the workspace share is used up",
	) {
		t.Error(why)
	}
	if why := b.why(keys[0], verify.RateLimited); strings.Contains(why, "share") {
		t.Errorf("the key's own limit refused: %s", why)
	}
	b.planned(ratelimit.Limits{PerDay: 4}, 0, ratelimit.Limits{})
	want(1, verify.Valid, false)
	b.planned(ratelimit.Limits{PerDay: 4}, 0, ratelimit.Limits{})
	fresh := b.keysOf(customer, 1, ratelimit.Limits{})
	v := b.check(fresh[0])
	if v.Code != verify.QuotaExceeded || !v.Limits.ByPlan || v.Limits.WorkspaceDay.Limit != 4 || v.Limits.Day.Limit != 0 {
		t.Errorf("a fifth of a day of 4: %+v", v)
	}
	b.planned(ratelimit.Limits{}, 0, ratelimit.Limits{})
	if v := b.check(fresh[0]); v.Code != verify.Valid || v.Limits.Any() {
		t.Errorf("without a plan: %+v", v)
	}
}

// why is what explain says of a step.
func (b *bench) why(q verify.Question, of verify.Code) string {
	_, steps := b.engine.Explain(b.stored(q.Key).Sum, q, func(perm.Set) []string { return nil })
	i := slices.IndexFunc(steps, func(s verify.Step) bool { return s.Code == of })
	if i < 0 {
		return ""
	}
	return steps[i].Why
}

func TestTheDayOfAPlanIsClaimedTogetherForABatch(t *testing.T) {
	t.Parallel()
	b, settled := newBench(t), atomic.Int64{}
	b.limited(&limittest.Ledger{Before: func([]ratelimit.Claim) error {
		settled.Add(1)
		time.Sleep(2 * time.Millisecond)
		return nil
	}}, nil)
	keys := b.planned(ratelimit.Limits{PerDay: 10_000}, 500, ratelimit.Limits{PerDay: 100})
	for i, v := range b.batch(append(keys, keys...)) {
		if v.Code != verify.Valid {
			t.Fatalf("item %d: %s, %+v", i, v.Code, v.Limits)
		}
	}
	if v := b.check(keys[0]); v.Limits.WorkspaceDay.Remaining != 10_000-1001 || v.Limits.Day.Remaining != 97 {
		t.Errorf("%+v", v.Limits)
	}
	if n := settled.Load(); n > 200 {
		t.Errorf("1000 items took %d transactions", n)
	}
}

func TestADecisionUnderAPlanAllocatesNothing(t *testing.T) {
	b := newBench(t)
	b.limited(&limittest.Ledger{}, nil)
	q := b.planned(ratelimit.Limits{
		PerMinute: 1_000_000, PerDay: 1_000_000,
	}, 1, ratelimit.Limits{PerMinute: 1_000_000, PerDay: 1_000_000})[0]
	var v verify.Verdict
	for range 3000 {
		b.engine.Check(&q, &v)
	}
	if n := testing.AllocsPerRun(200, func() { b.engine.Check(&q, &v) }); n > 0 || v.Code != verify.Valid {
		t.Errorf("%v allocations, %s", n, v.Code)
	}
}

// BenchmarkCheckUnderAPlan is a decision on a key with both limits, alone and in a workspace whose plan has both.
func BenchmarkCheckUnderAPlan(b *testing.B) {
	lots := ratelimit.Limits{PerMinute: ratelimit.Max, PerDay: ratelimit.Max}
	for name, shared := range map[string]ratelimit.Limits{"alone": {}, "planned": lots} {
		b.Run(name, func(b *testing.B) {
			k := newBench(b)
			k.limited(&limittest.Ledger{}, nil)
			questions := k.planned(shared, 1000, lots)
			var v verify.Verdict
			for i := range 3 * len(questions) {
				k.engine.Check(&questions[i%len(questions)], &v)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if k.engine.Check(&questions[i%len(questions)], &v); v.Code != verify.Valid {
					b.Fatal(v.Code)
				}
				i++
			}
		})
	}
}
