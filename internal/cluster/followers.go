package cluster

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// FollowerKeeper keeps which followers have joined, across a start, and knows where changes took place.
type FollowerKeeper interface {
	Followers(context.Context) ([]store.Follower, error)
	PutFollower(ctx context.Context, node string, f store.Follower) error
	DropFollower(ctx context.Context, node string, key id.ServiceKey, incarnation string) error
	// Touched tells for each workspace the latest change between two revisions that concerns it; "" stands for changes
	// of which the place is not known.
	Touched(ctx context.Context, after, upTo int64) (map[id.Workspace]int64, error)
}

// Follower is store.Follower.
type Follower = store.Follower

// Heard is the state of a follower, as it reports it with each question.
type Heard struct {
	Follower
	Count   uint64 // rises with each question
	Applied int64  // the revision up to which it has everything; -1 before it has loaded
	// Below is the least revision that a follower of its own has applied; the highest number where it has none.
	// Followers counts them.
	Below     int64
	Followers int
	Age       time.Duration
	ToAsk     int64 // keys of which it is not told the values, and about which it asks
	Fenced    bool  // it answers nothing now
	Leaving   bool  // it answers nothing from now on, and asks no more
	// History is the one that Applied and Below are of: that of Followers when the question was looked at.
	History uint64
}

// Least is the revision that the follower and all below it have.
func (h *Heard) Least() int64 { return min(h.Applied, h.Below) }

// Child is a follower, as it was heard last.
type Child struct {
	Heard
	Node string    // that it follows
	Seen time.Time // zero where it was not heard since this node's start
}

// Followers are those that ask this node. A follower counts for a change until it has applied it or must have fenced
// itself: it fences itself when its copy is older than its limit, and is forgotten after three times that without a
// word. After a start each one that had joined before counts as behind until it was heard. It is safe for concurrent
// use.
type Followers struct {
	Keep  FollowerKeeper
	Now   func() time.Time
	Node  string // the id of this node among others; "" where it is alone
	Moved func() // is told when the least revision of some has changed; nil is not

	mu      sync.Mutex
	list    map[childName]*child
	lows    lows
	history uint64 // rises when revisions begin to mean others
}

type childName struct {
	key         id.ServiceKey
	incarnation string
}

type child struct {
	Child
	silentSince time.Time // it was heard, or this node has started
	reported    report
}

// MaxFollowers bounds the followers of one node.
const MaxFollowers = 10_000

// ErrTooManyFollowers says that no more followers may join.
var ErrTooManyFollowers = errors.New("this node has as many followers as it takes")

// NewFollowers makes the list, with the followers that had joined before this start.
func NewFollowers(ctx context.Context, keep FollowerKeeper, now func() time.Time) (*Followers, error) {
	f := &Followers{Keep: keep, Now: now, list: map[childName]*child{}, lows: lows{}}
	joined, err := keep.Followers(ctx)
	if err != nil {
		return nil, err
	}
	for _, j := range joined {
		f.list[childName{j.Key, j.Incarnation}] = &child{
			Child: Child{Heard: Heard{Follower: j, Applied: -1, Below: math.MaxInt64}}, silentSince: now(),
		}
		f.lows.add(j.Workspaces, -1)
	}
	return f, nil
}

// Hear takes the report of a follower. A new one has joined, durably, when Hear returns: a change that is committed
// afterwards waits for it. A count that is not higher than before is an old question, and says nothing.
func (f *Followers) Hear(ctx context.Context, h *Heard) error {
	if h.Incarnation == "" {
		return nil
	}
	name := childName{h.Key, h.Incarnation}
	known, full := f.known(name)
	if !known {
		if h.Leaving {
			return nil
		}
		if full {
			return ErrTooManyFollowers
		}
		if err := f.Keep.PutFollower(ctx, f.Node, h.Follower); err != nil {
			return err
		}
	}
	if h.Leaving {
		f.leave(ctx, name, h.Count)
		return nil
	}
	f.take(name, h)
	return nil
}

// History names the history that revisions are of now. Ask it before the cursor of a follower is held against the log.
func (f *Followers) History() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.history
}

// Forget says that the log has another history: it is that of an older standby, or of a backup. Revisions that were
// heard before are of the former one, so each follower counts as behind until it is heard again.
func (f *Followers) Forget() {
	if f == nil {
		return
	}
	f.mu.Lock()
	f.history++
	moved := false
	for _, c := range f.list {
		moved = f.lows.remove(c.Workspaces, c.Least()) || moved
		c.Applied = -1
		moved = f.lows.add(c.Workspaces, c.Least()) || moved
	}
	f.mu.Unlock()
	f.tell(moved)
}

func (f *Followers) known(name childName) (known, full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.list[name] != nil, len(f.list) >= MaxFollowers
}

func (f *Followers) take(name childName, h *Heard) {
	f.mu.Lock()
	c := f.list[name]
	if c != nil && h.Count <= c.Count && !c.Seen.IsZero() {
		f.mu.Unlock()
		return
	}
	moved := false
	if c == nil {
		c = &child{}
		f.list[name] = c
	} else {
		moved = f.lows.remove(c.Workspaces, c.Least())
	}
	now := f.Now()
	c.Heard, c.Seen, c.silentSince = *h, now, now
	if h.History != f.history {
		c.Applied = -1
	}
	moved = f.lows.add(c.Workspaces, c.Least()) || moved
	f.mu.Unlock()
	f.tell(moved)
}

func (f *Followers) tell(moved bool) {
	if moved && f.Moved != nil {
		f.Moved()
	}
}

func (f *Followers) leave(ctx context.Context, name childName, count uint64) {
	f.mu.Lock()
	c := f.list[name]
	if c == nil || count <= c.Count && !c.Seen.IsZero() {
		f.mu.Unlock()
		return
	}
	delete(f.list, name)
	moved := f.lows.remove(c.Workspaces, c.Least())
	f.mu.Unlock()
	f.tell(moved)
	_ = f.Keep.DropFollower(ctx, f.Node, name.key, name.incarnation) // else it is forgotten later
}

// Sweep forgets followers that have been silent for so long that they have fenced themselves.
func (f *Followers) Sweep(ctx context.Context) {
	var gone []childName
	moved := false
	f.mu.Lock()
	now := f.Now()
	for name, c := range f.list {
		if c.over(now) {
			gone = append(gone, name)
			delete(f.list, name)
			moved = f.lows.remove(c.Workspaces, c.Least()) || moved
		}
	}
	f.mu.Unlock()
	f.tell(moved)
	for _, name := range gone {
		_ = f.Keep.DropFollower(ctx, f.Node, name.key, name.incarnation) // else the next start waits for it once more
	}
}

func (c *child) over(now time.Time) bool { return now.Sub(c.silentSince) > 3*c.Limit }

// Size is how many followers this node counts on.
func (f *Followers) Size() int {
	if f == nil {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.list)
}

// Least is the least revision that a follower, or one below it, has applied; the highest number where there are none.
func (f *Followers) Least() int64 {
	if f == nil {
		return math.MaxInt64
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lows.least()
}

// Lows are the least revisions by the workspaces that followers are bound to.
func (f *Followers) Lows() []store.Low {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lows.list()
}

// Len is how many there are, with those below them.
func (f *Followers) Len() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.list {
		n += 1 + c.Followers
	}
	return n
}

// standing gives for each follower that may still answer the workspaces that it is bound to, and what it has applied.
func (f *Followers) standing() (list []store.Low) {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.Now()
	for _, c := range f.list {
		if !c.over(now) {
			list = append(list, store.Low{Workspaces: c.Workspaces, Applied: c.Least()})
		}
	}
	return list
}

// List gives the followers, by name and then by the time when they were started.
func (f *Followers) List() []Child {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.Now()
	var out []Child
	for _, c := range f.list {
		out = append(out, c.by(now))
	}
	sortChildren(out)
	return out
}
