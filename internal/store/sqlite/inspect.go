package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/keyward/keyward/internal/store"
)

// Lock takes the place of the file's one server without opening the file as a database, since it may be damaged or not
// there: to replace it, for instance. ErrLocked says that another process is there.
func Lock(path string) (io.Closer, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, err
	}
	h, err := hold(path)
	if errors.Is(err, fs.ErrNotExist) {
		h, err = &held{}, nil
	}
	if err != nil {
		return nil, err
	}
	if err := h.take(path); err != nil {
		return nil, errors.Join(err, h.release())
	}
	return &standIn{h, path}, nil
}

// Served tells whether a process serves the file. It makes nothing beside it.
func Served(path string) (bool, error) {
	path, err := resolve(path)
	if err != nil {
		return false, err
	}
	h, err := hold(path)
	if errors.Is(err, fs.ErrNotExist) {
		h, err = &held{}, nil
	}
	if err == nil {
		if _, none := os.Stat(path + lockSuffix); none == nil {
			err = h.take(path)
		}
		err = errors.Join(err, h.release())
	}
	if errors.Is(err, ErrLocked) {
		return true, nil
	}
	return false, err
}

// standIn is a server's place that is taken by another program for a while.
type standIn struct {
	*held
	path string
}

// Close lets go of the place. Where there is no database still, a lock that was made goes, too, which would say that
// there was one.
func (s *standIn) Close() error {
	if _, err := os.Lstat(s.path); errors.Is(err, fs.ErrNotExist) {
		for _, name := range s.made {
			_ = os.Remove(name)
		}
	}
	return s.release()
}

// Place refuses a path at which no database can be served, and gives the path without links in its folder.
func Place(path string) (string, error) {
	path, err := resolve(path)
	if err != nil {
		return "", err
	}
	return path, place(path)
}

// Startable is nil if a server could begin with the file, as far as can be told without changing or locking anything;
// else the error names the remedy.
func Startable(path string) error {
	path, err := resolve(path)
	if err != nil {
		return err
	}
	if err := place(path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return vacant(path, "is not there", false)
	case err != nil:
		return fmt.Errorf("open the database: %w", err)
	case info.Size() == 0:
		return vacant(path, "is empty", false)
	}
	if _, names := identify(info); names > 1 {
		return manyNames(path, names)
	}
	return check(path)
}

// Version tells the version of the schema, 0 for a file without one, and the newest that this program knows. It changes
// nothing.
func (d *Driver) Version(ctx context.Context) (at, newest int, err error) {
	all, err := steps(migrations)
	if err != nil {
		return 0, 0, err
	}
	err = d.Read(ctx, func(q store.SQL) error {
		there, err := texts(ctx, q, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'`)
		if err != nil || len(there) == 0 {
			return err
		}
		at, err = version(ctx, q)
		return err
	})
	return at, all[len(all)-1].version, err
}

// Check reads the whole file and tells whether its pages, indexes and references are sound.
func (d *Driver) Check(ctx context.Context) error {
	return d.Read(ctx, func(q store.SQL) error {
		found, err := texts(ctx, q, `PRAGMA integrity_check(1)`)
		if err != nil {
			return err
		}
		if len(found) != 1 || found[0] != "ok" {
			return fmt.Errorf("the database is damaged: %v", found)
		}
		broken, err := texts(ctx, q, `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`)
		if err == nil && len(broken) > 0 {
			err = fmt.Errorf("the database is damaged: a reference out of the table %s leads nowhere", broken[0])
		}
		return err
	})
}

// texts reads a query's one column.
func texts(ctx context.Context, q store.SQL, query string, args ...any) (out []string, err error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}
