package redislimit_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/ratelimit/redislimit"
	"github.com/keyward/keyward/internal/rig"
)

// charged is how many units of a key Redis has charged.
func (in *installation) charged(key byte) (n int) {
	in.t.Helper()
	name := strings.TrimSpace(in.redis.CLI("--raw", "KEYS", fmt.Sprintf("keyward:2:{}%02x*", key)))
	for _, units := range strings.Fields(in.redis.CLI("--raw", "HVALS", name)) {
		one := 0
		if _, err := fmt.Sscan(units, &one); err != nil {
			in.t.Fatal(err)
		}
		n += one
	}
	return n
}

// A node holds a lease when Redis forgets it. By the time that the node gives the lease back, others have been charged
// to the same second: their units stay charged.
func TestALeaseThatRedisHasForgottenIsNotGivenBackT88(t *testing.T) {
	t.Parallel()
	const limit = 80
	c := newClocks(t, 2, redislimit.Leased)
	for range 32 { // its leases grow
		c.take(0, 9, limit, 1)
	}
	before := c.charged(9)
	if before <= 32 {
		t.Fatalf("%d units are charged: the node has no lease in hand", before)
	}
	c.redis.CLI("FLUSHALL")
	rig.WaitFor(t, "the loss to be noticed", func() error { return c.noticed(1) })
	admitted := 0
	for range 15 { // in each second in which the lease can be charged
		if c.take(1, 9, limit, 1) {
			admitted++
		}
		c.pass(200 * time.Millisecond)
	}
	if admitted == 0 || c.charged(9) != admitted {
		t.Fatalf("%d were admitted, and %d are charged", admitted, c.charged(9))
	}
	c.nodes[0].Close()
	if now := c.charged(9); now != admitted {
		t.Errorf("%d were admitted, and %d are charged after a lease of before was given back", admitted, now)
	}
}

// Another node has begun an epoch while Redis's clock was behind, and the clock is right again. By that clock the epoch
// is old; it is not, since this node has just seen the one before.
func TestAnEpochIsNoOlderThanTheLookAtTheOneBeforeT31(t *testing.T) {
	t.Parallel()
	const limit = 5
	c := newClocks(t, 1, redislimit.Exact)
	c.pass(time.Second)
	if n := c.all(0, 1, limit); n != limit {
		t.Fatalf("%d admitted of %d", n, limit)
	}
	epoch := strings.Fields(c.redis.CLI("GET", "keyward:2:epoch"))
	began := c.start.Add(-5 * time.Minute).Unix()
	c.redis.CLI("EVAL", "redis.call('FLUSHALL') return redis.call('SET', KEYS[1], ARGV[1])", "1", "keyward:2:epoch",
		fmt.Sprintf("another %d %s", began, epoch[len(epoch)-1]))
	rig.WaitFor(t, "the loss to be noticed", func() error { return c.noticed(1) })
	n := c.all(0, 1, limit)
	c.pass(45 * time.Second)
	if n += c.all(0, 1, limit); n > 0 {
		t.Errorf("%d more within the same minute", n)
	}
	c.pass(25 * time.Second)
	if n := c.all(0, 1, limit); n != limit {
		t.Errorf("more than a minute later %d are admitted, of %d", n, limit)
	}
}
