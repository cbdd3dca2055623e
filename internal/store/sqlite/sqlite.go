// Package sqlite owns the embedded database: its file, its connections, its migrations and its error codes. It does
// not own the stored objects (store).
package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"modernc.org/sqlite"

	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/text"
)

// Options say how a file is opened.
type Options struct {
	// Lock makes this process the file's only server: the file is created if it is missing, and ErrLocked says that
	// another process is there already. Without it an existing file is opened beside its user: to copy it, for
	// instance.
	Lock bool
	// Init lets a new file be made where something says that there was one before.
	Init bool
	// Existing refuses a file that is not there, for work that makes no sense on a new one.
	Existing bool
}

// ErrLocked says that another process serves the file.
var ErrLocked = errors.New("another process is using it: stop the server first")

// Driver is a store.Driver over one file. It has one connection that writes, and several that read and cannot write.
type Driver struct {
	path    string
	hold    *held // nil where it is used beside the process that serves it
	db      *sql.DB
	writing sync.Mutex
	writer  *conn
	readers *readers
	watch   *watch   // nil where hold is
	glances *readers // for what everybody waits for; lent to no other reader
}

var _ store.Driver = (*Driver)(nil)

// fold is lower() for more than ASCII, in normal form C.
const fold = "keyward_lower"

// registerFunctions adds the functions of our own to SQLite's.
var registerFunctions = sync.OnceValue(func() error {
	folds := sqlite.RegisterDeterministicScalarFunction(
		fold,
		1,
		func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			s, _ := args[0].(string)
			return text.Search(s), nil
		},
	)
	looks := sqlite.RegisterDeterministicScalarFunction(
		tells,
		2,
		func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			event, _ := args[0].(string)
			wanted, _ := args[1].(string)
			return tellsText(event, wanted), nil
		},
	)
	return errors.Join(folds, looks)
})

// Open opens the file at path. A new one can be read by its owner only; a file that other users can read is refused,
// and so is the database of another program, to which nothing was written then.
func Open(path string, o Options) (*Driver, error) {
	if err := registerFunctions(); err != nil {
		return nil, err
	}
	given, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if path, err = resolve(path); err != nil {
		return nil, err
	}
	d := &Driver{path: path}
	if o.Existing || !o.Lock {
		if err := there(path); err != nil {
			return nil, err
		}
	}
	if o.Lock {
		err = d.own(given, o.Init)
	} else if err = check(path); err == nil {
		err = known(path)
	}
	if err == nil {
		err = d.withReserve(d.connect)
	}
	if err == nil && d.hold != nil {
		err = d.beginWatch(given)
	}
	if errors.Is(err, store.ErrFull) {
		err = fmt.Errorf("%w. SQLite needs room beside the database to read it: free %d KiB at least on the disk of %s, and start again",
			err, reserved>>10, d.path)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// own makes this process the one that serves the file: it finds out that the file is one that can be served, and locks
// it.
func (d *Driver) own(given string, init bool) (err error) {
	if err := place(d.path); err != nil {
		return err
	}
	if err := create(d.path, init); err != nil {
		return err
	}
	if err := usable(d.path); err != nil {
		return err
	}
	if d.hold, err = hold(d.path); err != nil {
		return err
	}
	info, err := d.hold.file.Stat()
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	if _, names := identify(info); names > 1 {
		return manyNames(d.path, names)
	}
	if err := sound(d.hold.file, info.Size(), d.path); err != nil {
		return err
	}
	if err := d.withReserve(func() error { return known(d.path) }); err != nil {
		return err
	}
	if err := d.hold.take(d.path); err != nil {
		return err
	}
	if given != d.path { // a program before this one, started by that name, takes the lock beside it
		if err := d.hold.take(given); err != nil && errors.Is(err, ErrLocked) {
			return err
		}
	}
	return belongs(d.hold, d.path)
}

func manyNames(path string, names uint64) error {
	return fmt.Errorf("the database %s has %d names (hard links), and its log of changes lies beside one of them only: "+
		"remove the other names, or make them copies", path, names)
}

func (d *Driver) connect() (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, errors.Join(d.disconnect()...))
		}
	}()
	name := url.URL{Scheme: "file", Path: d.path, RawQuery: "mode=rw"}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return err
	}
	db.SetMaxIdleConns(0) // what is closed is closed: the connections are kept here
	d.db = db
	ctx := context.Background()
	wait := "busy_timeout = 10000"
	if d.hold != nil { // nothing else should write: a lock of another program is an answer, not a queue
		wait = "busy_timeout = 1500"
	}
	if d.writer, err = connect(ctx, db, wait, "cache_size = -65536"); err != nil {
		return fmt.Errorf("open the database %s: %w", d.path, err)
	}
	want := min(max(2*runtime.GOMAXPROCS(0), 4), 16)
	d.readers = newReaders(want)
	d.glances = newReaders(glances)
	for i := range want + glances {
		pool, cache := d.readers, "cache_size = -16384"
		if i >= want {
			pool, cache = d.glances, "cache_size = -4096"
		}
		c, err := connect(ctx, db, wait, cache, "query_only = ON")
		if err != nil {
			return fmt.Errorf("open the database %s: %w", d.path, err)
		}
		pool.add(c)
	}
	return nil
}

// glances is how many connections are kept for Glance: two, so that one which the disk holds up does not hold up the
// other.
const glances = 2

// Write runs fn within BEGIN IMMEDIATE and COMMIT. An error of the commit that leaves the state of the disk in doubt
// wraps store.ErrDurability.
func (d *Driver) Write(ctx context.Context, fn func(store.SQL) error) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	if err := d.watch.attached(); err != nil {
		return err
	}
	w := d.writer
	if _, err := w.Exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		w.lost = nil
		return fmt.Errorf("begin: %w", err)
	}
	committed := false
	defer func() {
		if !committed {
			w.rollback()
			d.watch.rolledBack()
			d.keepFold()
		}
	}()
	if err := d.watch.commits(ctx, w); err != nil {
		return err
	}
	if err := fn(w); err != nil {
		return err
	}
	if w.lost != nil {
		return w.lost
	}
	commit, err := w.prepare(ctx, "COMMIT") //nolint:sqlclosecheck // kept for the connection, and closed with it
	if err != nil {
		return err
	}
	if err := d.watch.attached(); err != nil {
		return err
	}
	if _, err := commit.ExecContext(ctx); err != nil {
		return fmt.Errorf("commit: %w", d.translateCommit(err))
	}
	committed = true
	if err := d.watch.committed(); err != nil {
		return err
	}
	d.keepFold()
	return nil
}

// Read runs fn on a snapshot. It waits for a free connection, no longer than ctx lasts.
func (d *Driver) Read(ctx context.Context, fn func(store.SQL) error) error {
	return d.readers.read(ctx, fn)
}

// Glance is Read on connections of its own.
func (d *Driver) Glance(ctx context.Context, fn func(store.SQL) error) error {
	return d.glances.read(ctx, fn)
}

// Readers is how many Reads run at once.
func (d *Driver) Readers() int { return d.readers.all }

// Backup copies the database with VACUUM INTO, on a snapshot, while others read and write.
func (d *Driver) Backup(ctx context.Context, path string) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("backup: %w", unwritable(path, err))
	}
	_ = f.Close()
	defer func() {
		if err != nil {
			_ = os.Remove(path)
		}
	}()
	c, err := connect(ctx, d.db, "busy_timeout = 10000")
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer c.close()
	if _, err := c.Exec(ctx, "VACUUM INTO ?", path); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := syncFile(path); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// unwritable says what to do where a new file cannot be made.
func unwritable(path string, err error) error {
	info, _ := os.Stat(path)
	switch {
	case info != nil && info.IsDir():
		return fmt.Errorf("%s is a folder: name a file in it", path)
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s exists already, and is not written over: name another file", path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the folder %s is not there: make it, or mount its volume", filepath.Dir(path))
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("this user cannot make files in %s: give it the folder (chown), or name another one",
			filepath.Dir(path))
	}
	return err
}

// Size is the size of the file and of the write-ahead log beside it.
func (d *Driver) Size(context.Context) (int64, error) {
	info, err := os.Stat(d.path)
	if err != nil {
		return 0, err
	}
	size := info.Size()
	if wal, err := os.Stat(d.path + "-wal"); err == nil {
		size += wal.Size()
	}
	return size, nil
}

// Close waits for readers, folds the write-ahead log into the file and lets go of the lock. Where another log lies in
// the place of the one that is open, the connections stay open until the process ends: SQLite would remove the other
// one.
func (d *Driver) Close() error {
	if d.watch.strangeLog() {
		return nil
	}
	errs := d.disconnect()
	if d.hold != nil {
		d.hold.refill()
		errs = append(errs, d.hold.release())
		d.hold = nil
	}
	return errors.Join(errs...)
}

// disconnect closes the connections. The last one folds the log of changes and removes it, and a kill may come right
// behind that: so the lock says that the log may be missing before it is.
func (d *Driver) disconnect() (errs []error) {
	if d.readers != nil {
		errs = d.readers.close()
	}
	if d.glances != nil {
		errs = append(errs, d.glances.close()...)
	}
	there := d.logThere()
	if d.writer != nil {
		d.noteFolded()
		errs = append(errs, d.writer.close())
		d.writer = nil
	}
	if d.db != nil {
		errs = append(errs, d.db.Close())
		d.db = nil
		d.noteLeft(there)
	}
	return errs
}
