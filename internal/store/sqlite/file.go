package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// mode is the mode of every new file: a database of digests is private all the same. SQLite gives the files beside
// the database the mode of the database.
const mode fs.FileMode = 0o600

// create makes an empty file, which SQLite takes for an empty database, or checks the one that is there.
func create(path string, init bool) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := vacant(path, "is not there", init); err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return fmt.Errorf("create the database: %w", err)
		}
		return f.Close()
	case err == nil && info.Mode().IsRegular() && info.Size() == 0:
		if err := vacant(path, "is empty", init); err != nil {
			return err
		}
	}
	return check(path)
}

// check refuses a path that is not a file, and a file that other users may read or write.
func check(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("open the database: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("the database %s is not a regular file", path)
	case info.Mode().Perm()&0o007 != 0:
		return fmt.Errorf("the database %s has mode %04o and is open to everybody: chmod 600 it", path, info.Mode().Perm())
	}
	return nil
}

// syncFile brings a file and its name in the directory to the disk.
func syncFile(path string) error {
	for _, name := range []string{path, filepath.Dir(path)} {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		err = errors.Join(f.Sync(), f.Close())
		if err != nil {
			return err
		}
	}
	return nil
}
