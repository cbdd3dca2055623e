//go:build !unix

package config

import "os"

// owner names the user who owns a file, as far as it is known.
func owner(os.FileInfo) string { return "?" }
