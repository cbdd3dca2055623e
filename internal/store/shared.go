package store

import (
	"context"
	"time"
)

// Shared is a Driver whose database several nodes use at once. Its Write keeps the writers of all nodes in one row.
type Shared interface {
	Driver
	// Follow is Read on connections that are kept for following the feed.
	Follow(ctx context.Context, fn func(SQL) error) error
	// Note runs fn in a transaction that waits for no writer and not for the disk: for rows that are worth nothing
	// after a crash.
	Note(ctx context.Context, fn func(SQL) error) error
	// Server identifies the server of this transaction. A server that may be behind is ErrUnavailable.
	Server(ctx context.Context, q SQL) (Server, error)
	// Clock is an SQL expression for the time now, not that of the transaction's begin, in Unix milliseconds.
	Clock() string
	// Notify tells the other nodes, once this transaction has committed, that there is something to read.
	Notify(ctx context.Context, q SQL) error
	// Listen calls ring when a node has rung, until ctx ends or it cannot any more.
	Listen(ctx context.Context, ring func()) error
	// TakeSlot takes one of n places until the transaction ends, and tells whether one was free.
	TakeSlot(ctx context.Context, q SQL, n int) (bool, error)
	// Unhurried takes the time limit off the statements of this transaction, which reads much.
	Unhurried(ctx context.Context, q SQL) error
	// Pool tells how busy the connections are.
	Pool() Pool
}

// Server is the identity of the server that answers a transaction.
type Server struct {
	Identity string    // of the server's data and of its timeline; "" where it does not tell
	Now      time.Time // its clock
}

// Pool counts the use of a driver's connections. Waited counts the callers that found none free, and WaitedFor is
// their time together.
type Pool struct {
	Most, Open, Busy int
	Waited           int64
	WaitedFor        time.Duration
}

// Shared tells whether several nodes can use the database at once.
func (db *DB) Shared() bool { return db.shared != nil }

// Listen calls ring when another process has changed something; see Shared.
func (db *DB) Listen(ctx context.Context, ring func()) error { return db.shared.Listen(ctx, ring) }

// Pool tells how busy the connections of a shared database are.
func (db *DB) Pool() Pool {
	if db.shared == nil {
		return Pool{}
	}
	return db.shared.Pool()
}
