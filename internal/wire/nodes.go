package wire

// Node is a process that serves the installation, as it last said of itself.
type Node struct {
	ID          string `json:"id"`
	Address     string `json:"address"`
	Version     string `json:"version"`
	State       string `json:"state"` // ready, loading or fenced
	IsSelf      bool   `json:"isSelf"`
	Revision    int64  `json:"revision"`
	Behind      int64  `json:"behind"`
	ClockSkewMS int64  `json:"clockSkewMs"`
	StartedAt   Time   `json:"startedAt"`
	LastSeenAt  Time   `json:"lastSeenAt"`

	RootKey   *string  `json:"rootKey"`
	Catalogue *string  `json:"catalogue"`
	Pepper    *string  `json:"pepper"`
	Differs   []string `json:"differs"`
	Lacks     *string  `json:"lacks"`
}

// NodeList answers a listing.
type NodeList struct {
	Nodes []Node `json:"nodes"`
	// Followers are those of all nodes.
	Followers []Follower `json:"followers"`
}

// Follower is a process without a database that follows a node, as it was heard last.
type Follower struct {
	Name         string    `json:"name"`
	Version      string    `json:"version"`
	NodeID       string    `json:"nodeId"` // of the node that it follows
	ServiceKeyID string    `json:"serviceKeyId"`
	WorkspaceIDs *[]string `json:"workspaceIds"` // that it is bound to; null for all
	Incarnation  string    `json:"incarnation"`
	State        string    `json:"state"` // ready, loading or fenced
	Revision     int64     `json:"revision"`
	Behind       int64     `json:"behind"`
	AgeMS        int64     `json:"ageMs"`
	MaxStaleMS   int64     `json:"maxStalenessMs"`
	Followers    int       `json:"followers"`      // that follow it, and those that follow them
	Lowest       *int64    `json:"lowestRevision"` // that one of these has; null where there are none
	KeysToAsk    int64     `json:"keysToAsk"`      // of which it is not told the values, and about which it asks
	LastSeenAt   *Time     `json:"lastSeenAt"`     // null where it was not heard since the node's start
}
