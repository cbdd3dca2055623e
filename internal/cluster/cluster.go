// Package cluster owns a node's life among others that serve the same database: announcing itself, hearing of them, and
// waiting until all nodes have applied a change. It does not own the change log (store), the copy (replica), how that
// is kept in step (follow), nor verification (verify).
//
// # Why a revocation holds within the bound
//
// A change is committed under one lock, so revisions become visible in their order, and a look at the primary that
// begins after a commit sees it. A node counts as fresh from the beginning of its last look that it has applied
// whole: every earlier commit is in its copy. Once that is longer ago than the limit, Replica.Ready is false, by the
// node's own clocks and at the moment of asking. So a node that answers has looked after the commit, or the commit is
// younger than the limit.
//
// A node that others cannot hear of does not count for wait=all. So it fences itself before the others give it up:
// within the limit after twice the limit of silence, while the others wait for three times the limit.
package cluster

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/follow"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
)

// Config holds the parts of a node.
type Config struct {
	DB      *store.DB
	ID      string // of this process; another one at every start
	Address string // under which people find it
	Version string
	Alike   store.Alike      // what the others are to have as well
	Limit   time.Duration    // how old the copy may be before it is fenced
	Now     func() time.Time // with a monotonic reading, which the age of the copy is judged by
	OnSwap  func(*replica.Replica)
	// OnChange is told when the log has more than this node knew; nil is not.
	OnChange func()
	// Followers are those of this node; nil is none.
	Followers *Followers
	Log       *slog.Logger
	// Interval is how often the feed is looked at without a ring; 0 is 500 ms, or a quarter of Limit where that is
	// less.
	Interval time.Duration
	// MaxConcurrentLoads is how many nodes load everything at once; 0 is 2.
	MaxConcurrentLoads int
}

// Node is one of several. It is safe for concurrent use.
type Node struct {
	Config
	follower *follow.Follower
	wakeup   chan struct{}
	stats    stats
	heard    atomic.Pointer[[]store.Node] // the live nodes at the last heartbeat

	mu     sync.Mutex // one heartbeat at a time
	beaten time.Time  // the start of the last heartbeat that was heard
	steady time.Time  // since when none was missing for longer than the limit
	told   store.Node
	news   bool // that the others have not been told
}

// stats are the counters for metrics.
type stats struct {
	errors, rings atomic.Int64
	skew          atomic.Int64 // nanoseconds
	failing       atomic.Bool
}

const (
	pageOfFeed  = 5000
	lookTimeout = 2 * time.Second
)

// New makes a node. It has the changes of this process applied before their callers are answered, so call it before the
// first Update. Then Start it.
func New(c Config) *Node {
	if c.Interval == 0 {
		c.Interval = min(500*time.Millisecond, c.Limit/4)
	}
	if c.MaxConcurrentLoads == 0 {
		c.MaxConcurrentLoads = 2
	}
	n := &Node{Config: c, wakeup: make(chan struct{}, 1)}
	n.told = store.Node{
		ID: c.ID, Address: c.Address, Version: c.Version, Limit: c.Limit, State: store.NodeLoading, Applied: -1,
		Alike: c.Alike,
	}
	n.follower = follow.New(follow.Config{
		Source: store.Source{DB: c.DB, Places: c.MaxConcurrentLoads, Page: pageOfFeed, Own: true,
			Expect: func(keys int64) { n.follower.Replica().Reserve(keys) }},
		Limit: c.Limit, Now: c.Now, Timeout: lookTimeout, OnSwap: c.OnSwap,
		OnPage: n.page,
		OnHistory: func(err error) {
			n.Log.Warn("everything is loaded anew", "because", err.Error())
			n.Followers.Forget()
		},
		OnBusy: func() { n.Log.Info("other nodes are loading: waiting for a place") },
		OnLoad: func(r *replica.Replica, at feed.Cursor) {
			n.Log.Info("loaded", "keys", r.Size(), "revision", at.Revision)
		},
		Loading: n.loading, Reached: n.reached,
	})
	c.DB.Subscribe(func(changes []feed.Change) { n.Replica().Apply(changes) })
	c.DB.OnAnotherHistory(func() {
		n.follower.Distrust()
		n.Followers.Forget()
		n.notify()
	})
	return n
}

// page notes how far the clocks differ, and tells of news.
func (n *Node) page(p *feed.Page, start time.Time) {
	n.compare(p.Now, start)
	if len(p.Changes) > 0 && n.OnChange != nil {
		n.OnChange()
	}
}

// FollowersMoved has the others told soon how far this node's followers have come.
func (n *Node) FollowersMoved() {
	n.mu.Lock()
	n.news = true
	n.mu.Unlock()
	n.notify()
}

// Replica is the copy that is in use now.
func (n *Node) Replica() *replica.Replica { return n.follower.Replica() }

// Position gives the copy, and a cursor up to which it has everything. ok is false during a load.
func (n *Node) Position() (r *replica.Replica, at feed.Cursor, ok bool) { return n.follower.Position() }

// notify has the follower look at once.
func (n *Node) notify() {
	select {
	case n.wakeup <- struct{}{}:
	default:
	}
}

// Listens says under which address the node is found, once that is known.
func (n *Node) Listens(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told.Address = address
	n.news = true
}

// Start makes the node known, loads everything, and catches up: afterwards the copy is ready. Other nodes that load may
// make it wait.
func (n *Node) Start(ctx context.Context) error {
	n.mu.Lock()
	err := n.beat(ctx)
	n.mu.Unlock()
	if err != nil {
		return err
	}
	return n.follower.Start(ctx)
}

// Run follows the feed until ctx ends, and listens for rings where the database lets it.
func (n *Node) Run(ctx context.Context) {
	var listening sync.WaitGroup
	listening.Go(func() { n.listen(ctx) })
	if n.Followers != nil {
		listening.Go(func() { n.report(ctx) })
	}
	defer listening.Wait()
	tick := time.NewTicker(n.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-n.wakeup:
			n.stats.rings.Add(1)
		}
		n.Look(ctx)
	}
}

// Look follows the feed once, to its end. Its errors are logged when they begin and when they end; the copy grows old
// meanwhile.
func (n *Node) Look(ctx context.Context) {
	err := n.follower.Look(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		n.stats.errors.Add(1)
	}
	switch was := n.stats.failing.Swap(err != nil); {
	case err != nil && !was:
		n.Log.Warn(
			"the feed cannot be followed: verifications go on until the copy is too old", "error", err.Error(), "limit",
			n.Limit.String(),
		)
	case err == nil && was:
		n.Log.Info("the feed is followed again", "revision", n.follower.Revision())
	}
}

// Close tells the others that this node answers no more. Call it once that is true.
func (n *Node) Close(ctx context.Context) error {
	n.Replica().Fence()
	return n.leave(ctx)
}
