package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/keyward/keyward/internal/store"
)

// writerLock is the advisory lock that every write transaction takes first, on all nodes: "keyward" in ASCII.
const writerLock int64 = 0x6b657977617264

// Each transaction is begun in one message with everything that holds for it alone.
const (
	beginRead = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = %[1]d; " +
		"SET LOCAL idle_in_transaction_session_timeout = 0"
	beginNote = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = %[1]d; SET LOCAL lock_timeout = %[2]d; " +
		"SET LOCAL idle_in_transaction_session_timeout = %[3]d; SET LOCAL synchronous_commit = off"
)

// beginWrite locks before the first read, and under READ COMMITTED: later reads see the state that the writer before
// has left. An acknowledged commit is on the disk: a server that is told to acknowledge earlier is overruled, one
// that waits for standbys is not.
func beginWrite() string {
	return "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = %[2]d; " +
		"SET LOCAL idle_in_transaction_session_timeout = %[3]d; " +
		"SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'; " +
		fmt.Sprintf("SELECT pg_advisory_xact_lock(%d); ", writerLock) +
		"SET LOCAL statement_timeout = %[1]d"
}

// Write runs fn in a transaction that holds the writers' lock. There is never more than one at a time, on all nodes
// together. An error at the commit with an unknown outcome wraps store.ErrUnknown.
func (d *Driver) Write(ctx context.Context, fn func(store.SQL) error) error {
	return d.in(ctx, d.work, beginWrite(), fn)
}

// Read runs fn on a snapshot.
func (d *Driver) Read(ctx context.Context, fn func(store.SQL) error) error {
	return d.in(ctx, d.work, beginRead, fn)
}

// Glance is Read on connections of its own.
func (d *Driver) Glance(ctx context.Context, fn func(store.SQL) error) error {
	return d.in(ctx, d.look, beginRead, fn)
}

// Readers is how many Reads run at once, beside a Write.
func (d *Driver) Readers() int { return max(int(d.work.Config().MaxConns)-1, 1) }

// Follow is Read on connections that are kept for following the feed.
func (d *Driver) Follow(ctx context.Context, fn func(store.SQL) error) error {
	return d.in(ctx, d.feed, beginRead, fn)
}

// Note runs fn in a transaction that waits for no other writer and not for the disk: for rows that are worth nothing
// after a crash.
func (d *Driver) Note(ctx context.Context, fn func(store.SQL) error) error {
	return d.in(ctx, d.feed, beginNote, fn)
}

func (d *Driver) in(ctx context.Context, pool *pgxpool.Pool, begin string, fn func(store.SQL) error) error {
	c, s, err := d.begin(ctx, pool, begin)
	if err != nil {
		return err
	}
	defer c.Release() // closes a connection that is still within a transaction
	committed := false
	defer func() {
		if !committed {
			s.rollback()
		}
	}()
	if err := fn(s); err != nil {
		return err
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	committed = true
	return s.commit(ctx)
}

// begin takes a connection and begins a transaction on it. After a restart or a failover the pool holds connections
// that have ended: nothing has been done on them yet, so the next one is taken.
func (d *Driver) begin(ctx context.Context, pool *pgxpool.Pool, begin string) (*pgxpool.Conn, *session, error) {
	begin = fmt.Sprintf(
		begin, d.opt.Statement.Milliseconds(), d.opt.Lock.Milliseconds(), d.opt.Idle.Milliseconds(),
	) + d.searchPath()
	for tries := pool.Config().MaxConns; ; tries-- {
		c, err := d.acquire(ctx, pool)
		if err != nil {
			return nil, nil, fmt.Errorf("connect: %w", unreachable(ctx, err))
		}
		s := &session{pg: c.Conn().PgConn(), limit: d.opt.Statement + slack}
		_, err = s.run(ctx, begin, d.opt.Lock+s.limit)
		if err == nil {
			return c, s, nil
		}
		ended := s.pg.IsClosed() && !pgconn.Timeout(err) && ctx.Err() == nil
		err = s.failed(ctx, err)
		s.rollback()
		c.Release()
		if !ended || tries == 0 {
			return nil, nil, fmt.Errorf("begin: %w", err)
		}
	}
}

// acquire takes a connection. Where the role or the database may open no more of them, it waits for one that is open
// already: a server that is full of our own connections is no server that is away.
func (d *Driver) acquire(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, d.opt.Lock)
	defer cancel()
	var full error
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		c, err := pool.Acquire(limited)
		switch {
		case err != nil && full != nil && limited.Err() != nil:
			return nil, full // what was waited for, and not that the time is over
		case err == nil || sqlstate(err) != tooManyConnections:
			return c, err
		}
		full = err
		if c = d.borrow(limited); c != nil {
			return c, nil
		}
		select {
		case <-limited.Done():
			return nil, err
		case <-time.After(pause):
		}
	}
}

// borrow takes an idle connection of whichever pool has one: they all lead to the same server.
func (d *Driver) borrow(ctx context.Context) (c *pgxpool.Conn) {
	for _, pool := range []*pgxpool.Pool{d.look, d.feed, d.work} {
		if pool == nil { // while they are being made
			continue
		}
		for _, own := range pool.AcquireAllIdle(ctx) {
			if c != nil {
				own.Release()
				continue
			}
			c = own
		}
	}
	return c
}

const (
	tooManyConnections = "53300"
	firstPause         = 2 * time.Millisecond
	lastPause          = 50 * time.Millisecond
)

// commit knows three ends: it took place, it did not, or the outcome is unknown. No timeout of the server's holds at
// a commit, which may wait for standbys: one that is broken off there would be reported as a success.
func (s *session) commit(ctx context.Context) error {
	if s.pg.IsClosed() { // nobody was asked
		return fmt.Errorf("commit: %w: the connection was lost before", store.ErrUnavailable)
	}
	tag, err := s.run(ctx, "SET LOCAL statement_timeout = 0; COMMIT", s.limit)
	switch {
	case err == nil && tag == "COMMIT":
		return nil
	case err == nil:
		return fmt.Errorf("commit: the transaction had failed and was rolled back (%s)", tag)
	case refusedCommit(err):
		return fmt.Errorf("commit: %w", translate(err))
	}
	return fmt.Errorf("commit: %w: %w", store.ErrUnknown, err)
}

// refusedCommit tells an error of which the server itself says that it rolled back. One that ends the connection may
// come after the commit, and so may silence.
func refusedCommit(err error) bool {
	var said *pgconn.PgError
	return errors.As(err, &said) &&
		(said.SeverityUnlocalized == "ERROR" || said.SeverityUnlocalized == "" && said.Severity == "ERROR")
}

func (s *session) rollback() {
	s.later, s.waiting = nil, 0
	if s.pg.IsClosed() || s.pg.TxStatus() == 'I' {
		return
	}
	_, _ = s.run(context.Background(), "ROLLBACK", slack)
}

// script runs several statements in one message.
func (s *session) script(ctx context.Context, text string, limit time.Duration) error {
	if err := s.flush(ctx); err != nil {
		return err
	}
	_, err := s.run(ctx, text, limit)
	return s.failed(ctx, err)
}

func (s *session) run(ctx context.Context, text string, limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	results, err := s.pg.Exec(ctx, text).ReadAll()
	if err != nil || len(results) == 0 {
		return "", err
	}
	return results[len(results)-1].CommandTag.String(), nil
}
