package hugepage

import "syscall"

const hugePage = 14 // MADV_HUGEPAGE

// advise asks for large pages from one address to another. A system that has none says so, and nothing is lost.
func advise(from, to uintptr) {
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, to-from, hugePage)
}
