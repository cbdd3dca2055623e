package sqlite

import (
	"context"
	"fmt"
	"slices"

	"github.com/keyward/keyward/internal/store"
)

// Moving says where a database is being moved to, or was.
type Moving struct {
	To   string // the other database, without a password; "" where nothing is moved
	Gone bool   // the move is complete, and this file the past
}

// tableOfMove is made by Freeze alone, so that no other file has it.
const tableOfMove = "moving"

// Moving tells whether the database is being moved, or was.
func (d *Driver) Moving(ctx context.Context) (m Moving, err error) {
	err = d.Read(ctx, func(q store.SQL) error {
		m, err = moving(ctx, q)
		return err
	})
	return m, err
}

func moving(ctx context.Context, q store.SQL) (m Moving, err error) {
	there, err := texts(ctx, q, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ?`, tableOfMove)
	if err != nil || len(there) == 0 {
		return m, err
	}
	rows, err := q.Query(ctx, `SELECT target, gone FROM moving`)
	if err != nil {
		return m, err
	}
	defer rows.Close()
	if rows.Next() {
		err = rows.Scan(&m.To, &m.Gone)
	}
	if err == nil {
		err = rows.Err()
	}
	return m, err
}

// Servable refuses a file that was moved: a server's changes to it would be unknown to the new database.
func (d *Driver) Servable(ctx context.Context) error {
	m, err := d.Moving(ctx)
	if err == nil && m.Gone {
		err = fmt.Errorf("the database %s was moved to %s: serve that one", d.path, m.To)
	}
	return err
}

// Freeze refuses every change from its commit on, in any process, with store.ErrMoving; later readers see every
// earlier commit. Reading goes on. A file that is frozen already is left as it is.
func (d *Driver) Freeze(ctx context.Context, to string) error {
	return d.Write(ctx, func(q store.SQL) error {
		if m, err := moving(ctx, q); err != nil || m.To != "" {
			return err
		}
		names, err := tables(ctx, q)
		if err != nil {
			return err
		}
		if _, err := q.Exec(
			ctx,
			`CREATE TABLE moving (one INTEGER PRIMARY KEY CHECK (one = 1), target TEXT NOT NULL, gone INTEGER NOT NULL) STRICT`,
		); err != nil {
			return err
		}
		if _, err := q.Exec(ctx, `INSERT INTO moving (one, target, gone) VALUES (1, ?, 0)`, to); err != nil {
			return err
		}
		for _, name := range names {
			for _, change := range []string{"INSERT", "UPDATE", "DELETE"} {
				_, err := q.Exec(
					ctx,
					fmt.Sprintf(`CREATE TRIGGER %s BEFORE %s ON %s BEGIN SELECT RAISE(ABORT, 'the database is being moved'); END`,
						trigger(name, change), change, name),
				)
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Thaw takes Freeze back. A file that was moved stays as it is.
func (d *Driver) Thaw(ctx context.Context) error {
	return d.Write(ctx, func(q store.SQL) error {
		m, err := moving(ctx, q)
		switch {
		case err != nil || m.To == "":
			return err
		case m.Gone:
			return fmt.Errorf("the database %s was moved to %s already", d.path, m.To)
		}
		found, err := texts(ctx, q, `SELECT name FROM sqlite_schema WHERE type = 'trigger'`)
		if err != nil {
			return err
		}
		for _, name := range found {
			if _, err := q.Exec(ctx, `DROP TRIGGER `+name); err != nil {
				return err
			}
		}
		_, err = q.Exec(ctx, `DROP TABLE moving`)
		return err
	})
}

// Leave notes in a frozen file that the move is complete. It stays frozen for good.
func (d *Driver) Leave(ctx context.Context) error {
	return d.Write(ctx, func(q store.SQL) error {
		m, err := moving(ctx, q)
		if err == nil && m.To == "" {
			err = fmt.Errorf(
				"the database %s takes changes, and yet the target holds this installation already: which of the two is right only you can tell",
				d.path,
			)
		}
		if err != nil {
			return err
		}
		_, err = q.Exec(ctx, `UPDATE moving SET gone = 1`)
		return err
	})
}

func trigger(table, change string) string { return "moving_" + table + "_" + change }

// tables lists the tables that hold the installation's state.
func tables(ctx context.Context, q store.SQL) ([]string, error) {
	return texts(ctx, q, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
		AND name NOT IN ('schema_migrations', 'moving') ORDER BY name`)
}

// own are the tables of this database as one that is followed: another one has its own.
var own = []string{"changes", "cluster", "followers"}

// Layout tells the tables that hold the installation's state, in the order of their names.
func (d *Driver) Layout(ctx context.Context) (all []store.Table, err error) {
	err = d.Read(ctx, func(q store.SQL) error {
		names, err := tables(ctx, q)
		if err != nil {
			return err
		}
		for _, name := range names {
			if slices.Contains(own, name) {
				continue
			}
			t := store.Table{Name: name}
			if t.Columns, err = texts(ctx, q, `SELECT name FROM pragma_table_info(?) ORDER BY name`, name); err != nil {
				return err
			}
			if t.Key, err = texts(ctx, q, `SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk`, name); err != nil {
				return err
			}
			slices.Sort(t.Columns)
			all = append(all, t)
		}
		return nil
	})
	return all, err
}
