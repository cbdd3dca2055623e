//go:build unix

package cli

import "syscall"

// noCoreDumps keeps the keys that are in memory from a file, should the process crash. It does what it can.
func noCoreDumps() { _ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) }
