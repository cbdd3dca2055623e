package store

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/id"
)

// Follower is a process without a database that follows this one, as it said of itself when it joined.
type Follower struct {
	Key         id.ServiceKey // by which it asks
	Incarnation string        // of this process; another one at every start
	Name        string
	Version     string
	Limit       time.Duration  // how old its copy may be before it fences itself
	Workspaces  []id.Workspace // that it is bound to; nil for all
}

// FollowerReport is a follower as the node that it follows has seen it last. Times are the database's.
type FollowerReport struct {
	Follower
	Node      string        // that it follows; "" where there is one node
	Applied   int64         // the revision up to which it has everything; -1 before it has loaded
	Below     int64         // the least revision that a follower of its own has; the highest number where it has none
	Followers int           // so many follow it
	Age       time.Duration // of its copy, then
	State     string        // "" before the first report
	ToAsk     int64         // keys of which it is not told the values, and about which it asks
	Seen      time.Time
	Silent    time.Duration // since it was heard; of a report that is being made, in place of Seen
}

// Least is the revision that the follower and all below it have.
func (f *FollowerReport) Least() int64 { return min(f.Applied, f.Below) }

const followerColumns = `service_key_id, incarnation, node_id, name, version, limit_ms, joined_ms, workspace_ids,
	applied, below, followers, age_ms, state, seen_ms, keys_to_ask`

const selectFollowers = `SELECT ` + followerColumns + ` FROM followers`

func scanFollower(r Rows) (f FollowerReport, err error) {
	var limit, joined, followers, age, seen int64
	var workspaces string
	err = r.Scan(&f.Key, &f.Incarnation, &f.Node, &f.Name, &f.Version, &limit, &joined, &workspaces,
		&f.Applied, &f.Below, &followers, &age, &f.State, &seen, &f.ToAsk)
	if err == nil && workspaces != "" {
		err = json.Unmarshal([]byte(workspaces), &f.Workspaces)
	}
	f.Limit, f.Age = time.Duration(limit)*time.Millisecond, time.Duration(age)*time.Millisecond
	f.Followers, f.Seen = int(followers), fromMillis(seen)
	return f, err
}

// row gives the values of followerColumns.
func (f *FollowerReport) row(joined time.Time) ([]any, error) {
	workspaces := ""
	if f.Workspaces != nil {
		text, err := json.Marshal(f.Workspaces)
		if err != nil {
			return nil, err
		}
		workspaces = string(text)
	}
	return []any{f.Key, f.Incarnation, f.Node, f.Name, f.Version, f.Limit.Milliseconds(), millis(joined), workspaces,
		f.Applied, f.Below, f.Followers, f.Age.Milliseconds(), f.State, millis(f.Seen), f.ToAsk}, nil
}

// Followers lists the followers that had joined this process before its start, and were not dropped. A database that
// several nodes share has none: there a node that ends without a word is itself waited for, and its followers with it.
func (db *DB) Followers(ctx context.Context) (list []Follower, err error) {
	if db.shared != nil {
		return nil, nil
	}
	err = db.View(ctx, func(v *View) error {
		rows, err := all(v, scanFollower, selectFollowers+` ORDER BY service_key_id, incarnation`)
		for i := range rows {
			list = append(list, rows[i].Follower)
		}
		return err
	})
	return list, err
}

// PutFollower notes, durably, that a follower has joined at a node. A follower that is there already stays as it is.
func (db *DB) PutFollower(ctx context.Context, node string, f Follower) error {
	return db.Count(ctx, func(c *Counting) error {
		now, err := c.serverTime()
		if err != nil {
			return err
		}
		report := FollowerReport{Follower: f, Node: node, Applied: -1, Below: math.MaxInt64, Seen: now}
		row, err := report.row(now)
		if err != nil {
			return err
		}
		_, err = c.exec(`INSERT INTO followers (`+followerColumns+`) VALUES (`+places("?", len(row))+`)
			ON CONFLICT (service_key_id, incarnation, node_id) DO UPDATE SET limit_ms = excluded.limit_ms, seen_ms = excluded.seen_ms`,
			row...)
		return err
	})
}

// serverTime is the database's time.
func (v *View) serverTime() (time.Time, error) {
	if v.db.shared == nil {
		return v.now, nil
	}
	server, err := v.db.shared.Server(v.ctx, v.q)
	return server.Now, err
}

// DropFollower forgets a follower of a node that has left, or has fenced itself.
func (db *DB) DropFollower(ctx context.Context, node string, key id.ServiceKey, incarnation string) error {
	return db.Count(ctx, func(c *Counting) error {
		_, err := c.exec(
			`DELETE FROM followers WHERE service_key_id = ? AND incarnation = ? AND node_id = ?`, key, incarnation, node,
		)
		return err
	})
}

// ReportFollowers tells the other nodes how followers of this one stand.
func (db *DB) ReportFollowers(ctx context.Context, node string, list []FollowerReport) error {
	return db.shared.Note(ctx, func(q SQL) error {
		server, err := db.shared.Server(ctx, q)
		if err != nil {
			return err
		}
		for batch := range slices.Chunk(list, rowsAtOnce) {
			var args []any
			columns := 0
			for _, r := range batch {
				r.Node, r.Seen = node, server.Now.Add(-r.Silent)
				row, err := r.row(server.Now)
				if err != nil {
					return err
				}
				args, columns = append(args, row...), len(row)
			}
			_, err := q.Exec(ctx, `INSERT INTO followers (`+followerColumns+`) VALUES `+
				places("("+places("?", columns)+")", len(batch))+`
				ON CONFLICT (service_key_id, incarnation, node_id) DO UPDATE SET applied = excluded.applied, below = excluded.below,
					followers = excluded.followers, age_ms = excluded.age_ms, state = excluded.state, seen_ms = excluded.seen_ms,
					keys_to_ask = excluded.keys_to_ask`,
				args...)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// FollowerReports lists the followers of all nodes that share the database, with its time.
func (db *DB) FollowerReports(ctx context.Context) (list []FollowerReport, now time.Time, err error) {
	err = db.shared.Follow(ctx, func(q SQL) error {
		v := &View{ctx: ctx, q: q, db: db}
		if now, err = v.serverTime(); err != nil {
			return err
		}
		list, err = all(v, scanFollower, selectFollowers+` ORDER BY name, service_key_id, incarnation, node_id`)
		return err
	})
	return list, now, err
}

// Standing says how far the nodes have come, and the followers of nodes that have left.
type Standing struct {
	Nodes []Node // the oldest first
	// LeftBehind are followers that may still answer, and which no node that is there tells of for certain.
	LeftBehind []FollowerReport
	Now        time.Time // the database's
	Head       int64     // the newest revision
	Epoch      string    // of the history that revisions are of, as in a cursor
}

// Standing reads it on the primary.
func (db *DB) Standing(ctx context.Context) (s Standing, err error) {
	err = db.shared.Follow(ctx, func(q SQL) error {
		v := &View{ctx: ctx, q: q, db: db}
		c, err := v.state(Cursor{})
		if err != nil {
			return err
		}
		s = Standing{Now: c.now, Head: c.Revision, Epoch: c.Epoch}
		if s.Nodes, err = all(v, scanNode, selectNodes+` ORDER BY started_ms, id`); err != nil {
			return err
		}
		rows, err := all(v, scanFollower, selectFollowers)
		s.LeftBehind = leftBehind(rows, s.Nodes, s.Now)
		return err
	})
	return s, err
}

// leftBehind gives the followers of which a row names a node that is not there. Each has the most that any node has
// heard of it.
func leftBehind(rows []FollowerReport, nodes []Node, now time.Time) (list []FollowerReport) {
	type process struct {
		key         id.ServiceKey
		incarnation string
	}
	most := map[process]FollowerReport{}
	left := map[process]bool{}
	for i := range rows {
		r := &rows[i]
		p := process{r.Key, r.Incarnation}
		if !slices.ContainsFunc(nodes, func(o Node) bool { return o.ID == r.Node }) {
			left[p] = true
		}
		if before, known := most[p]; !known || r.Least() > before.Least() {
			most[p] = *r
		}
	}
	for p := range left {
		if r := most[p]; now.Sub(r.Seen) <= 3*r.Limit {
			list = append(list, r)
		}
	}
	return list
}

// Touched tells for each workspace the latest change between two revisions that concerns it; "" stands for changes of
// which the place is not known.
func (db *DB) Touched(ctx context.Context, after, upTo int64) (map[id.Workspace]int64, error) {
	latest := map[id.Workspace]int64{}
	err := db.follow(ctx, func(v *View) error {
		type touch struct {
			in id.Workspace
			at int64
		}
		list, err := all(v, func(r Rows) (t touch, err error) {
			err = r.Scan(&t.in, &t.at)
			return t, err
		}, `SELECT CASE WHEN kind = 'workspace' THEN object_id ELSE workspace_id END AS place, max(revision)
			FROM changes WHERE revision > ? AND revision <= ? GROUP BY 1`, after, upTo)
		for _, t := range list {
			latest[t.in] = t.at
		}
		return err
	})
	return latest, err
}
