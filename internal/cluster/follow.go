package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
)

// look reads the feed to its end, applies it, and confirms that the copy was fresh when it began.
func (n *Node) look(ctx context.Context) error {
	if n.reload.Load() {
		if err := n.load(ctx); err != nil {
			return err
		}
	}
	for again := false; ; {
		start := n.Now()
		c, err := n.follow(ctx)
		switch {
		case errors.Is(err, store.ErrHistory) && !again:
			again = true
			n.Log.Warn("everything is loaded anew", "because", err.Error())
			n.reload.Store(true)
			if err := n.load(ctx); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		n.compare(c.Now, start)
		if len(c.Changes) > 0 {
			n.Replica().Apply(c.Changes)
		}
		moved := c.Cursor != n.cursor
		n.cursor = c.Cursor
		n.Replica().SetRevision(c.Cursor.Revision)
		n.stats.revision.Store(c.Cursor.Revision)
		if c.More {
			continue
		}
		return n.confirm(ctx, start, moved)
	}
}

func (n *Node) follow(ctx context.Context) (store.Catchup, error) {
	limited, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return n.DB.Follow(limited, n.cursor, pageOfFeed)
}

// confirm makes the copy as fresh as the look, and no fresher than the others can know: without a heartbeat it ends
// earlier.
func (n *Node) confirm(ctx context.Context, start time.Time, moved bool) error {
	var err error
	if moved || n.news || start.Sub(n.beaten) >= n.Limit/4 || n.told.State != store.NodeReady {
		n.told.Applied, n.told.State = n.cursor.Revision, store.NodeReady
		err = n.beat(ctx)
	}
	at := start
	if bound := n.beaten.Add(n.Limit); bound.Before(at) {
		at = bound
	}
	n.Replica().ConfirmFresh(at)
	return err
}

// beat tells the others that this node is there and how far it has come.
func (n *Node) beat(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	start := n.Now()
	n.told.Skew = n.Skew()
	live, err := n.DB.PutNode(limited, n.told)
	if err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	n.heard.Store(&live)
	if start.Sub(n.beaten) > n.Limit {
		n.steady = start
	}
	n.beaten, n.news = start, false
	return nil
}

// compare notes how far this machine's clock is from the database's.
func (n *Node) compare(theirs, start time.Time) {
	ours := start.Add(n.Now().Sub(start) / 2)
	skew := ours.Sub(theirs)
	was := time.Duration(n.stats.skew.Swap(int64(skew)))
	switch {
	case skew.Abs() > SkewToStop && was.Abs() <= SkewToStop:
		n.Log.Warn("this machine's clock differs from the database's: this node is not ready, and judges no key that has an expiry or is "+
			"the earlier value of a rotation; set the clock", "skew", skew.Round(time.Millisecond).String())
	case skew.Abs() > SkewToTell && was.Abs() <= SkewToTell:
		n.Log.Warn("this machine's clock differs from the database's", "skew", skew.Round(time.Millisecond).String())
	case skew.Abs() <= SkewToTell && was.Abs() > SkewToTell:
		n.Log.Info("this machine's clock agrees with the database's again", "skew", skew.Round(time.Millisecond).String())
	}
}

// load empties the copy and fills it anew. It waits for a place, as long as other nodes are loading.
func (n *Node) load(ctx context.Context) error {
	n.told.Applied, n.told.State = -1, store.NodeLoading
	if err := n.beat(ctx); err != nil { // before the snapshot: whoever commits after it knows that we may lack the change
		return err
	}
	n.stats.revision.Store(0) // nothing is settled in the new copy
	r := n.renew()
	n.reload.Store(false)
	err := n.fill(ctx, r)
	if err != nil {
		n.reload.Store(true)
		return fmt.Errorf("load the keys: %w", err)
	}
	r.Loaded(n.cursor.Revision)
	r.MarkReady() // and not fresh before it has caught up
	n.stats.reloads.Add(1)
	n.stats.revision.Store(n.cursor.Revision)
	n.Log.Info("loaded", "keys", r.Size(), "revision", n.cursor.Revision)
	return nil
}

func (n *Node) fill(ctx context.Context, r *replica.Replica) error {
	beating, stop := context.WithCancel(ctx)
	defer stop()
	go n.beatWhileLoading(beating, n.told)
	for {
		var ok bool
		err := r.Load(func(tell func(feed.Change) error) (err error) {
			n.cursor, ok, err = n.DB.LoadShared(ctx, n.MaxConcurrentLoads, tell)
			return err
		})
		if err != nil || ok {
			return err
		}
		n.Log.Info("other nodes are loading: waiting for a place")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryLoading + rand.N(retryLoading)):
		}
	}
}

// beatWhileLoading keeps the change log from being pruned under a node that loads for long.
func (n *Node) beatWhileLoading(ctx context.Context, told store.Node) {
	tick := time.NewTicker(max(n.Limit/2, 50*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			limited, cancel := context.WithTimeout(ctx, lookTimeout)
			_, _ = n.DB.PutNode(limited, told) // the next one may be heard
			cancel()
		}
	}
}

// listen waits for rings on a connection of its own, and tries again when that is lost. Without it changes are found at
// intervals.
func (n *Node) listen(ctx context.Context) {
	const pause = 2 * time.Second
	told := ""
	for ctx.Err() == nil {
		err := n.DB.Listen(ctx, n.notify)
		if ctx.Err() != nil {
			return
		}
		if err != nil && err.Error() != told {
			told = err.Error()
			n.Log.Info("nobody rings: changes of other nodes are looked for at intervals", "because", told, "interval", n.Interval.String())
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause + rand.N(pause)):
		}
	}
}
