//go:build !unix

package cli

import (
	"errors"
	"io/fs"
)

// private refuses what is no ordinary file. The rights of a file say nothing here: the user's own directory has them.
func private(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return errors.New("it is no ordinary file")
	}
	return nil
}
