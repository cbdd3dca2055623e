package store

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
)

// View reads one snapshot. It is valid within its function only, and not safe for concurrent use.
type View struct {
	ctx   context.Context
	q     SQL
	db    *DB
	now   time.Time
	group *group  // nil outside of an Update
	cache txCache // outside of an Update

	living id.Workspace // was found alive, and nothing was done to it since; "" for none
}

// Now is the transaction's one time: UTC, in whole milliseconds, never before that of an earlier transaction.
func (v *View) Now() time.Time { return v.now }

// Floor is a time that is known to have come. It is earlier than Now while a jump of the clock is provisional:
// objects that the jump alone has ended are refused, and kept.
func (v *View) Floor() time.Time {
	if floor := v.db.clock.Floor(); floor.Before(v.now) {
		return floor
	}
	return v.now
}

// Page is a part of a list.
type Page struct {
	Limit int    // at most so many; 0 is no limit
	After string // the id of the last item seen, "" at first
}

// one reads the only row of a query, or ErrNotFound.
func one[T any](v *View, scan func(Rows) (T, error), query string, args ...any) (T, error) {
	found, err := all(v, scan, query, args...)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		var none T
		return none, err
	}
	return found[0], nil
}

// all reads every row of a query.
func all[T any](v *View, scan func(Rows) (T, error), query string, args ...any) ([]T, error) {
	var found []T
	err := each(v, scan, func(t T) error {
		found = append(found, t)
		return nil
	}, query, args...)
	return found, err
}

// each streams the rows of a query to f, whose first error ends it.
func each[T any](v *View, scan func(Rows) (T, error), f func(T) error, query string, args ...any) (err error) {
	rows, err := v.q.Query(v.ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		t, err := scan(rows)
		if err != nil {
			return err
		}
		if err := f(t); err != nil {
			return err
		}
	}
	return rows.Err()
}

// alive is ErrNotFound where the workspace is not there, or deleted.
func (v *View) alive(ws id.Workspace) error {
	if ws == v.living && ws != "" {
		return nil
	}
	if _, known := cachedValue[account.Workspace](v, ws); known {
		return nil
	}
	_, err := one(v, scanInt, `SELECT 1 FROM workspaces WHERE id = ? AND deleted_ms = 0`, ws)
	if err == nil {
		v.living = ws
	}
	return err
}

// inLive reads a list that lies in a workspace: that of a deleted one is empty.
func inLive[T any](v *View, ws id.Workspace, scan func(Rows) (T, error), query string, args ...any) ([]T, error) {
	switch err := v.alive(ws); {
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return all(v, scan, query, args...)
}

func scanInt(r Rows) (n int64, err error) {
	err = r.Scan(&n)
	return n, err
}

// where gathers the conditions of a query and their arguments.
type where struct {
	conditions []string
	args       []any
}

func (w *where) and(condition string, args ...any) {
	w.conditions = append(w.conditions, condition)
	w.args = append(w.args, args...)
}

func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

// limit turns 0, no limit, into one that is never reached.
func limit(n int) int64 {
	if n <= 0 {
		return math.MaxInt64
	}
	return int64(n)
}

// separator stands between texts that are searched together; no text that is kept holds it.
const separator = "\x1f"

// together is the SQL expression of several texts as one.
func together(columns ...string) string {
	return strings.Join(columns, " || '"+separator+"' || ")
}

// millis is how a time is kept: Unix milliseconds, 0 for none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// whole is the time as it will be read again.
func whole(t time.Time) time.Time { return fromMillis(millis(t)) }

func toInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
