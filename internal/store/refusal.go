package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/id"
)

// Bounds of what is kept of refusals.
const (
	// RefusalsOfKey is how many refusals of one key are kept: the latest.
	RefusalsOfKey = 200
	// RefusalsInAll is how many are kept of all keys together. The workspace that has the most gives way.
	RefusalsInAll = 100_000
	// RefusalsKept is for how long.
	RefusalsKept = 7 * 24 * time.Hour
)

// Refusal is a verification that refused a key, as it is kept: in words, and without any value.
type Refusal struct {
	Key       id.Key
	Workspace id.Workspace
	At        time.Time
	Seq       int64 // tells refusals of one millisecond apart
	Code      string
	Why       string
	All, Any  []string // the demanded permissions
	IP        string   // "" where it was not told
	Previous  bool     // an earlier value was presented
}

const refusalColumns = `key_id, at_ms, seq, workspace_id, code, why, all_of, any_of, ip, is_previous`

// AddRefusals keeps refusals of one key, no more than RefusalsOfKey of them. Those of a key that is gone are passed
// over.
func (c *Counting) AddRefusals(key id.Key, refusals []Refusal) error {
	there, err := all(
		c.View, scanInt,
		`SELECT 1 FROM api_keys k JOIN workspaces w ON w.id = k.workspace_id AND w.deleted_ms = 0 WHERE k.id = ?`, key,
	)
	if err != nil || len(there) == 0 {
		return err
	}
	if err := c.makeRoom(int64(len(refusals))); err != nil {
		return fmt.Errorf("make room for refusals: %w", err)
	}
	added := int64(0)
	for i := range refusals {
		r := &refusals[i]
		n, err := c.exec(
			`INSERT INTO refusals (`+refusalColumns+`) VALUES (`+places("?", 10)+`) ON CONFLICT (key_id, at_ms, seq) DO NOTHING`,
			key, millis(r.At), r.Seq, r.Workspace, r.Code, r.Why, strings.Join(r.All, " "), strings.Join(r.Any, " "), r.IP,
			toInt(r.Previous),
		)
		if err != nil {
			return fmt.Errorf("keep a refusal: %w", err)
		}
		added += n
	}
	dropped, err := c.exec(`DELETE FROM refusals WHERE key_id = ? AND (at_ms, seq) <=
		(SELECT at_ms, seq FROM refusals WHERE key_id = ? ORDER BY at_ms DESC, seq DESC LIMIT 1 OFFSET ?)`, key, key, RefusalsOfKey)
	if err != nil {
		return fmt.Errorf("drop old refusals: %w", err)
	}
	return c.countRefusals(added - dropped)
}

// countRefusals moves the number of rows, which is a row of its own.
func (v *View) countRefusals(by int64) error {
	if by == 0 {
		return nil
	}
	_, err := v.q.Exec(v.ctx, `UPDATE refusal_total SET refusals = refusals + ?`, by)
	return err
}

// roomStep is how many rows the fullest workspace gives up at a time: finding it costs a look at the whole index.
const roomStep = 1000

// makeRoom keeps the table within RefusalsInAll, at the cost of the workspace that has the most rows.
func (c *Counting) makeRoom(n int64) error {
	for {
		total, err := one(c.View, scanInt, `SELECT refusals FROM refusal_total`)
		if err != nil || total+n <= RefusalsInAll {
			return err
		}
		fullest, err := one(
			c.View, scanText,
			`SELECT workspace_id FROM refusals GROUP BY workspace_id ORDER BY count(*) DESC, workspace_id LIMIT 1`,
		)
		if err != nil {
			return err
		}
		gone, err := c.exec(`DELETE FROM refusals WHERE (key_id, at_ms, seq) IN
			(SELECT key_id, at_ms, seq FROM refusals WHERE workspace_id = ? ORDER BY at_ms, seq LIMIT ?)`, fullest, max(n, roomStep))
		if err != nil {
			return err
		}
		if err := c.countRefusals(-gone); err != nil {
			return err
		}
	}
}

// RefusalsOf lists the latest refusals of a key, the newest first.
func (v *View) RefusalsOf(key id.Key, limit int) ([]Refusal, error) {
	return all(v, scanRefusal, `SELECT `+refusalColumns+` FROM refusals WHERE key_id = ? AND at_ms > ?
		ORDER BY at_ms DESC, seq DESC LIMIT ?`, key, millis(v.now.Add(-RefusalsKept)), limit)
}

// RefusalsInAllWorkspaces lists the latest refusals of the installation, the newest first.
func (v *View) RefusalsInAllWorkspaces(limit int) ([]Refusal, error) {
	return all(
		v, scanRefusal, `SELECT `+refusalColumns+` FROM refusals WHERE at_ms > ? ORDER BY at_ms DESC, seq DESC LIMIT ?`,
		millis(v.now.Add(-RefusalsKept)), limit,
	)
}

// RefusalsIn lists the latest refusals of the keys of a workspace, the newest first.
func (v *View) RefusalsIn(ws id.Workspace, limit int) ([]Refusal, error) {
	return all(v, scanRefusal, `SELECT `+refusalColumns+` FROM refusals WHERE workspace_id = ? AND at_ms > ?
		ORDER BY at_ms DESC, seq DESC LIMIT ?`, ws, millis(v.now.Add(-RefusalsKept)), limit)
}

// KeyNames gives the names of those keys that are there.
func (v *View) KeyNames(keys []id.Key) (map[id.Key]string, error) {
	names := make(map[id.Key]string, len(keys))
	if len(keys) == 0 {
		return names, nil
	}
	args := make([]any, len(keys))
	for i, k := range keys {
		args[i] = k
	}
	type named struct {
		key  id.Key
		name string
	}
	err := each(v, func(r Rows) (n named, err error) {
		err = r.Scan(&n.key, &n.name)
		return n, err
	}, func(n named) error {
		names[n.key] = n.name
		return nil
	}, `SELECT id, name FROM api_keys WHERE id IN (`+places("?", len(args))+`)`, args...)
	return names, err
}

func scanRefusal(r Rows) (f Refusal, err error) {
	var at int64
	var all, any string
	err = r.Scan(&f.Key, &at, &f.Seq, &f.Workspace, &f.Code, &f.Why, &all, &any, &f.IP, &f.Previous)
	f.At, f.All, f.Any = fromMillis(at), strings.Fields(all), strings.Fields(any)
	return f, err
}

// deleteRefusals removes those of a key that goes.
func (tx *Tx) deleteRefusals(k id.Key) error {
	n, err := tx.q.Exec(tx.ctx, `DELETE FROM refusals WHERE key_id = ?`, k)
	if err != nil {
		return err
	}
	return tx.countRefusals(-n)
}

// refusals removes what is too old, and what was of a deleted workspace.
func (p *purger) refusals(query string, args ...any) (empty bool) {
	before := p.removed
	empty = p.remove(
		`DELETE FROM refusals WHERE (key_id, at_ms, seq) IN (SELECT key_id, at_ms, seq FROM refusals WHERE `+query+` LIMIT ?)`,
		args...)
	if p.err == nil {
		p.err = p.countRefusals(before - p.removed)
	}
	return empty
}
