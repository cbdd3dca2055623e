package sqlite

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/keyward/keyward/internal/store"
)

// code is SQLite's extended result code inside err, or SQLITE_OK where there is none.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return codes.SQLITE_OK
}

// translate wraps the errors that the store tells apart.
func translate(err error) error {
	if kind := kindOf(code(err)); kind != nil {
		return fmt.Errorf("%w: %w", kind, err)
	}
	return err
}

func kindOf(code int) error {
	switch code {
	case codes.SQLITE_CONSTRAINT_UNIQUE, codes.SQLITE_CONSTRAINT_PRIMARYKEY:
		return store.ErrDuplicate
	case codes.SQLITE_FULL, codes.SQLITE_IOERR_SHMSIZE: // the second: no room for the index of the write-ahead log
		return store.ErrFull
	case codes.SQLITE_CONSTRAINT_TRIGGER: // the only triggers are those of Freeze
		return store.ErrMoving
	}
	switch code & 0xff {
	case codes.SQLITE_BUSY,
		codes.SQLITE_LOCKED,
		codes.SQLITE_PROTOCOL,
		codes.SQLITE_READONLY,
		codes.SQLITE_CANTOPEN,
		codes.SQLITE_IOERR,
		codes.SQLITE_CORRUPT,
		codes.SQLITE_NOTADB,
		codes.SQLITE_PERM:
		return store.ErrUnavailable
	}
	return nil
}

// translateCommit also recognises the errors after which the state of the disk is unknown. A write that the system
// refuses for a reason that lasts (refusedWrite) is none of these: it reached no disk, as where there is no room.
func (d *Driver) translateCommit(err error) error {
	c := code(err)
	if c&0xff != codes.SQLITE_IOERR || c == codes.SQLITE_IOERR_SHMSIZE {
		return translate(err)
	}
	if c == codes.SQLITE_IOERR_WRITE {
		if kind := d.hold.refusedWrite(); kind != nil {
			return fmt.Errorf("%w: %w", kind, err)
		}
	}
	return fmt.Errorf("%w: %w", store.ErrDurability, err)
}

// endsTransaction names the errors at which SQLite may roll back by itself
// (https://www.sqlite.org/lang_transaction.html, "Response To Errors Within A Transaction"), and those after which
// nothing is certain.
func endsTransaction(err error) bool {
	switch code(err) & 0xff {
	case codes.SQLITE_FULL, codes.SQLITE_IOERR, codes.SQLITE_NOMEM, codes.SQLITE_BUSY, codes.SQLITE_INTERRUPT,
		codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB, codes.SQLITE_ABORT, codes.SQLITE_CANTOPEN, codes.SQLITE_READONLY:
		return true
	}
	return false
}
