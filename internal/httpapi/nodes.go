package httpapi

import (
	"math"

	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/wire"
)

// revocation says how far a change has got, once it is known to have taken place. With wait=all it waits for the other
// nodes.
func (x *exchange) revocation(err error) wire.Revocation {
	if err != nil {
		return wire.Revocation{}
	}
	e := x.api.Nodes.Effect(x.ctx(), x.receipt.Revision(), x.query.values["wait"] == "all")
	effective := "pending"
	if e.Everywhere {
		effective = "everywhere"
	}
	return wire.Revocation{
		Effective: effective, Nodes: wire.Nodes{Confirmed: e.Confirmed, Pending: e.Pending}, Deadline: wire.Time(e.Deadline),
	}
}

func (a *api) listNodes(x *exchange) (wire.NodeList, error) {
	if err := a.Control.Operates(x.ctx(), x.caller); err != nil {
		return wire.NodeList{}, err
	}
	members, err := a.Nodes.Members(x.ctx())
	if err != nil {
		return wire.NodeList{}, a.Control.Unavailable(err)
	}
	var head int64
	for i := range members {
		if m := &members[i]; m.Self {
			head = max(0, m.Applied) + m.Behind
		}
	}
	children, err := a.Nodes.Children(x.ctx())
	if err != nil {
		return wire.NodeList{}, a.Control.Unavailable(err)
	}
	return wire.NodeList{Nodes: mapped(members, node),
		Followers: mapped(children, func(c cluster.Child) wire.Follower { return follower(&c, head) })}, nil
}

// follower tells of a follower, and how far it is behind the newest revision.
func follower(c *cluster.Child, head int64) wire.Follower {
	f := wire.Follower{
		Name: c.Name, Version: c.Version, NodeID: c.Node, ServiceKeyID: string(c.Key), Incarnation: c.Incarnation,
		State:    string(c.State()),
		Revision: max(0, c.Applied), Behind: max(0, head-max(0, c.Applied)), AgeMS: c.Age.Milliseconds(),
		MaxStaleMS: c.Limit.Milliseconds(), Followers: c.Followers, KeysToAsk: c.ToAsk,
	}
	if c.Below != math.MaxInt64 {
		lowest := max(0, c.Below)
		f.Lowest = &lowest
	}
	if c.Workspaces != nil {
		bound := append([]string{}, mapped(c.Workspaces, func(w id.Workspace) string { return string(w) })...)
		f.WorkspaceIDs = &bound
	}
	if !c.Seen.IsZero() {
		seen := wire.Time(c.Seen)
		f.LastSeenAt = &seen
	}
	return f
}

func node(m cluster.Member) wire.Node {
	state := string(m.State)
	if m.Fenced {
		state = "fenced"
	}
	return wire.Node{
		ID: m.ID, Address: m.Address, Version: m.Version, State: state, IsSelf: m.Self, Revision: max(0, m.Applied),
		Behind:      m.Behind,
		ClockSkewMS: m.Skew.Milliseconds(), StartedAt: wire.Time(m.Started), LastSeenAt: wire.Time(m.Seen),
		RootKey: wire.TextOrNull(m.Alike.RootKey), Catalogue: wire.TextOrNull(m.Alike.Catalogue),
		Pepper:  wire.TextOrNull(m.Alike.Pepper),
		Differs: append([]string{}, m.Differs...), Lacks: wire.TextOrNull(m.Lacks),
	}
}
