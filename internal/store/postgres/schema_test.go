package postgres_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keyward/keyward/internal/store/postgres"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

// plain is a database with PostgreSQL's own path of schemas, and a connection to it.
func plain(t *testing.T) (string, *pgx.Conn) {
	t.Helper()
	at := pgtest.Database(t)
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	ask(t, at, "ALTER DATABASE "+strings.Trim(u.Path, "/")+" SET search_path = public")
	c, err := pgx.Connect(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return at, c
}

func ask(t *testing.T, at, statement string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// where counts the tables of each schema.
func where(t *testing.T, c *pgx.Conn) map[string]int {
	t.Helper()
	rows, err := c.Query(
		t.Context(), `SELECT schemaname FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
	)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, n := range names {
		out[n]++
	}
	return out
}

func inPlace(t *testing.T, at string) error {
	t.Helper()
	d, err := postgres.Open(t.Context(), at, postgres.Options{Connections: 2})
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Migrate(t.Context(), time.Now())
}

func TestT102ANewInstallationHasASchemaOfItsOwn(t *testing.T) {
	t.Parallel()
	at, c := plain(t)
	ask(
		t, at, "CREATE TABLE songs (name text); CREATE TABLE schema_migrations (version text); CREATE TABLE events (id int)",
	)
	for range 2 { // and the second start finds it
		if err := inPlace(t, at); err != nil {
			t.Fatal(err)
		}
	}
	if got := where(t, c); got["public"] != 3 || got["keyward"] < 15 {
		t.Errorf("the tables lie in %v", got)
	}
}

func TestAnInstallationOfBeforeStaysWhereItIs(t *testing.T) {
	t.Parallel()
	at, c := plain(t)
	if err := inPlace(t, with(at, "public")); err != nil {
		t.Fatal(err)
	}
	before := where(t, c)
	if err := inPlace(t, at); err != nil {
		t.Fatal(err)
	}
	if got := where(t, c); got["keyward"] != 0 || got["public"] != before["public"] || got["public"] < 15 {
		t.Errorf("the tables lie in %v", got)
	}
}

func with(at, schema string) string {
	if strings.Contains(at, "?") {
		return at + "&schema=" + url.QueryEscape(schema)
	}
	return at + "?schema=" + url.QueryEscape(schema)
}

func TestT102ASchemaOfAnotherProgramIsNeverWritten(t *testing.T) {
	t.Parallel()
	at, c := plain(t)
	ask(t, at, "CREATE TABLE songs (name text); CREATE SCHEMA other; CREATE TABLE other.schema_migrations (version text)")
	before := where(t, c)
	for name, made := range map[string]string{
		"a_view": "CREATE VIEW a_view.v AS SELECT 1 AS x", "a_sequence": "CREATE SEQUENCE a_sequence.s",
		"a_type": "CREATE TYPE a_type.t AS ENUM ('x')", "a_domain": "CREATE DOMAIN a_domain.d AS text",
		"a_function": "CREATE FUNCTION a_function.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
	} {
		ask(t, at, "CREATE SCHEMA "+name+"; "+made)
		if err := inPlace(t, with(at, name)); err == nil || !strings.Contains(err.Error(), "of another program") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, schema := range []string{"public", "other"} {
		if err := inPlace(t, with(at, schema)); err == nil || !strings.Contains(err.Error(), "of another program") {
			t.Errorf("%s: %v", schema, err)
		}
	}
	if got := where(t, c); len(got) != len(before) || got["public"] != 1 || got["other"] != 1 {
		t.Errorf("the tables lie in %v", got)
	}
	if err := inPlace(t, with(at, `x"; DROP TABLE songs; --`)); err == nil ||
		!strings.Contains(err.Error(), "no name of a schema") {
		t.Errorf("a name that is none: %v", err)
	}
	if err := inPlace(t, with(at, "second")); err != nil || where(t, c)["second"] < 15 {
		t.Errorf("a name that is given: %v, %v", err, where(t, c))
	}
}
