package cluster

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// FollowerKeeper keeps which followers have joined, across a start.
type FollowerKeeper interface {
	Followers(context.Context) ([]store.Follower, error)
	PutFollower(context.Context, store.Follower) error
	DropFollower(ctx context.Context, key id.ServiceKey, incarnation string) error
}

// Follower is store.Follower.
type Follower = store.Follower

// Heard is the state of a follower, as it reports it with each question.
type Heard struct {
	Follower
	Count   uint64 // rises with each question
	Applied int64  // the revision up to which it has everything; -1 before it has loaded
	Age     time.Duration
	Fenced  bool // it answers nothing now
	Leaving bool // it answers nothing from now on, and asks no more
}

// Child is a follower of this node, as it was heard last.
type Child struct {
	Heard
	Seen time.Time // zero where it was not heard since this node's start
}

// Followers are those that ask this node. A follower counts for a change until it has applied it or must have fenced
// itself: it fences itself when its copy is older than its limit, and is forgotten after three times that without a
// word. After a start each one that had joined before counts as behind until it was heard. It is safe for concurrent
// use.
type Followers struct {
	Keep  FollowerKeeper
	Now   func() time.Time
	Moved func() // is told when the least revision of all has changed; nil is not

	mu     sync.Mutex
	list   map[childName]*child
	lowest int64
}

type childName struct {
	key         id.ServiceKey
	incarnation string
}

type child struct {
	Child
	silentSince time.Time // it was heard, or this node has started
}

// MaxFollowers bounds the followers of one node.
const MaxFollowers = 10_000

// ErrTooManyFollowers says that no more followers may join.
var ErrTooManyFollowers = errors.New("this node has as many followers as it takes")

// NewFollowers makes the list, with the followers that had joined before this start.
func NewFollowers(ctx context.Context, keep FollowerKeeper, now func() time.Time) (*Followers, error) {
	f := &Followers{Keep: keep, Now: now, list: map[childName]*child{}, lowest: math.MaxInt64}
	joined, err := keep.Followers(ctx)
	if err != nil {
		return nil, err
	}
	for _, j := range joined {
		f.list[childName{j.Key, j.Incarnation}] = &child{
			Child: Child{Heard: Heard{Follower: j, Applied: -1}}, silentSince: now(),
		}
	}
	f.lowest = f.least()
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
		if err := f.Keep.PutFollower(ctx, h.Follower); err != nil {
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

func (f *Followers) known(name childName) (known, full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.list[name] != nil, len(f.list) >= MaxFollowers
}

func (f *Followers) take(name childName, h *Heard) {
	f.mu.Lock()
	c := f.list[name]
	switch {
	case c == nil:
		c = &child{}
		f.list[name] = c
	case h.Count <= c.Count && !c.Seen.IsZero():
		f.mu.Unlock()
		return
	}
	now := f.Now()
	c.Heard, c.Seen, c.silentSince = *h, now, now
	f.moved()
}

// moved unlocks, and tells of a least revision that has changed.
func (f *Followers) moved() {
	was := f.lowest
	f.lowest = f.least()
	tell := f.lowest != was && f.Moved != nil
	f.mu.Unlock()
	if tell {
		f.Moved()
	}
}

func (f *Followers) least() int64 {
	least := int64(math.MaxInt64)
	for _, c := range f.list {
		least = min(least, c.Applied)
	}
	return least
}

func (f *Followers) leave(ctx context.Context, name childName, count uint64) {
	f.mu.Lock()
	if c := f.list[name]; c == nil || count <= c.Count && !c.Seen.IsZero() {
		f.mu.Unlock()
		return
	}
	delete(f.list, name)
	f.moved()
	_ = f.Keep.DropFollower(ctx, name.key, name.incarnation) // else it is forgotten later
}

// Sweep forgets followers that have been silent for so long that they have fenced themselves.
func (f *Followers) Sweep(ctx context.Context) {
	var gone []childName
	f.mu.Lock()
	now := f.Now()
	for name, c := range f.list {
		if c.over(now) {
			gone = append(gone, name)
			delete(f.list, name)
		}
	}
	f.moved()
	for _, name := range gone {
		_ = f.Keep.DropFollower(ctx, name.key, name.incarnation) // else the next start waits for it once more
	}
}

func (c *child) over(now time.Time) bool { return now.Sub(c.silentSince) > 3*c.Limit }

// Least is the least revision that a follower has applied; the highest number where there are none.
func (f *Followers) Least() int64 {
	if f == nil {
		return math.MaxInt64
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lowest
}

// count adds the followers to an effect's nodes.
func (f *Followers) count(e *Effect, revision int64) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.Now()
	for _, c := range f.list {
		switch {
		case c.over(now):
		case c.Applied >= revision:
			e.Confirmed++
		default:
			e.Pending++
		}
	}
}

// List gives the followers, by name and then by the time when they were heard last.
func (f *Followers) List() []Child {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.Now()
	var out []Child
	for _, c := range f.list {
		one := c.Child
		silent := now.Sub(c.silentSince)
		one.Age += silent
		one.Fenced = one.Fenced || one.Applied < 0 || one.Age > one.Limit
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b Child) int {
		if by := strings.Compare(a.Name, b.Name); by != 0 {
			return by
		}
		return strings.Compare(a.Incarnation, b.Incarnation)
	})
	return out
}
