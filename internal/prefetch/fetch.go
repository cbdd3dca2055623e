//go:build amd64 || arm64

package prefetch

// Fetch has the processor bring the line at an address near, and waits for nothing. It is a hint, no access: the
// address may be anything, also one where nothing lies or somebody writes. It costs a nanosecond or two.
//
//go:noescape
func Fetch(address uintptr)
