package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/keyward/keyward/internal/store"
)

// reached tells the others how far this node has come, where that is news or they have not been told for a while. The
// copy is no fresher than the others can know: without a heartbeat it ends earlier.
func (n *Node) reached(ctx context.Context, start time.Time, moved bool) (bound time.Time, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if moved || n.news || start.Sub(n.beaten) >= n.Limit/4 || n.told.State != store.NodeReady {
		n.told.Applied, n.told.State = n.follower.Revision(), store.NodeReady
		err = n.beat(ctx)
	}
	return n.beaten.Add(n.Limit), err
}

// beat tells the others that this node is there and how far it has come. The caller holds mu.
func (n *Node) beat(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	start := n.Now()
	n.told.Skew, n.told.Below, n.told.Lows = n.Skew(), n.Followers.Least(), n.Followers.Lows()
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
		n.Log.Warn(
			"this machine's clock differs from the database's: this node is not ready, and judges no key that has an expiry or is "+
				"the earlier value of a rotation; set the clock",
			"skew",
			skew.Round(time.Millisecond).String(),
		)
	case skew.Abs() > SkewToTell && was.Abs() <= SkewToTell:
		n.Log.Warn("this machine's clock differs from the database's", "skew", skew.Round(time.Millisecond).String())
	case skew.Abs() <= SkewToTell && was.Abs() > SkewToTell:
		n.Log.Info("this machine's clock agrees with the database's again", "skew", skew.Round(time.Millisecond).String())
	}
}

// loading tells the others that this node may lack every change, before the snapshot is taken, and goes on telling them
// while it loads.
func (n *Node) loading(ctx context.Context) (ended func(), err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told.Applied, n.told.State = -1, store.NodeLoading
	if err := n.beat(ctx); err != nil {
		return nil, err
	}
	beating, stop := context.WithCancel(ctx)
	go n.beatWhileLoading(beating, n.told)
	return stop, nil
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
			n.Log.Info(
				"nobody rings: changes of other nodes are looked for at intervals", "because", told, "interval",
				n.Interval.String(),
			)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause + rand.N(pause)):
		}
	}
}
