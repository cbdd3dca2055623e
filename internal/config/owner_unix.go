//go:build unix

package config

import (
	"os"
	"strconv"
	"syscall"
)

// owner names the user who owns a file.
func owner(info os.FileInfo) string {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return strconv.FormatUint(uint64(s.Uid), 10)
	}
	return "?"
}
