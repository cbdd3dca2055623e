// Package redislimit owns the promise of ratelimit for the minute, kept by several nodes together over Redis or Valkey: in any 60
// seconds at most N units are admitted, however many nodes there are. It does not own the day, which lies in the database.
//
// # How
//
// Redis counts in buckets of a second, on its own clock, 61 of them, in one script that is atomic (take.lua). In mode Exact each
// verification runs it. In mode Leased a node takes a share, charged to the last second in which it may be spent, and spends it in
// memory on its monotonic clock, counted from before the question was sent: a lease stays charged for 60 seconds after its end.
// What is left of it is given back with the next question.
//
// A key and its workspace, where that has a plan, are asked about together: both states are locked, and in Redis both
// names share a slot, so one script decides on both. A side that has a lease in memory is held meanwhile, and put back
// before a refusal by the other is answered (pair.go).
//
// # When Redis is away
//
// Verification goes on. A lease is spent until its end, then the Policy holds. What a node admits on its own is charged in Redis
// as soon as it is back. Memory that Redis has lost (a flush, a restart, a failover) shows as another epoch: until all that was lost
// has run out, no node admits more than its share, in which its own admissions of the last minute count.
//
// # What it costs
//
// About 1.9 KB for each key that was used in the last minute and has a limit per minute, and nothing for the others. In mode Leased
// a hot key asks Redis about once in half a second, a key used now and then once for each verification.
package redislimit

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/redis/rueidis"
)

// leaseTime is the time in which a share may be spent: long enough for few questions, short enough to return unneeded
// units soon.
const leaseTime = 2 * time.Second

// Options are the parts of a limiter.
type Options struct {
	// Connect makes the client. It is called again and again until it succeeds once: verification does not wait for
	// Redis.
	Connect func() (rueidis.Client, error)
	Cluster bool                  // the client's keys lie on several servers
	Mode    Mode                  // Leased or Exact; what is Local comes to another limiter
	ModeOf  map[id.Workspace]Mode // where a workspace has another one
	Policy  Policy
	Node    string // a name that no other node has
	// Known is how many nodes there are by another word than Redis's, such as the database's; nil where there is none.
	// The larger of the two numbers counts: a node that starts while Redis is away must not take its share for the
	// whole.
	Known   func() int64
	Now     func() time.Time // with a monotonic part, as time.Now has
	Timeout time.Duration    // for a question, while nothing else is answered either; 0 is 250 ms
	Watch   time.Duration    // between two looks at Redis as a whole; 0 is 250 ms
	Prefix  string           // of every key in Redis; "" is "keyward:"
	Logger  *slog.Logger
}

// Limiter is one node's part. It is safe for concurrent use.
type Limiter struct {
	connect  func() (rueidis.Client, error)
	client   rueidis.Client // set once, before down is first false
	cluster  bool
	mode     Mode
	modeOf   map[id.Workspace]Mode
	policy   Policy
	node     string
	known    func() int64
	now      func() time.Time
	timeout  time.Duration
	prefix   string // of names, with their version
	earlier  string // the nodes of a release with another version of names
	epochKey string
	log      *slog.Logger
	scripts  scripts
	start    time.Time
	watch    watch
	paces    paces // of Redis's clocks
	shards   [shards]shard
	counts   counts
	end      context.CancelFunc
	tasks    sync.WaitGroup
}

const shards = 64

type shard struct {
	mu     sync.Mutex
	states map[[16]byte]*state
}

type counts struct{ questions, failures, admittedAlone, refusedAlone, epochs atomic.Int64 }

// New starts watching Redis, whether it can be reached or not. Close ends that.
func New(o Options) *Limiter {
	l := &Limiter{
		connect: o.Connect, cluster: o.Cluster, mode: o.Mode, modeOf: o.ModeOf, policy: o.Policy, node: o.Node, known: o.Known, now: o.Now,
		timeout: o.Timeout, prefix: o.Prefix, log: o.Logger, scripts: newScripts(), start: o.Now(),
	}
	if l.timeout == 0 {
		l.timeout = 250 * time.Millisecond
	}
	if o.Watch == 0 {
		o.Watch = 250 * time.Millisecond
	}
	if l.prefix == "" {
		l.prefix = "keyward:"
	}
	l.earlier = l.prefix + "nodes"
	l.prefix += namesVersion
	l.epochKey = l.prefix + "epoch"
	for i := range l.shards {
		l.shards[i].states = map[[16]byte]*state{}
	}
	l.watch.init()
	l.paces.of = map[string]pace{}
	ctx, end := context.WithCancel(context.Background())
	l.end = end
	l.look(ctx)
	l.tasks.Go(func() { l.every(ctx, o.Watch, l.watch.ring, l.look) })
	l.tasks.Go(func() { l.every(ctx, sweepEvery, nil, l.sweep) })
	return l
}

// Close gives back the rest of the leases, as far as Redis answers within a second, and ends the watch and the
// client.
func (l *Limiter) Close() {
	l.end()
	l.tasks.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	l.each(func(s *state) {
		if rest := s.settle(); len(rest) > 0 && ctx.Err() == nil && !l.watch.down.Load() {
			_, _ = l.ask(ctx, 0, asked{name: s.name, settle: rest}) // what stays charged runs out by itself
		}
	})
	if l.client != nil {
		l.client.Close()
	}
}

// every runs a task at intervals, and at each ring.
func (l *Limiter) every(ctx context.Context, interval time.Duration, ring <-chan struct{}, task func(context.Context)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-ring:
		}
		task(ctx)
	}
}

// Stats are counted since the start, but for the last two, which hold now.
type Stats struct {
	Questions     int64 // to Redis
	Failures      int64 // of these
	AdmittedAlone int64 // units admitted by the policy
	RefusedAlone  int64 // verifications refused by it
	Epochs        int64 // how often Redis was seen to have lost its memory
	Nodes         int64
	Down          bool
}

// Stats costs a few loads.
func (l *Limiter) Stats() Stats {
	return Stats{
		Questions: l.counts.questions.Load(), Failures: l.counts.failures.Load(), AdmittedAlone: l.counts.admittedAlone.Load(),
		RefusedAlone: l.counts.refusedAlone.Load(), Epochs: l.counts.epochs.Load(),
		Nodes: l.nodes(), Down: l.watch.down.Load(),
	}
}

// nodes is how many share a limit.
func (l *Limiter) nodes() int64 {
	n := l.watch.nodes.Load()
	if l.known != nil {
		n = max(n, l.known())
	}
	return n
}

// States is the number of keys of which something is kept.
func (l *Limiter) States() (n int) {
	for i := range l.shards {
		l.shards[i].mu.Lock()
		n += len(l.shards[i].states)
		l.shards[i].mu.Unlock()
	}
	return n
}

// ModeOf is how a workspace's nodes share.
func (l *Limiter) ModeOf(w id.Workspace) Mode {
	if m, ok := l.modeOf[w]; ok {
		return m
	}
	return l.mode
}

// clocks reads both clocks of this node. The monotonic one starts late enough for all differences to be positive.
func (l *Limiter) clocks() instant {
	now := l.now()
	return instant{int64(now.Sub(l.start)/time.Millisecond) + 1_000_000, now.UnixMilli()}
}

// mono is the monotonic one alone.
func (l *Limiter) mono() int64 { return l.clocks().mono }

// state gives the state of a key or of a workspace, locked.
func (l *Limiter) state(who *ratelimit.Subject, key [16]byte) *state {
	sh := &l.shards[key[15]%shards]
	for {
		sh.mu.Lock()
		s := sh.states[key]
		if s == nil {
			s = &state{name: l.name(who, key), epoch: l.watch.epoch.Load().count}
			sh.states[key] = s
		}
		sh.mu.Unlock()
		s.mu.Lock()
		if !s.dead {
			return s
		}
		s.mu.Unlock()
	}
}

// each calls f with every state, locked.
func (l *Limiter) each(f func(*state)) {
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock()
		all := slices.Collect(maps.Values(sh.states))
		sh.mu.Unlock()
		for _, s := range all {
			s.mu.Lock()
			f(s)
			s.mu.Unlock()
		}
	}
}

const sweepEvery = 5 * time.Second

// sweep forgets keys of which nothing counts any more.
func (l *Limiter) sweep(context.Context) {
	now := l.clocks()
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock()
		for k, s := range sh.states {
			if s.mu.TryLock() {
				if s.flight == nil && now.mono-s.used > (window+2)*1000 && !now.before(s.lease.until) && !now.before(s.next.until) {
					s.dead = true
					delete(sh.states, k)
				}
				s.mu.Unlock()
			}
		}
		sh.mu.Unlock()
	}
}

var _ ratelimit.Minutes = (*Limiter)(nil)
