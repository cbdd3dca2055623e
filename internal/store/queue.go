package store

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// tenantKey is the key of a context's tenant.
type tenantKey struct{}

// InTurnOf is ctx for transactions of a tenant: among those that wait, each tenant has a turn after the other, however
// many transactions it has waiting.
func InTurnOf(ctx context.Context, tenant string) context.Context {
	return context.WithValue(ctx, tenantKey{}, tenant)
}

func tenantOf(ctx context.Context) string {
	tenant, _ := ctx.Value(tenantKey{}).(string)
	return tenant
}

// queue holds the transactions that wait: short ones, which share commits, and long ones, which have a commit each. The
// writer takes a group of short ones and a long one by turns. Within each kind tenants take turns, so that a tenant
// waits for one transaction of every other tenant at most.
type queue struct {
	mu          sync.Mutex
	came        sync.Cond
	closed      bool
	short, long lane
	wasLong     bool // the kind of the last one that take gave
	waiting     atomic.Int64
}

func newQueue() *queue {
	q := &queue{short: newLane(), long: newLane()}
	q.came.L = &q.mu
	return q
}

// lane holds waiting transactions of one kind.
type lane struct {
	waiting map[string][]*job // by tenant
	turns   []string          // the tenants that have some, the next one first
}

func newLane() lane { return lane{waiting: make(map[string][]*job)} }

func (l *lane) push(j *job) {
	tenant := tenantOf(j.ctx)
	if len(l.waiting[tenant]) == 0 {
		l.turns = append(l.turns, tenant)
	}
	l.waiting[tenant] = append(l.waiting[tenant], j)
}

// pop gives the first transaction of the tenant whose turn it is, and sends that tenant to the end.
func (l *lane) pop() *job {
	if len(l.turns) == 0 {
		return nil
	}
	tenant := l.turns[0]
	l.turns = l.turns[1:]
	all := l.waiting[tenant]
	if len(all) == 1 {
		delete(l.waiting, tenant)
	} else {
		l.waiting[tenant] = all[1:]
		l.turns = append(l.turns, tenant)
	}
	return all[0]
}

func (l *lane) empty() bool { return len(l.turns) == 0 }

// put adds a transaction.
func (q *queue) put(j *job) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	if j.apart {
		q.long.push(j)
	} else {
		q.short.push(j)
	}
	q.waiting.Add(1)
	q.came.Signal()
	return nil
}

// take waits for a transaction. It gives nil once the queue is closed and empty.
func (q *queue) take() *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.short.empty() && q.long.empty() {
		if q.closed {
			return nil
		}
		q.came.Wait()
	}
	q.wasLong = q.short.empty() || !q.long.empty() && !q.wasLong
	if q.wasLong {
		return q.gave(q.long.pop())
	}
	return q.gave(q.short.pop())
}

// gave counts a transaction that waits no longer.
func (q *queue) gave(j *job) *job {
	if j != nil {
		q.waiting.Add(-1)
	}
	return j
}

// join gives a short transaction that waits, or nil.
func (q *queue) join() *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.gave(q.short.pop())
}

// next gives a transaction of either kind, or nil.
func (q *queue) next() *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	if j := q.short.pop(); j != nil {
		return q.gave(j)
	}
	return q.gave(q.long.pop())
}

// close refuses further transactions, and tells whether it was open.
func (q *queue) close() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.closed = true
	q.came.Broadcast()
	return true
}

// leastRun and mostRun bound for how long transactions run before a commit although others wait.
const (
	leastRun = 2 * time.Millisecond
	mostRun  = 20 * time.Millisecond
)

// ranEnough tells whether the group has run for as long as it may while others wait: within the bounds twice as long as
// the last commit took, so that a slow disk does not take most of the writer's time.
func (g *group) ranEnough() bool {
	return g.db.clock.Elapsed()-g.start >= min(max(leastRun, 2*g.db.overhead), mostRun)
}

// full tells whether a group takes no more transactions: it has as many as it may, or those of several tenants have run
// for long enough. Of one tenant alone it takes all that wait.
func (g *group) full() bool {
	return len(g.jobs) >= maxGroup || g.mixed && g.ranEnough()
}

// ShouldEnd tells a transaction that could as well be several whether to end here: others wait, and it has run for long
// enough.
func (tx *Tx) ShouldEnd() bool { return tx.db.queue.waiting.Load() > 0 && tx.group.ranEnough() }
