//go:build !amd64 && !arm64

package prefetch

// Fetch would have the processor bring the line at an address near; here it does nothing.
func Fetch(uintptr) {}
