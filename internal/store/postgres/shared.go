package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keyward/keyward/internal/store"
)

// channel is the channel on which nodes listen.
const channel = "keyward"

// loadSlots is the first of the advisory locks that stand for places at a load: "kw-load" in ASCII.
const loadSlots int64 = 0x6b772d6c6f6164 << 8

// clockNow is the server's clock, which goes on within a transaction.
const clockNow = `(extract(epoch FROM clock_timestamp()) * 1000)::bigint`

// Clock is clockNow.
func (d *Driver) Clock() string { return clockNow }

// selectServer identifies the server: the cluster's identity and timeline, the time, and whether this is a standby.
// The timeline comes from the write-ahead log, because the control file tells of a promotion only at its next
// checkpoint.
const selectServer = `SELECT (SELECT system_identifier::text FROM pg_control_system()) ||
		CASE WHEN pg_is_in_recovery() THEN '' ELSE '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,
	` + clockNow + `, pg_is_in_recovery()::int::bigint`

// selectSimpleServer is for servers that do not tell that much.
const selectSimpleServer = `SELECT '', ` + clockNow + `, 0::bigint`

// Server identifies the server of this transaction. A standby is refused: it may be behind, and would hide a
// revocation.
func (d *Driver) Server(ctx context.Context, q store.SQL) (store.Server, error) {
	query := selectServer
	if d.simple.Load() {
		query = selectSimpleServer
	}
	rows, err := q.Query(ctx, query)
	if err != nil {
		if code := sqlstate(err); code == "42883" || code == "42501" || code == "0A000" { // no such function, or not for us
			d.simple.Store(true)
		}
		return store.Server{}, err
	}
	defer rows.Close()
	var s store.Server
	var now int64
	var standby bool
	if !rows.Next() {
		return s, errors.New("the server does not say who it is")
	}
	if err := rows.Scan(&s.Identity, &now, &standby); err != nil {
		return s, err
	}
	if standby {
		return s, fmt.Errorf("%w: the server is a standby, which may be behind", store.ErrUnavailable)
	}
	s.Now = time.UnixMilli(now).UTC()
	return s, nil
}

// Notify tells the other nodes, once this transaction has committed, that there is something to read.
func (d *Driver) Notify(ctx context.Context, q store.SQL) error {
	return q.ExecDeferred(ctx, "NOTIFY "+channel)
}

// TakeSlot takes one of n places until the transaction ends, and tells whether one was free.
func (d *Driver) TakeSlot(ctx context.Context, q store.SQL, n int) (bool, error) {
	for i := range n {
		got, err := one(ctx, q, `SELECT pg_try_advisory_xact_lock(?)::int::text`, loadSlots+int64(i))
		if err != nil || got == "1" {
			return err == nil, err
		}
	}
	return false, nil
}

// Unhurried takes the time limit off the statements of this transaction, which reads much.
func (d *Driver) Unhurried(ctx context.Context, q store.SQL) error {
	if s, ok := q.(*session); ok {
		s.limit = 10 * time.Minute
	}
	_, err := q.Exec(ctx, "SET LOCAL statement_timeout = 0")
	return err
}

// ErrPooled says that a pooler stands between, which hands the connection on after each transaction: listening is
// impossible there.
var ErrPooled = errors.New("a pooler stands before the database: changes are looked for at intervals only")

// Listen calls ring when a node has changed something, and at once, until ctx ends or the connection does. It has a
// connection of its own. ErrPooled says that there is none to be had.
func (d *Driver) Listen(ctx context.Context, ring func()) error {
	cfg := d.feed.Config().ConnConfig.Config.Copy()
	rung := false
	cfg.OnNotification = func(*pgconn.PgConn, *pgconn.Notification) { rung = true }
	c, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return unreachable(ctx, err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.Background(), slack)
		defer cancel()
		_ = c.Close(closing)
	}()
	s := &session{pg: c, limit: d.opt.Statement}
	pid, err := one(ctx, s, "SELECT pg_backend_pid()::text")
	if err != nil {
		return err
	}
	if pid != fmt.Sprint(c.PID()) { // a pooler makes up a number of its own
		return ErrPooled
	}
	if err := s.script(ctx, "LISTEN "+channel, d.opt.Statement); err != nil {
		return err
	}
	ring()
	for {
		if err := c.WaitForNotification(ctx); err != nil {
			return unreachable(ctx, err)
		}
		if rung {
			rung = false
			ring()
		}
	}
}

// Pool tells how busy the connections are.
func (d *Driver) Pool() store.Pool {
	s := d.work.Stat()
	return store.Pool{Most: int(s.MaxConns()), Open: int(s.TotalConns()), Busy: int(s.AcquiredConns()),
		Waited: s.EmptyAcquireCount(), WaitedFor: s.EmptyAcquireWaitTime()}
}
