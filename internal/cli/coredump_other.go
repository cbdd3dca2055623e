//go:build !unix

package cli

// noCoreDumps has nothing to do where there are none.
func noCoreDumps() {}
