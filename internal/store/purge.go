package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/id"
)

// A Purge removes purgeStep rows at a time until purgeFor has passed in its transaction, so that a writer waits for
// less than 20 ms with the commit, on any machine; and no more than purgeBatch of a table.
const (
	purgeBatch = 1000
	purgeStep  = 20
	purgeFor   = 8 * time.Millisecond
)

// Purge removes a batch of what is already dead: rows of deleted workspaces, counts of deleted keys, ended overlaps,
// expired idempotency keys, sessions, links, invitations and requests for keys that are past their ends, quotas of days
// that are over, old refusals, removals and deliveries. It tells whether there is more. It records no event: what it
// removes was gone for everybody before. The log stays. It goes by a time that is known to have come: while a jump of
// the clock is provisional, nothing is removed that the jump alone has ended.
func (db *DB) Purge(ctx context.Context) (more bool, err error) {
	return db.purge(ctx, func(p *purger) {
		p.remove(
			`DELETE FROM key_values WHERE digest IN (SELECT digest FROM key_values WHERE until_ms <= ? LIMIT ?)`, millis(p.now),
		)
		p.remove(`DELETE FROM idempotency WHERE (actor, idem_key) IN
			(SELECT actor, idem_key FROM idempotency WHERE created_ms <= ? LIMIT ?)`, p.staleReplay())
		p.pastSealed()
		p.remove(
			`DELETE FROM settlements WHERE id IN (SELECT id FROM settlements WHERE done_ms > 0 AND done_ms <= ? LIMIT ?)`,
			millis(p.now.Add(-settlementsKept)),
		)
		p.sessions()
		p.passkeys()
		p.portals()
		p.keyRequests()
		p.webhooks()
		p.remove(`DELETE FROM day_quotas WHERE key_id IN (SELECT key_id FROM day_quotas WHERE day < ? LIMIT ?)`, p.pastDay())
		p.remove(
			`DELETE FROM past_quotas WHERE (key_id, day) IN (SELECT key_id, day FROM past_quotas WHERE day < ? LIMIT ?)`,
			p.pastDay(),
		)
		p.followers()
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
		_, began := db.clock.Look()
		p := &purger{View: &View{ctx: context.Background(), q: q, db: db, now: db.clock.Floor()}, began: began}
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
	began   time.Duration // of the transaction, by the monotonic clock
	removed int64
	more    bool
	err     error
}

// pastDay is the first day whose quotas may still be asked about: yesterday, for a node whose clock is a little behind.
func (p *purger) pastDay() int64 { return dayOf(p.now) - 1 }

// late tells whether the transaction has lasted long enough. One that has removed nothing yet goes on, because the next
// one would come no further.
func (p *purger) late() bool {
	_, now := p.db.clock.Look()
	return p.removed > 0 && now-p.began >= purgeFor
}

// remove runs a deletion whose last argument is the number of rows, step by step, and tells whether no row is left.
func (p *purger) remove(query string, args ...any) (empty bool) {
	return p.steps(purgeBatch, func(step int64) (int64, error) { return p.q.Exec(p.ctx, query, append(args, step)...) })
}

// steps repeats a step that removes rows until one finds fewer, or there is no time left, or the batch is done.
func (p *purger) steps(batch int64, step func(rows int64) (int64, error)) (empty bool) {
	for left := batch; p.err == nil && left > 0; left -= purgeStep {
		if p.late() {
			break
		}
		var n int64
		n, p.err = step(min(purgeStep, left))
		p.removed += n
		if n < min(purgeStep, left) {
			return p.err == nil
		}
	}
	p.more = true
	return false
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
	if p.err = p.forget(`SELECT id FROM workspaces WHERE id = ?`, ws); p.err != nil {
		return
	}
	p.remove(
		`DELETE FROM settlements WHERE id IN (SELECT id FROM settlements WHERE done_ms = 0 AND workspace_id = ? LIMIT ?)`, ws,
	)
	gone := p.refusals("workspace_id = ?", ws) && p.removals("r.workspace_id = ?", ws) && p.signIns(ws) &&
		p.portalsOf(ws) && p.keyRequestsOf(ws) && p.webhooksOf(ws) &&
		p.keys(ws) &&
		p.remove(`DELETE FROM members WHERE workspace_id = ? AND user_id IN
			(SELECT user_id FROM members WHERE workspace_id = ? ORDER BY user_id LIMIT ?)`, ws, ws) &&
		p.remove(`DELETE FROM roles WHERE id IN (SELECT id FROM roles WHERE workspace_id = ? LIMIT ?)`, ws) &&
		p.remove(`DELETE FROM workspaces WHERE id IN (SELECT id FROM workspaces WHERE id = ? LIMIT ?)`, ws)
	p.more = p.more || !gone || len(dead) > 1
}

// keys removes the keys of a deleted workspace, with their earlier values, and lists them for the removal of their
// counts.
func (p *purger) keys(ws id.Workspace) (empty bool) {
	const some = `SELECT id FROM api_keys WHERE workspace_id = ? ORDER BY id LIMIT ?`
	return p.steps(purgeBatch, func(step int64) (int64, error) {
		if _, err := p.q.Exec(p.ctx, `DELETE FROM key_values WHERE key_id IN (`+some+`)`, ws, step); err != nil {
			return 0, err
		}
		if err := p.forget(`SELECT id FROM (`+some+`) k WHERE true`, ws, step); err != nil {
			return 0, err
		}
		return p.q.Exec(p.ctx, `DELETE FROM api_keys WHERE id IN (`+some+`)`, ws, step)
	})
}

// forget lists the rows of a query for the removal of their counts.
func (v *View) forget(query string, args ...any) error {
	_, err := v.q.Exec(v.ctx, `INSERT INTO usage_gone (subject) `+query+` ON CONFLICT (subject) DO NOTHING`, args...)
	return err
}
