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
	id, tables, err := peek(
		path, "mode=ro&immutable=1",
	) // looks at the file alone, takes no lock and makes nothing beside it
	if !noDatabase(err) && id != applicationID && len(tables) == 0 {
		id, tables, err = peek(path, "mode=ro") // the log of changes has the rest
	}
	switch {
	case err != nil:
		if noDatabase(err) {
			return fmt.Errorf("open the database %s: it is no database of SQLite, and was left as it is", path)
		}
		return fmt.Errorf("open the database %s: %w", path, translate(err))
	case id == applicationID || len(tables) == 0 && id == 0:
		return nil
	case id == 0 && (ours(tables) || slices.Equal(tables, []string{"schema_migrations"})):
		return nil
	}
	return fmt.Errorf(
		"the database %s belongs to another program (it has the tables %s) and was left as it is: name another file", path,
		strings.Join(tables[:min(len(tables), 5)], ", "),
	)
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

// peek reads the mark and the names of the tables.
func peek(path, how string) (id int64, tables []string, err error) {
	name := url.URL{Scheme: "file", Path: path, RawQuery: how}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	ctx := context.Background()
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return 0, nil, err
	}
	rows, err := db.QueryContext(
		ctx, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`,
	)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var t string
		if err := rows.Scan(&t); err != nil {
			return 0, nil, err
		}
		tables = append(tables, t)
	}
	return id, tables, rows.Err()
}
