package store

import (
	"context"
	"errors"
	"fmt"
)

// purgeBatch bounds the rows of each table that one Purge removes, and so how long a writer waits for it.
const purgeBatch = 1000

// Purge removes a batch of what is already dead: rows of deleted workspaces, counts of deleted keys, ended overlaps,
// expired idempotency keys, sessions, links and invitations that are past their ends, quotas of days that are over, old
// refusals and removals. It tells whether there is more. It records no event: what it removes was gone for everybody before. The log
// stays. It goes by a time that is known to have come: while a jump of the clock is provisional, nothing is removed
// that the jump alone has ended.
func (db *DB) Purge(ctx context.Context) (more bool, err error) {
	return db.purge(ctx, func(p *purger) {
		p.remove(`DELETE FROM key_values WHERE digest IN (SELECT digest FROM key_values WHERE until_ms <= ? LIMIT ?)`, millis(p.now))
		p.remove(`DELETE FROM idempotency WHERE (actor, idem_key) IN
			(SELECT actor, idem_key FROM idempotency WHERE created_ms <= ? LIMIT ?)`, p.staleReplay())
		p.pastSealed()
		p.remove(`DELETE FROM settlements WHERE id IN (SELECT id FROM settlements WHERE done_ms > 0 AND done_ms <= ? LIMIT ?)`,
			millis(p.now.Add(-settlementsKept)))
		p.sessions()
		p.passkeys()
		p.portals()
		p.remove(`DELETE FROM day_quotas WHERE key_id IN (SELECT key_id FROM day_quotas WHERE day < ? LIMIT ?)`, p.pastDay())
		p.remove(`DELETE FROM past_quotas WHERE (key_id, day) IN (SELECT key_id, day FROM past_quotas WHERE day < ? LIMIT ?)`, p.pastDay())
		p.removals("r.until_ms <= ?", millis(p.now.Add(-removalsKept)))
		p.refusals("at_ms <= ?", millis(p.now.Add(-RefusalsKept)))
		p.workspace()
		p.usage()
	})
}

// purge runs deletions in a transaction of their own.
func (db *DB) purge(ctx context.Context, remove func(*purger)) (more bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	err = db.write(func(q SQL) error {
		p := &purger{View: &View{ctx: context.Background(), q: q, db: db, now: db.clock.Floor()}}
		remove(p)
		more = p.more
		if p.err == nil && p.removed == 0 {
			return errNothing
		}
		return p.err
	})
	if errors.Is(err, errNothing) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("purge: %w", err)
	}
	return more, nil
}

// purger runs deletions until one fails.
type purger struct {
	*View
	removed int64
	more    bool
	err     error
}

// pastDay is the first day whose quotas may still be asked about: yesterday, for a node whose clock is a little behind.
func (p *purger) pastDay() int64 { return p.now.Unix()/86_400 - 1 }

// remove runs a deletion whose last argument is the size of the batch, and tells whether that was enough.
func (p *purger) remove(query string, args ...any) (empty bool) {
	return p.removeAtMost(purgeBatch, query, args...)
}

func (p *purger) removeAtMost(batch int64, query string, args ...any) (empty bool) {
	if p.err != nil {
		return false
	}
	n, err := p.q.Exec(p.ctx, query, append(args, batch)...)
	p.removed, p.err = p.removed+n, err
	full := n == batch
	p.more = p.more || full
	return err == nil && !full
}

// workspace removes rows of one deleted workspace, from the leaves inwards, and at last its own.
func (p *purger) workspace() {
	if p.err != nil {
		return
	}
	dead, err := all(p.View, scanWorkspace, selectWorkspaces+` WHERE deleted_ms <> 0 ORDER BY id LIMIT 2`)
	if err != nil || len(dead) == 0 {
		p.err = err
		return
	}
	ws := dead[0].ID
	const keys = `SELECT id FROM api_keys WHERE workspace_id = ? ORDER BY id LIMIT ?`
	if _, p.err = p.q.Exec(p.ctx, `DELETE FROM key_values WHERE key_id IN (`+keys+`)`, ws, purgeBatch); p.err != nil {
		return
	}
	if p.err = p.forget(`SELECT id FROM (`+keys+`) k WHERE true`, ws, purgeBatch); p.err != nil {
		return
	}
	if p.err = p.forget(`SELECT id FROM workspaces WHERE id = ?`, ws); p.err != nil {
		return
	}
	p.remove(`DELETE FROM settlements WHERE id IN (SELECT id FROM settlements WHERE done_ms = 0 AND workspace_id = ? LIMIT ?)`, ws)
	gone := p.refusals("workspace_id = ?", ws) && p.removals("r.workspace_id = ?", ws) && p.signIns(ws) && p.portalsOf(ws) &&
		p.remove(`DELETE FROM api_keys WHERE id IN (`+keys+`)`, ws) &&
		p.remove(`DELETE FROM members WHERE workspace_id = ? AND user_id IN
			(SELECT user_id FROM members WHERE workspace_id = ? ORDER BY user_id LIMIT ?)`, ws, ws) &&
		p.remove(`DELETE FROM roles WHERE id IN (SELECT id FROM roles WHERE workspace_id = ? LIMIT ?)`, ws) &&
		p.remove(`DELETE FROM workspaces WHERE id IN (SELECT id FROM workspaces WHERE id = ? LIMIT ?)`, ws)
	p.more = p.more || !gone || len(dead) > 1
}

// forget lists the rows of a query for the removal of their counts.
func (v *View) forget(query string, args ...any) error {
	_, err := v.q.Exec(v.ctx, `INSERT INTO usage_gone (subject) `+query+` ON CONFLICT (subject) DO NOTHING`, args...)
	return err
}
