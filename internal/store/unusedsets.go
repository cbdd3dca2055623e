package store

import (
	"context"
	"fmt"
	"slices"
)

// A set of permissions that no row has any more is collected in two steps. It is marked first: from that commit on,
// every program gives its number to no row without taking the mark off, since the change of the installation's row
// makes it look. When all rows have been looked at after the mark, and every live node has passed it, the names go. The
// number stays, so that it is never another set's.

const (
	setRows    = 5000 // rows whose sets are looked at in one snapshot
	setsAtOnce = 50   // sets that are marked, or lose their names, in one transaction
)

// setUsers are the tables whose rows have sets, each with its primary key.
var setUsers = []struct{ table, key string }{{"api_keys", "id"}, {"roles", "id"}}

// Collected counts what CollectSets has done.
type Collected struct{ Marked, Dropped, Kept int }

// CollectSets marks the permission sets that no row has, and drops the names of those that were marked before, that no
// row has since, and whose mark every live node has passed. It reads all rows with sets, in pages on snapshots of their
// own, and writes in small transactions.
func (db *DB) CollectSets(ctx context.Context) (c Collected, err error) {
	found := map[int64]int64{} // the marks, before any row is looked at
	err = db.View(ctx, func(v *View) error {
		return each(v, scanMark, func(m mark) error {
			found[m.set] = m.at
			return nil
		}, `SELECT id, unused_at FROM permission_sets WHERE unused_at >= 0`)
	})
	if err != nil {
		return c, fmt.Errorf("collect permission sets: %w", err)
	}
	used, err := db.usedSets(ctx)
	if err != nil {
		return c, fmt.Errorf("collect permission sets: %w", err)
	}
	var unmarked, marked, kept []int64
	for set, at := range found {
		switch {
		case used[set] && at > 0:
			kept = append(kept, set)
		case !used[set] && at > 0:
			marked = append(marked, set)
		case !used[set]:
			unmarked = append(unmarked, set)
		}
	}
	for _, step := range []struct {
		sets []int64
		n    *int
		do   func(p *purger, set, head, floor int64) error
	}{{kept, &c.Kept, (*purger).unmarkSet}, {marked, &c.Dropped, (*purger).dropSet}, {unmarked, &c.Marked,
		(*purger).markSet}} {
		if *step.n, err = db.eachSet(ctx, step.sets, step.do); err != nil {
			return c, fmt.Errorf("collect permission sets: %w", err)
		}
	}
	return c, nil
}

// mark says when a set was found unused; 0 for one in use.
type mark struct{ set, at int64 }

func scanMark(r Rows) (m mark, err error) {
	err = r.Scan(&m.set, &m.at)
	return m, err
}

// usedSets are the sets that rows have.
func (db *DB) usedSets(ctx context.Context) (map[int64]bool, error) {
	used := map[int64]bool{}
	for _, u := range setUsers {
		page := `(SELECT ` + u.key + ` AS k, set_id FROM ` + u.table + ` WHERE ` + u.key + ` > ? ORDER BY ` + u.key +
			` LIMIT ?) AS page`
		for after, more := "", true; more; {
			err := db.View(ctx, func(v *View) error {
				last, err := one(v, scanText, `SELECT coalesce(max(k), '') FROM `+page, after, setRows)
				if err != nil {
					return err
				}
				err = each(v, scanInt, func(set int64) error {
					used[set] = true
					return nil
				}, `SELECT DISTINCT coalesce(set_id, 0) FROM `+page, after, setRows)
				after, more = last, last != ""
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return used, nil
}

// eachSet does something to sets in small transactions, and counts those that it changed.
func (db *DB) eachSet(
	ctx context.Context, sets []int64, do func(p *purger, set, head, floor int64) error,
) (n int, err error) {
	slices.Sort(sets)
	for chunk := range slices.Chunk(sets, setsAtOnce) {
		changed := int64(0)
		_, err := db.purge(ctx, func(p *purger) {
			p.err = p.inSets(chunk, do)
			changed = p.removed
		})
		if err != nil {
			return n, err
		}
		n += int(changed)
	}
	return n, nil
}

func (p *purger) inSets(sets []int64, do func(p *purger, set, head, floor int64) error) error {
	i, err := p.installation()
	if err != nil {
		return err
	}
	head := max(i.head.seq, 1)
	floor, err := p.passedSets(head)
	if err != nil {
		return err
	}
	for _, set := range sets {
		if err := do(p, set, head, floor); err != nil {
			return err
		}
	}
	if p.removed > 0 {
		_, err = p.q.Exec(p.ctx, `UPDATE installation SET sets_changes = sets_changes + 1 WHERE one = 1`)
	}
	return err
}

// passedSets is the event that every live node has passed, or 0 while a node of a release lives that does not look at
// sets again.
func (v *View) passedSets(head int64) (int64, error) {
	if v.db.shared == nil {
		return head, nil
	}
	server, err := v.db.shared.Server(v.ctx, v.q)
	if err != nil {
		return 0, err
	}
	nodes, err := all(v, scanNode, selectNodes)
	for i := range nodes {
		if n := &nodes[i]; n.Live(server.Now) && n.Alike.Catalogue == "" {
			return 0, err
		}
	}
	if err != nil {
		return 0, err
	}
	return v.passed(head)
}

func (p *purger) markSet(set, head, _ int64) error {
	return p.changeSet(`UPDATE permission_sets SET unused_at = ? WHERE id = ? AND unused_at = 0`, head, set)
}

func (p *purger) unmarkSet(set, _, _ int64) error {
	return p.changeSet(`UPDATE permission_sets SET unused_at = 0 WHERE id = ? AND unused_at > 0`, set)
}

// dropSet takes the names of a set that is still marked.
func (p *purger) dropSet(set, _, floor int64) error {
	return p.changeSet(
		`UPDATE permission_sets SET unused_at = -1, names = '#' || id WHERE id = ? AND unused_at > 0 AND unused_at <= ?`, set,
		floor,
	)
}

func (p *purger) changeSet(query string, args ...any) error {
	n, err := p.q.Exec(p.ctx, query, args...)
	p.removed += n
	return err
}

// TablesWithSets names the tables whose rows have sets, in alphabetical order.
func TablesWithSets() (names []string) {
	for _, u := range setUsers {
		names = append(names, u.table)
	}
	return names
}
