//go:build !unix

package sqlite

import (
	"errors"
	"io/fs"
	"os"
)

// errPlatform refuses a file where it is not known how to keep a second server away from it.
var errPlatform = errors.New("a database in a file works on Linux, macOS and BSD alone: use PostgreSQL here")

// fileID names a file by what it is. Here there is none.
type fileID struct{ device, inode uint64 }

func identify(fs.FileInfo) (id fileID, names uint64) { return fileID{}, 1 }

// held is a database that this process has for itself: none is given here.
type held struct {
	id    fileID
	file  *os.File
	locks []*os.File
	made  []string
}

func usable(string) error { return errPlatform }

func hold(string) (*held, error) { return nil, errPlatform }

func (h *held) take(string) error { return errPlatform }

func (h *held) release() error { return nil }

func unserved(string) error { return errPlatform }
