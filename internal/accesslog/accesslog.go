// Package accesslog owns which requests of the data plane have a line in the log. It does not own the line (httpapi,
// extauthz), nor the counting of requests (metrics), which all of them go through.
package accesslog

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Mode says which requests have a line. The zero value is Errors.
type Mode string

// The modes. A failure of Keyward itself has a line in each of them.
const (
	Off     Mode = "off"     // none
	Errors  Mode = "errors"  // those that failed, and slow ones
	Sampled Mode = "sampled" // the same, and one in OneIn of the others
	All     Mode = "all"
)

const (
	// Slow is how long a request takes at least to be a slow one.
	Slow = 100 * time.Millisecond
	// OneIn is of how many other requests one has a line under Sampled, by chance.
	OneIn = 100
)

// Parse reads a mode.
func Parse(s string) (Mode, error) {
	switch m := Mode(s); m {
	case Off, Errors, Sampled, All:
		return m, nil
	}
	return "", fmt.Errorf("%q: want off, errors, sampled or all", s)
}

// Lines tells for how many requests a line stands: 0 where the request has none, 1 where it stands for itself, and
// OneIn for one that was drawn. A request has failed where it was refused for what is wrong with it, and not for what
// is wrong with the key that it asks about.
func (m Mode) Lines(failed bool, took time.Duration) int {
	switch {
	case m == All:
		return 1
	case m == Off:
		return 0
	case failed || took >= Slow:
		return 1
	case m == Sampled && rand.Uint32N(OneIn) == 0:
		return OneIn
	}
	return 0
}
