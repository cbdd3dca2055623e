package cluster_test

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/keyward/keyward/internal/rig"
)

// change is a client's change of one key, and its answer.
type change struct {
	key        int // of the tracked ones
	to         bool
	start, end time.Time
	known      bool // it was acknowledged; else it may have happened or not
	everywhere bool // the answer came after every node had applied it, or said so
	node       int
}

// look is one verification.
type look struct {
	key        int
	node       int
	start, end time.Time
	code       string // of the verdict, "" for no answer, "503"
}

// admission is a verification of a limited key that said VALID.
type admission struct {
	key int
	rig.Admission
}

// history is all that happened.
type history struct {
	mu       sync.Mutex
	changes  []change
	looks    []look
	admitted []admission
	spending []look // verifications of limited keys, whatever they said
}

func (h *history) changed(c change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes = append(h.changes, c)
}

func (h *history) looked(l look) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.looks = append(h.looks, l)
}

func (h *history) counts() (looks, changes int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.looks), len(h.changes)
}

func (h *history) spent(l look) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.spending = append(h.spending, l)
	if l.code == "VALID" {
		h.admitted = append(h.admitted, admission{l.key, rig.Admission{Start: l.start, End: l.end}})
	}
}

// stale finds verifications that said VALID of a key when they no longer could: they began later than the answer to its
// disabling plus the bound (at once where the answer said "everywhere", or where the same node had answered), and no
// enabling had been asked for before they ended.
func (h *history) stale(bound time.Duration) (wrong []string) {
	for _, off := range h.changes {
		if off.to || !off.known {
			continue
		}
		for _, l := range h.looks {
			if l.key != off.key || l.code != "VALID" {
				continue
			}
			from := off.end.Add(bound)
			if off.everywhere || l.node == off.node {
				from = off.end
			}
			if l.start.Before(from) || h.enabled(off.key, off.start, l.end) {
				continue
			}
			wrong = append(wrong, fmt.Sprintf("key %d: VALID on node %d, %v after the answer to its disabling (everywhere: %v)",
				l.key, l.node, l.start.Sub(off.end).Round(time.Millisecond), off.everywhere))
		}
	}
	return wrong
}

// enabled tells whether an enabling of the key may lie between two instants: it was asked for before the second, and
// had not surely ended before the first.
func (h *history) enabled(key int, from, to time.Time) bool {
	return slices.ContainsFunc(h.changes, func(c change) bool {
		return c.key == key && c.to && c.start.Before(to) && !(c.known && c.end.Before(from))
	})
}

// last is the state of a key at the end: its last acknowledged change, unless another may have happened after that.
func (h *history) last(key int) (to, sure bool) {
	var newest change
	for _, c := range h.changes {
		if c.key == key && c.known && c.end.After(newest.end) {
			newest = c
		}
	}
	if newest.end.IsZero() {
		return false, false
	}
	for _, c := range h.changes {
		if c.key == key && !c.known && c.to != newest.to {
			return false, false
		}
	}
	return newest.to, true
}

// most is the largest number of admissions of some keys together that lie, with certainty, within one interval.
func (h *history) most(interval time.Duration, keys ...int) int {
	var of []rig.Admission
	for _, a := range h.admitted {
		if slices.Contains(keys, a.key) {
			of = append(of, a.Admission)
		}
	}
	return rig.Most(of, interval)
}

// count counts answers that said so, by node, between two instants.
func (h *history) count(code string, node int, from, to time.Time) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.looks {
		if l.code == code && l.node == node && l.start.After(from) && l.end.Before(to) {
			n++
		}
	}
	return n
}
