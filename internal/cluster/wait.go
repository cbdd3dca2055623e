package cluster

import (
	"context"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/store"
)

// Effect says how far a change of this node has got. Confirmed counts the nodes that have applied it, this one among
// them, and Pending the others. After Deadline no node says otherwise: it has applied the change, or has fenced itself.
type Effect struct {
	Everywhere bool
	Confirmed  int
	Pending    int
	Deadline   time.Time
}

const (
	firstPause   = 10 * time.Millisecond
	longestPause = 100 * time.Millisecond
)

// Effect is asked after a change of this node was committed at a revision. With wait it answers once every live node
// has applied the change, or else at the deadline, when those that have not are fenced. Revision 0 stands for the
// newest one that there is. The copy is not asked how far it is: one that is being loaded has come nowhere yet, and the
// change was committed all the same.
func (n *Node) Effect(ctx context.Context, revision int64, wait bool) Effect {
	return await(ctx, n.Now, wait, func(limit time.Duration) Effect {
		if limit == 0 {
			limit = n.Limit
		}
		return n.count(ctx, revision, limit)
	})
}

// await asks how far a change has got, and with wait again until it is everywhere or the deadline has come. The limit
// is the rest of the first answer's, 0 at first.
func await(ctx context.Context, now func() time.Time, wait bool, count func(limit time.Duration) Effect) Effect {
	began := now()
	e := count(0)
	left := e.Deadline.Sub(began)
	e.Deadline = began.Add(left)
	for pause := firstPause; wait && !e.Everywhere; pause = min(2*pause, longestPause) {
		rest := left - now().Sub(began)
		if rest <= 0 {
			e.Everywhere = true
			return e
		}
		select {
		case <-ctx.Done():
			return e
		case <-time.After(min(pause, rest)):
		}
		deadline := e.Deadline
		e = count(left)
		e.Deadline = deadline
	}
	return e
}

// count asks the database for the live nodes and their revisions. If it does not answer, only this node's own copy is
// confirmed; the deadline still holds.
func (n *Node) count(ctx context.Context, revision int64, limit time.Duration) Effect {
	e := Effect{Confirmed: 1, Deadline: n.Now().Add(limit)}
	limited, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	s, err := n.DB.Standing(limited)
	if err != nil {
		e.Pending = 1
		return e
	}
	if revision == 0 {
		revision = s.Head
	}
	for i := range s.LeftBehind {
		limit = max(limit, s.LeftBehind[i].Limit)
	}
	own, all := n.standing(&s)
	c := newConcerned(limited, n.DB, revision, all)
	for i := range s.Nodes {
		o := &s.Nodes[i]
		if o.ID == n.ID || !o.Live(s.Now) {
			continue
		}
		if o.Applied >= revision && !slices.ContainsFunc(o.Lows, func(l store.Low) bool {
			return l.Applied < revision && c.by(&l)
		}) {
			e.Confirmed++
			continue
		}
		e.Pending++
		limit = max(limit, o.Limit)
	}
	c.count(&e, own)
	e.Deadline = n.Now().Add(limit)
	e.Everywhere = e.Pending == 0
	return e
}

// standing gives how far the followers have come that count one by one, which are this node's and those of nodes that
// have left; and all, with the lows of the other nodes.
func (n *Node) standing(s *store.Standing) (own, all []store.Low) {
	own = n.Followers.standing()
	if _, at, ok := n.follower.Position(); !ok || at.Epoch != s.Epoch { // the followers stand in another history
		for i := range own {
			own[i].Applied = -1
		}
	}
	for i := range s.LeftBehind {
		r := &s.LeftBehind[i]
		if r.Node != n.ID {
			own = append(own, store.Low{Workspaces: r.Workspaces, Applied: r.Least()})
		}
	}
	all = slices.Clone(own)
	for i := range s.Nodes {
		all = append(all, s.Nodes[i].Lows...)
	}
	return own, all
}

// Member is a node as the others see it.
type Member struct {
	store.Node
	Self   bool
	Fenced bool // it has been silent for longer than it may answer
	Behind int64
	// settings in which it is not like the node that tells this; of that node itself, in which another live one is not
	// like it
	Differs []string
}

// Members lists the live nodes, and those that fell silent lately.
func (n *Node) Members(ctx context.Context) ([]Member, error) {
	nodes, now, head, err := n.DB.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Member, len(nodes))
	for i, o := range nodes {
		out[i] = Member{Node: o, Self: o.ID == n.ID, Fenced: now.Sub(o.Seen) > 2*o.Limit, Behind: max(0, head-o.Applied)}
		if o.Applied < 0 {
			out[i].Behind = head
		}
	}
	n.compareAll(out)
	return out, nil
}
