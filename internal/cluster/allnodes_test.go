package cluster_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
	"github.com/keyward/keyward/internal/verify"
)

// leads gives a node followers.
func leads(c *cluster.Config) {
	f, err := cluster.NewFollowers(context.Background(), c.DB, c.Now)
	if err != nil {
		panic(err)
	}
	f.Node, c.Followers = c.ID, f
}

// heard has a follower say that it has applied a revision, -1 while it loads.
func (n *node) heard(incarnation string, count uint64, applied int64, bound ...id.Workspace) {
	n.t.Helper()
	n.must(n.Followers.Hear(context.Background(), &cluster.Heard{Count: count, Applied: applied, Below: math.MaxInt64,
		Follower: store.Follower{Key: "k", Incarnation: incarnation, Name: incarnation, Version: "v", Limit: limit,
			Workspaces: bound}}))
	n.FollowersMoved()
	n.look()
}

// counts holds how far the latest change of a node has got.
func (n *node) counts(confirmed, pending int, when string) {
	n.t.Helper()
	e := n.Effect(context.Background(), n.wrote.Load(), false)
	if e.Confirmed != confirmed || e.Pending != pending {
		n.t.Errorf("%s: %d confirmed and %d pending, want %d and %d", when, e.Confirmed, e.Pending, confirmed, pending)
	}
}

func TestT110AChangeWaitsForTheFollowersOfOtherNodesInItsWorkspace(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a, b := join(t, url, leads).settle(), join(t, url, leads)
	b.look()
	k := a.mint()
	b.look()
	a.counts(2, 0, "before there are followers")
	b.heard("x", 1, a.wrote.Load())
	b.heard("bound here", 1, a.wrote.Load(), workspace, "another")
	b.heard("bound elsewhere", 1, a.wrote.Load(), "another")
	a.counts(2, 0, "all have it")
	a.must(a.revoke(k))
	b.look()
	b.says(k, verify.NotFound, "the node itself has it")
	a.counts(1, 1, "its followers have not")
	b.heard("x", 2, a.wrote.Load())
	a.counts(1, 1, "the one that is bound here has not")
	b.heard("bound here", 2, a.wrote.Load(), workspace, "another")
	a.counts(2, 0, "the one that is bound elsewhere does not count")
}

func TestT110TheFollowersOfANodeThatLeavesAreWaitedForUntilAnotherHasHeardOfThem(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a, b := join(t, url, leads).settle(), join(t, url, leads)
	k := a.mint()
	b.look()
	b.heard("x", 1, a.wrote.Load())
	b.heard("bound elsewhere", 1, a.wrote.Load(), "another")
	a.must(b.Close(context.Background()))
	a.counts(2, 0, "of a change that the one of everywhere has")
	a.must(a.revoke(k))
	a.counts(1, 1, "of one that the follower of the node has not")
	a.heard("x", 1, -1)
	a.counts(1, 2, "it loads at the other node")
	a.heard("x", 2, a.wrote.Load())
	a.run()
	eventually(t, "the other node has heard of it", func() bool {
		return a.Effect(context.Background(), a.wrote.Load(), false).Everywhere
	})
}

// A node that is killed leaves its row and those of its followers: it is waited for, and they with it.
func TestT110TheFollowersOfANodeThatIsKilledAreWaitedFor(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a, b := join(t, url, leads).settle(), join(t, url, leads)
	k := a.mint()
	b.look()
	b.heard("x", 1, a.wrote.Load())
	a.must(a.revoke(k))
	b.look() // it has the change, its follower has not, and that is the last of it
	began := time.Now()
	e := a.Effect(context.Background(), a.wrote.Load(), true)
	if !e.Everywhere || e.Pending != 1 || time.Since(began) < limit-100*time.Millisecond {
		t.Errorf("%+v after %s", e, time.Since(began))
	}
}

func TestEveryNodeListsTheFollowersOfAll(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a, b := join(t, url, leads).settle().run(), join(t, url, leads).run()
	b.must(b.Followers.Hear(context.Background(), &cluster.Heard{
		Count: 1, Applied: 1, Below: 1, Followers: 3, Age: 50 * time.Millisecond,
		Follower: store.Follower{Key: "k", Incarnation: "i", Name: "x", Version: "v", Limit: time.Minute,
			Workspaces: []id.Workspace{"w"}},
	}))
	var list []cluster.Child
	eventually(t, "the report", func() bool {
		var err error
		list, err = a.Children(context.Background())
		a.must(err)
		return len(list) == 1 && list[0].State() == store.NodeReady
	})
	c := list[0]
	if c.Node != b.ID || c.Name != "x" || c.Version != "v" || c.Applied != 1 || c.Below != 1 || c.Followers != 3 ||
		c.Limit != time.Minute || len(c.Workspaces) != 1 || c.Age < 50*time.Millisecond || time.Since(c.Seen) > time.Minute {
		t.Errorf("%+v", c)
	}
	a.must(b.Followers.Hear(context.Background(), &cluster.Heard{
		Count: 2, Leaving: true, Follower: store.Follower{Key: "k", Incarnation: "i"},
	}))
	eventually(t, "it has left", func() bool {
		list, err := a.Children(context.Background())
		a.must(err)
		return len(list) == 0
	})
}
