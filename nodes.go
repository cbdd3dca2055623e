package keyward

import (
	"context"
	"time"
)

// NodeState is the state of a node.
type NodeState string

// The states of a node. A fenced one has not been heard for so long that it answers no verification any more.
const (
	NodeReady   NodeState = "ready"
	NodeLoading NodeState = "loading"
	NodeFenced  NodeState = "fenced"
)

// Node is a process that serves the installation, as it last said of itself.
type Node struct {
	ID      string    `json:"id"`
	Address string    `json:"address"`
	Version string    `json:"version"`
	State   NodeState `json:"state"`
	// IsSelf marks the node that answered.
	IsSelf bool `json:"isSelf"`
	// Revision is the one up to which it has every change, and Behind counts those that are newer.
	Revision int64 `json:"revision"`
	Behind   int64 `json:"behind"`
	// ClockSkewMS says by how many milliseconds its clock is ahead of the database's.
	ClockSkewMS int64     `json:"clockSkewMs"`
	StartedAt   time.Time `json:"startedAt"`
	LastSeenAt  time.Time `json:"lastSeenAt"`
	// RootKey, Catalogue and Pepper are fingerprints of the node's settings, which tell whether two nodes have the same
	// and nothing else; "none" without a KEYWARD_ROOT_KEY or a pepper. They are nil where a node of an older release
	// does not say.
	RootKey   *string `json:"rootKey"`
	Catalogue *string `json:"catalogue"`
	Pepper    *string `json:"pepper"`
	// Differs names those of them that this node has otherwise than the one that answered (of which: otherwise than
	// another live node).
	Differs []string `json:"differs"`
	// Lacks names the pepper, or secret of an import, that stored keys need and the node does not have: it is not
	// ready, and does not recognise those keys. It is nil where all is well.
	Lacks *string `json:"lacks"`
}

// The settings that Node.Differs names.
const (
	NodeRootKey   = "rootKey"
	NodeCatalogue = "catalogue"
	NodePepper    = "pepper"
)

// Follower is a process without a database that follows a node, as that node has heard it last.
type Follower struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// NodeID is the node that it follows.
	NodeID string `json:"nodeId"`
	// ServiceKeyID is the service key by which it asks, and Incarnation its process: another one after each start.
	ServiceKeyID string `json:"serviceKeyId"`
	Incarnation  string `json:"incarnation"`
	// WorkspaceIDs are the workspaces that its service key is bound to, and of which alone it knows; nil for all. It
	// counts only for changes in them.
	WorkspaceIDs []string `json:"workspaceIds"`
	// State is one of a node's. A fenced follower answers no verification.
	State    NodeState `json:"state"`
	Revision int64     `json:"revision"`
	Behind   int64     `json:"behind"`
	// AgeMS is how old its copy is, and MaxStalenessMS the age at which it fences itself.
	AgeMS          int64 `json:"ageMs"`
	MaxStalenessMS int64 `json:"maxStalenessMs"`
	// Followers counts those that follow it, and those that follow them; LowestRevision is the least that one of these
	// has, nil where there are none.
	Followers      int    `json:"followers"`
	LowestRevision *int64 `json:"lowestRevision"`
	// KeysToAsk is about how many keys it asks its node about because it is not told their values: imported ones, and
	// for a follower bound to workspaces of an installation with a pepper those that were not presented to a node yet.
	KeysToAsk int64 `json:"keysToAsk"`
	// LastSeenAt is nil where it was not heard since the node's start.
	LastSeenAt *time.Time `json:"lastSeenAt"`
}

// ListFollowers gives the followers of all nodes, to a service key that may manage.
func (c *Client) ListFollowers(ctx context.Context) ([]Follower, error) {
	listed, err := invoke[struct {
		Followers []Follower `json:"followers"`
	}](ctx, c, get(nil, "nodes"))
	return listed.Followers, err
}

// ListNodes gives the nodes that were heard of lately, the oldest first, to a service key that may manage.
func (c *Client) ListNodes(ctx context.Context) ([]Node, error) {
	listed, err := invoke[struct {
		Nodes []Node `json:"nodes"`
	}](ctx, c, get(nil, "nodes"))
	return listed.Nodes, err
}
