// Package ratelimit owns limits, and the status of a limit after a question.
package ratelimit

import "fmt"

// Max is the highest limit that can be set.
const Max = 1_000_000_000

// Limits bound the admitted requests of a key, or of all keys of a workspace together; 0 means that there is no limit.
type Limits struct {
	PerMinute int64 // in any interval of 60 seconds
	PerDay    int64 // in a calendar day, UTC
}

// Plan holds the limits that all keys of a workspace share. It is counted under the workspace's UUID, which is that of
// no key.
type Plan struct {
	ID     [16]byte
	Limits Limits
}

// Check says whether one given limit lies in 1 … Max.
func Check(n int64) error {
	if n < 1 || n > Max {
		return fmt.Errorf("must be between 1 and %d", int64(Max))
	}
	return nil
}

// Within tells whether limit n lies within bound, where 0 is "no limit" on either side.
func Within(n, bound int64) bool { return bound == 0 || n != 0 && n <= bound }
