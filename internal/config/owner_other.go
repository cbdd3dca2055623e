//go:build !unix

package config

import "os"

// owner names the user to whom a file belongs, as far as it is known.
func owner(os.FileInfo) string { return "?" }
