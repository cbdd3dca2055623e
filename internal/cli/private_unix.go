//go:build unix

package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// private refuses a file that others may read or write, and one that belongs to somebody else.
func private(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return errors.New("it is no ordinary file")
	}
	if wide := info.Mode().Perm() & 0o077; wide != 0 {
		return fmt.Errorf("others may read or write its file, whose mode is %#o", info.Mode().Perm())
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() && os.Geteuid() != 0 {
		return errors.New("its file belongs to another user")
	}
	return nil
}
