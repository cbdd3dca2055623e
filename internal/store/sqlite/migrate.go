package sqlite

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// step is one migration: its number, its name and its statements.
type step struct {
	version int
	name    string
	script  string
}

// steps lists the migrations in order. Their files are called 0001_name.sql; numbers may be left out, and none stands
// twice.
func steps(fsys fs.FS) ([]step, error) {
	names, err := fs.Glob(fsys, "migrations/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	out := make([]step, 0, len(names))
	for _, file := range names {
		number, name, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(file, "migrations/"), ".sql"), "_")
		version, err := strconv.Atoi(number)
		if err != nil || version < 1 || len(out) > 0 && version <= out[len(out)-1].version {
			return nil, fmt.Errorf("migration %s: want a number of its own in front", file)
		}
		script, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, err
		}
		out = append(out, step{version, name, string(script)})
	}
	return out, nil
}

// Migrate brings the schema to this program's version, all steps in one transaction: a database has the schema of one
// version or of another, and nothing in between. A database of a newer program is refused, because this one cannot
// know the meaning of its rows.
func (d *Driver) Migrate(ctx context.Context, now time.Time) error {
	all, err := steps(migrations)
	if err != nil {
		return err
	}
	return d.migrate(ctx, now, all)
}

func (d *Driver) migrate(ctx context.Context, now time.Time, all []step) error {
	newest := all[len(all)-1].version
	err := d.Write(ctx, func(q store.SQL) error {
		_, err := q.Exec(ctx, `CREATE TABLE IF NOT EXISTS schema_migrations (
			version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT`)
		if err != nil {
			return err
		}
		for _, s := range all {
			if err := d.apply(ctx, q, s, now, newest); err != nil {
				return fmt.Errorf("to version %d (%s): %w", s.version, s.name, err)
			}
		}
		return nil
	})
	if errors.Is(err, store.ErrFull) {
		return fmt.Errorf("migrate: %w. This release changes the database, which needs room on the disk of %s, as much as the "+
			"database takes at most (%s): make room and start again. Nothing was changed: the release before still serves it",
			err, d.path, d.size(ctx))
	}
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// size tells the size of the database for people.
func (d *Driver) size(ctx context.Context) string {
	n, err := d.Size(ctx)
	if err != nil {
		return "its size is not known"
	}
	return fmt.Sprintf("%d MB", n>>20+1)
}

// apply runs one step unless the database has it. Steps do not build on those that lie between them and their
// numbers: a step that was merged late is applied late.
func (d *Driver) apply(ctx context.Context, q store.SQL, s step, now time.Time, newest int) error {
	at, err := version(ctx, q)
	if err != nil {
		return err
	}
	if at > newest {
		return fmt.Errorf(
			"the database has version %d, and this program knows only up to %d: a newer program has been here, "+
				"use that one or restore a backup from before",
			at,
			newest,
		)
	}
	if done, err := applied(ctx, q, s.version); err != nil || done {
		return err
	}
	if err := d.writer.script(ctx, s.script); err != nil {
		return err
	}
	_, err = q.Exec(ctx, `INSERT INTO schema_migrations (version, name, applied_at) VALUES (?, ?, ?)`,
		s.version, s.name, now.UTC().Format(time.RFC3339))
	return err
}

// applied tells whether the database has the step.
func applied(ctx context.Context, q store.SQL, version int) (bool, error) {
	rows, err := q.Query(ctx, `SELECT version FROM schema_migrations WHERE version = ?`, version)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	there := rows.Next()
	return there, rows.Err()
}

func version(ctx context.Context, q store.SQL) (at int, err error) {
	rows, err := q.Query(ctx, `SELECT coalesce(max(version), 0) FROM schema_migrations`)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	if rows.Next() {
		err = rows.Scan(&at)
	}
	if err == nil {
		err = rows.Err()
	}
	return at, err
}
