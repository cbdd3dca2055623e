// Package usage owns the counting of uses of keys: the codes, the three grains of time, the series drawn of them, and
// the buffer that holds uses in memory until they are written. It does not own storage (store), the time of writing
// (tally), nor access to the figures (control).
package usage

import (
	"time"

	"github.com/keyward/keyward/internal/verdict"
)

// Code is the outcome of a verification as it is counted: its place in verdict.Counted. Its number is stored nowhere.
type Code uint8

// Codes is how many outcomes are counted.
const Codes = Code(len(verdict.Counted))

// The outcomes that are counted in a way of their own. NotFound and Malformed have no key, and so no workspace: they
// are counted for the installation alone.
const (
	Verified  Code = 0
	NotFound       = Codes - 2
	Malformed      = Codes - 1
)

// String is the code's word in the wire contract.
func (c Code) String() string { return string(verdict.Counted[c].Code) }

// Column is the column of usage_counts in which the code is counted.
func (c Code) Column() string { return verdict.Counted[c].Column }

// CodeOf finds a code by its word. A word that says nothing of a key, such as UNAVAILABLE, is none.
func CodeOf(word verdict.Code) (Code, bool) {
	for c := range Codes {
		if verdict.Counted[c].Code == word {
			return c, true
		}
	}
	return 0, false
}

// Counts say how often each outcome occurred.
type Counts [Codes]int64

// Add adds other.
func (c *Counts) Add(other *Counts) {
	for i := range c {
		c[i] += other[i]
	}
}

// Total is how many verifications there were.
func (c *Counts) Total() (n int64) {
	for _, k := range c {
		n += k
	}
	return n
}

// Grain is the length of time that one number stands for.
type Grain uint8

// The grains. Days are those of UTC.
const (
	Minute Grain = iota
	Hour
	Day
	Grains // how many there are
)

var (
	lengths    = [Grains]time.Duration{time.Minute, time.Hour, 24 * time.Hour}
	grainNames = [Grains]string{"minute", "hour", "day"}
)

// GrainOf finds a grain by its name.
func GrainOf(name string) (Grain, bool) {
	for g, n := range grainNames {
		if n == name {
			return Grain(g), true
		}
	}
	return 0, false
}

func (g Grain) String() string { return grainNames[g] }

// Length is how long the grain is.
func (g Grain) Length() time.Duration { return lengths[g] }

// Start is when the grain began that holds an instant; both in Unix milliseconds.
func (g Grain) Start(at int64) int64 {
	n := lengths[g].Milliseconds()
	start := at / n * n
	if start > at {
		start -= n
	}
	return start
}

// Retention says how long each grain is kept; 0 is not at all.
type Retention [Grains]time.Duration

// DefaultRetention keeps minutes for two days, hours for ninety, and days for two years.
func DefaultRetention() Retention {
	const day = 24 * time.Hour
	return Retention{2 * day, 90 * day, 730 * day}
}

// Before is the instant, in Unix milliseconds, from which on a grain is kept.
func (r Retention) Before(g Grain, now time.Time) int64 {
	if r[g] == 0 {
		return now.UnixMilli() + 1
	}
	return g.Start(now.Add(-r[g]).UnixMilli())
}
