//go:build !unix

package server

import "time"

// processorTime is 0: this system does not tell.
func processorTime() time.Duration { return 0 }
