package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/usage"
)

// UsageOf is whose uses are counted: a key, a workspace, or AllUsage.
type UsageOf string

// AllUsage is the installation as a whole, with attempts whose key is not known.
const AllUsage UsageOf = ""

// UsageRow holds the counts of one grain of time.
type UsageRow struct {
	Grain  usage.Grain
	Start  int64 // Unix milliseconds
	Of     UsageOf
	Counts usage.Counts
}

// usageColumns are those of the codes, in their order. addUsage adds to each of them.
var usageColumns, addUsage = func() (string, string) {
	var columns, added []string
	for c := range usage.Codes {
		columns = append(columns, c.Column())
		added = append(added, c.Column()+" = usage_counts."+c.Column()+" + excluded."+c.Column())
	}
	list := strings.Join(columns, ", ")
	return list, `INSERT INTO usage_counts (grain, start_ms, subject, ` + list + `) VALUES (?, ?, ?, ` + places(
		"?", len(columns),
	) + `)
		ON CONFLICT (grain, start_ms, subject) DO UPDATE SET ` + strings.Join(
		added,
		", ",
	)
}()

// AddUsage adds to the row of a grain of time.
func (c *Counting) AddUsage(r *UsageRow) error {
	args := []any{int64(r.Grain), r.Start, string(r.Of)}
	for _, n := range r.Counts {
		args = append(args, n)
	}
	if _, err := c.exec(addUsage, args...); err != nil {
		return fmt.Errorf("add usage: %w", err)
	}
	return nil
}

// UseKey records when a key was last used, and last asked about whatever the outcome, unless later times are recorded
// already; a zero time records nothing. It reports whether there is such a key: counts of a deleted one have no place.
func (c *Counting) UseKey(k id.Key, used, tried time.Time) (there bool, err error) {
	if tried.Before(used) {
		tried = used
	}
	if !tried.IsZero() {
		u, t := millis(used), millis(tried)
		n, err := c.exec(`UPDATE api_keys SET last_used_ms = CASE WHEN last_used_ms < ? THEN ? ELSE last_used_ms END,
			last_tried_ms = CASE WHEN last_tried_ms < ? THEN ? ELSE last_tried_ms END WHERE id = ? AND (last_used_ms < ? OR last_tried_ms < ?)`,
			u, u, t, t, k, u, t)
		if err != nil || n > 0 {
			return n > 0, err
		}
	}
	found, err := all(c.View, scanInt, `SELECT 1 FROM api_keys WHERE id = ?`, k)
	return len(found) > 0, err
}

// UseEarlier notes when an earlier value of a key was last used, and from which network, unless a later use is noted
// already; "" leaves the network that is noted. The value is known by its Until; one that is gone is passed over.
func (c *Counting) UseEarlier(k id.Key, until, at time.Time, from string) error {
	_, err := c.exec(
		`UPDATE key_values SET used_ms = ?, used_from = CASE WHEN ? = '' THEN used_from ELSE ? END
		WHERE key_id = ? AND until_ms = ? AND used_ms <= ?`,
		millis(at), from, from, k, millis(until), millis(at),
	)
	return err
}

// HasWorkspace tells whether there is a workspace that is not deleted.
func (v *View) HasWorkspace(ws id.Workspace) (bool, error) {
	found, err := all(v, scanInt, `SELECT 1 FROM workspaces WHERE id = ? AND deleted_ms = 0`, ws)
	return len(found) > 0, err
}

// Usage adds the stored counts to a series. It costs a seek, and the rows in the span.
func (v *View) Usage(of UsageOf, s *usage.Series) error {
	err := each(v, scanUsage, func(b usage.Bucket) error {
		s.Add(b.Start, &b.Counts)
		return nil
	}, `SELECT start_ms, `+usageColumns+` FROM usage_counts WHERE subject = ? AND grain = ? AND start_ms >= ? AND start_ms < ?`,
		string(of), int64(s.Grain), s.From, s.To)
	if err != nil {
		return fmt.Errorf("read usage: %w", err)
	}
	return nil
}

func scanUsage(r Rows) (b usage.Bucket, err error) {
	into := []any{&b.Start}
	for i := range b.Counts {
		into = append(into, &b.Counts[i])
	}
	err = r.Scan(into...)
	return b, err
}

// PurgeUsage removes a batch of counts that are older than they are kept, and tells whether there is more.
func (db *DB) PurgeUsage(ctx context.Context, keep usage.Retention) (more bool, err error) {
	return db.purge(ctx, func(p *purger) {
		for g := range usage.Grains {
			p.remove(`DELETE FROM usage_counts WHERE (grain, start_ms, subject) IN
				(SELECT grain, start_ms, subject FROM usage_counts WHERE grain = ? AND start_ms < ? LIMIT ?)`,
				int64(g), keep.Before(g, p.now))
		}
		p.remove(`DELETE FROM permission_counts WHERE (workspace_id, day_ms, permission) IN
			(SELECT workspace_id, day_ms, permission FROM permission_counts WHERE day_ms < ? LIMIT ?)`,
			keep.Before(usage.Day, p.now))
	})
}

// goneBatch is how many deleted keys and workspaces are looked after at a time.
const goneBatch = 100

// usage removes counts of deleted objects.
func (p *purger) usage() {
	const gone = `SELECT subject FROM usage_gone ORDER BY subject LIMIT ?`
	if p.remove(`DELETE FROM usage_counts WHERE (grain, start_ms, subject) IN
			(SELECT grain, start_ms, subject FROM usage_counts WHERE subject IN (`+gone+`) LIMIT ?)`, goneBatch) &&
		p.remove(`DELETE FROM permission_uses WHERE key_id IN
			(SELECT key_id FROM permission_uses WHERE key_id IN (`+gone+`) LIMIT ?)`, goneBatch) &&
		p.remove(`DELETE FROM permission_counts WHERE (workspace_id, day_ms, permission) IN
			(SELECT workspace_id, day_ms, permission FROM permission_counts WHERE workspace_id IN (`+gone+`) LIMIT ?)`,
			goneBatch) {
		p.steps(goneBatch, func(step int64) (int64, error) {
			return p.q.Exec(p.ctx, `DELETE FROM usage_gone WHERE subject IN (`+gone+`)`, step)
		})
	}
}
