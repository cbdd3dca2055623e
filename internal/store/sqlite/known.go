package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	codes "modernc.org/sqlite/lib"
)

// applicationID marks a file as ours, in its head: "KWRD". A migration sets it.
const applicationID = 0x4b575244

// ourTables are in every database of ours, since the first migration.
var ourTables = []string{"api_keys", "events", "installation", "members", "schema_migrations", "workspaces"}

// known refuses the database of another program, on a connection that cannot write, because later statements do,
// beginning with journal_mode. A file without the mark is ours by its tables, or new if it has none.
func known(path string) error {
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return err
	}
	// The first look is at the file alone, takes no lock and makes nothing beside it; the log of changes has the rest.
	found, err := peek(path, "mode=ro&immutable=1")
	if !noDatabase(err) && found.empty() {
		found, err = peek(path, "mode=ro")
	}
	switch {
	case err != nil:
		if noDatabase(err) {
			return fmt.Errorf("open the database %s: it is no database of SQLite, and was left as it is: name another file", path)
		}
		return fmt.Errorf("open the database %s: %w", path, translate(err))
	case found.id == applicationID || found.empty():
		return nil
	case found.id == 0 && (ours(found.names) || slices.Equal(found.names, []string{"schema_migrations"})):
		return nil
	}
	what := fmt.Sprintf("its application_id is %d and its user_version %d", found.id, found.version)
	if len(found.names) > 0 {
		what = "it has the tables " + strings.Join(found.names[:min(len(found.names), 5)], ", ")
	}
	return fmt.Errorf("the database %s belongs to another program (%s) and was left as it is: name another file", path,
		what)
}

func noDatabase(err error) bool { return code(err)&0xff == codes.SQLITE_NOTADB }

func ours(tables []string) bool {
	for _, t := range ourTables {
		if !slices.Contains(tables, t) {
			return false
		}
	}
	return true
}

// content is what a database is known by.
type content struct {
	id, version int64    // application_id and user_version, which programs set as they like; we set the first alone
	names       []string // of tables and views
}

// empty tells whether no program has left anything in the database.
func (c content) empty() bool { return c.id == 0 && c.version == 0 && len(c.names) == 0 }

// peek reads the content.
func peek(path, how string) (c content, err error) {
	name := url.URL{Scheme: "file", Path: path, RawQuery: how}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	ctx := context.Background()
	for pragma, into := range map[string]*int64{"application_id": &c.id, "user_version": &c.version} {
		if err := db.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(into); err != nil {
			return c, err
		}
	}
	rows, err := db.QueryContext(
		ctx, `SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name`,
	)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var t string
		if err := rows.Scan(&t); err != nil {
			return c, err
		}
		c.names = append(c.names, t)
	}
	return c, rows.Err()
}
