package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/id"
)

// Node is a process that serves this database, as it last said of itself. Times are the database's.
type Node struct {
	ID      string
	Address string
	Version string
	State   NodeState
	Applied int64         // the revision up to which it has everything; -1 before it has loaded
	Limit   time.Duration // how old its knowledge may be before it fences itself
	Skew    time.Duration // its clock is ahead of the database's by so much
	Started time.Time
	Seen    time.Time
	Alike   Alike
	// Below is the least revision that a follower of the node has applied; the highest number where it has none.
	Below int64
	Lows  []Low
	Lacks string // the pepper that stored digests need and this node does not have; "" for none
}

// Low is the least revision that followers of a node have applied which are bound to the same workspaces.
type Low struct {
	Workspaces []id.Workspace `json:"workspaces,omitzero"` // nil for all
	Applied    int64          `json:"applied"`
}

// mostLows bounds the lows of a node: with more of them its followers count as if each was bound to no workspace.
const mostLows = 100

// writeLows gives them as text, "" where Below stands for all.
func (n *Node) writeLows() (string, error) {
	if len(n.Lows) == 0 || len(n.Lows) > mostLows {
		return "", nil
	}
	text, err := json.Marshal(n.Lows)
	return string(text), err
}

// readLows reads them. A node of an older release has Below alone.
func (n *Node) readLows(text string) error {
	if text == "" {
		n.Lows = []Low{{Applied: n.Below}}
		return nil
	}
	return json.Unmarshal([]byte(text), &n.Lows)
}

// NodeState is a node's own state.
type NodeState string

// The states.
const (
	NodeLoading NodeState = "loading"
	NodeReady   NodeState = "ready"
)

// Silence is how long a node may say nothing before it counts as gone. By then it has fenced itself: it may answer for
// Limit after its last look, and for twice that after it has last been heard.
func (n *Node) Silence() time.Duration { return 3 * n.Limit }

// Live tells whether a node has to be reckoned with.
func (n *Node) Live(now time.Time) bool { return now.Sub(n.Seen) <= n.Silence() }

// PutNode says that a node is there, and answers those that have to be reckoned with, itself among them.
func (db *DB) PutNode(ctx context.Context, n Node) (live []Node, err error) {
	err = db.shared.Note(ctx, func(q SQL) error {
		server, err := db.shared.Server(ctx, q)
		if err != nil {
			return err
		}
		now := server.Now
		lows, err := n.writeLows()
		if err != nil {
			return err
		}
		_, err = q.Exec(
			ctx,
			`INSERT INTO nodes (id, address, version, state, applied, limit_ms, skew_ms, started_ms, seen_ms,
				root_key, root_stored, catalogue, pepper, lacks, below, lows)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET address = excluded.address, state = excluded.state, applied = excluded.applied, skew_ms = excluded.skew_ms,
				seen_ms = excluded.seen_ms, root_key = excluded.root_key, root_stored = excluded.root_stored,
				catalogue = excluded.catalogue, pepper = excluded.pepper, lacks = excluded.lacks, below = excluded.below,
				lows = excluded.lows`,
			n.ID,
			n.Address,
			n.Version,
			n.State,
			n.Applied,
			n.Limit.Milliseconds(),
			n.Skew.Milliseconds(),
			millis(now),
			millis(now),
			n.Alike.RootKey,
			n.Alike.RootStored,
			n.Alike.Catalogue,
			n.Alike.Pepper,
			n.Lacks,
			n.Below,
			lows,
		)
		if err != nil {
			return err
		}
		nodes, err := all(&View{ctx: ctx, q: q, db: db}, scanNode, selectNodes)
		live = slices.DeleteFunc(nodes, func(n Node) bool { return !n.Live(now) })
		return err
	})
	return live, err
}

// DropNode forgets a node that answers no more.
func (db *DB) DropNode(ctx context.Context, id string) error {
	return db.shared.Note(ctx, func(q SQL) error {
		_, err := q.Exec(ctx, `DELETE FROM nodes WHERE id = ?`, id)
		return err
	})
}

// Nodes lists the nodes, the oldest first, with the database's time and the newest revision.
func (db *DB) Nodes(ctx context.Context) (nodes []Node, now time.Time, head int64, err error) {
	err = db.shared.Follow(ctx, func(q SQL) error {
		v := &View{ctx: ctx, q: q, db: db}
		c, err := v.state(Cursor{})
		if err != nil {
			return err
		}
		now, head = c.now, c.Revision
		nodes, err = all(v, scanNode, selectNodes+` ORDER BY started_ms, id`)
		return err
	})
	return nodes, now, head, err
}

const selectNodes = `SELECT id, address, version, state, applied, limit_ms, skew_ms, started_ms, seen_ms,
	root_key, root_stored, catalogue, pepper, lacks, below, lows FROM nodes`

func scanNode(r Rows) (n Node, err error) {
	var limit, skew, started, seen int64
	var lows string
	err = r.Scan(&n.ID, &n.Address, &n.Version, &n.State, &n.Applied, &limit, &skew, &started, &seen,
		&n.Alike.RootKey, &n.Alike.RootStored, &n.Alike.Catalogue, &n.Alike.Pepper, &n.Lacks, &n.Below, &lows)
	if err == nil {
		err = n.readLows(lows)
	}
	n.Limit, n.Skew = time.Duration(limit)*time.Millisecond, time.Duration(skew)*time.Millisecond
	n.Started, n.Seen = fromMillis(started), fromMillis(seen)
	return n, err
}

// forgetFollowers is after which a follower is forgotten that must have fenced itself: its node has not said so.
const forgetFollowers = time.Minute

const forgetNodes = 10 * time.Minute // after which nobody asks any more what became of a node
