// Package redislimit owns the promise of ratelimit for the minute, kept by several nodes together over Redis or Valkey:
// in any 60 seconds at most N units are admitted, however many nodes there are. It does not own the day, which lies in
// the database.
//
// # How
//
// Redis counts in buckets of a second, on its own clock, 61 of them, in one script that is atomic (take.lua). It is the
// bank of package lease, which asks it and spends what it grants. A key and its workspace share a slot of a cluster, so
// one script decides on both.
//
// # When Redis is away
//
// The policy of lease holds. Memory that Redis has lost (a flush, a restart, a failover) shows as another epoch: until
// all that was lost has run out, no node admits more than its share.
//
// # What it costs
//
// About 1.9 KB for each key that was used in the last minute and has a limit per minute, and nothing for the others. In
// mode Leased a hot key asks Redis about once in half a second, a key used now and then once for each verification.
package redislimit

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/lease"
	"github.com/redis/rueidis"
)

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
	Known func() int64
	// Followers is how many share a limit beside the nodes; nil for none.
	Followers func() int64
	// Unused reports that no key could be admitted until now, so that an empty Redis has forgotten nothing. A node under
	// Closed that starts asks it; nil says so always.
	Unused  func() bool
	Now     func() time.Time // with a monotonic part, as time.Now has
	Timeout time.Duration    // for a question, while nothing else is answered either; 0 is 250 ms
	Watch   time.Duration    // between two looks at Redis as a whole; 0 is 250 ms
	Prefix  string           // of every key in Redis; "" is "keyward:"
	Logger  *slog.Logger
}

// Limiter is one node's part: its leases, and Redis as their bank. It is safe for concurrent use.
type Limiter struct {
	*lease.Limiter
	connect  func() (rueidis.Client, error)
	client   rueidis.Client // set once, before the standing is first not Down
	cluster  bool
	node     string
	timeout  time.Duration
	clock    *lease.Clock
	prefix   string // of names, with their version
	earlier  string // the nodes of a release with another version of names
	epochKey string
	log      *slog.Logger
	unused   func() bool
	scripts  scripts
	watch    watch
	paces    paces // of Redis's clocks
	counts   counts
	end      context.CancelFunc
	tasks    sync.WaitGroup
}

type counts struct{ questions, failures, epochs atomic.Int64 }

// New starts watching Redis, whether it can be reached or not. Close ends that.
func New(o Options) *Limiter {
	l := &Limiter{
		connect: o.Connect, cluster: o.Cluster, node: o.Node, timeout: o.Timeout, clock: lease.NewClock(o.Now),
		prefix: o.Prefix, log: o.Logger, unused: o.Unused, scripts: newScripts(),
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
	l.watch.init()
	l.watch.Known = o.Known
	l.watch.Followers = o.Followers
	l.paces.of = map[string]pace{}
	l.Limiter = lease.New(
		lease.Options{Bank: l, Clock: l.clock, Mode: o.Mode, ModeOf: o.ModeOf, Policy: o.Policy},
	)
	ctx, end := context.WithCancel(context.Background())
	l.end = end
	l.look(ctx)
	l.tasks.Go(func() { l.every(ctx, o.Watch, l.watch.ring, l.look) })
	return l
}

// Close gives back the rest of the leases, as far as Redis answers within a second, and ends the watch and the
// client.
func (l *Limiter) Close() {
	l.end()
	l.tasks.Wait()
	l.Limiter.Close()
	if l.client != nil {
		l.client.Close()
	}
}

// Standing is lease.Bank.
func (l *Limiter) Standing() *lease.Standing { return &l.watch.Standing }

// Ask is lease.Bank.
func (l *Limiter) Ask(epoch uint64, cost int64, questions ...lease.Question) (a [2]lease.Answer, err error) {
	memory, err := l.memoryOf(epoch)
	if err != nil {
		return a, err
	}
	l.counts.questions.Add(1)
	err = l.attempt(epoch, func(ctx context.Context) (err error) {
		a, err = l.ask(ctx, memory, cost, questions...)
		return err
	})
	return a, err
}

// Charge is lease.Bank.
func (l *Limiter) Charge(epoch uint64, of lease.Account, owed []lease.Owing) error {
	return l.attempt(epoch, func(ctx context.Context) error { return l.restore(ctx, l.name(&of), owed) })
}

// Return is lease.Bank.
func (l *Limiter) Return(ctx context.Context, epoch uint64, of lease.Account, rests []lease.Rest) {
	if memory, err := l.memoryOf(epoch); err == nil {
		_, _ = l.ask(ctx, memory, 0, lease.Question{Of: of, Settle: rests}) // units that stay charged run out by themselves
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
	admitted, refused := l.Alone()
	return Stats{
		Questions: l.counts.questions.Load(), Failures: l.counts.failures.Load(), AdmittedAlone: admitted,
		RefusedAlone: refused, Epochs: l.counts.epochs.Load(), Nodes: l.watch.NodesNow(), Down: l.watch.Down.Load(),
	}
}

var (
	_ ratelimit.Minutes = (*Limiter)(nil)
	_ lease.Bank        = (*Limiter)(nil)
)

// Clock is the one by which it goes.
func (l *Limiter) Clock() *lease.Clock { return l.clock }
