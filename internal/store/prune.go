package store

import (
	"context"
	"errors"
	"fmt"
)

const (
	pruneBatch = 1000 // changes in a transaction: well below a millisecond, where 5000 took 2 to 6
	// mostChanges is how many changes are kept for followers, however young they are.
	mostChanges = 200_000
)

// PruneChanges removes a batch of the change log: changes that every live node has behind it, and which are older than
// Options.ChangesKept or more than followers are given time for. It also removes nodes that have long been silent. It
// tells whether there is more.
func (db *DB) PruneChanges(ctx context.Context) (more bool, err error) {
	err = db.write(func(q SQL) error {
		v := &View{ctx: context.WithoutCancel(ctx), q: q, db: db, now: db.clock.Now()}
		more, err = v.prune()
		return err
	})
	if errors.Is(err, errNothing) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("prune the change log: %w", err)
	}
	return more, nil
}

func (v *View) prune() (more bool, err error) {
	c, err := v.state(Cursor{})
	if err != nil {
		return false, err
	}
	floor, forgotten := c.Revision, int64(0)
	if v.db.shared != nil {
		if floor, forgotten, err = v.behindAllNodes(&c); err != nil {
			return false, err
		}
	}
	upTo, err := one(v, scanInt, `SELECT coalesce(max(revision), 0)
		FROM (SELECT revision FROM changes WHERE revision <= ? AND (created_ms <= ? OR revision <= ?) ORDER BY revision LIMIT ?) AS batch`,
		floor, millis(c.now.Add(-v.db.changesKept)), c.Revision-mostChanges, pruneBatch)
	if err != nil {
		return false, err
	}
	if upTo == 0 {
		if forgotten == 0 {
			return false, errNothing
		}
		return false, nil
	}
	n, err := v.q.Exec(v.ctx, `DELETE FROM changes WHERE revision <= ?`, upTo)
	if err == nil {
		_, err = v.q.Exec(v.ctx, `UPDATE cluster SET pruned_to = ? WHERE pruned_to < ?`, upTo, upTo)
	}
	return n >= pruneBatch, err
}

// behindAllNodes is the revision that every live node has applied. It forgets nodes that have long been silent.
func (v *View) behindAllNodes(c *cluster) (floor, forgotten int64, err error) {
	nodes, err := all(v, scanNode, selectNodes)
	if err != nil {
		return 0, 0, err
	}
	live := 0
	floor = c.Revision
	for _, n := range nodes {
		if n.Live(c.now) {
			floor = min(floor, n.Applied)
			live++
		}
	}
	if live == 0 {
		floor = 0
	}
	forgotten, err = v.q.Exec(v.ctx, `DELETE FROM nodes WHERE seen_ms < ?`, millis(c.now.Add(-forgetNodes)))
	if err != nil {
		return 0, 0, err
	}
	_, err = v.q.Exec(
		v.ctx, `DELETE FROM followers WHERE seen_ms + 3 * limit_ms < ?`, millis(c.now.Add(-forgetFollowers)),
	)
	return floor, forgotten, err
}
