package store

import (
	"context"
	"errors"
)

// Sole is a Driver of a file that one process alone changes. Its Write finds out that the file is not the one at its
// path any more (ErrDetached), and that another process has changed it all the same.
type Sole interface {
	Driver
	// OnStranger has f called within a Write, before its function, where another process has committed since the last
	// one. frozen says that this can have been a move of the database, which changes none of the rows.
	OnStranger(f func(ctx context.Context, q SQL, frozen bool) error)
	// Look does the checks of the next Write, and returns the number of the file's names.
	Look(ctx context.Context) (names int, err error)
}

// attend subscribes the DB to the findings of a Sole.
func (db *DB) attend() {
	if db.sole, _ = db.driver.(Sole); db.sole != nil {
		db.sole.OnStranger(db.stranger)
	}
}

// stranger answers to a commit of another process: everything is read anew. A move that froze or thawed the file is
// none, where the log ends as before.
func (db *DB) stranger(ctx context.Context, q SQL, frozen bool) error {
	if frozen {
		i, err := (&View{ctx: ctx, q: q, db: db}).installation()
		if err != nil || i.head.seq == db.stats.head.Load() {
			return err
		}
	}
	db.written.Store(nil)
	if db.another != nil {
		db.another()
	}
	return nil
}

// OnDetached has f called, once, when the database's file is found to be another than the open one: nothing that is in
// memory may be answered from then on. Call it before the first Update.
func (db *DB) OnDetached(f func(error)) { db.whenDetached = f }

// detached tells of ErrDetached, the first time.
func (db *DB) detached(err error) {
	if errors.Is(err, ErrDetached) && db.gone.CompareAndSwap(false, true) && db.whenDetached != nil {
		db.whenDetached(err)
	}
}

// Look finds out, without a change, whether the database is still the one that was opened and this process the only one
// that changes it; names is how many names its file has, 1 for a database that is no file.
func (db *DB) Look(ctx context.Context) (names int, err error) {
	if db.sole == nil {
		return 1, nil
	}
	names, err = db.sole.Look(ctx)
	db.detached(err)
	return names, err
}

// refuseQueue answers waiting callers with the error of one that waited before them and got no transaction: each
// would wait as long again.
func (g *group) refuseQueue() {
	for j := g.db.queue.next(); j != nil; j = g.db.queue.next() {
		g.add(j)
	}
}
