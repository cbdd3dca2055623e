// Package store owns the state: one transaction is rows, an audit event and a change in the feed, and nothing is committed
// without all three. It owns the transaction, its one time, the group commit, the hash chain of the log and the order of the
// feed. It does not own the rules by which something may be changed (control), nor the database itself (its drivers).
package store

import (
	"context"
	"errors"
	"time"

	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
)

// Options are what a DB needs beside its driver.
type Options struct {
	Now       func() time.Time // the wall clock
	Catalogue *perm.Catalogue
	// Fatal is told that the disk lost a write (ErrDurability). It must end the process; in a test it may return, and the DB then
	// refuses every further Update. Without it the process panics.
	Fatal func(error)
}

// DB is an installation's state. It is safe for concurrent use.
type DB struct{ driver Driver }

var errLater = errors.New("later")

// Open migrates the database, makes the installation's secret at the first time, and starts the writer.
func Open(ctx context.Context, d Driver, o Options) (*DB, error) { return nil, errLater }

// Close lets the Updates that wait finish, then closes the driver. Updates that come later get ErrClosed.
func (db *DB) Close() error { return errLater }

// Subscribe adds a reader of the feed. It is called with the changes of a group in commit order, after the commit and before any
// Update of the group returns; it must not block or call the DB. Subscribe before the first Update.
func (db *DB) Subscribe(f func([]feed.Change)) {}

// LoadAll tells f every live object on one snapshot: workspaces, roles, members, service keys, then keys with those of their
// earlier values that still work. It streams; the first error of f ends it.
func (db *DB) LoadAll(ctx context.Context, f func(feed.Change) error) error { return errLater }

// Secret is 32 random bytes of this installation, the same at every start.
func (db *DB) Secret() []byte { return nil }

// Peppers lists the peppers that digests in the database were made under.
func (db *DB) Peppers(ctx context.Context) ([]keyfmt.PepperID, error) { return nil, errLater }

// View runs fn on a snapshot. Many run at once, and none waits for a writer.
func (db *DB) View(ctx context.Context, fn func(*View) error) error { return errLater }

// Update runs fn in a write transaction of its own and returns once that is on the disk and the subscribers have seen it. What fn
// answers is answered, and rolls everything back. fn may run more than once and must have no effect but on tx; it must not call
// the DB, and must return the error of a failed mutation unless that was made within a Savepoint.
//
// Transactions that come while another is being committed share the next commit; each stands alone all the same.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error { return errLater }

// Backup writes a consistent copy to path while the work goes on. It refuses a file that exists.
func (db *DB) Backup(ctx context.Context, path string) error { return errLater }

// Ping tells whether the database can be read.
func (db *DB) Ping(ctx context.Context) error { return errLater }

// Stats are counted since the start.
type Stats struct {
	Groups   int64 // commits
	Updates  int64 // transactions that were committed
	Rejected int64 // transactions that were rolled back
	Bytes    int64 // size on disk
	LogHead  int64 // Seq of the last event
}

// Stats costs a look at the file's size.
func (db *DB) Stats() Stats { return Stats{} }

// VerifyLog walks the hash chain of the whole log on one snapshot and counts the events. An error wraps ErrChain and names the
// first Seq that is wrong.
func (db *DB) VerifyLog(ctx context.Context) (events int64, err error) { return 0, errLater }

// Purge removes a batch of what is already dead: rows of deleted workspaces, ended overlaps, expired idempotency keys. It tells
// whether there is more. It records no event.
func (db *DB) Purge(ctx context.Context) (more bool, err error) { return false, errLater }

// MarkTime keeps the present time as the mark below which the clock never falls again, also after a restart. Every Update does
// the same; this is for the quiet hours.
func (db *DB) MarkTime(ctx context.Context) error { return errLater }

// TimeMark is the mark as it was read at Open or last moved.
func (db *DB) TimeMark() time.Time { return time.Time{} }
