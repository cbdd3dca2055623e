package cluster_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// seed is new for each run; KEYWARD_TEST_SEED repeats one.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := uint64(time.Now().UnixNano())
	if text := os.Getenv("KEYWARD_TEST_SEED"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("KEYWARD_TEST_SEED=%d repeats this schedule", n)
	return n
}

// long tells whether there is time for long faults and many rounds: `make soak`.
func long() bool { return os.Getenv("KEYWARD_SOAK") != "" }

// either is a duration for the long schedule and one for the short.
func either(soak, short time.Duration) time.Duration {
	if long() {
		return soak
	}
	return short
}

// fault is something that goes wrong and is mended again.
type fault struct {
	name string
	do   func(*testing.T, *load, *rand.Rand)
}

func nodeFaults() []fault {
	return []fault{
		{"a node loses the database", cutDatabase},
		{"a node is frozen", freeze},
		{"a node is killed and starts again", restart},
		{"a node's way to the database is slow", slow},
		{"the database falls and starts again", databaseRestart},
	}
}

// cutDatabase: the node goes on up to the bound, then says 503, and recovers by itself.
func cutDatabase(t *testing.T, l *load, r *rand.Rand) {
	i := r.IntN(len(l.c.nodes))
	n := l.c.nodes[i]
	at := time.Now()
	n.database.Cut()
	time.Sleep(staleness + either(20*time.Second, 3*time.Second))
	mended := time.Now()
	if n := l.h.count("VALID", i, at, at.Add(staleness/2)); n == 0 {
		t.Errorf("node %d stopped verifying as soon as it had lost the database", i)
	}
	if n := l.h.count("VALID", i, at.Add(staleness+500*time.Millisecond), mended); n != 0 {
		t.Errorf("node %d said VALID %d times after the bound", i, n)
	}
	if n := l.h.count("503", i, at.Add(staleness), mended); n == 0 {
		t.Errorf("node %d never said 503", i)
	}
	n.database.Mend()
	n.ready()
}

// freeze stops the process for longer than the bound; awake again, it must know that it slept.
func freeze(_ *testing.T, l *load, r *rand.Rand) {
	n := l.c.nodes[r.IntN(len(l.c.nodes))]
	n.freeze()
	time.Sleep(either(60*time.Second, staleness+2*time.Second))
	n.thaw()
	n.ready()
}

func restart(_ *testing.T, l *load, r *rand.Rand) {
	n := l.c.nodes[r.IntN(len(l.c.nodes))]
	n.kill()
	time.Sleep(time.Second)
	n.start()
	n.ready()
}

func slow(_ *testing.T, l *load, r *rand.Rand) {
	n := l.c.nodes[r.IntN(len(l.c.nodes))]
	n.database.Delay(40 * time.Millisecond)
	time.Sleep(either(30*time.Second, 3*time.Second))
	n.database.Delay(0)
	n.ready()
}

func databaseRestart(_ *testing.T, l *load, _ *rand.Rand) {
	l.c.restartDatabase()
	for _, n := range l.c.nodes {
		n.ready()
	}
}

func failover(_ *testing.T, l *load, _ *rand.Rand) {
	l.c.failover()
	for _, n := range l.c.nodes {
		n.ready()
	}
}

// rounds lets the faults happen, each once in a round, in an order that the seed decides.
func (l *load) rounds(t *testing.T, r *rand.Rand, faults []fault) {
	t.Helper()
	rounds := 1
	if long() {
		rounds = 10
	}
	for range rounds {
		for _, i := range r.Perm(len(faults)) {
			t.Logf("%s: %s", time.Now().Format("15:04:05"), faults[i].name)
			faults[i].do(t, l, r)
			time.Sleep(either(5*time.Second, time.Second))
		}
	}
}

func TestNodesKeepTheirPromisesThroughFaultsT26T86T87T89(t *testing.T) {
	n := seed(t)
	c := start(t, 3)
	l := c.begin(n, c.workspace("Acme"), 12)
	r := rand.New(rand.NewPCG(n, 1))
	time.Sleep(2 * time.Second)
	l.rounds(t, r, nodeFaults())
	t.Log("failover to the standby")
	failover(t, l, r)
	time.Sleep(2 * time.Second)
	l.end()
	for _, wrong := range l.h.stale(staleness) {
		t.Error(wrong)
	}
	l.settled(t)
	l.within(t, 1)
}

func redisFaults() []fault {
	return []fault{
		{"Redis is flushed", func(_ *testing.T, l *load, _ *rand.Rand) { l.c.redis.CLI("FLUSHALL") }},
		{"Redis falls and starts again, empty", func(_ *testing.T, l *load, _ *rand.Rand) {
			l.c.redis.Process().Kill()
			time.Sleep(3 * time.Second)
			l.c.redis.Start()
		}},
		{"Redis is frozen", func(_ *testing.T, l *load, _ *rand.Rand) {
			l.c.redis.Process().Signal(syscall.SIGSTOP)
			time.Sleep(3 * time.Second)
			l.c.redis.Process().Signal(syscall.SIGCONT)
		}},
		{"a node loses Redis", func(_ *testing.T, l *load, r *rand.Rand) {
			n := l.c.nodes[r.IntN(len(l.c.nodes))]
			n.redis.Cut()
			time.Sleep(3 * time.Second)
			n.redis.Mend()
		}},
	}
}

// Authentication never depends on Redis; of a limit per minute less than twice passes around a loss; a day is not in
// Redis at all.
func TestWithoutRedisKeysAreVerifiedAllTheSameT88(t *testing.T) {
	n := seed(t)
	m := watchMachine(t)
	c := start(t, 3)
	l := c.begin(n, c.workspace("Acme"), 12)
	time.Sleep(2 * time.Second)
	l.rounds(t, rand.New(rand.NewPCG(n, 1)), redisFaults())
	l.end()
	for _, wrong := range l.h.stale(staleness) {
		t.Error(wrong)
	}
	for _, one := range append(l.h.looks, l.h.spending...) {
		if one.code == "" || one.code == "503" && !m.stood(one.start) {
			t.Fatalf("node %d answered %q at %v", one.node, one.code, one.start)
		}
	}
	l.settled(t)
	l.within(t, 2)
}
