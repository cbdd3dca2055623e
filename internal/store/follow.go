package store

import (
	"context"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/clock"
	"github.com/keyward/keyward/internal/feed"
)

// ErrHistory is feed.ErrHistory.
var ErrHistory = feed.ErrHistory

// Cursor is feed.Cursor.
type Cursor = feed.Cursor

// Catchup is feed.Page. Its Held and Age are 0: the changes are read from the primary itself.
type Catchup = feed.Page

// cluster holds the facts of the database that a reader checks before it believes its own cursor.
type cluster struct {
	Cursor
	prunedTo int64
	now      time.Time
	time     clock.State
	known    []byte // the hash of the event at the reader's own cursor
}

// state reads it, on the primary only.
func (v *View) state(at Cursor) (c cluster, err error) {
	server := Server{Now: v.now}
	if v.db.shared != nil {
		if server, err = v.db.shared.Server(v.ctx, v.q); err != nil {
			return c, err
		}
		v.db.clock.Learn(server.Now)
	}
	c, err = one(v, func(r Rows) (c cluster, err error) {
		var hash []byte
		t := &c.time
		err = r.Scan(&c.Revision, &hash, &c.Epoch, &c.prunedTo, &c.known, &t.Mark, &t.Ahead, &t.Ran, &t.Resets)
		copy(c.Hash[:], hash)
		return c, err
	}, `SELECT i.head_seq, i.head_hash, c.epoch, c.pruned_to, (SELECT e.hash FROM events e WHERE e.seq = ?),
			i.time_mark_ms, i.time_ahead_ms, i.time_ran_ms, i.time_resets
		FROM installation i, cluster c`, at.Revision)
	if server.Identity != "" {
		c.Epoch += " " + server.Identity
	}
	c.now = server.Now
	if err == nil && v.db.shared != nil {
		v.db.clock.Adopt(c.time)
	}
	return c, err
}

// follows tells whether the database goes on where the cursor ends.
func (c *cluster) follows(at Cursor) error {
	switch {
	case c.Epoch != at.Epoch:
		return fmt.Errorf("%w: its epoch is %q and was %q", ErrHistory, c.Epoch, at.Epoch)
	case c.Revision < at.Revision:
		return fmt.Errorf("%w: it ends at revision %d, and %d was there", ErrHistory, c.Revision, at.Revision)
	case at.Revision > 0 && string(c.known) != string(at.Hash[:]):
		return fmt.Errorf("%w: it has another event %d", ErrHistory, at.Revision)
	case c.prunedTo > at.Revision:
		return fmt.Errorf(
			"%w: the change log begins after revision %d, and %d was reached", ErrHistory, c.prunedTo, at.Revision,
		)
	}
	return nil
}

// Follow reads the changes after a cursor, about limit at most, and returns whole rows, each object once. Their state
// may be later than their revision, never earlier. It asks the primary alone. ErrHistory says to load everything
// anew.
func (db *DB) Follow(ctx context.Context, at Cursor, limit int) (Catchup, error) {
	var out Catchup
	own := db.written.Load() // before the snapshot, which has it then
	err := db.follow(ctx, func(v *View) error {
		c, err := v.state(at)
		if err != nil {
			return err
		}
		out = Catchup{Cursor: c.Cursor, Now: c.now}
		if err := c.follows(at); err != nil {
			return err
		}
		if err := v.keeps(own, at); err != nil || c.Cursor == at {
			return err
		}
		if err := v.page(&out, at, limit); err != nil {
			return err
		}
		return v.objects(&out, at.Revision)
	})
	return out, err
}

// Cursor is where the change log ends.
func (db *DB) Cursor(ctx context.Context) (at Cursor, err error) {
	err = db.follow(ctx, func(v *View) error {
		c, err := v.state(Cursor{})
		at = c.Cursor
		return err
	})
	return at, err
}

// Published is the later of a cursor and the end of what this process has written and told its subscribers.
func (db *DB) Published(at Cursor) Cursor {
	if p := db.published.Load(); p != nil && p.seq > at.Revision {
		at.Revision, at.Hash = p.seq, p.hash
	}
	return at
}

// follow runs fn on a snapshot of the primary.
func (db *DB) follow(ctx context.Context, fn func(*View) error) error {
	read := db.driver.Read
	if db.shared != nil {
		read = db.shared.Follow
	}
	return read(ctx, func(q SQL) error { return fn(&View{ctx: ctx, q: q, db: db, now: db.clock.Now()}) })
}

// keeps reports whether the database still has this process's own writes after the cursor, which its reader knows
// already.
func (v *View) keeps(own *head, at Cursor) error {
	if own == nil || own.seq <= at.Revision {
		return nil
	}
	there, err := v.holds(*own)
	if err == nil && !there {
		err = fmt.Errorf("%w: event %d, which was written here, is not there", ErrHistory, own.seq)
	}
	return err
}

// page ends a catch-up early where there is much, and never within a transaction.
func (v *View) page(out *Catchup, at Cursor, limit int) error {
	type page struct{ last, rows int64 }
	p, err := one(v, func(r Rows) (p page, err error) {
		err = r.Scan(&p.last, &p.rows)
		return p, err
	}, `SELECT coalesce(max(revision), 0), count(*)
		FROM (SELECT revision FROM changes WHERE revision > ? ORDER BY revision, position LIMIT ?) AS page`, at.Revision, limit)
	if err != nil || p.rows < int64(limit) || p.last == out.Cursor.Revision {
		return err
	}
	out.More, out.Cursor.Revision = true, p.last
	hash, err := one(v, func(r Rows) (hash []byte, err error) {
		err = r.Scan(&hash)
		return hash, err
	}, `SELECT hash FROM events WHERE seq = ?`, p.last)
	copy(out.Cursor.Hash[:], hash)
	return err
}

// objects reads the objects touched by the changes between two revisions.
func (v *View) objects(out *Catchup, after int64) error {
	refs, err := all(v, func(r Rows) (o ref, err error) {
		err = r.Scan(&o.kind, &o.workspace, &o.object)
		return o, err
	}, `SELECT DISTINCT kind, workspace_id, object_id FROM changes WHERE revision > ? AND revision <= ? ORDER BY 1, 2, 3`,
		after, out.Cursor.Revision)
	if err != nil {
		return err
	}
	for len(refs) > 0 {
		n := 1
		for n < len(refs) && n < rowsAtOnce && refs[n].kind == refs[0].kind {
			n++
		}
		found, err := v.touched(refs[:n])
		if err != nil {
			return err
		}
		out.Changes = append(out.Changes, found...)
		refs = refs[n:]
	}
	for i := range out.Changes {
		out.Changes[i].Revision = out.Cursor.Revision
	}
	return nil
}
