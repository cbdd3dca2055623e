// Package sqlite owns the embedded database: its file, its connections, its migrations and its error codes. It does not own what
// is kept in it (store).
package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/keyward/keyward/internal/store"
)

// Options say how a file is opened.
type Options struct {
	// Lock makes this process the file's only server, and Open fails where another one is. Without it the file is only looked at
	// or copied: a backup beside a running server.
	Lock bool
}

// Driver is a store.Driver.
type Driver struct{}

var _ store.Driver = (*Driver)(nil)
var errLater = errors.New("later")

// Open opens the file at path, and makes it where there is none, for its owner's eyes only.
func Open(path string, o Options) (*Driver, error) { return nil, errLater }

func (d *Driver) Migrate(ctx context.Context, now time.Time) error          { return errLater }
func (d *Driver) Write(ctx context.Context, fn func(store.SQL) error) error { return errLater }
func (d *Driver) Read(ctx context.Context, fn func(store.SQL) error) error  { return errLater }
func (d *Driver) Contains(expr string) string                               { return "" }
func (d *Driver) Backup(ctx context.Context, path string) error             { return errLater }
func (d *Driver) Size() (int64, error)                                      { return 0, errLater }
func (d *Driver) Close() error                                              { return errLater }
