package tally

import (
	"net/netip"
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

// note is when a value was used last, and which use the store knows of, in Unix milliseconds; and the network of the
// latest use that told an address.
type note struct {
	at, written int64
	from        netip.Prefix
}

// value is an earlier value of a key, known by the end of its overlap in Unix milliseconds. Two that end together are
// not told apart.
type value struct {
	key   usage.ID
	until int64
}

// mostEarlier bounds the waiting entries. An entry without room is dropped, and recorded again with the next use
// after a Flush.
const mostEarlier = 100_000

func (e *earlier) note(v value, at int64, from netip.Prefix) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.notes == nil {
		e.notes = make(map[value]note)
	}
	if n, there := e.notes[v]; there || len(e.notes) < mostEarlier {
		if from.IsValid() && from != n.from && at >= n.at {
			n.from, n.written = from, 0
		}
		n.at = max(n.at, at)
		e.notes[v] = n
	}
}

func (e *earlier) used(v value) (at int64, from netip.Prefix) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := e.notes[v]
	return n.at, n.from
}

// turn drops entries that were written and not used since, and returns the entries to write.
func (e *earlier) turn() map[value]note {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make(map[value]note)
	for v, n := range e.notes {
		if n.at == n.written {
			delete(e.notes, v)
		} else {
			out[v] = n
		}
	}
	return out
}

// wrote records what the store has now.
func (e *earlier) wrote(notes map[value]note) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for v, was := range notes {
		n := e.notes[v]
		if n.from == was.from {
			n.written = was.at
		}
		e.notes[v] = n
	}
}

// writeEarlier writes down which earlier values were used.
func (t *Tally) writeEarlier(c *store.Counting, notes map[value]note) error {
	for v, n := range notes {
		if err := c.UseEarlier(id.Key(id.Format(v.key)), instant(v.until), instant(n.at), networkText(n.from)); err != nil {
			return err
		}
	}
	return nil
}

// RecordEarlier notes that an earlier value of a key, which ends at an instant, was verified for a request from an
// address; the zero address is none. Both times are in Unix milliseconds.
func (t *Tally) RecordEarlier(at int64, key [16]byte, until int64, ip netip.Addr) {
	t.earlier.note(value{key, until}, at, networkOf(ip))
}

// networkOf is the network of an address that is told to the key's owner: it leads to the place where the old
// value still runs, and names no single machine of a home.
func networkOf(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	network, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // of no address
	}
	return network
}

func networkText(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

// EarlierUsed is when an earlier value of a key, which ends at an instant, was last verified, both in Unix
// milliseconds, and from which network; 0 and "" where memory knows nothing.
func (t *Tally) EarlierUsed(key usage.ID, until int64) (at int64, from string) {
	at, network := t.earlier.used(value{key, until})
	return at, networkText(network)
}
