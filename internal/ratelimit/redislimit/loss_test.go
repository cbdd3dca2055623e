package redislimit_test

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/redislimit"
	"github.com/keyward/keyward/internal/rig"
)

// during runs f once, some time into the hammering.
func (in *installation) during(total, at time.Duration, limits map[byte]int64, f func()) {
	var both sync.WaitGroup
	both.Go(func() { in.hammer(total, limits, 6) })
	time.Sleep(at / speed)
	f()
	both.Wait()
}

// overshoot checks the statement of docs/limits.md about a loss: the admissions of one node count against its share
// alone, so less than twice the limit passes in the minute around it, and the limit holds again after that.
func (in *installation) overshoot(limits map[byte]int64, settledAt time.Time) {
	in.t.Helper()
	for key, limit := range limits {
		most := in.got.most(key)
		in.t.Logf("limit %d: at most %d in a minute", limit, most)
		if most >= 2*limit {
			in.t.Errorf("limit %d: %d admitted within a minute", limit, most)
		}
		var later history
		for _, a := range in.got {
			if a.start.After(settledAt) {
				later = append(later, a)
			}
		}
		if most := later.most(key); most > limit {
			in.t.Errorf("limit %d: %d admitted within a minute, long after the loss", limit, most)
		}
	}
}

func TestAFlushIsNoticedAndWhatWasAdmittedIsChargedAgainT88(t *testing.T) {
	t.Parallel()
	in := install(t, 3, nil)
	limits := map[byte]int64{1: 30, 2: 300}
	var at time.Time
	in.during(210*time.Second, 50*time.Second, limits, func() {
		in.redis.CLI("FLUSHALL")
		at = in.now()
	})
	in.overshoot(limits, at.Add(2*time.Second))
	for i, n := range in.nodes {
		if s := n.Stats(); s.Epochs != 1 {
			t.Errorf("node %d: %+v", i, s)
		}
	}
}

func TestVerificationGoesOnWithoutRedisByShareAndPaysLaterT88(t *testing.T) {
	t.Parallel()
	in := install(t, 3, nil)
	limits := map[byte]int64{1: 30, 2: 300}
	var at time.Time
	in.during(300*time.Second, 30*time.Second, limits, func() {
		in.redis.Process().Kill()
		time.Sleep(80 * time.Second / speed)
		in.mu.Lock()
		before := len(in.got)
		in.mu.Unlock()
		time.Sleep(20 * time.Second / speed)
		in.mu.Lock()
		after := len(in.got)
		in.mu.Unlock()
		if after == before {
			t.Error("nothing was admitted while Redis was away")
		}
		in.redis.Start()
		at = in.now()
	})
	in.overshoot(limits, at.Add(2*time.Second))
	if s := in.nodes[0].Stats(); s.AdmittedAlone == 0 || s.Down {
		t.Errorf("%+v", s)
	}
}

func TestThePolicyDecidesWhatIsAdmittedWithoutRedisT88(t *testing.T) {
	t.Parallel()
	for policy, want := range map[redislimit.Policy]int{redislimit.Share: 5, redislimit.Open: 40, redislimit.Closed: 0} {
		in := install(t, 2, func(o *redislimit.Options) { o.Policy = policy })
		in.redis.Process().Kill()
		rig.WaitFor(t, "the loss to be noticed", func() error { return up(in.nodes[0]) })
		admitted := 0
		for range 40 {
			if in.take(0, 1, 10, 1) {
				admitted++
			}
		}
		if admitted != want {
			t.Errorf("policy %d: %d admitted of a limit of 10 by one of two nodes, want %d", policy, admitted, want)
		}
	}
}

func up(l *redislimit.Limiter) error {
	if !l.Stats().Down {
		return errUp
	}
	return nil
}

// A lease is taken early and spent at the last moment; the minute that begins there holds it and all that comes 60
// seconds after its grant. Charged at the grant alone, twice the limit would pass.
func TestALeaseCountsUntilAMinuteAfterItsLastMomentT37(t *testing.T) {
	t.Parallel()
	const limit = 80
	in := install(t, 2, func(o *redislimit.Options) {
		if o.Node == "node-1" {
			o.Mode = redislimit.Exact
		}
	})
	in.settled(2)
	in.grow(0, 1, limit)
	for in.take(1, 1, limit, 1) { // the rest, by the other node
	}
	start := in.now()
	time.Sleep(1600 * time.Millisecond / speed)
	spent := 0
	for in.take(0, 1, limit, 1) { // what is left of the lease, late
		spent++
	}
	t.Logf("%d units were spent late", spent)
	for in.now().Before(start.Add(70 * time.Second)) {
		in.take(1, 1, limit, 1)
	}
	if most := in.got.most(1); most > limit {
		t.Errorf("%d admitted within a minute, over %d", most, limit)
	}
}

// grow makes a node's leases large, and leaves it with a fresh one.
func (in *installation) grow(node int, key byte, limit int64) {
	for range limit / 3 {
		in.take(node, key, limit, 1)
	}
}

func TestALimitThatChangesHoldsAtTheNextCallAndResetsNothingT41(t *testing.T) {
	t.Parallel()
	in := install(t, 1, nil)
	for range 60 {
		in.take(0, 1, 100, 1)
	}
	if in.take(0, 1, 50, 1) {
		t.Error("a lowered limit admits though more was used")
	}
	n := 0
	for in.take(0, 1, 90, 1) {
		n++
	}
	if n != 30 {
		t.Errorf("after 60 of 100, a limit of 90 admits %d more, want 30", n)
	}
}

func TestNothingIsSpentByPeekingOrByARefusalT40(t *testing.T) {
	t.Parallel()
	in := install(t, 1, nil)
	who := ratelimit.Subject{ID: [16]byte{1}}
	ten := ratelimit.PerMinute{Key: 10}
	var s ratelimit.Status
	for range 20 {
		if o := in.nodes[0].Peek(who, ten, 10, &s); o != ratelimit.Admitted {
			t.Fatal(o)
		}
		if o := in.nodes[0].Take(who, ten, 0, &s); o != ratelimit.Admitted || s.Minute.Remaining != 10 {
			t.Fatal(o, s)
		}
		if o := in.nodes[0].Take(who, ten, 11, &s); o != ratelimit.MinuteSpent || s.RetryAt != ratelimit.Never {
			t.Fatal(o, s)
		}
		s = ratelimit.Status{}
	}
	before := in.now().UnixMilli()
	if o := in.nodes[0].Take(who, ten, 10, &s); o != ratelimit.Admitted || s.Minute.Remaining != 0 ||
		s.Minute.ResetAt == 0 {
		t.Error(o, s)
	}
	o := in.nodes[0].Take(who, ten, 1, &s)
	retry := s.RetryAt
	after := in.now().UnixMilli()
	const second = 1000 // Redis counts in whole ones, and its answer takes a while
	if o != ratelimit.MinuteSpent || retry < before+60*second || retry > after+65*second {
		t.Errorf("%v, again in %d to %d ms", o, retry-after, retry-before)
	}
	if o = in.nodes[0].Peek(who, ten, 0, &s); o != ratelimit.MinuteSpent {
		t.Error(o)
	}
}

func TestIdleKeysCostNoMemoryT44(t *testing.T) {
	t.Parallel()
	in := install(t, 1, nil)
	for i := range 200 {
		in.take(0, byte(i), 5, 1)
	}
	if n := in.nodes[0].States(); n != 200 {
		t.Fatal(n)
	}
	rig.WaitFor(t, "the states to be forgotten", func() error {
		if in.nodes[0].States() != 0 {
			return errUp
		}
		return nil
	})
	if keys := in.redis.CLI("--scan"); len(keys) > 200 {
		t.Errorf("Redis still holds\n%s", keys)
	}
}

func TestAfterALossANodeAdmitsNoMoreThanItsShareT88(t *testing.T) {
	t.Parallel()
	const limit = 40
	in := install(t, 2, nil)
	start := in.now()
	for in.take(0, 1, limit, 1) {
	}
	in.redis.CLI("FLUSHALL")
	rig.WaitFor(t, "the loss to be noticed", func() error {
		for _, l := range in.nodes {
			if l.Stats().Epochs == 0 {
				return errUp
			}
		}
		return nil
	})
	in.settled(2)
	for range 5 {
		if in.take(0, 1, limit, 1) {
			t.Error("the node that had admitted all admits more")
		}
	}
	n := 0
	for in.take(1, 1, limit, 1) {
		n++
	}
	if n != limit/2 {
		t.Errorf("the other node admits %d of %d, want its share", n, limit)
	}
	for in.now().Before(start.Add(75 * time.Second)) {
		in.take(0, 1, limit, 1)
		time.Sleep(time.Second / speed)
	}
	if n := in.got.since(start.Add(45 * time.Second)); n > limit/2 {
		t.Errorf("%d more were admitted, though the other node's share still counts", n)
	}
}

// since counts the admissions after an instant.
func (h history) since(at time.Time) (n int64) {
	for _, a := range h {
		if a.start.After(at) {
			n += a.units
		}
	}
	return n
}

func TestWhatIsAdmittedWhileRedisIsFrozenIsChargedAfterwardsT88(t *testing.T) {
	t.Parallel()
	const limit = 40
	in := install(t, 2, func(o *redislimit.Options) { o.Timeout = 100 * time.Millisecond })
	in.redis.Process().Signal(syscall.SIGSTOP)
	n := 0
	for in.take(0, 1, limit, 1) {
		n++
	}
	in.redis.Process().Signal(syscall.SIGCONT)
	if n != limit/2 {
		t.Errorf("alone, a node admits %d of %d, want its share", n, limit)
	}
	in.settled(2)
	for range 2 * limit {
		in.take(0, 1, limit, 1)
		in.take(1, 1, limit, 1)
	}
	const givenUp = 2 // questions before Redis counted as away; each was answered to nobody, and may have charged
	if most := in.got.most(1); most > limit || most < limit-givenUp {
		t.Errorf("%d admitted within a minute, want %d", most, limit)
	}
}

func TestAfterALossNoNodeTakesItsShareForTheWholeT88(t *testing.T) {
	t.Parallel()
	const limit, nodes = 30, 3
	in := install(t, nodes, func(o *redislimit.Options) { o.Timeout = 100 * time.Millisecond })
	in.redis.Process().Kill()
	in.redis.Start()
	start := in.now()
	for in.now().Before(start.Add(30 * time.Second)) {
		for i := range nodes {
			for in.take(i, 1, limit, 1) {
			}
		}
		time.Sleep(20 * time.Millisecond / speed)
	}
	if most := in.got.most(1); most > limit {
		t.Errorf("%d admitted within a minute, over %d", most, limit)
	}
}

// A node that dies has admitted its share of the minute; the share of the others does not grow by it before that
// minute is over.
func TestANodeThatIsGoneCountsUntilItsMinuteIsOverT88(t *testing.T) {
	t.Parallel()
	const limit = 40
	in := install(t, 2, nil)
	in.redis.CLI("FLUSHALL")
	rig.WaitFor(t, "the loss to be noticed", func() error {
		for _, l := range in.nodes {
			if l.Stats().Epochs == 0 {
				return errUp
			}
		}
		return nil
	})
	in.settled(2)
	start := in.now()
	for in.take(1, 1, limit, 1) {
	}
	in.nodes[1].Close()
	for in.now().Before(start.Add(20 * time.Second)) { // long after Redis has forgotten that node
		for in.take(0, 1, limit, 1) {
		}
		time.Sleep(time.Second / speed)
		if n := in.nodes[0].Stats().Nodes; n != 2 {
			t.Fatalf("%d nodes are counted %v after one of two has gone, and its admissions count", n, in.now().Sub(start))
		}
	}
	if most := in.got.most(1); most > limit {
		t.Errorf("%d admitted within a minute, over %d", most, limit)
	}
	rig.WaitFor(t, "the node to be forgotten", func() error {
		if in.nodes[0].Stats().Nodes != 1 {
			return errUp
		}
		return nil
	})
}

// A node that starts while Redis is away cannot count the others there; the database has counted them.
func TestANodeThatStartsWithoutRedisKnowsOfTheOthersT88(t *testing.T) {
	t.Parallel()
	const limit = 30
	in := &installation{t: t, now: fast(), redis: rig.StartFastRedis(t, speed)}
	in.redis.Process().Kill()
	l := in.node("late", func(o *redislimit.Options) { o.Known = func() int64 { return 3 } })
	in.nodes = append(in.nodes, l)
	n := 0
	for in.take(0, 1, limit, 1) {
		n++
	}
	if s := l.Stats(); n != limit/3 || s.Nodes != 3 || !s.Down {
		t.Errorf("alone, it admits %d of %d: %+v", n, limit, s)
	}
}
