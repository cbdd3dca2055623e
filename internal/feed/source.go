package feed

import (
	"context"
	"errors"
	"time"
)

// ErrHistory says that the source is not the one that the cursor comes from, or no longer holds the changes after it: a
// restored backup, a failover that lost commits, or a reader that was away for too long. Everything has to be loaded
// anew.
var ErrHistory = errors.New("the database has another history than what was read before")

// ErrLoading says that the source knows nothing for now: it loads everything itself.
var ErrLoading = errors.New("the source loads everything itself")

// Cursor is how far a reader of the change log has come. The hash of the event there says in which history: a database
// that has another event at this place has lost something, and its later revisions mean other changes.
type Cursor struct {
	Epoch    string
	Revision int64
	Hash     [32]byte
}

// Presence is a reader's question, with the state of the reader.
type Presence struct {
	At     Cursor        // it has applied everything up to here
	Wait   time.Duration // how long the source may hold the question while there is nothing new
	Age    time.Duration // of the reader's copy
	Fenced bool          // the reader answers nothing now
}

// Page holds the changes after a cursor.
type Page struct {
	Changes []Change // the touched objects in their present state; all of the one revision Cursor.Revision
	Cursor  Cursor
	More    bool      // there is more after Cursor
	Now     time.Time // the source's clock
	// Held is the time from the question to the moment when Cursor was taken, by one monotonic clock, and Age is how
	// old the source's own knowledge was at that moment. A reader that has applied the page knows everything that was
	// committed before the start of its question, plus Held, minus Age.
	Held, Age time.Duration
}

// Source is a change log that can be followed. It is safe for concurrent use.
type Source interface {
	// Load tells f everything that a verification needs, on one snapshot, and answers the cursor at which that stands.
	// ok is false where too many readers load already. The first error of f ends it. The key that a change points to is
	// f's until f returns: the source may use it again for the next one.
	Load(ctx context.Context, f func(Change) error) (at Cursor, ok bool, err error)
	// Next answers the changes after a cursor, or that there are none. Everything that was committed before the
	// question is in the answer or after it, where there is More. ErrHistory says to Load.
	Next(ctx context.Context, p Presence) (Page, error)
}
