package limittest

import (
	"sync"
	"time"
)

// Noon is where a Clock's wall stands at first: far from the end of a day.
var Noon = time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)

// Clock is moved by hand. Its wall clock can be set; its elapsed time cannot.
type Clock struct {
	mu      sync.Mutex
	elapsed time.Duration
	ahead   time.Duration
}

// NewClock stands at noon, an hour after its origin.
func NewClock() *Clock { return &Clock{elapsed: time.Hour} }

// Elapsed is the elapsed time.
func (c *Clock) Elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.elapsed
}

// Wall is the wall clock's time.
func (c *Clock) Wall() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Noon.Add(c.elapsed - time.Hour + c.ahead)
}

// Pass lets time go by.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.elapsed += d
}

// Set sets the wall by so much, and lets a look at it become due.
func (c *Clock) Set(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}
