//go:build linux || darwin

package sqlite

import (
	"path/filepath"
	"syscall"
)

// Free is how many bytes an ordinary user can still write beside the database.
func (d *Driver) Free() (bytes int64, ok bool) {
	var s syscall.Statfs_t
	if syscall.Statfs(filepath.Dir(d.path), &s) != nil {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true
}
