package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/keyward/keyward/internal/store"
)

// Claim makes this database the one that a move fills, or finds that it is so already: no server starts on it until
// Complete. A database with anything of another origin in it is refused. move names the move, and secret is that of the
// installation that is moved; complete tells that the database holds that installation and is in use.
func (d *Driver) Claim(ctx context.Context, move string, secret []byte) (complete bool, err error) {
	err = d.Write(ctx, func(q store.SQL) error {
		complete, err = claimed(ctx, q, secret)
		if err != nil || complete {
			return err
		}
		under, err := one(ctx, q, `SELECT moving FROM cluster`)
		switch {
		case err != nil || under == move:
			return err
		case under != "":
			return errors.New("it is being filled by the move of another database, which was not finished")
		}
		n, err := one(ctx, q, `SELECT count(*)::text FROM installation`)
		if err != nil {
			return err
		}
		if n != "0" {
			return errors.New("it is in use already: a move needs a database of its own, with nothing in it")
		}
		_, err = q.Exec(ctx, `UPDATE cluster SET moving = ?`, move)
		return err
	})
	return complete, err
}

// Holds tells whether the database is complete and holds the installation with this secret.
func (d *Driver) Holds(ctx context.Context, secret []byte) (complete bool, err error) {
	at, _, err := d.Version(ctx)
	if err != nil || at == 0 {
		return false, err
	}
	err = d.Read(ctx, func(q store.SQL) error {
		complete, err = claimed(ctx, q, secret)
		return err
	})
	return complete, err
}

func claimed(ctx context.Context, q store.SQL, secret []byte) (bool, error) {
	n, err := one(ctx, q, `SELECT count(*)::text FROM installation, cluster WHERE secret = ? AND moving = ''`, secret)
	return n == "1", err
}

// Complete opens the database to servers, with a history of its own: the cursors of nodes hold no more.
func (d *Driver) Complete(ctx context.Context) error {
	return d.Write(ctx, func(q store.SQL) error {
		if err := d.Unhurried(ctx, q); err != nil {
			return err
		}
		_, err := one(
			ctx, q,
			`SELECT setval(pg_get_serial_sequence('permission_sets', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM permission_sets), false)::text`,
		)
		if err != nil {
			return err
		}
		if _, err := q.Exec(ctx, `ANALYZE`); err != nil {
			return err
		}
		_, err = q.Exec(
			ctx,
			`UPDATE cluster SET moving = '', epoch = gen_random_uuid()::text, pruned_to = (SELECT head_seq FROM installation)`,
		)
		return err
	})
}

// Servable refuses a database that a move has not filled yet.
func (d *Driver) Servable(ctx context.Context) error {
	return d.Read(ctx, func(q store.SQL) error {
		there, err := one(ctx, q, `SELECT coalesce(to_regclass('cluster')::text, '')`)
		if err != nil || there == "" { // a new database
			return err
		}
		move, err := one(ctx, q, `SELECT moving FROM cluster`)
		if err == nil && move != "" {
			err = fmt.Errorf("a move into this database is not finished (%s): run keyward migrate-store again", move)
		}
		return err
	})
}

// Layout returns the tables that hold the installation's state, in the order of their names. Messages between nodes
// are not part of it.
func (d *Driver) Layout(ctx context.Context) (all []store.Table, err error) {
	err = d.Read(ctx, func(q store.SQL) error {
		columns, err := pairs(ctx, q, `SELECT table_name, column_name FROM information_schema.columns
			WHERE table_schema = current_schema() AND table_name NOT IN ('schema_migrations', 'cluster', 'changes', 'nodes', 'followers') ORDER BY 1, 2`)
		if err != nil {
			return err
		}
		keys, err := pairs(ctx, q, `SELECT k.table_name, k.column_name FROM information_schema.key_column_usage k
			JOIN information_schema.table_constraints c USING (constraint_schema, constraint_name)
			WHERE c.constraint_type = 'PRIMARY KEY' AND c.table_schema = current_schema() ORDER BY k.table_name, k.ordinal_position`)
		if err != nil {
			return err
		}
		for _, c := range columns {
			if len(all) == 0 || all[len(all)-1].Name != c[0] {
				all = append(all, store.Table{Name: c[0]})
			}
			t := &all[len(all)-1]
			t.Columns = append(t.Columns, c[1])
		}
		for i := range all {
			for _, k := range keys {
				if k[0] == all[i].Name {
					all[i].Key = append(all[i].Key, k[1])
				}
			}
			slices.Sort(all[i].Columns)
		}
		return nil
	})
	return all, err
}

// pairs reads a query's two columns.
func pairs(ctx context.Context, q store.SQL, query string) (out [][2]string, err error) {
	rows, err := q.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p [2]string
		if err := rows.Scan(&p[0], &p[1]); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, rows.Err()
}
