package store

import (
	"fmt"
	"slices"

	"github.com/keyward/keyward/internal/feed"
)

// Tx is a View that can write. It reads its own writes. Every mutation adds the whole row to the feed; a Tx that
// changed something must Record an event too. It is valid within its function only, and not safe for concurrent use.
type Tx struct {
	*View
	touched bool
	counted bool
	events  int
	depth   int
}

// Savepoint runs fn so that its error takes back the changes and events of fn, and nothing else: for items of which
// each stands alone. It returns fn's error. Savepoints nest.
func (tx *Tx) Savepoint(fn func() error) error {
	broken, err := tx.savepoint(fn)
	if broken != nil {
		return broken
	}
	return err
}

// savepoint tells apart that the whole transaction is broken from that fn failed and was taken back.
func (tx *Tx) savepoint(fn func() error) (broken, failed error) {
	name := fmt.Sprintf("level_%d", tx.depth)
	before, touched, events := tx.group.progress, tx.touched, tx.events
	// Clipped, an append copies: later changes cannot overwrite those to take back.
	before.changes, before.sets = slices.Clip(before.changes), slices.Clip(before.sets)
	before.types = slices.Clip(before.types)
	if err := tx.q.ExecDeferred(tx.ctx, "SAVEPOINT "+name); err != nil {
		return err, nil
	}
	tx.depth++
	failed = fn()
	tx.depth--
	if failed != nil {
		tx.group.progress, tx.touched, tx.events, tx.living = before, touched, events, ""
		tx.group.invalidate()
		if _, err := tx.q.Exec(tx.ctx, "ROLLBACK TO "+name); err != nil {
			return err, failed
		}
	}
	return tx.q.ExecDeferred(tx.ctx, "RELEASE "+name), failed
}

// exec runs a mutation, and ErrNotFound says that it touched no row. Nothing that the group knew is taken for known any
// more.
func (tx *Tx) exec(query string, args ...any) error {
	tx.group.invalidate()
	return tx.execBeside(query, args...)
}

// execBeside is exec of a mutation that leaves workspaces, roles, members and service keys as they are.
func (tx *Tx) execBeside(query string, args ...any) error {
	n, err := tx.q.Exec(tx.ctx, query, args...)
	if err != nil {
		return err
	}
	tx.touched = true
	if n == 0 {
		return ErrNotFound
	}
	return nil
}

// changed adds to the feed. The revision comes when the transaction is complete.
func (tx *Tx) changed(c feed.Change) { tx.group.changes = append(tx.group.changes, c) }
