package redislimit_test

import (
	"fmt"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/redis/rueidis"

	"github.com/keyward/keyward/internal/ratelimit/redislimit"
	"github.com/keyward/keyward/internal/rig"
)

// machine holds the readings of the two clocks of a node's machine.
type machine struct {
	mu  sync.Mutex
	now time.Time
}

func (m *machine) read() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// pass moves both clocks.
func (m *machine) pass(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
}

// set moves the wall clock alone, by whole seconds, which begin at bit 30 of the first word of a time with a monotonic
// reading.
func (m *machine) set(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	*(*uint64)(unsafe.Pointer(&m.now)) += uint64(d/time.Second) << 30
}

// clocks is an installation in which every clock stands until the test moves it: each node's two, and those of Redis.
type clocks struct {
	*installation
	start    time.Time
	elapsed  []time.Duration // by the clock of each server
	hands    []*rig.HandClock
	machines []*machine
}

func newClocks(t testing.TB, nodes int, mode redislimit.Mode) *clocks {
	t.Helper()
	c := &clocks{start: time.Now(), elapsed: make([]time.Duration, 1)}
	c.hands = []*rig.HandClock{rig.NewHandClock(t, c.start)}
	c.installation = &installation{t: t, now: time.Now, redis: rig.StartRedisBy(t, c.hands[0])}
	c.begin(nodes, func(o *redislimit.Options) {
		o.Mode = mode
		o.Connect = connect(rueidis.ClientOption{InitAddress: []string{c.redis.Addr}, ForceSingleClient: true})
	})
	return c
}

// newClusterClocks is the same over a cluster of three servers.
func newClusterClocks(t testing.TB, nodes int, mode redislimit.Mode) *clocks {
	t.Helper()
	c := &clocks{elapsed: make([]time.Duration, 3)}
	for range c.elapsed {
		c.hands = append(c.hands, rig.NewHandClock(t, time.Now()))
	}
	servers, at := rig.StartRedisClusterBy(t, time.Now(), c.hands...)
	c.start = at
	c.installation = &installation{t: t, now: time.Now}
	var addresses []string
	for _, s := range servers {
		addresses = append(addresses, s.Addr)
	}
	c.begin(nodes, func(o *redislimit.Options) {
		o.Mode, o.Cluster = mode, true
		o.Connect = connect(rueidis.ClientOption{InitAddress: addresses})
	})
	return c
}

func (c *clocks) begin(nodes int, change func(*redislimit.Options)) {
	c.t.Helper()
	for i := range nodes {
		m := &machine{now: c.start}
		c.machines = append(c.machines, m)
		c.installation.nodes = append(c.installation.nodes, c.node(fmt.Sprintf("node-%d", i), func(o *redislimit.Options) {
			o.Now, o.Watch = m.read, 50*time.Millisecond
			change(o)
		}))
	}
	c.settled(nodes)
}

// setRedis moves the clock of each server alone.
func (c *clocks) setRedis(d time.Duration) {
	for i := range c.hands {
		c.setServer(i, d)
	}
}

// setServer moves the clock of one server alone.
func (c *clocks) setServer(i int, d time.Duration) {
	c.elapsed[i] += d
	c.hands[i].Set(c.start.Add(c.elapsed[i]))
}

// pass lets time go by, in strides below the size that a node takes for a step.
func (c *clocks) pass(d time.Duration) {
	const stride = 200 * time.Millisecond
	for ; d > 0; d -= stride {
		for _, m := range c.machines {
			m.pass(stride)
		}
		c.setRedis(stride)
	}
}

// all takes 1 of a key until a node refuses, and answers how often it did not.
func (c *clocks) all(node int, key byte, limit int64) (n int64) {
	for n <= 2*limit && c.take(node, key, limit, 1) {
		n++
	}
	return n
}

// A virtual machine is suspended with a lease in hand. Its monotonic clock stands still meanwhile, its wall clock does
// not.
func TestT30ALeaseEndsThoughTheMonotonicClockStoodStill(t *testing.T) {
	t.Parallel()
	const limit, slept = 80, 70 * time.Second
	c := newClocks(t, 2, redislimit.Leased)
	for range 32 { // its leases grow to a fourth of its share
		c.take(0, 9, limit, 1)
	}
	before := c.nodes[0].Stats().Questions
	c.take(0, 9, limit, 1)
	if c.nodes[0].Stats().Questions != before {
		t.Fatal("the node has no lease in hand")
	}
	c.machines[1].pass(slept)
	c.machines[0].set(slept)
	c.setRedis(slept)
	other := c.all(1, 9, limit)
	if own := c.all(0, 9, limit); own+other > limit {
		t.Errorf("at one instant, one node admits %d and the one that was suspended %d more, of %d", other, own, limit)
	}
	if c.nodes[0].Stats().Questions == before {
		t.Error("the node that was suspended asked nothing")
	}
}

// The other way round: a wall clock that is set back does not prolong a lease.
func TestT30ALeaseEndsThoughTheWallClockWasSetBack(t *testing.T) {
	t.Parallel()
	const limit = 80
	c := newClocks(t, 1, redislimit.Leased)
	for range 32 {
		c.take(0, 9, limit, 1)
	}
	before := c.nodes[0].Stats().Questions
	c.machines[0].set(-time.Hour)
	c.pass(2 * time.Second)
	c.take(0, 9, limit, 1)
	if c.nodes[0].Stats().Questions == before {
		t.Error("a lease was spent after its end")
	}
}

// The minutes that nodes share are seconds of Redis's wall clock, which can be set.
func TestT31SettingRedissClockAdmitsNothingTwice(t *testing.T) {
	t.Parallel()
	const limit = 5
	for _, mode := range []redislimit.Mode{redislimit.Exact, redislimit.Leased} {
		for _, by := range []time.Duration{62 * time.Second, time.Second, 30 * time.Second, time.Hour, -time.Second,
			-62 * time.Second, -time.Hour} {
			t.Run(fmt.Sprint("mode ", mode, " by ", by), func(t *testing.T) {
				t.Parallel()
				c := newClocks(t, 1, mode)
				c.pass(time.Second)
				if n := c.all(0, 1, limit); n != limit {
					t.Fatalf("%d admitted of %d", n, limit)
				}
				c.pass(10 * time.Second)
				c.setRedis(by)
				n := c.all(0, 1, limit)
				c.pass(45 * time.Second)
				if n += c.all(0, 1, limit); n > 0 {
					t.Errorf("%d more within the same minute", n)
				}
				if s := c.nodes[0].Stats(); s.Epochs != 1 {
					t.Errorf("%+v", s)
				}
				c.pass(130*time.Second - 55*time.Second)
				if n := c.all(0, 1, limit); n != limit {
					t.Errorf("two minutes later %d are admitted of %d", n, limit)
				}
			})
		}
	}
}

// With several nodes each knows its own admissions, and together they admit less than twice the limit, as after every
// loss.
func TestT31SettingRedissClockIsALossForSeveralNodes(t *testing.T) {
	t.Parallel()
	const limit = 40
	for _, by := range []time.Duration{62 * time.Second, -62 * time.Second, time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			t.Parallel()
			c := newClocks(t, 2, redislimit.Exact)
			n := int64(0)
			for range limit / 4 { // half of the limit, by both
				for node := range 2 {
					if c.take(node, 1, limit, 1) {
						n++
					}
				}
			}
			c.setRedis(by)
			for node := range 2 {
				n += c.all(node, 1, limit)
			}
			if n > limit {
				t.Errorf("%d admitted at one instant, of %d", n, limit)
			}
		})
	}
}

// In a cluster each server has a clock of its own. Where one of them is set, keys of all servers stay within their
// limit, and it is noticed once.
func TestT31SettingTheClockOfOneServerOfAClusterAdmitsNothingTwice(t *testing.T) {
	t.Parallel()
	const limit, keys = 5, 12 // keys enough for each server to have some
	for _, by := range []time.Duration{62 * time.Second, -62 * time.Second} {
		t.Run(by.String(), func(t *testing.T) {
			t.Parallel()
			c := newClusterClocks(t, 1, redislimit.Exact)
			c.pass(time.Second)
			for key := range byte(keys) {
				if n := c.all(0, key, limit); n != limit {
					t.Fatalf("key %d: %d admitted of %d", key, n, limit)
				}
			}
			c.pass(10 * time.Second)
			c.setServer(1, by)
			var more [keys]int64
			for key := range byte(keys) {
				more[key] = c.all(0, key, limit)
			}
			c.pass(45 * time.Second)
			for key := range byte(keys) {
				more[key] += c.all(0, key, limit)
			}
			if more != [keys]int64{} {
				t.Errorf("of each key so many more within the same minute: %v", more)
			}
			if s := c.nodes[0].Stats(); s.Epochs != 1 || s.Down {
				t.Errorf("%+v", s)
			}
			c.pass(130*time.Second - 55*time.Second)
			for key := range byte(keys) {
				if n := c.all(0, key, limit); n != limit {
					t.Errorf("two minutes later %d of key %d are admitted, of %d", n, key, limit)
				}
			}
		})
	}
}

// A server whose clock differs from those of the others, and goes as they do, is no loss.
func TestAServerOfAClusterWhoseClockIsWrongIsNoLoss(t *testing.T) {
	t.Parallel()
	const limit = 5
	c := newClusterClocks(t, 1, redislimit.Exact)
	c.setServer(2, 20*time.Second)
	time.Sleep(200 * time.Millisecond) // a few looks
	before := c.nodes[0].Stats().Epochs
	c.pass(130 * time.Second)
	for range 3 {
		for key := range byte(6) {
			if n := c.all(0, key, limit); n != limit {
				t.Errorf("%d of key %d are admitted of %d", n, key, limit)
			}
		}
		c.pass(62 * time.Second)
	}
	if s := c.nodes[0].Stats(); s.Epochs != before || s.Failures > 0 {
		t.Errorf("%+v", s)
	}
}

// A clock that is slewed, or a node that is slow to read an answer, is no step.
func TestAClockThatIsSlewedIsNoLoss(t *testing.T) {
	t.Parallel()
	c := newClocks(t, 1, redislimit.Exact)
	for range 200 {
		c.pass(time.Second)
		c.setRedis(2 * time.Millisecond)
		c.take(0, 1, 1000, 1)
	}
	if s := c.nodes[0].Stats(); s.Epochs != 0 || s.RefusedAlone+s.AdmittedAlone > 0 {
		t.Errorf("%+v", s)
	}
}

// What is spent of a share at its end counts for a minute from then on, not from the grant.
func TestWhatIsSpentLateOfALeaseCountsForAMinuteT37(t *testing.T) {
	t.Parallel()
	const limit = 80
	c := newClocks(t, 1, redislimit.Leased)
	for range 32 {
		c.take(0, 9, limit, 1)
	}
	time.Sleep(50 * time.Millisecond) // a lease that was asked for ahead of its time arrives
	c.pass(1800 * time.Millisecond)
	const late = 3
	questions := c.nodes[0].Stats().Questions
	for range late {
		if !c.take(0, 9, limit, 1) {
			t.Fatal("refused")
		}
	}
	if c.nodes[0].Stats().Questions != questions {
		t.Fatal("the node has no lease in hand")
	}
	c.pass(59_400 * time.Millisecond)
	if n := c.all(0, 9, limit); n+late > limit {
		t.Errorf("within 59.4 s %d and %d are admitted, of %d", late, n, limit)
	}
}

// A share is charged to the last second in which it may be spent.
func TestT30ALeaseIsSpentForTwoSecondsAndNoLonger(t *testing.T) {
	t.Parallel()
	const limit = 80
	c := newClocks(t, 1, redislimit.Leased)
	for range 32 {
		c.take(0, 9, limit, 1)
	}
	time.Sleep(50 * time.Millisecond) // a lease that was asked for ahead of its time arrives
	for range 4 {
		c.pass(2 * time.Second)
		before := c.nodes[0].Stats().Questions
		c.take(0, 9, limit, 1) // nothing of what was granted two seconds ago
		if c.nodes[0].Stats().Questions == before {
			t.Error("a lease was spent two seconds after it was granted")
		}
	}
}
