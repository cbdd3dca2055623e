package store

import (
	"context"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
)

// NextUnsettled gives the oldest settlement whose rows are not written, and at which no node has worked for so long, or
// ErrNotFound.
func (db *DB) NextUnsettled(ctx context.Context, idle time.Duration) (id.Settlement, error) {
	var found id.Settlement
	err := db.Glance(ctx, func(v *View) (err error) {
		found, err = one(v, func(r Rows) (s id.Settlement, err error) {
			err = r.Scan(&s)
			return s, err
		}, `SELECT id FROM settlements WHERE done_ms = 0 AND worked_ms <= ? ORDER BY id LIMIT 1`, millis(v.now.Add(-idle)))
		return err
	})
	return found, err
}

// Unsettled reads an open settlement; ErrNotFound says that it is done.
func (v *View) Unsettled(s id.Settlement) (Unsettled, error) {
	return one(v, v.scanUnsettled, selectSettlements+` WHERE id = ? AND done_ms = 0`, s)
}

// UnsettledOf is OpenSettlements with the data for writing rows.
func (v *View) UnsettledOf(ws id.Workspace, u id.User) ([]Unsettled, error) {
	return all(
		v, v.scanUnsettled, selectSettlements+` WHERE workspace_id = ? AND user_id = ? AND done_ms = 0 ORDER BY period`, ws,
		u,
	)
}

// UnsettledKeys reads keys of the settlement's user, n at most, from where the writing has come on, as their rows have
// them. Keys among them may be settled, and fewer than n are the last.
func (v *View) UnsettledKeys(u *Unsettled, n int) ([]apikey.Key, error) {
	rows, err := inLive(
		v, u.Workspace, v.scanKey,
		selectKeys+` WHERE k.workspace_id = ? AND k.user_id = ? AND k.id > ? ORDER BY k.id LIMIT ?`, u.Workspace, u.User,
		u.After, n,
	)
	if err != nil {
		return nil, err
	}
	return v.complete(rows)
}

// WriteSettled writes into a key's row what settlements have made of the key. Whose it is then is counted by MoveKeys.
func (tx *Tx) WriteSettled(k apikey.Key) error {
	k = normal(k, tx.Floor())
	var err error
	if k.Period, err = tx.period(k.Workspace, k.User); err == nil {
		err = tx.q.ExecDeferred(
			tx.ctx,
			`UPDATE api_keys SET user_id = ?, is_active = ?, is_orphan = ?, updated_ms = ?, disabled_by = ?,
			disabled_ms = ?, disabled_by_right = ?, period = ? WHERE id = ?`,
			k.User,
			toInt(k.IsActive),
			toInt(k.Orphan),
			millis(k.UpdatedAt),
			k.Disabled.By,
			millis(k.Disabled.At),
			toInt(k.Disabled.Right),
			k.Period,
			k.ID,
		)
	}
	if err == nil && !k.IsActive {
		err = tx.wipeSealed(k.ID)
	}
	if err != nil {
		return fmt.Errorf("write what was settled: %w", err)
	}
	tx.touched = true
	tx.changed(feed.Change{Key: &k})
	return nil
}

// MoveKeys counts keys as another user's.
func (tx *Tx) MoveKeys(ws id.Workspace, from, to id.User, n int) error {
	if n == 0 || from == to {
		return nil
	}
	err := tx.countKeys(ws, from, -n)
	if err == nil {
		err = tx.countKeys(ws, to, +n)
	}
	return err
}

// Advance notes how far the writing of a settlement's rows has come. It records no event: the keys' are the
// settlement's.
func (tx *Tx) Advance(u *Unsettled) error {
	_, err := tx.q.Exec(
		tx.ctx, `UPDATE settlements SET after_id = ?, worked_ms = ? WHERE id = ?`, u.After, millis(tx.now), u.ID,
	)
	tx.counted = true
	return err
}

// Settled records that every row agrees with the settlement.
func (tx *Tx) Settled(u *Unsettled) error {
	u.Done = true
	_, err := tx.q.Exec(
		tx.ctx, `UPDATE settlements SET done_ms = ?, worked_ms = ? WHERE id = ?`, millis(tx.now), millis(tx.now), u.ID,
	)
	tx.counted = true
	if err == nil &&
		tx.events > 0 { // without an event there is no revision to tell it by, and nothing hangs on its being told
		told := u.Settlement
		tx.changed(feed.Change{Settlement: &told})
	}
	return err
}
