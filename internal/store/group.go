package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/keyward/keyward/internal/clock"
	"github.com/keyward/keyward/internal/feed"
)

// maxGroup is how many transactions share a commit at most: enough to hide the disk, few enough that none waits for
// long.
const maxGroup = 128

// job is a transaction that waits for its turn. Its function runs in the goroutine of its caller, while the writer
// waits.
type job struct {
	ctx   context.Context
	apart bool // no other transaction shares its commit
	turn  chan *Tx
	ran   chan error
	done  chan error
	err   error // its own, before the commit

	revision int64 // where the log ended when fn had returned
}

// Update runs fn in a write transaction of its own and returns once that is on the disk and the subscribers have seen
// it. The revision is the end of the log for the transaction: all that it wrote and all that it read lies at or before
// it, also if it changed nothing. An error of fn is returned, and rolls everything back. fn must have no effect but on
// tx, must not call the DB, and must return the error of a failed mutation unless that was made within a Savepoint. If
// ctx is done before its turn, Update returns its error; later ctx changes nothing.
//
// Transactions that arrive while another is being committed share the next commit; each stands alone all the same.
// Tenants (InTurnOf) take turns.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) (revision int64, err error) {
	return db.run(&job{ctx: ctx}, fn)
}

// UpdateApart is Update with a commit of its own: for a transaction that lasts long, so that the commits of others do
// not wait for it as well.
func (db *DB) UpdateApart(ctx context.Context, fn func(*Tx) error) (revision int64, err error) {
	return db.run(&job{ctx: ctx, apart: true}, fn)
}

func (db *DB) run(j *job, fn func(*Tx) error) (revision int64, err error) {
	j.turn = make(chan *Tx)
	j.ran = make(chan error)
	j.done = make(chan error, 1)
	if err := db.queue.put(j); err != nil {
		return 0, err
	}
	select {
	case tx := <-j.turn:
		j.play(tx, fn)
		err = <-j.done
	case err = <-j.done:
	}
	if err != nil {
		return 0, err
	}
	return j.revision, nil
}

// play runs fn and tells the writer how it ended, by a panic or the end of its goroutine too: then the writer goes on
// all the same.
func (j *job) play(tx *Tx, fn func(*Tx) error) {
	err := errors.New("the transaction's function did not return")
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a transaction: %v\n%s", p, debug.Stack())
		}
		j.ran <- err
	}()
	err = fn(tx)
}

// serve is the writer: the only goroutine that commits Updates.
func (db *DB) serve() {
	defer close(db.stopped)
	for j := db.queue.take(); j != nil; j = db.queue.take() {
		db.commit(j)
	}
}

// errNothing rolls back a group that changed nothing, which saves the commit.
var errNothing = errors.New("nothing to commit")

// commit runs a group: the job, and short ones that wait, unless the job has a commit of its own.
func (db *DB) commit(first *job) {
	g := &group{db: db, start: db.clock.Elapsed()}
	var ran time.Duration
	err := db.write(func(q SQL) error {
		g.q = q
		if err := g.begin(); err != nil {
			return err
		}
		begun := db.clock.Elapsed()
		for j := first; j != nil; {
			g.add(j)
			if err := g.run(j); err != nil {
				return err
			}
			if j = nil; !first.apart && !g.full() {
				j = db.queue.join()
			}
		}
		ran = db.clock.Elapsed() - begun
		return g.end()
	})
	if err == nil {
		db.overhead = db.clock.Elapsed() - g.start - ran
	}
	if len(g.jobs) == 0 {
		g.add(first)
		if db.sole != nil && errors.Is(err, ErrUnavailable) {
			g.refuseQueue()
		}
	}
	if errors.Is(err, ErrUnknown) && !errors.Is(err, ErrDetached) {
		err = g.settle(err)
	}
	if errors.Is(err, errNothing) {
		err = nil
	} else if err == nil {
		g.publish()
	}
	g.answer(err)
}

// write is Driver.Write, except for a lost write of the disk: that is fatal, and nothing is written after it.
func (db *DB) write(fn func(SQL) error) error {
	if lost := db.lost.Load(); lost != nil {
		return *lost
	}
	err := db.driver.Write(context.Background(), fn) // a statement that is interrupted would end the whole group
	if full, fixed := errors.Is(err, ErrFull), errors.Is(err, ErrReadOnly); err == nil || full || fixed {
		db.full.Store(full)
		db.fixed.Store(fixed)
	}
	db.detached(err)
	if errors.Is(err, ErrDurability) {
		db.lost.CompareAndSwap(nil, &err)
		db.fatal(err)
	}
	return err
}

// group is the state of one commit, and its cache in memory: all of that is dropped if the commit fails.
type group struct {
	db    *DB
	q     SQL
	jobs  []*job
	mixed bool          // the jobs are of several tenants
	start time.Duration // when it began, by the monotonic clock
	done  bool          // something is to be committed
	now   time.Time
	began head // where the log ended before
	time  clock.State
	cache txCache
	progress
}

// progress is the part of the group's state that a savepoint takes back.
type progress struct {
	head    head
	ended   int64 // when the log's last event was written, in Unix milliseconds
	reset   bool  // time goes by the clock again
	changes []feed.Change
	sets    []internedSet
	types   []eventType // of the events
}

// add takes in a job.
func (g *group) add(j *job) {
	g.mixed = g.mixed || len(g.jobs) > 0 && tenantOf(j.ctx) != tenantOf(g.jobs[0].ctx)
	g.jobs = append(g.jobs, j)
}

// begin reads the end of the log: the state in memory could be older than the file.
func (g *group) begin() error {
	v := &View{ctx: context.Background(), q: g.q, db: g.db}
	i, err := v.installation()
	if err != nil {
		return fmt.Errorf("read where the log ends: %w", err)
	}
	g.head, g.began, g.ended, g.time = i.head, i.head, i.ended, i.time
	if err := g.sameHistory(v); err != nil {
		return err
	}
	g.db.adopt(&i)
	if i.sets != g.db.sets.changes {
		if err := g.db.sets.read(v, g.db.catalogue, i.sets); err != nil {
			return fmt.Errorf("read the permission sets: %w", err)
		}
	}
	return nil
}

// run gives the job its turn. The error is the group's; the job's own is kept in it.
func (g *group) run(j *job) error {
	if j.err = j.ctx.Err(); j.err != nil {
		return nil
	}
	g.now = g.db.clock.Now()
	tx := &Tx{View: &View{ctx: context.Background(), q: g.q, db: g.db, now: g.now, group: g}}
	first := len(g.changes)
	var broken error
	broken, j.err = tx.savepoint(func() error {
		j.turn <- tx
		if err := <-j.ran; err != nil {
			return err
		}
		if tx.touched && tx.events == 0 {
			return ErrNoEvent
		}
		return nil
	})
	tx.q = over{}
	if broken != nil || j.err != nil {
		return broken
	}
	g.done = g.done || tx.touched || tx.counted || tx.events > 0
	j.revision = g.head.seq
	for i := first; i < len(g.changes); i++ {
		g.changes[i].Revision = g.head.seq
	}
	return nil
}

// end writes down where the log ends now, once for the group.
func (g *group) end() error {
	if !g.done {
		return errNothing
	}
	if err := g.appendChanges(context.Background()); err != nil {
		return err
	}
	if err := g.countTypes(context.Background()); err != nil {
		return err
	}
	if g.reset {
		g.time = g.db.clock.Reset(g.time)
	} else {
		g.time = g.db.clock.Step(g.time, g.now)
	}
	return g.q.ExecDeferred(context.Background(), `UPDATE installation SET head_seq = ?, head_hash = ?, head_ms = ?,
		time_mark_ms = ?, time_ahead_ms = ?, time_ran_ms = ?, time_resets = ? WHERE one = 1`,
		g.head.seq, g.head.hash[:], g.ended, g.time.Mark, g.time.Ahead, g.time.Ran, g.time.Resets)
}

// publish makes the committed changes known, before any caller is told of the commit.
func (g *group) publish() {
	g.db.sets.add(g.sets)
	g.db.took(g.time)
	g.db.stats.head.Store(g.head.seq)
	g.db.stats.groups.Add(1)
	written := g.head
	g.db.written.Store(&written)
	defer g.db.published.Store(&written)
	if len(g.changes) == 0 {
		return
	}
	for _, f := range g.db.subscribers {
		f(g.changes)
	}
}

// answer tells every job how it ended: its own error comes before the group's.
func (g *group) answer(err error) {
	for _, j := range g.jobs {
		if j.err == nil {
			j.err = err
		}
		if j.err == nil {
			g.db.stats.updates.Add(1)
		} else {
			g.db.stats.rejected.Add(1)
		}
		j.done <- j.err
	}
}

// over stands in for the database once a transaction has ended.
type over struct{}

var errOver = errors.New("the transaction has ended")

func (over) Exec(context.Context, string, ...any) (int64, error) { return 0, errOver }
func (over) Query(context.Context, string, ...any) (Rows, error) { return nil, errOver }
func (over) ExecDeferred(context.Context, string, ...any) error  { return errOver }
