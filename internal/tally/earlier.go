package tally

import (
	"sync"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/usage"
)

// earlier records the last use of earlier values of keys. There are few of them: those whose overlap has not ended
// and that are still in use. An entry stays for one Flush longer than it takes to write it, so that a reader of first
// the store and then memory misses none.
type earlier struct {
	mu    sync.Mutex
	notes map[value]note
}

// note is when a value was used last, and which use the store knows of, in Unix milliseconds.
type note struct{ at, written int64 }

// value is an earlier value of a key, known by the end of its overlap in Unix milliseconds. Two that end together are
// not told apart.
type value struct {
	key   usage.ID
	until int64
}

// mostEarlier bounds the waiting entries. An entry without room is dropped, and recorded again with the next use
// after a Flush.
const mostEarlier = 100_000

func (e *earlier) note(v value, at int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.notes == nil {
		e.notes = make(map[value]note)
	}
	if n, there := e.notes[v]; there || len(e.notes) < mostEarlier {
		n.at = max(n.at, at)
		e.notes[v] = n
	}
}

func (e *earlier) used(v value) int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.notes[v].at
}

// turn drops entries that were written and not used since, and returns the entries to write.
func (e *earlier) turn() map[value]int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make(map[value]int64)
	for v, n := range e.notes {
		if n.at == n.written {
			delete(e.notes, v)
		} else {
			out[v] = n.at
		}
	}
	return out
}

// wrote records the times that the store has now.
func (e *earlier) wrote(notes map[value]int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for v, at := range notes {
		n := e.notes[v]
		n.written = at
		e.notes[v] = n
	}
}

// writeEarlier writes down which earlier values were used.
func (t *Tally) writeEarlier(c *store.Counting, notes map[value]int64) error {
	for v, at := range notes {
		if err := c.UseEarlier(id.Key(id.Format(v.key)), instant(v.until), instant(at)); err != nil {
			return err
		}
	}
	return nil
}

// EarlierUsed is when an earlier value of a key, which ends at an instant, was last verified, both in Unix
// milliseconds; 0 where memory knows nothing.
func (t *Tally) EarlierUsed(key usage.ID, until int64) int64 {
	return t.earlier.used(value{key, until})
}
