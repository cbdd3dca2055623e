package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
)

// ErrNoCut says that there is nothing to archive yet.
var ErrNoCut = errors.New("there is nothing to archive")

// LastCut is up to where archives hold the log; the zero value where nothing was archived.
func (db *DB) LastCut(ctx context.Context) (c audit.Cut, err error) {
	err = db.View(ctx, func(v *View) error {
		c, err = v.LastCut()
		return err
	})
	return c, err
}

// LastCut is that of the DB, on this snapshot.
func (v *View) LastCut() (c audit.Cut, err error) {
	e, err := one(
		v, scanEvent, selectEvents+` WHERE workspace_id = '' AND type = ? ORDER BY seq DESC LIMIT 1`, audit.LogArchived,
	)
	if errors.Is(err, ErrNotFound) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	if c, err = audit.CutOf(&e); err != nil || c.To >= e.Seq {
		err = fmt.Errorf("%w: event %d tells of no archive", ErrChain, e.Seq)
	}
	return c, err
}

// Cuts are those that the log still tells of, oldest first: an archive may hold the events that told of earlier ones.
func (db *DB) Cuts(ctx context.Context) (cuts []audit.Cut, err error) {
	err = db.View(ctx, func(v *View) error {
		cuts = nil
		return each(v, scanEvent, func(e audit.Event) error {
			c, err := audit.CutOf(&e)
			cuts = append(cuts, c)
			return err
		}, selectEvents+` WHERE workspace_id = '' AND type = ? ORDER BY seq`, audit.LogArchived)
	})
	return cuts, err
}

// cutEnd is the event with which the archives end.
func cutEnd(c audit.Cut) (head, error) {
	if c.To == 0 {
		return head{}, nil
	}
	hash, err := hex.DecodeString(c.Last)
	if err != nil || len(hash) != 32 {
		return head{}, fmt.Errorf("%w: the last archive's end is no hash", ErrChain)
	}
	return head{c.To, [32]byte(hash)}, nil
}

// NextCut is the content of an archive of the events before a time: the events after the last archive, up to the
// first event that is not older. The last event stays, and so do events that a live node has not passed, those whose
// notices are not queued yet, and all events of the present day.
func (db *DB) NextCut(ctx context.Context, before time.Time) (c audit.Cut, err error) {
	err = db.View(ctx, func(v *View) error {
		if day := v.Now().UTC().Truncate(24 * time.Hour); before.After(day) { // a day's quota counts its events
			before = day
		}
		last, err := v.LastCut()
		if err != nil {
			return err
		}
		i, err := v.installation()
		if err != nil {
			return err
		}
		c = audit.Cut{From: last.To + 1, Before: last.Last}
		if last.To == 0 {
			c.Before = audit.Hex([32]byte{})
		}
		first, err := v.firstNotBefore(c.From, i.head.seq, ceilMillis(before))
		if err != nil {
			return err
		}
		c.To = first - 1
		floor, err := v.passed(i.head.seq)
		if err != nil {
			return err
		}
		queued, err := v.queued(i.head.seq)
		if err != nil {
			return err
		}
		if c.To = min(c.To, floor-1, queued); c.To < c.From {
			if queued < c.From {
				return fmt.Errorf("%w: the notices of event %d are not queued for a webhook yet", ErrNoCut, c.From)
			}
			return ErrNoCut
		}
		e, err := one(v, scanEvent, selectEvents+` WHERE seq = ?`, c.To)
		c.Last = audit.Hex(e.Hash)
		return err
	})
	return c, err
}

// firstNotBefore is the first event from low on that is not older than a time, or high where all below are. Times rise
// between turns, so it is sought by halving in one stretch after the other.
func (v *View) firstNotBefore(low, high, ms int64) (int64, error) {
	for low < high {
		turn, err := one(
			v, scanInt, `SELECT coalesce(min(seq), ?) FROM event_turns WHERE seq > ? AND seq < ?`, high, low, high,
		)
		if err != nil {
			return 0, err
		}
		first, err := v.firstBetween(low, turn, ms)
		if err != nil || first < turn {
			return first, err
		}
		low = turn
	}
	return high, nil
}

// passed is the event that every live node has reached.
func (v *View) passed(floor int64) (int64, error) {
	if v.db.shared == nil {
		return floor, nil
	}
	server, err := v.db.shared.Server(v.ctx, v.q)
	if err != nil {
		return 0, err
	}
	nodes, err := all(v, scanNode, selectNodes)
	for i := range nodes {
		if nodes[i].Live(server.Now) {
			floor = min(floor, nodes[i].Applied)
		}
	}
	return floor, err
}

// queued is the event up to which the notices to every webhook are queued, or head where there is none. A webhook that
// is off, as one is after three days of failures, waits for no notice. The places only move ahead: what is queued once
// stays so.
func (v *View) queued(head int64) (int64, error) {
	return one(
		v, scanInt, `SELECT coalesce(min(seq), ?) FROM webhooks WHERE is_active = 1 AND `+ofLiveWorkspace, head,
	)
}

// RangeOf gives a page of events of a cut, oldest first.
func (v *View) RangeOf(c audit.Cut, after int64, n int) ([]audit.Event, error) {
	return all(
		v, scanEvent, selectEvents+` WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?`, max(after, c.From-1), c.To, n,
	)
}

// Cut records that an archive holds a range, which must follow on the last one and end with an event that is there. The
// rows go by DropArchived.
func (tx *Tx) Cut(c audit.Cut, e audit.Event) error {
	last, err := tx.LastCut()
	if err != nil {
		return err
	}
	if c.From != last.To+1 || last.To > 0 && c.Before != last.Last {
		return fmt.Errorf("%w: the log was archived up to event %d meanwhile", ErrNoCut, last.To)
	}
	floor, err := tx.passed(tx.group.head.seq)
	if err != nil {
		return err
	}
	there, err := one(tx.View, scanEvent, selectEvents+` WHERE seq = ?`, c.To)
	if errors.Is(err, ErrNotFound) || err == nil && (audit.Hex(there.Hash) != c.Last || c.To >= floor) {
		return fmt.Errorf("%w: event %d is not in the log as in the archive, or a node has not passed it", ErrNoCut, c.To)
	}
	if err != nil {
		return err
	}
	metadata, err := json.Marshal(map[string]any{"credential": map[string]string{"type": "command"}, "note": c})
	if err != nil {
		return err
	}
	e.Type, e.Workspace, e.Metadata = audit.LogArchived, "", string(metadata)
	return tx.Record(e)
}

// A DropArchived removes dropBatch events at a time until dropFor has passed in its transaction, so that a writer
// waits for less than 20 ms with the commit, on any machine.
const (
	dropBatch = 20
	dropFor   = 3 * time.Millisecond
)

// DropArchived removes a chunk of the events that an archive holds, with their counts and targets, and tells whether
// there is more. elapsed is a clock that rises, by which the chunk is measured.
func (db *DB) DropArchived(ctx context.Context, elapsed func() time.Duration) (more bool, err error) {
	return db.purge(ctx, func(p *purger) {
		began := elapsed()
		cut, err := p.LastCut()
		p.more, p.err = cut.To > 0, err
		for done := false; p.more && p.err == nil && !done; done = elapsed()-began >= dropFor {
			p.err = p.dropArchived(cut)
		}
	})
}

func (p *purger) dropArchived(cut audit.Cut) error {
	events, err := all(p.View, scanEvent, selectEvents+` WHERE seq <= ? ORDER BY seq LIMIT ?`, cut.To, dropBatch)
	p.more = len(events) == dropBatch
	if err != nil || len(events) == 0 {
		return err
	}
	counts := map[eventType]int{}
	for i := range events {
		var m struct {
			Target string `json:"target"`
		}
		counts[eventType{workspace: events[i].Workspace, kind: events[i].Type}]++
		if json.Unmarshal([]byte(events[i].Metadata), &m) != nil || m.Target == "" {
			continue
		}
		if err := p.q.ExecDeferred(p.ctx, `DELETE FROM event_targets WHERE target = ? AND seq = ?`, m.Target,
			events[i].Seq); err != nil {
			return err
		}
	}
	for t, n := range counts {
		if err := p.uncount(t.workspace, t.kind, n); err != nil {
			return err
		}
	}
	last := events[len(events)-1].Seq
	if err := p.q.ExecDeferred(p.ctx, `DELETE FROM event_turns WHERE seq <= ?`, last); err != nil {
		return err
	}
	n, err := p.q.Exec(p.ctx, `DELETE FROM events WHERE seq <= ?`, last)
	p.removed += n
	return err
}

// uncount takes events out of a counter, and a type that occurs no more out of the list.
func (p *purger) uncount(ws id.Workspace, kind audit.Type, n int) error {
	err := p.q.ExecDeferred(
		p.ctx, `UPDATE event_types SET events = events - ? WHERE workspace_id = ? AND type = ?`, n, ws, kind,
	)
	if err == nil {
		err = p.q.ExecDeferred(p.ctx, `DELETE FROM event_types WHERE workspace_id = ? AND type = ? AND events <= 0`, ws, kind)
	}
	return err
}
