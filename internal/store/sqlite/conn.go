package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/keyward/keyward/internal/store"
)

// conn is one connection with its prepared statements. One goroutine uses it at a time.
type conn struct {
	c     *sql.Conn
	stmts map[string]*sql.Stmt
	// lost is the error after which SQLite may have rolled the transaction back by itself. A statement that came after
	// it would run, and be committed, alone: so none does until the transaction has been ended.
	lost error
}

// pragmas of every connection, after those of its own. A commit is on the disk when COMMIT returns: WAL with
// synchronous=FULL.
var pragmas = []string{
	"journal_mode = WAL",
	"synchronous = FULL",
	"foreign_keys = ON",
	"temp_store = MEMORY",
	"trusted_schema = OFF",
	"cell_size_check = ON",
	"journal_size_limit = 67108864",
}

func connect(ctx context.Context, db *sql.DB, extra ...string) (*conn, error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, translate(err)
	}
	for _, p := range slices.Concat(extra, pragmas) {
		if _, err := c.ExecContext(ctx, "PRAGMA "+p); err != nil {
			_ = c.Close()
			return nil, fmt.Errorf("pragma %s: %w", p, translate(err))
		}
	}
	return &conn{c: c, stmts: make(map[string]*sql.Stmt)}, nil
}

func (c *conn) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if c.lost != nil {
		return nil, c.lost
	}
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	s, err := c.c.PrepareContext(ctx, query)
	if err != nil {
		return nil, c.failed(err)
	}
	c.stmts[query] = s
	return s, nil
}

// failed translates an error and remembers one that may have ended the transaction.
func (c *conn) failed(err error) error {
	if err == nil {
		return nil
	}
	t := translate(err)
	if endsTransaction(err) && c.lost == nil {
		c.lost = t
	}
	return t
}

// Exec runs a statement and answers the number of rows it touched.
func (c *conn) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	s, err := c.prepare(ctx, query) //nolint:sqlclosecheck // kept for the connection, and closed with it
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, c.failed(err)
	}
	return r.RowsAffected()
}

// ExecDeferred is Exec: here nothing is gained by waiting.
func (c *conn) ExecDeferred(ctx context.Context, query string, args ...any) error {
	_, err := c.Exec(ctx, query, args...)
	return err
}

// Query runs a statement that answers rows.
func (c *conn) Query(ctx context.Context, query string, args ...any) (store.Rows, error) {
	s, err := c.prepare(ctx, query) //nolint:sqlclosecheck // kept for the connection, and closed with it
	if err != nil {
		return nil, err
	}
	r, err := s.QueryContext(ctx, args...)
	if err != nil {
		return nil, c.failed(err)
	}
	return rows{r, c}, nil
}

// script runs several statements.
func (c *conn) script(ctx context.Context, text string) error {
	_, err := c.c.ExecContext(ctx, text)
	return c.failed(err)
}

// rollback ends the transaction in any state: one that SQLite has ended already has nothing to roll back.
func (c *conn) rollback() {
	c.lost = nil
	_, _ = c.c.ExecContext(context.Background(), "ROLLBACK")
}

func (c *conn) close() error {
	for _, s := range c.stmts {
		_ = s.Close()
	}
	return c.c.Close()
}

// rows translates errors of reading rows.
type rows struct {
	*sql.Rows
	c *conn
}

func (r rows) Err() error { return r.c.failed(r.Rows.Err()) }
