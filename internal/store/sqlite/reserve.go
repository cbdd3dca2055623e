package sqlite

import (
	"crypto/rand"
	"errors"
	"os"
	"syscall"

	"github.com/keyward/keyward/internal/store"
)

// SQLite reads a database with a log of changes by an index, `-shm`, which takes 32 KiB at the start and is gone after
// a stop: on a disk without these a start could not even read. So the lock file keeps room for it, which is let go of
// where a start finds none.
const (
	reserved    = 64 << 10
	refillEvery = 60 // looks
)

// reserve fills the lock up, behind its line, to the size of the reserve. Without room for all of it nothing is kept:
// the last bytes of the disk are of more use elsewhere.
func reserve(f *os.File) {
	info, err := f.Stat()
	if err != nil || info.Size() >= reserved {
		return
	}
	fill := make([]byte, reserved-info.Size())
	_, _ = rand.Read(fill) // never fails; a file system that compresses keeps no room for zeros
	if _, err := f.WriteAt(fill, info.Size()); err != nil {
		_ = f.Truncate(info.Size())
	}
}

// spend lets go of the reserve, and tells whether there was one. The caller holds the database.
func spend(path string) bool {
	name := path + lockSuffix
	info, err := os.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() < reserved {
		return false
	}
	return os.Truncate(name, lineMost) == nil
}

// withReserve runs a part of the opening, and once more with the room of the reserve if there is no other.
func (d *Driver) withReserve(part func() error) error {
	err := part()
	if d.hold == nil || !errors.Is(err, store.ErrFull) || !spend(d.path) {
		return err
	}
	return part()
}

// refill restores the reserve if a start has spent it.
func (h *held) refill() {
	if h != nil && len(h.locks) > 0 {
		reserve(h.locks[0])
	}
}

// refusedWrite tries a write to the lock's file after one to the log has failed, and tells why the system takes none:
// the file system became read-only, or a quota is used up. SQLite has one code for these and for a disk that fails.
// nil says that the reason is another one, or over.
func (h *held) refusedWrite() error {
	if h == nil || len(h.locks) == 0 {
		return nil
	}
	f := h.locks[0]
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	const block = 4096
	_, err = f.WriteAt(make([]byte, block), info.Size())
	switch {
	case errors.Is(err, syscall.EROFS):
		return store.ErrReadOnly
	case errors.Is(err, syscall.EDQUOT):
		err = store.ErrFull
	default:
		err = nil
	}
	_ = f.Truncate(info.Size())
	return err
}
