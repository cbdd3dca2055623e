package redislimit_test

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/redislimit"
	"github.com/keyward/keyward/internal/rig"
	"github.com/redis/rueidis"
)

// speed is how much faster time passes in these tests, for the nodes as for Redis.
const speed = 20

// fast is a clock that runs at that speed.
func fast() func() time.Time {
	start := time.Now()
	return func() time.Time { return start.Add(time.Since(start) * speed).Round(0) }
}

// installation is several nodes over one Redis.
type installation struct {
	t     testing.TB
	now   func() time.Time
	redis *rig.Redis
	nodes []*redislimit.Limiter

	mu  sync.Mutex
	got history
}

func install(t testing.TB, nodes int, change func(*redislimit.Options)) *installation {
	t.Helper()
	in := &installation{t: t, now: fast(), redis: rig.StartFastRedis(t, speed)}
	in.start(nodes, change)
	return in
}

func (in *installation) start(nodes int, change func(*redislimit.Options)) {
	in.t.Helper()
	for i := range nodes {
		in.nodes = append(in.nodes, in.node(fmt.Sprintf("node-%d", i), change))
	}
	in.settled(nodes)
}

func (in *installation) node(name string, change func(*redislimit.Options)) *redislimit.Limiter {
	in.t.Helper()
	o := redislimit.Options{
		Node: name, Now: in.now, Timeout: 2 * time.Second, Watch: time.Second / speed, Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	if o.Connect == nil {
		o.Connect = connect(rueidis.ClientOption{InitAddress: []string{in.redis.Addr}, ForceSingleClient: true})
	}
	l := redislimit.New(o)
	in.t.Cleanup(l.Close)
	return l
}

// settled waits until every node counts them all.
func (in *installation) settled(n int) {
	in.t.Helper()
	rig.WaitFor(in.t, "the nodes to see each other", func() error {
		for _, l := range in.nodes {
			if s := l.Stats(); s.Nodes != int64(n) || s.Down {
				return fmt.Errorf("%+v", s)
			}
		}
		return nil
	})
}

func connect(o rueidis.ClientOption) func() (rueidis.Client, error) {
	o.DisableCache, o.DisableRetry, o.ConnWriteTimeout = true, true, 5*time.Second
	return func() (rueidis.Client, error) { return rueidis.NewClient(o) }
}

// take asks one node and records its admissions, and the instants before and after.
func (in *installation) take(node int, key byte, limit, cost int64) bool {
	return in.takeOf(node, ratelimit.Subject{ID: [16]byte{0: key, 15: key}}, ratelimit.PerMinute{Key: limit}, cost)
}

// takeOf is take for any key: an admission under a plan counts for the workspace, too.
func (in *installation) takeOf(node int, who ratelimit.Subject, limits ratelimit.PerMinute, cost int64) bool {
	var s ratelimit.Status
	start := in.now()
	if in.nodes[node].Take(who, limits, cost, &s) != ratelimit.Admitted {
		return false
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	one := admission{key: who.ID[15], start: start, end: in.now(), units: cost}
	in.got = append(in.got, one)
	if who.Plan != nil {
		one.key = who.Plan.ID[15]
		in.got = append(in.got, one)
	}
	return true
}

var errUp = errors.New("not yet")

// admission happened at some instant between start and end.
type admission struct {
	key        byte
	start, end time.Time
	units      int64
}

type history []admission

// most is the largest number of units of one key that lie, with certainty, within one interval of 60 seconds.
func (h history) most(key byte) (most int64) {
	var of history
	for _, a := range h {
		if a.key == key {
			of = append(of, a)
		}
	}
	slices.SortFunc(of, func(a, b admission) int { return a.start.Compare(b.start) })
	for i := range of {
		n := int64(0)
		for _, a := range of[i:] {
			if !a.start.Before(of[i].start.Add(time.Minute)) {
				break
			}
			if a.end.Before(of[i].start.Add(time.Minute)) {
				n += a.units
			}
		}
		most = max(most, n)
	}
	return most
}

// hammer lets workers call all nodes for a while, in bursts and trickles.
func (in *installation) hammer(for_ time.Duration, limits map[byte]int64, workers int) {
	var all sync.WaitGroup
	end := in.now().Add(for_)
	for w := range workers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 7))
			for in.now().Before(end) {
				for key, limit := range limits {
					in.take(r.IntN(len(in.nodes)), key, limit, 1+r.Int64N(3)%limit)
				}
				if r.IntN(50) == 0 {
					time.Sleep(time.Duration(r.IntN(int(5*time.Second))) / speed)
				}
				time.Sleep(time.Duration(r.IntN(int(100*time.Millisecond))) / speed)
			}
		})
	}
	all.Wait()
}

func TestNeverMoreThanTheLimitInAnyMinuteOnThreeNodesT37(t *testing.T) {
	t.Parallel()
	for _, mode := range []redislimit.Mode{redislimit.Leased, redislimit.Exact} {
		t.Run(fmt.Sprint("mode ", mode), func(t *testing.T) {
			t.Parallel()
			in := install(t, 3, func(o *redislimit.Options) { o.Mode = mode })
			limits := map[byte]int64{1: 3, 2: 10, 3: 100, 4: 2000}
			in.hammer(200*time.Second, limits, 6)
			for key, limit := range limits {
				most := in.got.most(key)
				t.Logf("limit %d: at most %d in a minute", limit, most)
				if most > limit {
					t.Errorf("limit %d: %d admitted within a minute", limit, most)
				}
				if most < limit*6/10 {
					t.Errorf("limit %d: no more than %d admitted in any minute", limit, most)
				}
			}
			t.Logf("%+v", in.nodes[0].Stats())
		})
	}
}
