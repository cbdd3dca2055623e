package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"

	"github.com/keyward/keyward/internal/store"
)

// defaultSchema is where a new installation keeps its tables, so that it shares a database with others.
const defaultSchema = "keyward"

var schemaForm = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// withoutSchema takes ?schema= out of a URL, which PostgreSQL would take for a setting of the session.
func withoutSchema(given string) (rest, schema string, err error) {
	u, err := url.Parse(given)
	if err != nil {
		return given, "", nil // another says so, without the password
	}
	q := u.Query()
	if !q.Has("schema") {
		return given, "", nil
	}
	schema = q.Get("schema")
	if !schemaForm.MatchString(schema) {
		return "", "", errors.New("?schema= is no name of a schema: want lower-case letters, digits and _, such as keyward")
	}
	q.Del("schema")
	u.RawQuery = q.Encode()
	return u.String(), schema, nil
}

// searchPath follows the beginning of each transaction, which alone it holds for. Without a schema the database's own
// path is left.
func (d *Driver) searchPath() string {
	if d.schema == "" {
		return ""
	}
	return `; SET LOCAL search_path = "` + d.schema + `"`
}

// chooseSchema leaves an installation of before where it is, in the database's own path. A new one gets a schema of its
// own.
func (d *Driver) chooseSchema(ctx context.Context, q store.SQL) error {
	if d.schema != "" {
		return usableSchema(ctx, q, d.schema)
	}
	found, err := one(
		ctx,
		q,
		`SELECT count(*)::text FROM pg_attribute WHERE attrelid = to_regclass('schema_migrations') AND attname = 'oldest'
		AND to_regclass('installation') IS NOT NULL`,
	)
	if err == nil && found == "0" {
		d.schema = defaultSchema
		err = usableSchema(ctx, q, d.schema)
	}
	return err
}

// usableSchema refuses a schema that is there and that this user may not use: PostgreSQL hides its tables then, and
// they would look like another program's, or like none.
func usableSchema(ctx context.Context, q store.SQL, schema string) error {
	hidden, err := one(ctx, q, `SELECT coalesce(max(current_user::text), '') FROM pg_namespace
		WHERE nspname = ? AND NOT has_schema_privilege(oid, 'USAGE')`, schema)
	if err == nil && hidden != "" {
		err = fmt.Errorf("the user %s may not use the schema %s: GRANT USAGE ON SCHEMA %s and rights on its tables, or use "+
			"the role that owns them", hidden, schema, schema)
	}
	return err
}

// strangers counts the objects of another program in a schema that is not ours: tables, views and sequences, functions,
// enumerations and domains. Objects of an extension do not count: administrators put those into any schema.
const strangers = `SELECT count(*)::text FROM (
	SELECT c.oid, 'pg_class'::regclass AS of FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = ? AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
	UNION ALL SELECT p.oid, 'pg_proc'::regclass FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ?
	UNION ALL SELECT t.oid, 'pg_type'::regclass FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
		WHERE n.nspname = ? AND t.typtype IN ('e', 'd')
	) AS found WHERE NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = found.oid AND classid = found.of AND deptype = 'e')
	AND NOT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('schema_migrations') AND attname = 'oldest')`

// makeSchema makes the schema where it is not there, and refuses one that holds the tables of another program.
func (d *Driver) makeSchema(ctx context.Context, q store.SQL) error {
	if d.schema == "" {
		return nil
	}
	there, err := one(ctx, q, `SELECT count(*)::text FROM pg_namespace WHERE nspname = ?`, d.schema)
	if err != nil {
		return err
	}
	if there == "0" {
		if _, err := q.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS "`+d.schema+`"`); err != nil {
			return fmt.Errorf(
				"make the schema %s (the user needs CREATE on the database, or the schema made beforehand): %w", d.schema, err,
			)
		}
		return nil
	}
	return d.vacant(ctx, q)
}

// Fresh refuses a schema that holds the tables of another program, for a database without an installation. It changes
// nothing.
func (d *Driver) Fresh(ctx context.Context) error {
	if d.schema == "" {
		return nil
	}
	return d.Read(ctx, func(q store.SQL) error { return d.vacant(ctx, q) })
}

func (d *Driver) vacant(ctx context.Context, q store.SQL) error {
	strange, err := one(ctx, q, strangers, d.schema, d.schema, d.schema)
	if err == nil && strange != "0" {
		err = fmt.Errorf(
			"the schema %s holds %s tables, types or functions of another program, and was left as it is: name another one with ?schema=",
			d.schema,
			strange,
		)
	}
	return err
}
