package sqlite

import (
	"context"
	"os"
	"time"
)

// noteFolded folds the log of changes into the database and has the lock say that no change is lost with the log from
// then on. It says nothing where a part of the log is left: a reader of another program holds it up, or the disk is
// full.
func (d *Driver) noteFolded() {
	if d.hold == nil {
		return
	}
	var busy, logged, folded int64
	row := d.writer.c.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)")
	if err := row.Scan(&busy, &logged, &folded); err != nil || busy != 0 || logged < 0 || logged != folded {
		return
	}
	d.noteLog(0, time.Time{})
}

// logThere tells whether the log has a name beside the database.
func (d *Driver) logThere() bool {
	_, err := os.Stat(d.path + parts[1])
	return err == nil
}

// noteLeft has the lock say how the log is after the last connection of this process was closed: it stays where another
// program has the database open, or where it could not be folded. A log that was missing before was removed by another
// program, and the lock goes on saying how long it was, unless noteFolded knows better.
func (d *Driver) noteLeft(before bool) {
	if d.hold == nil || !before {
		return
	}
	info, err := os.Stat(d.path + parts[1])
	if err != nil {
		if os.IsNotExist(err) {
			d.noteLog(0, time.Time{})
		}
		return
	}
	if database, err := d.hold.file.Stat(); err == nil {
		d.noteLog(info.Size(), database.ModTime())
	}
}

// noteLog brings a note about the log down to the disk, because the removal of the log may get there first.
func (d *Driver) noteLog(size int64, changed time.Time) {
	var log fileID
	if info, err := os.Stat(d.path + parts[1]); err == nil {
		log, _ = identify(info)
	}
	remember(d.hold, log, size, changed)
	for _, f := range d.hold.locks {
		_ = f.Sync()
	}
}
