// Package follow owns the following of a change log: looking at it, applying its changes to a copy in memory, loading
// everything anew when its history is another one, and confirming how fresh the copy is. It does not own the log (a
// feed.Source), the copy (replica), nor the reports about this reader (cluster, feedhttp).
//
// # Why a revocation holds within the bound
//
// A copy counts as fresh from the start of the last question that was answered to its end, plus the time for which the
// source held it, minus the age of the source's own knowledge. Everything that was committed before is in the copy. The
// arrival of an answer proves nothing: it may have been on its way for long. Once the copy is older than the limit, by
// the reader's own clocks and at the moment of asking, Replica.Ready is false.
package follow

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/replica"
)

// Config holds the parts of a follower. Source, Limit and Now are needed.
type Config struct {
	Source feed.Source
	Limit  time.Duration    // how old the copy may be before it is fenced
	Now    func() time.Time // with a monotonic reading, which the age of the copy is judged by
	Wait   time.Duration    // how long the source may hold a question while there is nothing new
	// Timeout bounds a question; 0 does not.
	Timeout time.Duration

	// Onward is told what the copy has; nil where nobody follows this follower.
	Onward *Onward
	OnSwap func(*replica.Replica) // is told of each copy, before it is filled
	// OnPage is told of each page before it is applied, and of the start of its question.
	OnPage func(p *feed.Page, start time.Time)
	// OnHistory is told why everything is loaded anew, OnBusy that a load waits for a place, OnLoad that one has ended.
	OnHistory func(error)
	OnBusy    func()
	OnLoad    func(r *replica.Replica, at feed.Cursor)
	// Loading is called before a load begins, and the function that it returns once the load has ended.
	Loading func(context.Context) (ended func(), err error)
	// Reached is called at the end of the feed, with the start of the question and whether that brought something. The
	// copy counts as complete at the bound at most.
	Reached func(ctx context.Context, start time.Time, moved bool) (bound time.Time, err error)
}

// Follower keeps a copy in step with a source. It is safe for concurrent use.
type Follower struct {
	Config
	replica  atomic.Pointer[replica.Replica]
	reload   atomic.Bool // the source has another history
	revision atomic.Int64
	loads    atomic.Int64
	position atomic.Pointer[position]

	mu     sync.Mutex // one look at a time
	cursor feed.Cursor
	hurry  bool // the next question is not held: everything was loaded, or the question before has failed
}

// position is how far a copy has come.
type position struct {
	replica *replica.Replica
	at      feed.Cursor
}

// Position gives the copy, and a cursor up to which it has everything. ok is false during a load.
func (f *Follower) Position() (r *replica.Replica, at feed.Cursor, ok bool) {
	p := f.position.Load()
	if p == nil {
		return nil, at, false
	}
	return p.replica, p.at, true
}

// retryLoading is how long a load waits for a place at least.
const retryLoading = 300 * time.Millisecond

// ErrHeld says that a page claims to have been held for longer than its question took.
var ErrHeld = errors.New("the answer says that it was held for longer than the question took")

// New makes a follower with an empty copy that is not ready.
func New(c Config) *Follower {
	c.fill()
	f := &Follower{Config: c}
	f.renew()
	return f
}

// fill sets functions that do nothing in place of those that are left out.
func (c *Config) fill() {
	if c.OnSwap == nil {
		c.OnSwap = func(*replica.Replica) {}
	}
	if c.OnPage == nil {
		c.OnPage = func(*feed.Page, time.Time) {}
	}
	if c.OnHistory == nil {
		c.OnHistory = func(error) {}
	}
	if c.OnBusy == nil {
		c.OnBusy = func() {}
	}
	if c.OnLoad == nil {
		c.OnLoad = func(*replica.Replica, feed.Cursor) {}
	}
	if c.Loading == nil {
		c.Loading = func(context.Context) (func(), error) { return func() {}, nil }
	}
	if c.Reached == nil {
		c.Reached = func(_ context.Context, start time.Time, _ bool) (time.Time, error) { return start.Add(c.Limit), nil }
	}
}

// Replica is the copy that is in use now.
func (f *Follower) Replica() *replica.Replica { return f.replica.Load() }

// Revision is the one up to which the copy has everything; 0 during a load.
func (f *Follower) Revision() int64 { return f.revision.Load() }

// Loads is how often everything was loaded.
func (f *Follower) Loads() int64 { return f.loads.Load() }

// Distrust fences the copy and has the next Look load everything anew.
func (f *Follower) Distrust() {
	f.reload.Store(true)
	f.Replica().Fence()
}

// renew puts an empty copy in the place of the one in use, which is fenced first.
func (f *Follower) renew() *replica.Replica {
	if old := f.replica.Load(); old != nil {
		old.Fence()
	}
	r := replica.New()
	r.LimitAge(f.Limit, f.Now)
	r.AwaitLoad()
	f.replica.Store(r)
	f.OnSwap(r)
	return r
}

// Start loads everything and catches up: afterwards the copy is ready.
func (f *Follower) Start(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.load(ctx); err != nil {
		return err
	}
	return f.look(ctx)
}

// Look follows the feed once, to its end. After an error the copy grows old.
func (f *Follower) Look(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.look(ctx)
}

// look reads the feed to its end, applies it, and confirms how fresh the copy is.
func (f *Follower) look(ctx context.Context) error {
	if f.reload.Load() {
		if err := f.load(ctx); err != nil {
			return err
		}
	}
	for again := false; ; {
		start := f.Now()
		p, err := f.ask(ctx)
		f.hurry = err != nil
		if errors.Is(err, feed.ErrHistory) && !again {
			again = true
			f.OnHistory(err)
			f.reload.Store(true)
			if err := f.load(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if p.Held > f.Now().Sub(start) {
			return ErrHeld
		}
		moved := f.apply(&p, start)
		if p.More {
			continue
		}
		return f.confirm(ctx, start, start.Add(p.Held-p.Age), moved)
	}
}

func (f *Follower) ask(ctx context.Context) (feed.Page, error) {
	if f.Timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, f.Timeout)
		defer cancel()
		ctx = limited
	}
	wait := f.Wait
	if f.hurry {
		wait = 0
	}
	r := f.Replica()
	return f.Source.Next(ctx, feed.Presence{At: f.cursor, Wait: wait, Age: r.Age(), Fenced: !r.Ready()})
}

// apply takes a page over, and tells whether it moved the cursor.
func (f *Follower) apply(p *feed.Page, start time.Time) (moved bool) {
	f.OnPage(p, start)
	r := f.Replica()
	if len(p.Changes) > 0 {
		r.Apply(p.Changes)
	}
	f.Onward.add(f.cursor, p)
	moved = p.Cursor != f.cursor
	f.cursor = p.Cursor
	f.position.Store(&position{r, p.Cursor})
	r.SetRevision(p.Cursor.Revision)
	f.revision.Store(p.Cursor.Revision)
	return moved
}

// confirm makes the copy as fresh as the answer proves, and no fresher than the others can know.
func (f *Follower) confirm(ctx context.Context, start, at time.Time, moved bool) error {
	bound, err := f.Reached(ctx, start, moved)
	if bound.Before(at) {
		at = bound
	}
	f.Replica().ConfirmFresh(at)
	return err
}

// load empties the copy and fills it anew. It waits for a place, as long as other readers are loading.
func (f *Follower) load(ctx context.Context) error {
	ended, err := f.Loading(ctx)
	if err != nil {
		return err
	}
	defer ended()
	f.revision.Store(0) // nothing is settled in the new copy
	f.position.Store(nil)
	f.Onward.loading()
	r := f.renew()
	f.reload.Store(false)
	if err := f.fillCopy(ctx, r); err != nil {
		f.reload.Store(true)
		return fmt.Errorf("load the keys: %w", err)
	}
	r.Loaded(f.cursor.Revision)
	r.MarkReady() // and not fresh before it has caught up
	f.loads.Add(1)
	f.hurry = true
	f.revision.Store(f.cursor.Revision)
	f.position.Store(&position{r, f.cursor})
	f.Onward.set(r, f.cursor)
	f.OnLoad(r, f.cursor)
	return nil
}

func (f *Follower) fillCopy(ctx context.Context, r *replica.Replica) error {
	for {
		var ok bool
		err := r.Load(func(tell func(feed.Change) error) (err error) {
			f.cursor, ok, err = f.Source.Load(ctx, tell)
			return err
		})
		if err != nil || ok {
			return err
		}
		f.OnBusy()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryLoading + rand.N(retryLoading)):
		}
	}
}
