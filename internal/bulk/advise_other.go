//go:build !linux

package bulk

func advise(uintptr, uintptr) {}
