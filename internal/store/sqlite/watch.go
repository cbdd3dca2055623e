package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/store"
)

// watch detects that the open file is no longer the one at the path, or that another program has written to it. A nil
// watch, of a file that is used beside its server, finds nothing. Its own fields belong to the holder of
// Driver.writing, except detached.
type watch struct {
	path     string
	given    string    // the path by which it was named, which may be a link
	files    [3]fileID // the database, its log and its index, as they were opened
	database extent    // it grows only, and commits of this process alone write it
	log      extent    // of changes, likewise, but a commit may cut it down to logLimit
	kept     [2]extent // both, as the lock remembers them
	version  int64     // SQLite's data_version: another one says that another connection has committed
	frozen   bool      // a move was under way at the last commit
	names    uint64    // hard links
	looks    int
	lenient  int // so many looks on, another connection may be folding the log of its own commit
	stranger func(ctx context.Context, q store.SQL, frozen bool) error
	detached atomic.Pointer[error]
}

var parts = [3]string{"", "-wal", "-shm"}

// beginWatch remembers the opened files. The log and its index are there after the first read.
func (d *Driver) beginWatch(given string) error {
	if err := d.Read(context.Background(), func(q store.SQL) error { _, err := dataVersion(q); return err }); err != nil {
		return fmt.Errorf("open the database %s: %w", d.path, err)
	}
	w := &watch{path: d.path, given: given, names: 1}
	for i, part := range parts {
		info, err := os.Stat(d.path + part)
		if err != nil {
			return fmt.Errorf("open the database: %w", err)
		}
		w.files[i], _ = identify(info)
	}
	if w.files[0] != d.hold.id {
		return fmt.Errorf("the database %s was replaced at this moment: start again", d.path)
	}
	d.watch = w
	if err := w.written(); err != nil {
		return err
	}
	d.keep()
	d.hold.refill()
	return nil
}

// keep has the lock remember how the files are now.
func (d *Driver) keep() {
	w := d.watch
	if w.kept == [2]extent{w.database, w.log} {
		return
	}
	w.kept = [2]extent{w.database, w.log}
	remember(d.hold, w.files[1], w.log.size, w.database.changed)
}

// keepFold has the lock remember at once that the log has begun, and that it was folded: a lock with the time of before
// would take the removal of the log for the work of a program that folded it.
func (d *Driver) keepFold() {
	w := d.watch
	if w == nil || w.detached.Load() != nil {
		return
	}
	begun := w.log.size >= logHead && w.kept[1].size < logHead
	if begun || w.kept[0] != w.database {
		d.keep()
	}
}

// extent is how long a file was and when it was last written, as far as this process knows.
type extent struct {
	size    int64
	changed time.Time
}

// comparable: always in local time
func extentOf(info os.FileInfo) extent { return extent{info.Size(), info.ModTime()} }

// dataVersion reads SQLite's data_version.
func dataVersion(q store.SQL) (n int64, err error) {
	rows, err := q.Query(context.Background(), "PRAGMA data_version")
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	if rows.Next() {
		err = rows.Scan(&n)
	}
	return n, errors.Join(err, rows.Err())
}

// attached is store.ErrDetached once the path does not lead to the open file any more, or the file was written over.
// That is final: a file that comes back may have been changed meanwhile.
func (w *watch) attached() error {
	if w == nil {
		return nil
	}
	if lost := w.detached.Load(); lost != nil {
		return *lost
	}
	info, err := w.compare()
	if err != nil {
		return w.detach(err)
	}
	if info.Size() < w.database.size {
		return w.detach(cutShort(w.path, info, w.database))
	}
	return nil
}

func cutShort(path string, now os.FileInfo, was extent) error {
	return fmt.Errorf("%s was cut short or written over: it has %d bytes and had %d", path, now.Size(), was.size)
}

func (w *watch) compare() (info os.FileInfo, err error) {
	for i, part := range parts {
		look, err := os.Stat(w.path + part)
		if err != nil {
			return nil, fmt.Errorf("%s was moved or removed (%w)", w.path+part, err)
		}
		id, names := identify(look)
		if id != w.files[i] {
			return nil, fmt.Errorf("%s was replaced by another file", w.path+part)
		}
		if i == 0 {
			info = look
			w.names = names
		}
	}
	if w.given == w.path {
		return info, nil
	}
	look, err := os.Stat(w.given)
	if err != nil {
		return nil, fmt.Errorf("%s was moved or removed (%w)", w.given, err)
	}
	if id, _ := identify(look); id != w.files[0] {
		return nil, fmt.Errorf("%s leads to another file", w.given)
	}
	return info, nil
}

func (w *watch) detach(err error) error {
	err = fmt.Errorf("%w: %w", store.ErrDetached, err)
	w.detached.CompareAndSwap(nil, &err)
	return *w.detached.Load()
}

// commits is asked within a transaction that writes, before anything is written: has another connection committed since
// the last one?
func (w *watch) commits(ctx context.Context, q store.SQL) error {
	if w == nil {
		return nil
	}
	at, err := dataVersion(q)
	if err != nil {
		return err
	}
	if at == w.version {
		return w.untouched()
	}
	if w.version == 0 { // the first look
		w.version = at
		return w.untouched()
	}
	if err := w.noticed(at); err != nil {
		return err
	}
	m, err := moving(ctx, q)
	if err != nil {
		return err
	}
	frozen := w.frozen || m.To != ""
	w.frozen = m.To != ""
	if w.stranger == nil {
		return nil
	}
	return w.stranger(ctx, q, frozen)
}

// foldLooks is how many looks long the connection of another process may fold the log after its commit.
const foldLooks = 10

// noticed takes in that another connection has committed.
func (w *watch) noticed(version int64) error {
	w.version = version
	w.lenient = foldLooks
	return w.written()
}

// untouched finds out that the file or its log was written to, and not by a commit: a copy over it, or a log that was
// cut, of which a later commit would leave holes behind.
func (w *watch) untouched() error {
	for _, one := range []struct {
		path string
		was  extent
	}{{w.path, w.database}, {w.path + parts[1], w.log}} {
		info, err := os.Stat(one.path)
		switch {
		case err != nil:
			return w.detach(err)
		case extentOf(info) == one.was:
		case w.lenient > 0:
			return w.written()
		case info.Size() < one.was.size:
			return w.detach(cutShort(one.path, info, one.was))
		default:
			return w.detach(fmt.Errorf("%s was written over by another program, which is no commit of SQLite", one.path))
		}
	}
	return nil
}

// committed makes sure that the commit is in the file that the path leads to. If not, it is in a file that was moved:
// the change must not be reported as done, and may be found when that file is put back.
func (w *watch) committed() error {
	if w == nil {
		return nil
	}
	if err := w.attached(); err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnknown, err)
	}
	return w.written()
}

// rolledBack notes what a transaction that changed much has left in the log, although it was not committed.
func (w *watch) rolledBack() {
	if w != nil && w.detached.Load() == nil {
		_ = w.written() // an error detaches
	}
}

// written notes the times and the sizes that a transaction of this process has left.
func (w *watch) written() error {
	for i, into := range []*extent{&w.database, &w.log} {
		info, err := os.Stat(w.path + parts[i])
		if err != nil {
			return w.detach(err)
		}
		*into = extentOf(info)
	}
	return nil
}

// strangeLog tells whether another log lies where the open one was.
func (w *watch) strangeLog() bool {
	if w == nil {
		return false
	}
	info, err := os.Stat(w.path + parts[1])
	if err != nil {
		return false
	}
	id, _ := identify(info)
	return id != w.files[1]
}

// OnStranger has f called within a transaction that writes, before anything else is done in it, where another process
// has committed since the last one. frozen says that this can have been a move (Freeze, Thaw, Leave). Call it before
// the first Write.
func (d *Driver) OnStranger(f func(ctx context.Context, q store.SQL, frozen bool) error) {
	if d.watch != nil {
		d.watch.stranger = f
	}
}

// Look is for quiet times: it does the checks of the next Write. names is the number of the file's names; more than
// one is a copy that a backup by hard links has made, or the beginning of a mistake.
func (d *Driver) Look(ctx context.Context) (names int, err error) {
	w := d.watch
	if w == nil {
		return 1, nil
	}
	if lost := w.detached.Load(); lost != nil {
		return 1, *lost
	}
	if !d.writing.TryLock() {
		return 1, nil // the one who writes looks as well
	}
	defer d.writing.Unlock()
	w.lenient = max(0, w.lenient-1)
	if w.looks++; w.looks%refillEvery == 0 {
		d.hold.refill()
	}
	if err := w.attached(); err != nil {
		return 1, err
	}
	at, err := dataVersion(d.writer)
	if err != nil {
		return 1, err
	}
	if at != w.version && w.version != 0 {
		return int(w.names), d.settleStranger(ctx)
	}
	if err := w.untouched(); err != nil {
		return 1, err
	}
	d.keep()
	return int(w.names), nil
}

// settleStranger has the stranger's commit noticed at once, in a transaction that changes nothing.
func (d *Driver) settleStranger(ctx context.Context) error {
	if _, err := d.writer.Exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		d.writer.lost = nil
		return err
	}
	defer d.writer.rollback()
	return d.watch.commits(ctx, d.writer)
}
