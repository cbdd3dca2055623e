package follow_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/feed/feedtest"
	"github.com/keyward/keyward/internal/follow"
	"github.com/keyward/keyward/internal/id"
)

// chain is a model, and followers of which each follows the one before, by a clock that stands still.
type chain struct {
	*feedtest.Model
	t         *testing.T
	clock     time.Time
	followers []*follow.Follower
	onward    []*follow.Onward
}

func newChain(t *testing.T, length int) *chain {
	c := &chain{Model: &feedtest.Model{Page: 7}, t: t, clock: time.Now()}
	var source feed.Source = inWorkspace{c.Model}
	for range length {
		o := follow.NewOnward()
		f := follow.New(follow.Config{Source: source, Limit: limit, Onward: o, Now: func() time.Time { return c.clock }})
		if err := f.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.followers, c.onward, source = append(c.followers, f), append(c.onward, o), o
	}
	return c
}

// inWorkspace is a source whose load tells of a workspace first: a copy tells of no key that is in none.
type inWorkspace struct{ feed.Source }

func (s inWorkspace) Load(ctx context.Context, f func(feed.Change) error) (feed.Cursor, bool, error) {
	if err := f(feed.Change{Workspace: &account.Workspace{ID: "w", IsActive: true}}); err != nil {
		return feed.Cursor{}, false, err
	}
	return s.Source.Load(ctx, f)
}

// look has each follower look, the first one first.
func (c *chain) look() {
	c.t.Helper()
	for i, f := range c.followers {
		if err := f.Look(context.Background()); err != nil {
			c.t.Fatalf("follower %d: %v", i, err)
		}
	}
}

func TestAFollowersFeedDoesWhatEverySourceMust(t *testing.T) {
	t.Parallel()
	ids := id.NewGenerator(time.Now, rand.Reader)
	for _, length := range []int{1, 3} {
		feedtest.Run(t, func(t *testing.T) feedtest.Log {
			c := newChain(t, length)
			put := func(k id.Key) { c.Put(apikey.Key{ID: k, Workspace: "w", User: "u"}); c.look() }
			return feedtest.Log{
				Source: c.onward[length-1], Touch: put,
				Put: func() id.Key {
					k := id.Key(ids.Next())
					put(k)
					return k
				},
				Drop: func(k id.Key) { c.Drop(k); c.look() },
				Forget: func() {
					for _, f := range c.followers {
						f.Distrust()
					}
					c.look()
				},
			}
		})
	}
}

func TestT110AgesAddUpOverAChain(t *testing.T) {
	t.Parallel()
	c := newChain(t, 3)
	pass := func(d time.Duration) { c.clock = c.clock.Add(d) }
	look := func(i int) {
		if err := c.followers[i].Look(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	ages := func(when string, want ...time.Duration) {
		t.Helper()
		for i, f := range c.followers {
			if got := f.Replica().Age(); got != want[i]*time.Second {
				t.Errorf("%s: follower %d is %s old, want %d s", when, i, got, want[i])
			}
		}
	}
	ages("at first", 0, 0, 0)
	pass(time.Second)
	look(2)
	look(1)
	ages("the last two have looked, the first has not", 1, 1, 1)
	look(0)
	ages("the first has looked", 0, 1, 1)
	pass(time.Second)
	look(1)
	pass(time.Second)
	look(2)
	ages("the second a second ago, and the last now", 2, 2, 2)
	look(0)
	pass(time.Second)
	look(2)
	ages("the last has looked at one that did not", 1, 3, 3)
	pass(3 * time.Second)
	look(2)
	if c.followers[2].Replica().Ready() || c.followers[0].Replica().Ready() != true {
		t.Error("the last of a chain is ready though nothing proves that it is fresh, or the first is not")
	}
}

func TestAFeedThatIsBeingLoadedTellsNothing(t *testing.T) {
	t.Parallel()
	o := follow.NewOnward()
	if _, _, err := o.Load(t.Context(), func(feed.Change) error { return nil }); !errors.Is(err, feed.ErrLoading) {
		t.Errorf("a snapshot: %v", err)
	}
	if _, err := o.Next(t.Context(), feed.Presence{}); !errors.Is(err, feed.ErrLoading) {
		t.Errorf("a page: %v", err)
	}
}

// A copy that is fenced while it is told, or before, may be of another history than its cursor.
func TestT87NoSnapshotIsMadeOfACopyThatIsFenced(t *testing.T) {
	t.Parallel()
	c := newChain(t, 1)
	c.followers[0].Distrust()
	if _, _, err := c.onward[0].Load(t.Context(), func(feed.Change) error { return nil }); !errors.Is(err,
		feed.ErrLoading) {
		t.Errorf("%v", err)
	}
}
