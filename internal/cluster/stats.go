package cluster

import "time"

// Stats are a node's counters since its start.
type Stats struct {
	Revision int64         // up to which it has everything
	Age      time.Duration // of the copy
	Fenced   bool          // no verification is answered
	Errors   int64         // looks at the feed that failed
	Loads    int64         // times that everything was loaded
	Rings    int64         // looks that another node's ring brought about
	Skew     time.Duration // this machine's clock is ahead of the database's by so much
}

// Stats costs no look at the database.
func (n *Node) Stats() Stats {
	return Stats{
		Revision: n.follower.Revision(), Age: n.Replica().Age(), Fenced: !n.Replica().Ready(), Errors: n.stats.errors.Load(),
		Loads: n.follower.Loads(), Rings: n.stats.rings.Load(), Skew: n.Skew(),
	}
}

// Live is how many nodes were there at the last heartbeat, this one among them.
func (n *Node) Live() int64 {
	if heard := n.heard.Load(); heard != nil {
		return int64(len(*heard))
	}
	return 0
}

// Skew is how far this machine's clock is ahead of the database's, by the last look.
func (n *Node) Skew() time.Duration { return time.Duration(n.stats.skew.Load()) }

const (
	// SkewToTell is worth a warning.
	SkewToTell = 2 * time.Second
	// SkewToStop is so much that the node is not ready and judges no key that has an end. It takes changes, whose time
	// is the database's.
	SkewToStop = 15 * time.Second
)
