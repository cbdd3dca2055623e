package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// step is one migration. oldest is the newest step that a program must know to be able to work beside it: while nodes
// are replaced one by one, those of the release before meet a schema that is newer than they are.
type step struct {
	version int
	oldest  int
	name    string
	script  string
}

// steps lists the migrations in order. Their files are called 0001_name.sql, and numbers may be left out. The first
// line is "-- oldest: N".
func steps(fsys fs.FS) ([]step, error) {
	names, err := fs.Glob(fsys, "migrations/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	out := make([]step, 0, len(names))
	for _, file := range names {
		number, name, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(file, "migrations/"), ".sql"), "_")
		script, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, err
		}
		first, _, _ := strings.Cut(string(script), "\n")
		version, err1 := strconv.Atoi(number)
		oldest, err2 := strconv.Atoi(strings.TrimPrefix(first, "-- oldest: "))
		if err := errors.Join(err1, err2); err != nil || oldest > version {
			return nil, fmt.Errorf(
				"migration %s: want a number in its name, and \"-- oldest: N\" in its first line: %w", file, err,
			)
		}
		out = append(out, step{version, oldest, name, string(script)})
	}
	return out, nil
}

// Migrate brings the schema to this program's version, each step in a transaction of its own and under the writers'
// lock, so that several nodes can start at once. A newer schema is taken where its steps say that this program can work
// beside them, else refused.
func (d *Driver) Migrate(ctx context.Context, now time.Time) error {
	all, err := steps(migrations)
	if err != nil {
		return err
	}
	return d.migrate(ctx, now, all)
}

func (d *Driver) migrate(ctx context.Context, now time.Time, all []step) error {
	done, err := d.applied(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if done == nil {
		if err := d.patiently(ctx, func(q store.SQL) error { return d.first(ctx, q, now, all) }); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		return nil
	}
	for _, s := range all {
		if slices.ContainsFunc(done, func(o step) bool { return o.version == s.version }) {
			continue
		}
		if err := d.step(ctx, s, now, all); err != nil {
			return fmt.Errorf("migrate to version %d (%s): %w", s.version, s.name, err)
		}
	}
	return compatible(done, all)
}

// A step wants tables for itself that the nodes of the release before read all the time, and later requests for a
// table queue behind it. So it waits for one only shortly, less long than the server takes until it looks for
// deadlocks and breaks a session off (deadlock_timeout, a second), gives everything up, and comes again.
const (
	stepLock     = 500 * time.Millisecond
	stepPause    = 300 * time.Millisecond
	stepPatience = 5 * time.Minute // also with another node that is at a step which takes long
)

// first makes everything in one transaction, so that a database has all of it or nothing.
func (d *Driver) first(ctx context.Context, q store.SQL, now time.Time, all []step) error {
	if err := d.makeSchema(ctx, q); err != nil {
		return err
	}
	_, err := q.Exec(ctx, `CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT PRIMARY KEY,
		name TEXT NOT NULL, oldest BIGINT NOT NULL, applied_at TEXT NOT NULL)`)
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := apply(ctx, q, s, now, all); err != nil {
			return fmt.Errorf("to version %d (%s): %w", s.version, s.name, err)
		}
	}
	return nil
}

// step does one step.
func (d *Driver) step(ctx context.Context, s step, now time.Time, all []step) error {
	return d.patiently(ctx, func(q store.SQL) error { return apply(ctx, q, s, now, all) })
}

// patiently runs a transaction, and comes again where others stood in its way.
func (d *Driver) patiently(ctx context.Context, fn func(store.SQL) error) error {
	patience, cancel := context.WithTimeout(ctx, stepPatience) // for coming again; a step that is under way is left to end
	defer cancel()
	for {
		err := d.Write(ctx, fn)
		if !hindered(err) {
			return err
		}
		select {
		case <-patience.Done():
			return err
		case <-time.After(stepPause + rand.N(stepPause)):
		}
	}
}

// hindered reports an error caused by another session's lock.
func hindered(err error) bool {
	switch sqlstate(err) {
	case "40P01", "55P03": // deadlock_detected, lock_not_available
		return true
	}
	return false
}

// apply runs one step unless another node has done so meanwhile.
func apply(ctx context.Context, q store.SQL, s step, now time.Time, all []step) error {
	done, err := applied(ctx, q)
	if err != nil {
		return err
	}
	if err := compatible(done, all); err != nil {
		return err
	}
	if slices.ContainsFunc(done, func(o step) bool { return o.version == s.version }) {
		return nil
	}
	session, ok := q.(*session)
	if !ok {
		return errors.New("a migration needs a session")
	}
	wait := fmt.Sprintf("SET LOCAL lock_timeout = %d;\n", stepLock.Milliseconds())
	if err := session.script(ctx, wait+s.script, time.Hour); err != nil {
		return err
	}
	_, err = q.Exec(ctx, `INSERT INTO schema_migrations (version, name, oldest, applied_at) VALUES (?, ?, ?, ?)`,
		s.version, s.name, s.oldest, now.UTC().Format(time.RFC3339))
	return err
}

// compatible refuses a schema of which one step wants a newer program than this.
func compatible(done, all []step) error {
	newest := all[len(all)-1].version
	for _, o := range done {
		known := slices.ContainsFunc(all, func(s step) bool { return s.version == o.version })
		if !known && o.oldest > newest {
			return fmt.Errorf(
				"the database has version %d (%s), which this program, that knows only up to %d, cannot work with: "+
					"a newer program has been here, use that one or restore a backup from before",
				o.version,
				o.name,
				newest,
			)
		}
	}
	return nil
}

// applied lists the steps that the database has, nil where it has no table of them.
func (d *Driver) applied(ctx context.Context) (done []step, err error) {
	err = d.Read(ctx, func(q store.SQL) error {
		there, err := one(ctx, q, `SELECT count(*)::text FROM pg_attribute
			WHERE attrelid = to_regclass('schema_migrations') AND attname = 'oldest'`) // which other programs' do not have
		if err != nil || there == "0" {
			return err
		}
		done, err = applied(ctx, q)
		return err
	})
	return done, err
}

func applied(ctx context.Context, q store.SQL) ([]step, error) {
	rows, err := q.Query(ctx, `SELECT version, oldest, name FROM schema_migrations ORDER BY version`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	done := []step{}
	for rows.Next() {
		var s step
		if err := rows.Scan(&s.version, &s.oldest, &s.name); err != nil {
			return nil, err
		}
		done = append(done, s)
	}
	return done, rows.Err()
}

// Version tells the newest step that the database has, 0 for none, and the newest that this program knows. It changes
// nothing.
func (d *Driver) Version(ctx context.Context) (at, newest int, err error) {
	all, err := steps(migrations)
	if err != nil {
		return 0, 0, err
	}
	done, err := d.applied(ctx)
	if len(done) > 0 {
		at = done[len(done)-1].version
	}
	return at, all[len(all)-1].version, err
}
