// Package postgres owns PostgreSQL as the database: its connections, its transactions and the lock that serialises
// writers, its migrations and its error codes, and the parts of a server that several nodes share. It does not own
// the stored objects (store), nor a node's use of the others' changes (cluster).
//
// No session state is used on pooled connections: no prepared statement, no SET that outlives its transaction, no
// lock of a session. So a pooler in transaction mode may stand between.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/text"
)

// Options bound how long the database may take. Zero values are good.
type Options struct {
	// PasswordFile holds the password on its one line; "" takes the URL's, PGPASSWORD's or a PGPASSFILE's.
	PasswordFile string
	// Connections bounds the pool: 0 is the URL's pool_max_conns, else 10.
	Connections int32
	// Statement is how long one statement may run: 0 is 15 s.
	Statement time.Duration
	// Lock is how long a writer waits for its turn behind the writers of other nodes: 0 is 10 s.
	Lock time.Duration
	// Idle is how long the server bears with a transaction that says nothing: 0 is 10 s. A node that stands still
	// within a write keeps every other node from writing for so long.
	Idle time.Duration
}

func (o Options) withDefaults() Options {
	if o.Statement == 0 {
		o.Statement = 15 * time.Second
	}
	if o.Lock == 0 {
		o.Lock = 10 * time.Second
	}
	if o.Idle == 0 {
		o.Idle = 10 * time.Second
	}
	return o
}

const (
	defaultConnections = 10
	// feedConnections are kept apart, so that readers that use up the pool do not make the node blind.
	feedConnections = 3
	lookConnections = 2
	connectTimeout  = 5 * time.Second
	slack           = 2 * time.Second // beyond the server's own timeout, before the connection is given up
)

// Driver is a store.Driver over one PostgreSQL database. It is safe for concurrent use.
type Driver struct {
	opt  Options
	work *pgxpool.Pool
	feed *pgxpool.Pool
	look *pgxpool.Pool // for what everybody waits for; lent to no other reader
	fold string        // the collation that folds case

	url     string                        // without ?schema=
	current atomic.Pointer[pgconn.Config] // by which new connections prove themselves and check the server

	schema string // where the tables are; "" leaves the path of the database itself

	simple atomic.Bool // the server does not tell its identity
}

var _ store.Shared = (*Driver)(nil)

// Open connects to the primary that the URL names, and fails where there is none. An error never holds the URL's
// password.
func Open(ctx context.Context, url string, o Options) (*Driver, error) {
	d := &Driver{opt: o.withDefaults()}
	url, schema, err := withoutSchema(url)
	if err != nil {
		return nil, err
	}
	d.schema = schema
	d.url = url
	cfg, err := d.configure()
	if err != nil {
		return nil, err
	}
	d.current.Store(&cfg.ConnConfig.Config)
	cfg.BeforeConnect = d.asOfNow
	switch {
	case o.Connections > 0:
		cfg.MaxConns = o.Connections
	case !mentions(url, "pool_max_conns"):
		cfg.MaxConns = defaultConnections
	}
	if d.work, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, hidden(err)
	}
	apart := cfg.Copy()
	apart.MaxConns, apart.MinConns = feedConnections, 0
	if d.feed, err = pgxpool.NewWithConfig(ctx, apart); err != nil {
		d.work.Close()
		return nil, hidden(err)
	}
	apart = cfg.Copy()
	apart.MaxConns, apart.MinConns = lookConnections, 0
	if d.look, err = pgxpool.NewWithConfig(ctx, apart); err != nil {
		d.work.Close()
		d.feed.Close()
		return nil, hidden(err)
	}
	if err := d.inspect(ctx); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

// configure reads the URL, and the files that it or the environment names. Of several hosts the one that takes writes
// is used.
func (d *Driver) configure() (*pgxpool.Config, error) {
	url := d.url
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, unparsed(err)
	}
	if d.opt.PasswordFile != "" {
		raw, err := os.ReadFile(d.opt.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("read the password: %w", err)
		}
		cfg.ConnConfig.Password = strings.TrimRight(string(text.WithoutBOM(raw)), "\r\n")
	}
	c := &cfg.ConnConfig.Config
	if c.ConnectTimeout == 0 || !mentions(url, "connect_timeout") {
		c.ConnectTimeout = connectTimeout
	}
	if c.ValidateConnect == nil {
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "keyward"
	}
	dialer := &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3},
	}
	c.DialFunc = dialer.DialContext
	cfg.MaxConnIdleTime = 10 * time.Minute
	cfg.MaxConnLifetime = time.Hour
	cfg.MaxConnLifetimeJitter = 10 * time.Minute
	return cfg, nil
}

// inspect learns which server this is and which collation folds case as Unicode has it.
func (d *Driver) inspect(ctx context.Context) error {
	return d.Read(ctx, func(q store.SQL) error {
		version, err := one(ctx, q, `SELECT current_setting('server_version_num')`)
		if err != nil {
			return err
		}
		if len(version) < 6 || version < "140000" {
			return fmt.Errorf("PostgreSQL 14 or later is needed, and this is %s", version)
		}
		encoding, err := one(ctx, q, `SELECT current_setting('server_encoding')`)
		if err != nil {
			return err
		}
		if encoding != "UTF8" {
			return fmt.Errorf("the database's encoding is %s: make it with ENCODING 'UTF8'", encoding)
		}
		if d.fold, err = one(ctx, q, selectFold); err != nil {
			return err
		}
		return d.chooseSchema(ctx, q)
	})
}

// selectFold prefers a collation that maps one character to one, as Go does: PostgreSQL's own (17 and later), then
// the C library's, then ICU's; at last one that folds ASCII alone.
const selectFold = `
	SELECT name FROM (VALUES (1, 'pg_c_utf8'), (2, 'C.utf8'), (3, 'C.UTF-8'), (4, 'und-x-icu'), (5, 'C')) AS wanted (place, name)
	WHERE EXISTS (SELECT 1 FROM pg_collation c WHERE c.collname = wanted.name AND c.collnamespace = 'pg_catalog'::regnamespace
		AND c.collencoding IN (-1, pg_char_to_encoding('UTF8')))
	ORDER BY place LIMIT 1`

// folded is the lower-case form of an expression, in normal form C where the text that is sought in it has more than
// ASCII.
func (d *Driver) folded(expression, text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) {
		expression = "normalize(" + expression + ", NFC)"
	}
	return `lower((` + expression + `) COLLATE "` + d.fold + `")`
}

// Contains folds the expression and seeks with strpos, which knows no pattern.
func (d *Driver) Contains(text string, columns ...string) (condition string, args []any) {
	all := strings.Join(columns, ` || E'\x1f' || `) // which no text that is kept holds
	return `strpos(` + d.folded(all, text) + `, ?) > 0`, []any{text}
}

// Tells looks for the text as JSON writes it first, which is cheap, and then in each text by itself.
func (d *Driver) Tells(text, column string) (condition string, args []any) {
	var written []string
	for _, w := range store.Written(text) {
		written, args = append(written, `strpos(`+d.folded(column, text)+`, ?) > 0`), append(args, w)
	}
	const head = `length(substring(said from '^[a-z][a-z0-9]{0,15}_(?:live|test|svc)_(?=[^…]{1,8}…)'))`
	beyond := fmt.Sprintf(
		`CASE WHEN strpos(said, '…') = 0 THEN said ELSE substr(said, greatest(1, coalesce(%s, 0) + %d)) END`, head,
		2-utf8.RuneCountInString(text),
	)
	return `CASE WHEN ` + strings.Join(written, ` OR `) + ` THEN (
		SELECT strpos(` + d.folded(`string_agg(`+beyond+`, E'\x1f')`, text) + `, ?) > 0
		FROM (SELECT ` + column + `::jsonb #- '{before,environment}' #- '{after,environment}') AS event (doc), LATERAL (
			SELECT leaf #>> '{}' FROM jsonb_path_query(doc, 'strict $.** ? (@.type() == "string" || @.type() == "number")') AS leaves (leaf)
			UNION ALL
			SELECT name #>> '{}' FROM jsonb_path_query(doc, 'lax $.*.** ? (@.type() == "object").keyvalue().key') AS names (name)
		) AS texts (said)) ELSE FALSE END`, append(args, text)
}

// Position is strpos.
func (d *Driver) Position(text, column string) string { return "strpos(" + column + ", " + text + ")" }

// Backup is PostgreSQL's own affair.
func (d *Driver) Backup(context.Context, string) error { return ErrBackup }

// ErrBackup names the tool to use instead.
var ErrBackup = errors.New(
	"a PostgreSQL database is backed up with PostgreSQL's own tools: pg_dump --format=custom for one consistent " +
		"copy, or pg_basebackup and the archive of the write-ahead log to go back to any moment",
)

// Size is the size of the database by PostgreSQL's own account.
func (d *Driver) Size(ctx context.Context) (size int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, d.opt.Statement)
	defer cancel()
	err = d.in(ctx, d.work, beginRead, func(q store.SQL) error {
		rows, err := q.Query(ctx, `SELECT pg_database_size(current_database())`)
		if err != nil {
			return err
		}
		defer rows.Close()
		if rows.Next() {
			err = rows.Scan(&size)
		}
		return err
	})
	return size, err
}

// Close waits for running work and closes every connection.
func (d *Driver) Close() error {
	d.work.Close()
	d.feed.Close()
	d.look.Close()
	return nil
}

// one reads a query's one text.
func one(ctx context.Context, q store.SQL, query string, args ...any) (s string, err error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	if !rows.Next() {
		return "", store.ErrNotFound
	}
	return s, rows.Scan(&s)
}
