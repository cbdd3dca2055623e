//go:build unix

package cli

import "syscall"

// noCoreDumps keeps keys in memory from being written to a file if the process crashes. It does its best.
func noCoreDumps() { _ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) }
