// Package store owns the state: one transaction is rows, an audit event and a change in the feed, and nothing is
// committed without all three. It owns the transaction, its one time, the group commit, the hash chain of the log and
// the order of the feed. It does not own the rules by which something may be changed (control), nor the database itself
// (its drivers).
package store

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/clock"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
)

// Options are the parameters of a DB beside its driver.
type Options struct {
	Now       func() time.Time // the wall clock; with Clock it is not asked
	Clock     *clock.Clock     // nil makes one of Now
	Catalogue *perm.Catalogue
	// ChangesKept is how long changes stay in the change log at least, for followers that are away for a while.
	ChangesKept time.Duration
	// Fatal is told that the disk lost a write (ErrDurability). It must end the process; in a test it may return, and
	// the DB then refuses every further write. Without it the process panics.
	Fatal func(error)
}

// DB is an installation's state. It is safe for concurrent use.
type DB struct {
	driver    Driver
	shared    Shared // the driver again, where several nodes can use it; else nil
	sole      Sole   // the driver again, where it is a file; else nil
	clock     *clock.Clock
	catalogue *perm.Catalogue
	// processors is how many there were at the start. The runtime's own number is no measure later: while the server is
	// busy it has more threads than there are processors.
	processors int

	fatal  func(error)
	secret []byte
	sets   *sets

	changesKept  time.Duration
	published    atomic.Pointer[head] // the latest end of the log that the subscribers know
	subscribers  []func([]feed.Change)
	another      func() // is told that the database has another history
	whenDetached func(error)
	gone         atomic.Bool          // whenDetached was called
	written      atomic.Pointer[head] // where the log ended when this process wrote last; nil for nothing

	queue    *queue
	overhead time.Duration // of the last commit: its time beside that of its transactions; the writer's
	stopped  chan struct{}

	lost  atomic.Pointer[error] // the write that the disk lost
	full  atomic.Bool           // the last write found no room
	fixed atomic.Bool           // the last write found the storage read-only
	mark  atomic.Int64          // Unix milliseconds
	bytes atomic.Int64          // on disk, when Measure looked last
	stats counters
}

type counters struct{ groups, updates, rejected, head atomic.Int64 }

// Open migrates the database, makes the installation's secret at the first time, and starts the writer. The DB closes
// the driver; where Open fails the caller does.
func Open(ctx context.Context, d Driver, o Options) (*DB, error) {
	db := &DB{
		driver:    d,
		clock:     o.Clock,
		catalogue: o.Catalogue,
		fatal:     o.Fatal,

		changesKept: o.ChangesKept,
		processors:  runtime.GOMAXPROCS(0),
		queue:       newQueue(),
		stopped:     make(chan struct{}),
	}
	if db.clock == nil {
		db.clock = clock.New(o.Now)
	}
	if db.shared, _ = d.(Shared); db.shared != nil {
		db.clock.FollowRemote()
	}
	db.attend()
	if db.fatal == nil {
		db.fatal = func(err error) { panic(err) }
	}
	if err := d.Migrate(ctx, db.clock.Now()); err != nil {
		return nil, err
	}
	if err := db.install(ctx); err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	var err error
	if db.sets, err = loadSets(ctx, d, o.Catalogue); err != nil {
		return nil, fmt.Errorf("read the permission sets: %w", err)
	}
	go db.serve()
	return db, nil
}

// Close lets the Updates that wait finish, then closes the driver. Updates that come later get ErrClosed.
func (db *DB) Close() error {
	if !db.queue.close() {
		return nil
	}
	<-db.stopped
	return db.driver.Close()
}

// Subscribe adds a reader of the feed. It is called with the changes of a group in commit order, after the commit and
// before any Update of the group returns; it must not block, call the DB, or change its argument. Subscribe before
// the first Update.
func (db *DB) Subscribe(f func([]feed.Change)) { db.subscribers = append(db.subscribers, f) }

// OnAnotherHistory has f called before anything is written to a database that has lost this process's earlier writes.
// Call it before the first Update.
func (db *DB) OnAnotherHistory(f func()) { db.another = f }

// Secret is 32 random bytes of this installation, the same at every start.
func (db *DB) Secret() []byte { return slices.Clone(db.secret) }

// View runs fn on a snapshot. Many run at once, and none waits for a writer.
func (db *DB) View(ctx context.Context, fn func(*View) error) error {
	return db.driver.Read(ctx, func(q SQL) error {
		return fn(&View{ctx: ctx, q: q, db: db, now: db.clock.Now()})
	})
}

// Backup writes a consistent copy to path while the work goes on. It refuses a file that exists.
func (db *DB) Backup(ctx context.Context, path string) error { return db.driver.Backup(ctx, path) }

// Full tells whether the last write found no room on the disk. Each write tries anew, so it heals by itself.
func (db *DB) Full() bool { return db.full.Load() }

// ReadOnly reports that the last write found a disk or a server that takes no writes.
func (db *DB) ReadOnly() bool { return db.fixed.Load() }

// Glance is View on connections that no other reader takes: for quick reads that many callers wait for. Lists do not
// belong here.
func (db *DB) Glance(ctx context.Context, fn func(*View) error) error {
	return db.driver.Glance(ctx, func(q SQL) error {
		return fn(&View{ctx: ctx, q: q, db: db, now: db.clock.Now()})
	})
}

// readersForTheRest is how many readers are left to short Views at least.
const readersForTheRest = 2

// LongReads is how many Views that look at many rows may run at once, so that readers are left to others. Where this
// process itself reads the database, that is work for a processor: then one is left, too, where there are several.
func (db *DB) LongReads() int {
	n := db.driver.Readers() - readersForTheRest
	if db.sole != nil {
		n = min(n, db.processors-1)
	}
	return max(n, 1)
}

// Reads is how many Views of callers may run at once. Where this process itself reads the database, more than there are
// processors only take each other's time.
func (db *DB) Reads() int {
	n := db.driver.Readers()
	if db.sole != nil {
		n = min(n, db.processors)
	}
	return max(n, 1)
}

// Ping tells whether the database can be read.
func (db *DB) Ping(ctx context.Context) error {
	return db.Glance(ctx, func(v *View) error {
		_, err := v.installation()
		return err
	})
}

// Stats are counted since the start.
type Stats struct {
	Groups   int64 // commits
	Updates  int64 // transactions that were committed
	Rejected int64 // transactions that were rolled back
	Bytes    int64 // size on disk when Measure looked last, 0 where that can't be told
	LogHead  int64 // Seq of the last event
	Waiting  int64 // transactions that wait for the writer now
}

// Measure looks at the size on disk, which Stats tells from then on. PostgreSQL walks over all its files for it.
func (db *DB) Measure(ctx context.Context) {
	if size, err := db.driver.Size(ctx); err == nil {
		db.bytes.Store(size)
	}
}

// Stats sends no query.
func (db *DB) Stats() Stats {
	return Stats{
		Groups:   db.stats.groups.Load(),
		Updates:  db.stats.updates.Load(),
		Rejected: db.stats.rejected.Load(),
		Bytes:    db.bytes.Load(),
		LogHead:  db.stats.head.Load(),
		Waiting:  db.queue.waiting.Load(),
	}
}

// Peppers lists the peppers that digests in the database were made under, and secrets of webhooks sealed. Its cost does
// not grow with the number of keys.
func (db *DB) Peppers(ctx context.Context) (found []keyfmt.PepperID, err error) {
	err = db.View(ctx, func(v *View) error {
		found, err = v.Peppers()
		return err
	})
	return found, err
}

// Peppers is that of the DB, on this snapshot.
func (v *View) Peppers() ([]keyfmt.PepperID, error) { return all(v, scanPepper, selectPeppers) }

// HasDigest tells whether a key has, or had a moment ago, a value of this digest.
func (v *View) HasDigest(d keyfmt.Digest) (bool, error) {
	n, err := one(v, func(r Rows) (n int64, err error) {
		err = r.Scan(&n)
		return n, err
	}, `SELECT (SELECT count(*) FROM api_keys WHERE digest = ?) + (SELECT count(*) FROM key_values WHERE digest = ? AND until_ms > ?)`,
		d[:], d[:], millis(v.now))
	return n > 0, err
}

// selectPeppers jumps from one pepper to the next in the indices of the big tables, and scans the small ones.
const selectPeppers = `
	WITH RECURSIVE used (pepper) AS (
		SELECT min(pepper) FROM api_keys
		UNION ALL
		SELECT (SELECT min(k.pepper) FROM api_keys k WHERE k.pepper > used.pepper) FROM used WHERE used.pepper IS NOT NULL
	), sealed (pepper) AS (
		SELECT min(pepper) FROM webhooks
		UNION ALL
		SELECT (SELECT min(h.pepper) FROM webhooks h WHERE h.pepper > sealed.pepper) FROM sealed WHERE sealed.pepper IS NOT NULL
	)
	SELECT pepper FROM used WHERE pepper IS NOT NULL
	UNION SELECT pepper FROM key_values
	UNION SELECT pepper FROM service_keys
	UNION SELECT pepper FROM sealed WHERE pepper <> 'none'
	ORDER BY 1`

func scanPepper(r Rows) (p keyfmt.PepperID, err error) {
	err = r.Scan(&p)
	return p, err
}
