package store

import (
	"context"
	"time"
)

// Driver is the interface of a database. Its statements have '?' placeholders. Its errors wrap ErrDuplicate, ErrFull
// and ErrDurability as these apply; ErrDurability says that a commit did not reach the disk. A driver of a database
// elsewhere also has ErrUnavailable and ErrUnknown.
type Driver interface {
	// Migrate brings the schema to this program's version, and refuses a newer one. now is noted beside each step.
	Migrate(ctx context.Context, now time.Time) error
	// Write runs fn in a write transaction, and commits durably if fn answers nil. There is never more than one at a
	// time, on all nodes together.
	Write(ctx context.Context, fn func(SQL) error) error
	// Read runs fn on a snapshot that no write disturbs. Many run at once.
	Read(ctx context.Context, fn func(SQL) error) error
	// Glance is Read on connections that Read never takes.
	Glance(ctx context.Context, fn func(SQL) error) error
	// Readers is how many Reads run at once; more wait.
	Readers() int
	// Contains is an SQL condition with its arguments: the lower-case form of one of the columns holds the text, which
	// is in lower case already, to the letter. No character of the text is special.
	Contains(text string, columns ...string) (condition string, args []any)
	// Tells is Contains for a column with the metadata of an event: a JSON object, or "". The text is searched for in
	// its strings and numbers and in the names of the members of its objects, each as people read it and not as JSON
	// writes it. The environment of a key does not count, nor does a match within the head of a masked value
	// (kw_live_), which nearly every event has.
	Tells(text, column string) (condition string, args []any)
	// Position is an SQL expression: at which character of the column the text, an expression too, begins, from 1; 0
	// where it is not there.
	Position(text, column string) string
	// Backup writes a consistent copy to a new file that only its owner can read.
	Backup(ctx context.Context, path string) error
	// Size is the number of bytes on disk.
	Size(ctx context.Context) (int64, error)
	Close() error
}

// SQL runs statements inside a transaction. It is not safe for concurrent use.
type SQL interface {
	// Exec answers the number of rows it touched.
	Exec(ctx context.Context, query string, args ...any) (int64, error)
	Query(ctx context.Context, query string, args ...any) (Rows, error)
	// ExecDeferred is Exec of a statement without a result. It may be sent together with the next one, whose error is
	// then its own, and at the latest before the commit. After such an error every statement fails.
	ExecDeferred(ctx context.Context, query string, args ...any) error
}

// Rows is the part of *sql.Rows that is used here.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close() error
}
