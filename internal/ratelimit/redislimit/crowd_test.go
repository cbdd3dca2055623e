package redislimit_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/redislimit"
	"github.com/keyward/keyward/internal/rig"
)

// losses is a log handler that counts how often the limiter said that Redis cannot be asked.
type losses struct{ n atomic.Int64 }

func (c *losses) Enabled(context.Context, slog.Level) bool { return true }
func (c *losses) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c *losses) WithGroup(string) slog.Handler            { return c }
func (c *losses) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "Redis cannot be asked") {
		c.n.Add(1)
	}
	return nil
}

// crowd is one node at real speed, and many keys that are all asked about at once.
type crowd struct {
	t      testing.TB
	l      *redislimit.Limiter
	losses losses
}

func newCrowd(t testing.TB, addr string, change ...func(*redislimit.Options)) *crowd {
	t.Helper()
	c := &crowd{t: t}
	o := redislimit.Options{Mode: redislimit.Exact, Node: "one", Now: time.Now, Logger: slog.New(&c.losses),
		Connect: connect(rueidis.ClientOption{InitAddress: []string{addr}, ForceSingleClient: true})}
	for _, f := range change {
		f(&o)
	}
	c.l = redislimit.New(o)
	t.Cleanup(c.l.Close)
	rig.WaitFor(t, "Redis to be known", func() error { return c.up(0) })
	c.losses.n.Store(0)
	return c
}

// patient is for a machine that is busy with other tests.
func patient(o *redislimit.Options) { o.Timeout = 2 * time.Second }

// up tells whether Redis answers, in the epoch after so many losses.
func (c *crowd) up(epochs int64) error {
	if s := c.l.Stats(); s.Down || s.Epochs != epochs {
		return fmt.Errorf("%+v", s)
	}
	return nil
}

// ask takes 1 of each of n keys, all at once, and answers how long each took, in order.
func (c *crowd) ask(n int) []time.Duration {
	took := make([]time.Duration, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			who := ratelimit.Subject{ID: [16]byte{15: byte(i)}}
			binary.BigEndian.PutUint32(who.ID[:], uint32(i))
			var s ratelimit.Status
			start := time.Now()
			if o := c.l.Take(who, ratelimit.PerMinute{Key: 1_000_000}, 1, &s); o != ratelimit.Admitted {
				c.t.Errorf("key %d: %v", i, o)
			}
			took[i] = time.Since(start)
		})
	}
	all.Wait()
	slices.Sort(took)
	return took
}

var zaddCalls = regexp.MustCompile(`cmdstat_zadd:calls=(\d+)`)

// looks is how often a server was looked at as a whole: each look counts the node there once.
func looks(t testing.TB, r *rig.Redis) int {
	t.Helper()
	m := zaddCalls.FindStringSubmatch(r.CLI("info", "commandstats"))
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// All the keys of a node find another epoch at once: one of them looks at Redis, and the others wait for it.
func TestManyKeysMeetANewEpochAndOneOfThemLooksT88(t *testing.T) {
	const keys = 2500
	redis := rig.StartRedis(t)
	c := newCrowd(t, redis.Addr, patient)
	c.ask(keys)
	before := c.ask(keys)
	for round := range int64(3) {
		redis.CLI("FLUSHALL")
		first, start := looks(t, redis), time.Now()
		after := c.ask(keys)
		t.Logf(
			"%d keys at once: half within %v, all within %v; right after a flush %v and %v", keys, before[keys/2],
			before[keys-1], after[keys/2], after[keys-1],
		)
		ticks := int(time.Since(start)/(250*time.Millisecond)) + 1
		if n := looks(t, redis) - first; n > 2*ticks+4 {
			t.Errorf("Redis was looked at %d times in %v", n, time.Since(start))
		}
		rig.WaitFor(t, "the new epoch", func() error { return c.up(round + 1) })
	}
	if s := c.l.Stats(); s.AdmittedAlone+s.RefusedAlone > 0 || c.losses.n.Load() > 0 {
		t.Errorf("Redis answered all the time, and %d times it was said not to: %+v", c.losses.n.Load(), s)
	}
}

// A replica takes the primary's place behind the same address while all keys are in use: Redis is away once, not again
// and again.
func TestManyKeysMeetAFailoverAndRedisIsAwayOnceT88(t *testing.T) {
	const keys = 2500
	primary := rig.StartRedis(t)
	replica := rig.StartRedis(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(primary.Port), "--repl-diskless-sync-delay", "0")
	rig.WaitFor(t, "the replica to follow", func() error {
		if state := replica.CLI("info", "replication"); !strings.Contains(state, "master_link_status:up") {
			return fmt.Errorf("%s", state)
		}
		return nil
	})
	link := rig.NewLink(t, primary.Addr)
	c := newCrowd(t, link.Addr, patient)
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
				c.ask(keys)
			}
		}
	}()
	time.Sleep(300 * time.Millisecond)
	replica.CLI("replicaof", "no", "one")
	link.Lead(replica.Addr)
	start := time.Now()
	rig.WaitFor(t, "the new primary", func() error { return c.up(1) })
	t.Logf("the new primary is known after %v", time.Since(start))
	settled := c.l.Stats()
	time.Sleep(700 * time.Millisecond)
	close(stop)
	<-ended
	now := c.l.Stats()
	if alone := now.AdmittedAlone + now.RefusedAlone - settled.AdmittedAlone - settled.RefusedAlone; alone > keys ||
		c.losses.n.Load() > 1 {
		t.Errorf(
			"Redis was said to be away %d times, and %d were decided alone though it answered: %+v", c.losses.n.Load(), alone,
			now,
		)
	}
}

// A moment in which Redis does nothing is longer than the timeout: the questions that are under way are asked once
// more, and no key follows the policy.
func TestASlowMomentIsNoLossT88(t *testing.T) {
	t.Parallel()
	for _, keys := range []int{1, 500} {
		t.Run(fmt.Sprint(keys, " keys"), func(t *testing.T) {
			t.Parallel()
			redis := rig.StartRedis(t)
			c := newCrowd(t, redis.Addr, func(o *redislimit.Options) { o.Timeout = 400 * time.Millisecond })
			c.ask(keys)
			redis.Process().Signal(syscall.SIGSTOP)
			time.AfterFunc(600*time.Millisecond, func() { redis.Process().Signal(syscall.SIGCONT) })
			c.ask(keys)
			if s := c.l.Stats(); s.AdmittedAlone+s.RefusedAlone > 0 || s.Failures == 0 || c.losses.n.Load() > 0 {
				t.Errorf("after 600 ms without an answer, with a timeout of 400: %+v, and %d losses", s, c.losses.n.Load())
			}
		})
	}
}

// An error of Redis about one key's data concerns that key alone.
func TestAKeyThatRedisCannotJudgeIsAloneWithThatT88(t *testing.T) {
	t.Parallel()
	redis := rig.StartRedis(t)
	c := newCrowd(t, redis.Addr)
	redis.CLI("SET", "keyward:2:{}"+strings.Repeat("00", 16), "no hash")
	for range 20 {
		c.ask(2) // the first of them is key 0
	}
	if s := c.l.Stats(); s.AdmittedAlone != 20 || c.losses.n.Load() > 0 || s.Down {
		t.Errorf("%+v, and %d losses", s, c.losses.n.Load())
	}
}

// A Redis that evicts forgets single keys, which no epoch tells.
func TestARedisThatEvictsIsToldAtTheStartT88(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]int{"noeviction": 0, "allkeys-lru": 1, "volatile-ttl": 1} {
		redis, log := rig.StartRedis(t, "--maxmemory-policy", policy), &rig.Output{}
		newCrowd(t, redis.Addr, func(o *redislimit.Options) { o.Logger = slog.New(slog.NewTextHandler(log, nil)) })
		if n := strings.Count(log.String(), "maxmemory-policy noeviction"); n != want {
			t.Errorf("with %s it is told %d times, want %d: %s", policy, n, want, log)
		}
	}
}

// Where Redis takes no writes at all, a look finds it.
func TestARedisThatTakesNoWritesIsDownT88(t *testing.T) {
	t.Parallel()
	redis := rig.StartRedis(t)
	c := newCrowd(t, redis.Addr)
	redis.CLI("CONFIG", "SET", "maxmemory", "1")
	rig.WaitFor(t, "the loss", func() error {
		if !c.l.Stats().Down {
			return errUp
		}
		return nil
	})
	redis.CLI("CONFIG", "SET", "maxmemory", "0")
	rig.WaitFor(t, "the recovery", func() error { return c.up(0) })
}

// What a node admitted alone stays owed until Redis has taken it, however often it does not.
func TestADebtThatRedisDidNotTakeIsPaidLaterT88(t *testing.T) {
	t.Parallel()
	redis := rig.StartRedis(t)
	c := newCrowd(t, redis.Addr)
	name := "keyward:2:{}" + strings.Repeat("00", 16)
	redis.CLI("SET", name, "no hash")
	for range 3 {
		c.ask(1)
	}
	redis.CLI("DEL", name)
	c.ask(1)
	total := 0
	for field := range strings.FieldsSeq(redis.CLI("HVALS", name)) {
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	if total != 4 {
		t.Errorf("Redis has charged %d, and 4 were admitted: %+v", total, c.l.Stats())
	}
}
