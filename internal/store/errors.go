package store

import (
	"errors"
	"fmt"
)

// The errors that callers can tell apart. All are wrapped: use errors.Is.
var (
	// ErrNotFound: there is no such row, or it lies in a deleted workspace.
	ErrNotFound = errors.New("not found")
	// ErrDuplicate: a row with this digest, folded name or idempotency key is there already.
	ErrDuplicate = errors.New("duplicate")
	// ErrFull: the disk is full. Nothing was changed; reading goes on, and writing does once there is room.
	ErrFull = errors.New("disk full")
	// ErrNoEvent: a transaction changed something and recorded no event. It was rolled back.
	ErrNoEvent = errors.New("a change without an event")
	// ErrClosed: the database was closed.
	ErrClosed = errors.New("database closed")
	// ErrDurability: the disk lost a write. Options.Fatal is called, and nothing is written any more: after a failed
	// fsync the state of the disk is unknown, and trying again would report a false success.
	ErrDurability = errors.New("the disk lost a write")
	// ErrUnavailable: the database cannot be reached, or is not the one that takes writes. Nothing was changed.
	ErrUnavailable = errors.New("the database is not available")
	// ErrReadOnly is an ErrUnavailable: the disk, or the server, of the database takes no writes. Nothing was changed;
	// reading goes on.
	ErrReadOnly = fmt.Errorf("%w: its storage is read-only", ErrUnavailable)
	// ErrMoving is an ErrUnavailable: the database is being moved to another server, or was. Nothing was changed;
	// reading goes on.
	ErrMoving = fmt.Errorf("%w: it is being moved to another server", ErrUnavailable)
	// ErrDetached is an ErrUnavailable: the path of the database does not lead to the open file any more, or that was
	// written over. It is final. Nothing was changed, unless it comes with ErrUnknown.
	ErrDetached = fmt.Errorf("%w: its file was moved, removed, replaced or written over", ErrUnavailable)
	// ErrUnknown: the connection was lost at the commit, and the outcome could not be read since. The change may be
	// there or not: it must be reported neither as done nor as refused, nor be made again without a look.
	ErrUnknown = errors.New("it is not known whether the change was committed")
	// ErrChain: the log was changed from outside.
	ErrChain = errors.New("the log is not what was written")
)
