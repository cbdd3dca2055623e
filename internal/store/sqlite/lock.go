//go:build unix

package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// fileID identifies a file itself: a path, a link and a mount can all lead to the same one.
type fileID struct{ device, inode uint64 }

// identify tells which file a look has found, and how many names it has. A file that is not there is the zero fileID.
func identify(info fs.FileInfo) (id fileID, names uint64) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}, 0
	}
	return fileID{uint64(s.Dev), uint64(s.Ino)}, uint64(s.Nlink)
}

// served are the files that this process serves. SQLite loses its locks on a file when the process closes any
// descriptor of it, so a second opening within the process is refused by this list, before it gets a descriptor.
var served = struct {
	sync.Mutex
	files map[fileID]bool
}{files: make(map[fileID]bool)}

// held is a database that this process has for itself: by the file, and by the name of its lock, which programs before
// this one take.
type held struct {
	id    fileID
	file  *os.File // nil where there is no database
	locks []*os.File
	made  []string // locks that were not there before
}

// hold takes the database that is there. The descriptor is opened before those of SQLite and closed after them.
func hold(path string) (*held, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	h := &held{}
	h.id, _ = identify(info)
	served.Lock()
	taken := served.files[h.id]
	served.files[h.id] = true
	served.Unlock()
	if taken {
		return nil, fmt.Errorf("the database %s: %w", path, ErrLocked)
	}
	f, err := os.Open(path)
	if err == nil {
		h.file = f
		err = lockFile(f, path)
	}
	if err == nil {
		err = h.same(path)
	}
	if err != nil {
		return nil, errors.Join(err, h.release())
	}
	return h, nil
}

// same refuses a file that was replaced between the look and the opening.
func (h *held) same(path string) error {
	info, err := h.file.Stat()
	if err != nil {
		return fmt.Errorf("lock the database: %w", err)
	}
	if id, _ := identify(info); id != h.id {
		return fmt.Errorf("the database %s was replaced at this moment: start again", path)
	}
	return nil
}

// usable refuses a database whose files belong to another user: sqlite3 or a command that was run as root leaves its
// log or its index behind, and SQLite would say no more than that it cannot open the database file.
func usable(path string) error {
	const (
		readAndWrite  = 6
		writeAndEnter = 3
	)
	for _, part := range append(slices.Clone(parts[:]), lockSuffix) {
		err := syscall.Access(path+part, readAndWrite)
		switch {
		case err == nil || errors.Is(err, syscall.ENOENT):
		case errors.Is(err, syscall.EROFS):
			return fmt.Errorf("the disk of the database %s is read-only: mount it for writing", path)
		default:
			return fmt.Errorf("%s cannot be read and written by this user (%w): it belongs to another one; give it to the user "+
				"that runs the server (chown), or run this as its owner", path+part, err)
		}
	}
	folder := filepath.Dir(path)
	if err := syscall.Access(folder, writeAndEnter); err != nil {
		return fmt.Errorf("files cannot be made beside the database, in %s (%w): give the folder to the user that runs the "+
			"server (chown), or run this as its owner", folder, err)
	}
	return nil
}

// take adds the lock beside a name. Nothing removes it afterwards: that would let two processes hold two files of one
// name.
func (h *held) take(path string) error {
	name := path + lockSuffix
	_, err := os.Lstat(name)
	made := errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, mode)
	if err != nil {
		return fmt.Errorf("lock the database: %w", err)
	}
	if err := lockFile(f, path); err != nil {
		return errors.Join(err, f.Close())
	}
	h.locks = append(h.locks, f)
	if made {
		h.made = append(h.made, name)
	}
	return nil
}

func lockFile(f *os.File, path string) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		return fmt.Errorf("the database %s: %w", path, ErrLocked)
	}
	return fmt.Errorf("lock the database: %w", err)
}

// release lets go of everything, also where a process that is just being started holds a copy of a descriptor for a
// moment.
func (h *held) release() error {
	var errs []error
	for _, f := range append(h.locks, h.file) {
		if f != nil {
			errs = append(errs, syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
		}
	}
	if h.id != (fileID{}) {
		served.Lock()
		delete(served.files, h.id)
		served.Unlock()
	}
	*h = held{}
	return errors.Join(errs...)
}

// unserved refuses a database that a server has open, whose files cannot be copied one after the other.
func unserved(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errors.New("a server is using it: make a copy with keyward backup")
	} else {
		err = nil // a file system without locks has no server on it
	}
	return errors.Join(err, f.Close())
}
