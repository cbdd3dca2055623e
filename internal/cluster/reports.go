package cluster

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/store"
)

// report is the state of a follower that the other nodes have been told.
type report struct {
	at        time.Time
	state     store.NodeState
	applied   int64
	below     int64
	followers int
}

const (
	stateFenced store.NodeState = "fenced"
	// reportEvery is how often a follower is reported of which there is nothing new.
	reportEvery = 10 * time.Second
)

// State is that of the follower: it counts as fenced also where it must have fenced itself.
func (c *Child) State() store.NodeState {
	switch {
	case c.Applied < 0 && !c.Seen.IsZero():
		return store.NodeLoading
	case c.Fenced:
		return stateFenced
	}
	return store.NodeReady
}

// by gives the follower as it stands at a time.
func (c *child) by(now time.Time) Child {
	one := c.Child
	one.Age += now.Sub(c.silentSince)
	one.Fenced = one.Fenced || one.Applied < 0 || one.Age > one.Limit
	return one
}

// news gives the reports of followers that are not as the others were told, or of whom they have not been told for a
// while; with all, those of all followers.
func (f *Followers) news(all bool) (list []store.FollowerReport) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.Now()
	for _, c := range f.list {
		one := c.by(now)
		r := report{c.reported.at, one.State(), one.Applied, one.Below, one.Followers}
		if !all && r == c.reported && now.Sub(r.at) < reportEvery {
			continue
		}
		r.at = now
		c.reported = r
		list = append(list, store.FollowerReport{
			Follower: one.Follower, Applied: one.Applied, Below: one.Below, Followers: one.Followers, Age: one.Age,
			ToAsk: one.ToAsk,
			State: string(r.state), Silent: now.Sub(c.silentSince),
		})
	}
	return list
}

// report tells the other nodes how the followers of this one stand, as often as that is worth it.
func (n *Node) report(ctx context.Context) {
	tick := time.NewTicker(max(n.Limit/4, n.Interval))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = n.reportNow(ctx, false) // it is told again soon
		}
	}
}

func (n *Node) reportNow(ctx context.Context, all bool) error {
	list := n.Followers.news(all)
	if len(list) == 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	err := n.DB.ReportFollowers(limited, n.ID, list)
	if err != nil {
		n.Followers.untold(list)
	}
	return err
}

// untold forgets that followers were reported.
func (f *Followers) untold(list []store.FollowerReport) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range list {
		if c := f.list[childName{list[i].Key, list[i].Incarnation}]; c != nil {
			c.reported = report{}
		}
	}
}

// Children lists the followers of all live nodes: those of this one as they were heard, the others as their nodes have
// reported them. One that has gone from one node to another is told once.
func (n *Node) Children(ctx context.Context) ([]Child, error) {
	own := n.Followers.List()
	known := map[childName]bool{}
	for i := range own {
		own[i].Node = n.ID
		known[childName{own[i].Key, own[i].Incarnation}] = true
	}
	reports, now, err := n.DB.FollowerReports(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(reports, func(a, b store.FollowerReport) int { return b.Seen.Compare(a.Seen) })
	for i := range reports {
		r := &reports[i]
		name := childName{r.Key, r.Incarnation}
		if r.Node == n.ID || known[name] || now.Sub(r.Seen) > 3*r.Limit+reportEvery {
			continue
		}
		known[name] = true
		c := Child{Node: r.Node, Seen: r.Seen}
		c.Heard = Heard{Follower: r.Follower, Applied: r.Applied, Below: r.Below, Followers: r.Followers, Age: r.Age,
			ToAsk:  r.ToAsk,
			Fenced: r.State == string(stateFenced)}
		own = append(own, c)
	}
	sortChildren(own)
	return own, nil
}

func sortChildren(list []Child) {
	slices.SortFunc(list, func(a, b Child) int {
		if by := strings.Compare(a.Name, b.Name); by != 0 {
			return by
		}
		return strings.Compare(a.Incarnation, b.Incarnation)
	})
}

// leave tells the others that this node answers no more. Its followers stay in the database as they stand, and count
// there until they are heard of at another node, or must have fenced themselves. Where that cannot be told the node
// leaves without a word, and is itself waited for.
func (n *Node) leave(ctx context.Context) error {
	if n.Followers.Least() != math.MaxInt64 {
		if err := n.reportNow(ctx, true); err != nil {
			return err
		}
	}
	return n.DB.DropNode(ctx, n.ID)
}
