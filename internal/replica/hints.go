package replica

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
	"unsafe"

	"github.com/keyward/keyward/internal/hugepage"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/prefetch"
	"github.com/keyward/keyward/internal/ratelimit"
)

// hints remember of texts that were found before which record they led to, so that the record and the state of its
// limits are on their way to the processor while the digest is still being made: else the digest is waited for, then
// the index, then the record, then the state, each of them a miss of the cache where the keys are many.
//
// A hint decides nothing. It may be wrong, old, another text's or lost: only the record says whether it has the digest,
// and where it has not, the index is asked as if there were no hint. Only texts that were found leave one, under a hash
// that is seeded anew for each copy and of which eight bits and a place are kept: the time that a guess takes says
// nothing of how close it came.
type hints struct {
	seed maphash.Seed
	sets atomic.Pointer[[]hintSet] // replaced, empty, when the keys have become more
}

// hintSet is a line of the processor's cache. A hint is the number of a record, the place of its state at the limiter,
// and in the lowest eight bits a part of the hash, which is odd, so that 0 is none. Any reader may write it.
type hintSet [8]atomic.Uint64

const (
	hintTag    = 8
	hintPlace  = 28
	hintNumber = 64 - hintTag - hintPlace
)

func (h *hints) init() {
	h.seed = maphash.MakeSeed()
	h.sets.Store(&[]hintSet{{}})
}

// fit makes room for hints to so many records: sets are between half and three quarters full where every key is in use.
// For writers.
func (h *hints) fit(records uint32) {
	const size = len(hintSet{})
	if have := len(*h.sets.Load()) * size; 4*int(records) > 3*have {
		sets := hugepage.Make[hintSet](max(8, 2*int(records)/size))
		h.sets.Store(&sets)
	}
}

func (h *hints) bytes() int64 { return int64(len(*h.sets.Load())) * int64(unsafe.Sizeof(hintSet{})) }

// Trace is a presented text on its way to its key: from Trace to Expect to Follow.
type Trace struct {
	set    *hintSet
	tag    uint8
	number uint32 // of the record that is hinted at; 0 where none is
}

// longest is more than a key has; of a longer text the beginning is hashed.
const longest = 96

// Begin begins to look for the key that has a presented text for a value, before its digest is known.
func (r *Replica) Begin(presented string) Trace {
	h := maphash.String(r.hints.seed, presented[:min(len(presented), longest)])
	sets := *r.hints.sets.Load()
	at, _ := bits.Mul64(h, uint64(len(sets)))
	t := Trace{set: &sets[at], tag: uint8(h) | 1}
	prefetch.Fetch(uintptr(unsafe.Pointer(t.set)))
	return t
}

// Prefetch goes on when some time has passed, and before the digest is made: it has the record brought near that the
// text led to before, and tells the place of its limits' state, for the caller to do the same with. It tells false
// where the text leads nowhere yet.
func (r *Replica) Prefetch(t *Trace) (ratelimit.Slot, bool) {
	found := uint64(0)
	for i := range t.set { // all of it, without a jump that nobody can foresee
		hint := t.set[i].Load()
		if uint8(hint) == t.tag {
			found = hint
		}
	}
	if found == 0 {
		return 0, false
	}
	t.number = uint32(found >> (hintTag + hintPlace))
	at := uintptr(unsafe.Pointer(r.records.at(t.number)))
	prefetch.Fetch(at)
	prefetch.Fetch(at + unsafe.Sizeof(record{}) - 1)
	return ratelimit.Slot(found >> hintTag & (1<<hintPlace - 1)), true
}

// Find is Lookup of the traced text's digest, and remembers where it led.
func (r *Replica) Find(t *Trace, d keyfmt.Digest, v *View) bool {
	if t.number != nobody && r.lookupAt(t.number, &d, v) {
		return true
	}
	number := r.lookup(&d, v)
	if number == nobody {
		return false
	}
	t.learn(number, v)
	return true
}

// learn takes the place of a hint with the same tag, else of none, else of any.
func (t *Trace) learn(number uint32, v *View) {
	if number >= 1<<hintNumber {
		return
	}
	place := uint64(ratelimit.SlotOf(v.UUID))
	into := int(place) % len(t.set)
	for i := range t.set {
		hint := t.set[i].Load()
		if uint8(hint) == t.tag {
			into = i
			break
		}
		if hint == 0 {
			into = i
		}
	}
	t.set[into].Store(uint64(number)<<(hintTag+hintPlace) | place<<hintTag | uint64(t.tag))
}
