package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
)

// LogFilter selects events. The zero value selects the installation's own events, which belong to no workspace.
type LogFilter struct {
	Workspace id.Workspace
	All       bool   // of every workspace, and the installation's own
	Search    string // part of the type, description, actor or metadata, in any case; every character stands for itself
	Type      string
	Actor     string
	Target    string    // the id of what changed
	From, To  time.Time // From <= event < To; zero for none
	Ascending bool      // oldest first
	Limit     int       // 0 is no limit
	Offset    int
	AfterSeq  int64 // the Seq of the last event seen, 0 at first
	DownTo    int64 // no event of a lower Seq; 0 for none
	UpTo      int64 // no event of a higher Seq; 0 for none
}

var eventTable = newTable("events", "",
	plain("seq", func(e *audit.Event) *int64 { return &e.Seq }).fixed(),
	plain("id", func(e *audit.Event) *id.Event { return &e.ID }),
	plain("workspace_id", func(e *audit.Event) *id.Workspace { return &e.Workspace }),
	plain("type", func(e *audit.Event) *audit.Type { return &e.Type }),
	plain("description", func(e *audit.Event) *string { return &e.Description }),
	plain("actor_id", func(e *audit.Event) *string { return &e.ActorID }),
	plain("actor_email", func(e *audit.Event) *string { return &e.ActorEmail }),
	instant("created_ms", func(e *audit.Event) *time.Time { return &e.CreatedAt }),
	plain("metadata", func(e *audit.Event) *string { return &e.Metadata }),
	digest("hash", func(e *audit.Event) *[32]byte { return &e.Hash }),
)

var selectEvents = eventTable.selects

func scanEvent(r Rows) (audit.Event, error) { return eventTable.scan(r) }

// logWhere holds all conditions but those of paging.
func (v *View) logWhere(f LogFilter) where {
	var w where
	if !f.All {
		w.and("workspace_id = ?", f.Workspace)
	}
	if f.Type != "" {
		w.and("type = ?", f.Type)
	}
	if f.Actor != "" {
		w.and("actor_id = ?", f.Actor)
	}
	if f.Target != "" {
		w.and("seq IN (SELECT seq FROM event_targets WHERE target = ?)", f.Target)
	}
	if !f.From.IsZero() {
		w.and("created_ms >= ?", ceilMillis(f.From))
	}
	if !f.To.IsZero() {
		w.and("created_ms < ?", ceilMillis(f.To))
	}
	if f.DownTo > 0 {
		w.and("seq >= ?", f.DownTo)
	}
	if f.UpTo > 0 {
		w.and("seq <= ?", f.UpTo)
	}
	if f.Search != "" {
		wanted := strings.ToLower(f.Search)
		condition, args := v.db.driver.Contains(wanted, "type", "description", "actor_id", "actor_email")
		told, more := v.db.driver.Tells(wanted, "metadata")
		w.and("("+condition+" OR "+told+")", append(args, more...)...)
	}
	return w
}

// ceilMillis rounds up, so that a bound between two milliseconds falls on the right side of both.
func ceilMillis(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

// Logs lists events in the order in which they were committed, or the newest first. Pages by AfterSeq cost the same
// however far one has come; pages by Offset do not.
func (v *View) Logs(f LogFilter) ([]audit.Event, error) {
	w, after, order := v.logWhere(f), "seq < ?", " ORDER BY seq DESC"
	if f.Ascending {
		after, order = "seq > ?", " ORDER BY seq"
	}
	if f.AfterSeq > 0 {
		w.and(after, f.AfterSeq)
	}
	return all(
		v,
		scanEvent,
		selectEvents+w.String()+order+" LIMIT ? OFFSET ?",
		append(w.args, limit(f.Limit), f.Offset)...)
}

// LogCount counts the events that the filter selects, without its paging.
func (v *View) LogCount(f LogFilter) (int64, error) {
	w := v.logWhere(f)
	return one(v, scanInt, `SELECT count(*) FROM events`+w.String(), w.args...)
}

// LogCounter is LogCount for the counts that are kept at each write: of a workspace, or of everything, and of one
// type or all.
func (v *View) LogCounter(ws id.Workspace, everywhere bool, kind string) (int64, error) {
	var w where
	if !everywhere {
		w.and("workspace_id = ?", ws)
	}
	if kind != "" {
		w.and("type = ?", kind)
	}
	return one(v, scanInt, `SELECT CAST(coalesce(sum(events), 0) AS BIGINT) FROM event_types`+w.String(), w.args...)
}

// LogStretch is the last of n events from f.AfterSeq on, in the order of f, of those that f.Workspace, f.All and one of
// f.Type and f.Actor select, or ErrNotFound where there are fewer. It walks along an index, so that a search can be
// made over so many events and no more.
func (v *View) LogStretch(f LogFilter, n int) (seq int64, at time.Time, err error) {
	base := LogFilter{Workspace: f.Workspace, All: f.All}
	if !f.All { // else there is no index to walk along
		if base.Type = f.Type; f.Type == "" {
			base.Actor = f.Actor
		}
	}
	w, after, order := v.logWhere(base), "seq < ?", "DESC"
	if f.Ascending {
		after, order = "seq > ?", "ASC"
	}
	if f.AfterSeq > 0 {
		w.and(after, f.AfterSeq)
	}
	if !f.To.IsZero() && !f.Ascending {
		first, err := v.firstAt(ceilMillis(f.To))
		if err != nil {
			return 0, at, err
		}
		w.and("seq < ?", first)
	}
	seq, err = one(
		v,
		scanInt,
		`SELECT seq FROM events`+w.String()+` ORDER BY seq `+order+` LIMIT 1 OFFSET ?`,
		append(w.args, n-1)...)
	if err != nil {
		return 0, at, err
	}
	ms, err := one(v, scanInt, `SELECT created_ms FROM events WHERE seq = ?`, seq)
	return seq, fromMillis(ms), err
}

// firstAt is the Seq after the last event that is older than a time. Times rise along the log but at turns, where a
// wrong clock was put right: it is sought by halving between them, the newest stretch first.
func (v *View) firstAt(ms int64) (int64, error) {
	end, err := one(v, scanInt, `SELECT coalesce(max(seq), 0) + 1 FROM events`)
	for err == nil {
		var start, first int64
		if start, err = one(v, scanInt, `SELECT coalesce(max(seq), 0) FROM event_turns WHERE seq < ?`, end); err != nil {
			break
		}
		if first, err = v.firstBetween(max(start, 1), end, ms); err != nil || first > start || start == 0 {
			return first, err
		}
		end = start
	}
	return 0, err
}

// firstBetween is firstAt within a stretch whose times rise: its start where no event in it is older.
func (v *View) firstBetween(low, high, ms int64) (int64, error) {
	for low < high {
		middle := low + (high-low)/2
		at, err := one(v, scanInt, `SELECT created_ms FROM events WHERE seq >= ? ORDER BY seq LIMIT 1`, middle)
		if err != nil {
			return 0, err
		}
		if at < ms {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// Turned reports whether the log's times fall somewhere up to an event, or, ascending, after it: then events beyond
// it in that direction may have times from before and after.
func (v *View) Turned(seq int64, ascending bool) (bool, error) {
	query := `SELECT count(*) FROM event_turns WHERE seq <= ?`
	if ascending {
		query = `SELECT count(*) FROM event_turns WHERE seq > ?`
	}
	n, err := one(v, scanInt, query, seq)
	return n > 0, err
}

// LogTypes lists the types that occur in a workspace's log, or in all of it, in alphabetical order.
func (v *View) LogTypes(ws id.Workspace, everywhere bool) ([]audit.Type, error) {
	var w where
	if !everywhere {
		w.and("workspace_id = ?", ws)
	}
	return all(v, func(r Rows) (t audit.Type, err error) {
		err = r.Scan(&t)
		return t, err
	}, `SELECT DISTINCT type FROM event_types`+w.String()+` ORDER BY type`, w.args...)
}

// Record appends an event to the log and chains it. The store gives Seq, CreatedAt and Hash.
func (tx *Tx) Record(e audit.Event) error {
	e.Seq, e.CreatedAt = tx.group.head.seq+1, tx.now
	e.Metadata = audit.LineOf(e.Metadata)
	e.Hash = e.Chain(tx.group.head.hash)
	err := tx.q.ExecDeferred(tx.ctx, eventTable.insert, eventTable.inserted(&e)...)
	if err == nil && e.Target != "" {
		err = tx.q.ExecDeferred(tx.ctx, `INSERT INTO event_targets (target, seq) VALUES (?, ?)`, e.Target, e.Seq)
	}
	if at := millis(e.CreatedAt); err == nil {
		if at < tx.group.ended {
			err = tx.q.ExecDeferred(tx.ctx, `INSERT INTO event_turns (seq) VALUES (?)`, e.Seq)
		}
		tx.group.ended = at
	}
	if err != nil {
		return fmt.Errorf("record event: %w", err)
	}
	tx.group.head = head{e.Seq, e.Hash}
	tx.group.types = append(tx.group.types, eventType{e.Workspace, e.Type, dayOf(tx.now)})
	tx.events++
	return nil
}

// eventType is a type in a workspace, on a UTC day.
type eventType struct {
	workspace id.Workspace
	kind      audit.Type
	day       int64
}

// countTypes adds the group's events to the counters, each once however many there are: a row that changes often in one
// transaction is dear.
func (g *group) countTypes(ctx context.Context) error {
	counts := map[eventType]int{}
	for _, t := range g.types {
		counts[t]++
	}
	for _, t := range g.types { // in the order in which they came
		if counts[t] == 0 {
			continue
		}
		err := g.q.ExecDeferred(ctx, `INSERT INTO event_types (workspace_id, type, events, day, day_events) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (workspace_id, type) DO UPDATE SET events = event_types.events + excluded.events, day = excluded.day,
			day_events = excluded.day_events + CASE WHEN event_types.day = excluded.day THEN event_types.day_events ELSE 0 END`,
			t.workspace, t.kind, counts[t], t.day, counts[t])
		if err != nil {
			return fmt.Errorf("count the events: %w", err)
		}
		counts[t] = 0
	}
	return nil
}

// chainPage is how many events VerifyLog reads on one snapshot.
const chainPage = 10_000

// VerifyLog walks the hash chain of the log, from the end of the last archive, and counts the events. An error wraps
// ErrChain and names the first Seq that is wrong. It finds events that were changed, removed or inserted without
// computing every later hash anew. It reads page by page, each on a snapshot of its own, so that it holds up neither
// the write-ahead log nor PostgreSQL's clean-up; the end is looked at together with the last page.
func (db *DB) VerifyLog(ctx context.Context) (events int64, err error) {
	for {
		cut, err := db.LastCut(ctx)
		if err != nil {
			return 0, err
		}
		events, err := db.verifyFrom(ctx, cut)
		if err == nil {
			return events, nil
		}
		if now, err2 := db.LastCut(ctx); err2 != nil || now == cut { // else the log was cut meanwhile
			return events, err
		}
	}
}

func (db *DB) verifyFrom(ctx context.Context, cut audit.Cut) (events int64, err error) {
	at, err := cutEnd(cut)
	if err != nil {
		return 0, err
	}
	last := int64(math.MinInt64)
	if cut.To > 0 {
		last = cut.To // what is below waits to be removed
	}
	check := func(e audit.Event) error {
		switch {
		case e.Seq != at.seq+1:
			return fmt.Errorf("%w: event %d is missing", ErrChain, at.seq+1)
		case e.Chain(at.hash) != e.Hash:
			return fmt.Errorf("%w: event %d was changed", ErrChain, e.Seq)
		}
		at, last = head{e.Seq, e.Hash}, e.Seq
		events++
		return nil
	}
	for more := true; more && err == nil; {
		err = db.View(ctx, func(v *View) error {
			before := events
			if err := each(v, scanEvent, check, selectEvents+` WHERE seq > ? ORDER BY seq LIMIT ?`, last,
				chainPage); err != nil {
				return err
			}
			if more = events-before == chainPage; more {
				return nil
			}
			return v.endsAt(at)
		})
	}
	return events, err
}

// endsAt tells whether the log ends with the event where it is written down that it does.
func (v *View) endsAt(at head) error {
	i, err := v.installation()
	switch {
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("%w: where it ends is not written down", ErrChain)
	case err != nil:
		return err
	case at.seq < i.head.seq:
		return fmt.Errorf("%w: event %d is missing", ErrChain, at.seq+1)
	case at != i.head:
		return fmt.Errorf("%w: event %d is not the last that was written", ErrChain, at.seq)
	}
	return nil
}

// LogHead is the Seq of the last event.
func (v *View) LogHead() (int64, error) {
	i, err := v.installation()
	return i.head.seq, err
}
