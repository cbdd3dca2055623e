package redislimit_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/lease"
	"github.com/keyward/keyward/internal/ratelimit/redislimit"
	"github.com/keyward/keyward/internal/rig"
)

// losing has nodes under a policy hammered for some minutes, with a plan and without one, while Redis loses its memory
// after 45 seconds. It answers when that was at the earliest, and when it was noticed at the latest.
func (in *installation) losing(keys []ratelimit.Subject, limits []int64, lose func()) (lost, noticed time.Time) {
	var all sync.WaitGroup
	all.Go(func() { in.hammerPlan(180*time.Second, keys, limits, 4) })
	all.Go(func() { in.hammer(180*time.Second, map[byte]int64{101: 4, 102: 40, 103: 300}, 3) })
	time.Sleep(45 * time.Second / speed)
	lost = in.now()
	lose()
	rig.WaitFor(in.t, "the loss to be noticed", func() error { return in.noticed(1) })
	noticed = in.now()
	all.Wait()
	return lost, noticed
}

// noticed tells whether every node has seen so many losses.
func (in *installation) noticed(losses int64) error {
	for _, l := range in.nodes {
		if s := l.Stats(); s.Epochs < losses || s.Down {
			return fmt.Errorf("%+v", s)
		}
	}
	return nil
}

// between counts the admissions of all keys that lie between two instants with certainty.
func (h history) between(from, to time.Time) (n int64) {
	for _, a := range h {
		if a.start.After(from) && a.end.Before(to) {
			n += a.units
		}
	}
	return n
}

func TestUnderClosedNothingTooMuchPassesAroundALossT88(t *testing.T) {
	t.Parallel()
	losses := map[string]func(r *rig.Redis){
		"a flush":   func(r *rig.Redis) { r.CLI("FLUSHALL") },
		"a restart": func(r *rig.Redis) { r.Process().Kill(); r.Start() },
	}
	for _, mode := range []redislimit.Mode{redislimit.Leased, redislimit.Exact} {
		for name, lose := range losses {
			t.Run(fmt.Sprintf("%s, %s", mode, name), func(t *testing.T) {
				t.Parallel()
				in := install(t, 3, func(o *redislimit.Options) { o.Mode, o.Policy = mode, redislimit.Closed })
				keys, limits := customer(4, 150), []int64{5, 60, 100, 0}
				lost, noticed := in.losing(keys, limits, func() { lose(in.redis) })
				in.neverMore(keys, limits)
				for key, limit := range map[byte]int64{101: 4, 102: 40, 103: 300} {
					if most := in.got.most(key); most > limit {
						t.Errorf("limit %d: %d admitted within a minute", limit, most)
					}
				}
				const settling = 5 * time.Second // questions that are under way
				if n := in.got.between(noticed.Add(settling), lost.Add(60*time.Second)); n > 0 {
					t.Errorf("%d units were admitted while some that Redis has forgotten may count", n)
				}
				rig.WaitFor(t, "an admission after all that was forgotten has run out", func() error {
					if !in.take(0, 104, 100, 1) {
						return errUp
					}
					return nil
				})
			})
		}
	}
}

// forgetful is the bank of a node, which a test has lose its memory just before a question reaches it.
type forgetful struct {
	*redislimit.Limiter
	lose func()
}

// Ask is lease.Bank.
func (f *forgetful) Ask(epoch uint64, cost int64, questions ...lease.Question) ([2]lease.Answer, error) {
	if lose := f.lose; lose != nil {
		f.lose = nil
		lose()
	}
	return f.Limiter.Ask(epoch, cost, questions...)
}

func TestAQuestionUnderWayWhenRedisForgetsIsJudgedByTheNewEpochT88(t *testing.T) {
	t.Parallel()
	const limit = 40
	one, plan := [16]byte{15: 1}, &ratelimit.Plan{ID: [16]byte{15: workspaceKey}}
	for name, who := range map[string]struct {
		subject ratelimit.Subject
		limits  ratelimit.PerMinute
	}{
		"a key": {ratelimit.Subject{ID: one}, ratelimit.PerMinute{Key: limit}},
		"a workspace": {
			ratelimit.Subject{ID: one, Plan: plan}, ratelimit.PerMinute{Workspace: limit},
		},
		"a key and workspace": {
			ratelimit.Subject{ID: one, Plan: plan}, ratelimit.PerMinute{Key: limit, Workspace: limit},
		},
	} {
		for _, policy := range []redislimit.Policy{redislimit.Closed, redislimit.Share} {
			t.Run(fmt.Sprintf("%s, %s", name, policy), func(t *testing.T) {
				t.Parallel()
				in := install(t, 2, func(o *redislimit.Options) { o.Policy = policy })
				bank := &forgetful{Limiter: in.nodes[0]}
				l := lease.New(lease.Options{Bank: bank, Clock: in.nodes[0].Clock(), Mode: lease.Exact, Policy: policy})
				defer l.Close()
				var s ratelimit.Status
				for range limit/2 + 1 { // more than the node's share
					if o := l.Take(who.subject, who.limits, 1, &s); o != ratelimit.Admitted {
						t.Fatal(o, s)
					}
				}
				bank.lose = func() {
					in.redis.CLI("FLUSHALL")
					rig.WaitFor(t, "the loss to be noticed", func() error { return in.noticed(1) })
				}
				if o := l.Take(who.subject, who.limits, 1, &s); o != ratelimit.MinuteSpent {
					t.Errorf("a question that Redis got after it had forgotten: %v", o)
				}
			})
		}
	}
}

func TestUnderClosedANodeThatStartsOverAnEmptyRedisWaitsT88(t *testing.T) {
	t.Parallel()
	const limit = 30
	for _, unused := range []bool{true, false} {
		for policy, want := range map[redislimit.Policy]bool{redislimit.Closed: unused, redislimit.Share: true} {
			t.Run(fmt.Sprintf("%s, unused %v", policy, unused), func(t *testing.T) {
				t.Parallel()
				in := install(t, 1, func(o *redislimit.Options) {
					o.Policy, o.Unused = policy, func() bool { return unused }
				})
				if admitted := in.take(0, 1, limit, 1); admitted != want {
					t.Errorf("admitted: %v, want %v", admitted, want)
				}
				time.Sleep(lease.ColdTime / speed)
				in.node("late", func(o *redislimit.Options) { // the epoch is known to Redis by now
					o.Policy, o.Unused = policy, func() bool { return false }
				})
				for range limit / 2 {
					if !in.take(0, 1, limit, 1) {
						t.Error("nothing is admitted after a minute")
					}
				}
			})
		}
	}
}

// A server of a cluster that starts without its data, or a replica that takes its place, holds no entry that tells of
// that: its replication id alone does, at the next question.
func TestUnderClosedNothingTooMuchPassesWhenAServerOfAClusterForgetsT88(t *testing.T) {
	t.Parallel()
	const limit = 10
	servers := rig.StartRedisCluster(t, 3, speed)
	in := &installation{t: t, now: fast()}
	in.start(1, func(o *redislimit.Options) {
		o.Cluster, o.Policy, o.Mode = true, redislimit.Closed, redislimit.Exact
		o.Watch = time.Hour // no look finds it
		o.Connect = connect(rueidis.ClientOption{
			InitAddress: []string{servers[0].Addr, servers[1].Addr, servers[2].Addr},
		})
	})
	for range limit {
		if !in.take(0, 1, limit, 1) {
			t.Fatal("refused within the limit")
		}
	}
	time.Sleep(200 * time.Millisecond / speed) // a refusal is remembered for less
	for _, s := range servers {
		s.CLI("FLUSHALL")
		s.CLI("DEBUG", "CHANGE-REPL-ID")
	}
	if in.take(0, 1, limit, 1) {
		t.Error("one more is admitted by a server that has forgotten the others")
	}
	if s := in.nodes[0].Stats(); s.Epochs != 1 || s.Down {
		t.Errorf("%+v", s)
	}
}
