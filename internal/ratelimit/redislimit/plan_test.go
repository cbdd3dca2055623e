package redislimit_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/redislimit"
	"github.com/keyward/keyward/internal/rig"
)

const workspaceKey = 200

// customer is a workspace with some keys of its own, the first of which is number 1.
func customer(keys int, perMinute int64) []ratelimit.Subject {
	plan := &ratelimit.Plan{ID: [16]byte{15: workspaceKey}, Limits: ratelimit.Limits{PerMinute: perMinute}}
	out := make([]ratelimit.Subject, keys)
	for i := range out {
		out[i] = ratelimit.Subject{
			ID: [16]byte{0: byte(i + 1), 15: byte(i + 1)}, Workspace: id.Workspace(id.Format(plan.ID)), Plan: plan,
		}
	}
	return out
}

// hammerPlan lets workers call all nodes for a while: keys with limits of their own, and one without.
func (in *installation) hammerPlan(span time.Duration, keys []ratelimit.Subject, limits []int64, workers int) {
	var all sync.WaitGroup
	end := in.now().Add(span)
	for w := range workers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 11))
			for in.now().Before(end) {
				for range 1 + r.IntN(6) {
					i := r.IntN(len(keys))
					of := ratelimit.PerMinute{Key: limits[i], Workspace: keys[i].Plan.Limits.PerMinute}
					in.takeOf(r.IntN(len(in.nodes)), keys[i], of, 1+r.Int64N(2))
				}
				time.Sleep(time.Duration(r.IntN(int(500*time.Millisecond))) / speed)
			}
		})
	}
	all.Wait()
}

func (in *installation) neverMore(keys []ratelimit.Subject, limits []int64) {
	in.t.Helper()
	plan := keys[0].Plan.Limits.PerMinute
	for i, limit := range limits {
		if most := in.got.most(keys[i].ID[15]); limit > 0 && most > limit {
			in.t.Errorf("key %d, limit %d: %d admitted within a minute", i, limit, most)
		}
	}
	most := in.got.most(workspaceKey)
	in.t.Logf("a plan of %d: at most %d in a minute", plan, most)
	if most > plan {
		in.t.Errorf("a plan of %d: %d admitted within a minute", plan, most)
	}
	if most < plan*6/10 {
		in.t.Errorf("a plan of %d: no more than %d in any minute", plan, most)
	}
}

func TestNeverMoreThanAPlanInAnyMinuteOnThreeNodes(t *testing.T) {
	t.Parallel()
	for _, mode := range []redislimit.Mode{redislimit.Leased, redislimit.Exact} {
		for _, plan := range []int64{10, 150} {
			t.Run(fmt.Sprintf("mode %d, plan %d", mode, plan), func(t *testing.T) {
				t.Parallel()
				in := install(t, 3, func(o *redislimit.Options) { o.Mode = mode })
				keys, limits := customer(4, plan), []int64{5, 60, 100, 0}
				in.hammerPlan(130*time.Second, keys, limits, 6)
				in.neverMore(keys, limits)
				for i, l := range in.nodes {
					if s := l.Stats(); s.AdmittedAlone+s.RefusedAlone > 0 {
						t.Errorf("node %d went on alone: %+v", i, s)
					}
				}
			})
		}
	}
}

// A key and its workspace share a slot of a cluster, so one script decides on both.
func TestAPlanHoldsOverAClusterOfRedis(t *testing.T) {
	t.Parallel()
	servers := rig.StartRedisCluster(t, 3, speed)
	for _, mode := range []redislimit.Mode{redislimit.Leased, redislimit.Exact} {
		in := &installation{t: t, now: fast()}
		in.start(2, func(o *redislimit.Options) {
			o.Mode, o.Cluster, o.Prefix = mode, true, fmt.Sprintf("of-%d:", mode)
			o.Connect = connect(rueidis.ClientOption{InitAddress: []string{servers[0].Addr, servers[1].Addr, servers[2].Addr}})
		})
		keys, limits := customer(3, 40), []int64{5, 30, 0}
		in.hammerPlan(100*time.Second, keys, limits, 4)
		in.neverMore(keys, limits)
		if s := in.nodes[0].Stats(); s.Questions == 0 || s.Epochs+s.Failures+s.AdmittedAlone != 0 {
			t.Errorf("mode %d: %+v", mode, s)
		}
	}
}

// A refusal by the plan costs the key nothing, on whichever node, and a refusal by the key costs the plan nothing.
func TestARefusalByOneOfTwoCostsTheOtherNothing(t *testing.T) {
	t.Parallel()
	for _, mode := range []redislimit.Mode{redislimit.Leased, redislimit.Exact} {
		t.Run(fmt.Sprint("mode ", mode), func(t *testing.T) {
			t.Parallel()
			in := install(t, 2, func(o *redislimit.Options) { o.Mode = mode })
			keys := customer(2, 100)
			both := func(own int64) ratelimit.PerMinute { return ratelimit.PerMinute{Key: own, Workspace: 100} }
			alone := keys[1]
			alone.Plan = nil
			for i := range 30 { // both nodes hold shares of the second key, which has the same name without the plan
				in.takeOf(i%2, alone, ratelimit.PerMinute{Key: 200}, 1)
			}
			refused := func(of ratelimit.PerMinute, who ratelimit.Subject, byPlan bool) {
				t.Helper()
				for i := range 60 {
					var s ratelimit.Status
					if o := in.nodes[i%2].Take(who, of, 1, &s); o == ratelimit.MinuteSpent && s.ByPlan != byPlan {
						t.Fatalf("%+v", s)
					}
				}
			}
			for i := range 150 {
				in.takeOf(i%2, keys[0], both(40), 1)
			}
			refused(both(40), keys[0], false)
			if n := in.count(keys[1], both(200), 200); n != 60 {
				t.Errorf("the second key had %d of the plan's 100, and the first 40", n)
			}
			refused(both(200), keys[1], true)
			if n := in.count(alone, ratelimit.PerMinute{Key: 200}, 300); n != 110 {
				t.Errorf("the second key has %d left of 200, after 90", n)
			}
		})
	}
}

// count asks both nodes in turn, in two rounds between which every lease has ended, and answers how much was admitted.
func (in *installation) count(who ratelimit.Subject, of ratelimit.PerMinute, times int) (n int) {
	for range 2 {
		for i := range times {
			if in.takeOf(i%2, who, of, 1) {
				n++
			}
		}
		time.Sleep(3 * time.Second / speed)
	}
	return n
}

// Nodes of a release whose names had no version do not see what this one admits, nor it them. It refuses until all that
// they may have admitted has run out.
func TestANodeOfAnEarlierReleaseIsWaitedFor(t *testing.T) {
	t.Parallel()
	in := install(t, 0, nil)
	beat := func() { in.redis.CLI("ZADD", "keyward:nodes", strconv.FormatInt(in.now().Unix(), 10), "old") }
	beat()
	began := in.now()
	in.start(1, nil)
	open := in.node("open", func(o *redislimit.Options) { o.Policy = redislimit.Open })
	var s ratelimit.Status
	if o := open.Take(ratelimit.Subject{ID: [16]byte{9}}, ratelimit.PerMinute{Key: 5}, 1, &s); o != ratelimit.Admitted {
		t.Errorf("with the policy open: %v", o)
	}
	keys := customer(1, 10)
	for in.now().Before(began.Add(20 * time.Second)) {
		beat()
	}
	last := in.now()
	for {
		asked := in.now()
		single, both := in.take(0, 77, 5, 1), in.takeOf(0, keys[0], ratelimit.PerMinute{Key: 5, Workspace: 10}, 1)
		if single || both {
			if asked.Before(last.Add(62 * time.Second)) {
				t.Errorf("admitted %v after the earlier release's last sign of life", asked.Sub(last))
			}
			break
		}
		if asked.After(last.Add(90 * time.Second)) {
			t.Fatal("nothing is admitted long after the earlier release has gone")
		}
		time.Sleep(time.Second / speed)
	}
	in.redis.CLI("ZADD", "keyward:nodes", strconv.FormatInt(in.now().Unix(), 10), "old")
	rig.WaitFor(t, "the node to see one of the earlier release again", func() error {
		if in.take(0, 77, 1_000_000, 1) {
			return errUp
		}
		return nil
	})
}
