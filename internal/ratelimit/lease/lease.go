// Package lease owns the promise of ratelimit for the minute where several processes share it: in any 60 seconds at
// most N units are admitted, however many processes there are. It does not own the Bank at which they are charged: that
// is Redis (redislimit), or a node for its followers (feedhttp). The day is kept elsewhere.
//
// # How
//
// In mode Exact each verification asks the bank. In mode Leased a process takes a share, charged to the last second in
// which it may be spent, and spends it in memory on its monotonic clock, counted from before the question was sent: a
// lease stays charged for 60 seconds after its end. Its rest is given back with the next question.
//
// A key and its workspace, where that has a plan, are asked about together: both states are locked, and one question
// decides on both. A side that has a lease in memory is held meanwhile, and put back before a refusal by the other is
// answered (pair.go).
//
// # When the bank is away
//
// Verification goes on. A lease is spent until its end, then the Policy holds. Units that are admitted alone are
// charged at the bank as soon as it is back. A bank that has lost its memory has another epoch: until all that was lost
// has run out, no process admits more than its share, in which its own admissions of the last minute count. Under
// Closed it admits nothing until then.
package lease

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit"
)

// Options are the parts of a limiter.
type Options struct {
	Bank   Bank
	Clock  *Clock                // the bank's
	Mode   Mode                  // Leased or Exact; Local comes to another limiter
	ModeOf map[id.Workspace]Mode // where a workspace has another one
	Policy Policy
}

// Limiter is one process's part. It is safe for concurrent use.
type Limiter struct {
	bank     Bank
	standing *Standing
	clock    *Clock
	mode     Mode
	modeOf   map[id.Workspace]Mode
	policy   Policy
	shards   [shards]shard
	counts   counts
	end      context.CancelFunc
	tasks    sync.WaitGroup
}

const (
	shards     = 64
	window     = Window
	sweepEvery = 5 * time.Second
)

type shard struct {
	mu     sync.Mutex
	states map[[16]byte]*state
}

type counts struct{ admittedAlone, refusedAlone atomic.Int64 }

// New makes a limiter. Close ends it.
func New(o Options) *Limiter {
	l := &Limiter{
		bank: o.Bank, standing: o.Bank.Standing(), clock: o.Clock, mode: o.Mode, modeOf: o.ModeOf, policy: o.Policy,
	}
	for i := range l.shards {
		l.shards[i].states = map[[16]byte]*state{}
	}
	ctx, end := context.WithCancel(context.Background())
	l.end = end
	l.tasks.Go(func() { l.sweepUntil(ctx) })
	return l
}

// Close gives back the rest of the leases, as far as the bank answers within a second.
func (l *Limiter) Close() {
	l.end()
	l.tasks.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	l.each(func(s *state) {
		if rest := s.settle(); len(rest) > 0 && ctx.Err() == nil && !l.standing.Down.Load() {
			l.bank.Return(ctx, s.epoch, s.of, rest) // units that stay charged run out by themselves
		}
	})
}

// Alone counts since the start the units admitted by the policy, and the verifications refused by it.
func (l *Limiter) Alone() (admitted, refused int64) {
	return l.counts.admittedAlone.Load(), l.counts.refusedAlone.Load()
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

// ModeOf is how a workspace's minutes are shared.
func (l *Limiter) ModeOf(w id.Workspace) Mode {
	if m, ok := l.modeOf[w]; ok {
		return m
	}
	return l.mode
}

// Policy is the one that holds while the bank is away.
func (l *Limiter) Policy() Policy { return l.policy }

// state gives the state of a key or of a workspace, locked.
func (l *Limiter) state(who *ratelimit.Subject, key [16]byte) *state {
	sh := &l.shards[key[15]%shards]
	for {
		sh.mu.Lock()
		s := sh.states[key]
		if s == nil {
			s = &state{
				of: Account{
					ID: key, Workspace: who.Workspace, Plan: who.Plan != nil && who.Plan.ID == key,
				},
				epoch: l.standing.Epoch.Load().Count,
			}
			sh.states[key] = s
		}
		sh.mu.Unlock()
		s.mu.Lock()
		if !s.dead {
			s.of.Key = who.ID
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

func (l *Limiter) sweepUntil(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			l.sweep()
		}
	}
}

// sweep forgets keys of which nothing counts any more.
func (l *Limiter) sweep() {
	now := l.clock.read()
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock()
		for k, s := range sh.states {
			if s.mu.TryLock() {
				if s.flight == nil && now.mono-s.used > (window+2)*1000 && !now.before(s.lease.until) &&
					!now.before(s.next.until) {
					s.dead = true
					delete(sh.states, k)
				}
				s.mu.Unlock()
			}
		}
		sh.mu.Unlock()
	}
}

// foreign tells whether units may count that the bank does not know of, and when to come back, in Unix milliseconds.
// The policy "open" would rather admit too much.
func (l *Limiter) foreign(now int64) (retry int64, yes bool) {
	until := l.standing.Foreign.Load()
	if now >= until || l.policy == Open {
		return 0, false
	}
	return l.clock.Wall() + until - now, true
}

// shut reports whether the policy is Closed, and units that the bank has forgotten may still count.
func (l *Limiter) shut(now int64) bool { return l.policy == Closed && now < l.standing.Cold.Load() }

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

var _ ratelimit.Minutes = (*Limiter)(nil)
