package store

import (
	"context"
	"strings"
	"sync"

	"github.com/keyward/keyward/internal/perm"
)

// Permission sets are kept once each, by their names, and rows refer to them by number: a million keys share a handful.
// A set keeps names that the catalogue has no more; they are passed over when it is read, and come back with the
// catalogue.

// internedSet is a set and its number.
type internedSet struct {
	id  int64
	set perm.Set
	// its names are those of the catalogue and it is in use: the number can be given to another row with this set
	canonical bool
}

// sets holds the committed sets only.
type sets struct {
	mu      sync.RWMutex
	byID    map[int64]perm.Set
	ids     map[perm.Set]int64
	changes int64 // of the installation's row, when they were read; the writer's
}

const selectSets = `SELECT id, names, unused_at FROM permission_sets`

func loadSets(ctx context.Context, d Driver, c *perm.Catalogue) (*sets, error) {
	s := &sets{}
	err := d.Read(ctx, func(q SQL) error {
		v := &View{ctx: ctx, q: q}
		changes, err := one(v, scanInt, `SELECT sets_changes FROM installation WHERE one = 1`)
		if err != nil {
			return err
		}
		return s.read(v, c, changes)
	})
	return s, err
}

// read reads all sets anew. A number in memory that is no longer given to rows is read from the database by who needs
// it.
func (s *sets) read(v *View, c *perm.Catalogue, changes int64) error {
	found, err := all(v, scanSet(c), selectSets+` WHERE unused_at >= 0`)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.byID, s.ids = make(map[int64]perm.Set), make(map[perm.Set]int64)
	s.mu.Unlock()
	s.add(found)
	s.changes = changes
	return nil
}

func scanSet(c *perm.Catalogue) func(Rows) (internedSet, error) {
	return func(r Rows) (s internedSet, err error) {
		var names string
		var unused int64
		err = r.Scan(&s.id, &names, &unused)
		s.set = c.Known(strings.Fields(names))
		s.canonical = unused == 0 && joinNames(c, s.set) == names
		return s, err
	}
}

func joinNames(c *perm.Catalogue, s perm.Set) string { return strings.Join(c.Names(s), " ") }

func (s *sets) add(found []internedSet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range found {
		s.byID[f.id] = f.set
		if f.canonical {
			s.ids[f.set] = f.id
		}
	}
}

func (s *sets) get(id int64) (perm.Set, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	set, ok := s.byID[id]
	return set, ok
}

func (s *sets) number(set perm.Set) (int64, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	id, ok := s.ids[set]
	return id, ok
}

// set reads a set by its number, from memory but for one that another process has made.
func (v *View) set(number int64) (perm.Set, error) {
	if s, ok := v.db.sets.get(number); ok {
		return s, nil
	}
	if v.group != nil {
		for _, s := range v.group.sets {
			if s.id == number {
				return s.set, nil
			}
		}
	}
	s, err := one(v, scanSet(v.db.catalogue), selectSets+` WHERE id = ?`, number)
	return s.set, err
}

// intern gives the number of a set, and keeps the set where it is new. A row that has this set already, by the number
// old, stays with it: that may hold names which only another catalogue knows.
func (tx *Tx) intern(set perm.Set, old int64) (int64, error) {
	if old != 0 {
		if has, err := tx.set(old); err == nil && has == set {
			return old, nil
		}
	}
	if number, ok := tx.db.sets.number(set); ok {
		return number, nil
	}
	for _, s := range tx.group.sets {
		if s.set == set {
			return s.id, nil
		}
	}
	names := joinNames(tx.db.catalogue, set)
	found, err := all(tx.View, scanInt, `SELECT id FROM permission_sets WHERE names = ?`, names)
	if err == nil && len(found) > 0 { // which may wait for its end
		_, err = tx.q.Exec(tx.ctx, `UPDATE permission_sets SET unused_at = 0 WHERE id = ? AND unused_at <> 0`, found[0])
	}
	if err == nil && len(found) == 0 {
		found, err = all(tx.View, scanInt, `INSERT INTO permission_sets (names) VALUES (?) RETURNING id`, names)
	}
	if err != nil {
		return 0, err
	}
	tx.group.sets = append(tx.group.sets, internedSet{id: found[0], set: set, canonical: true})
	return found[0], nil
}
