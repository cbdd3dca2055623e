package httpapi

import (
	"github.com/keyward/keyward/internal/cluster"
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
	return wire.Revocation{Effective: effective, Nodes: wire.Nodes{Confirmed: e.Confirmed, Pending: e.Pending}, Deadline: wire.Time(e.Deadline)}
}

func (a *api) listNodes(x *exchange) (wire.NodeList, error) {
	if err := a.Control.Operates(x.ctx(), x.caller); err != nil {
		return wire.NodeList{}, err
	}
	members, err := a.Nodes.Members(x.ctx())
	if err != nil {
		return wire.NodeList{}, a.Control.Unavailable(err)
	}
	return wire.NodeList{Nodes: mapped(members, node)}, nil
}

func node(m cluster.Member) wire.Node {
	state := string(m.State)
	if m.Fenced {
		state = "fenced"
	}
	return wire.Node{
		ID: m.ID, Address: m.Address, Version: m.Version, State: state, IsSelf: m.Self, Revision: max(0, m.Applied), Behind: m.Behind,
		ClockSkewMS: m.Skew.Milliseconds(), StartedAt: wire.Time(m.Started), LastSeenAt: wire.Time(m.Seen),
		RootKey: wire.TextOrNull(m.Alike.RootKey), Catalogue: wire.TextOrNull(m.Alike.Catalogue), Pepper: wire.TextOrNull(m.Alike.Pepper),
		Differs: append([]string{}, m.Differs...), Lacks: wire.TextOrNull(m.Lacks),
	}
}
