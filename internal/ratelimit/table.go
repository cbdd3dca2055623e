package ratelimit

import (
	"encoding/binary"
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/keyward/keyward/internal/prefetch"
)

// entry is the state of one key: 64 bytes, a line of the processor's cache, without a pointer.
type entry struct {
	id [16]byte
	window
	ref     uint32 // of the ring, where class is not 0
	class   uint8
	live    bool
	touched uint16 // seconds of the limiter's own time, modulo 2^16
	quota
	inline [inlineRuns]run
}

// shard is a part of the keys: an open-addressing table under a lock of its own, and the rings of its entries.
type shard struct {
	mu     sync.Mutex
	place  atomic.Uintptr // where the table lies, and in the lowest bits its size as a power of two, for Near alone
	live   int32
	closed bool
	latest int64 // the latest instant that was decided at, in nanoseconds of the limiter's own time
	table
	arenas *[classes]arena
	pool   *pool
	_      [40]byte // neighbours do not share a line
}

const (
	shardBits     = 10
	smallestTable = 8

	placeBits = 18 // of an entry within its part, as a Place knows it
	sizeMask  = 63 // tables lie at multiples of 512
)

// Slot is the place of a key's state in a Limiter, roughly and by its id alone, in 28 bits. It never changes.
type Slot uint32

// SlotOf tells the place of a key.
func SlotOf(id [16]byte) Slot {
	h := spread(&id)
	return Slot(h>>(64-shardBits)<<placeBits | h&(1<<placeBits-1))
}

// Prefetch has the processor bring the state that lies at a place near, for a Take that follows soon. It waits for
// nothing, decides nothing and makes nothing; a wrong place costs a line of the cache.
func (l *Limiter) Prefetch(p Slot) {
	t := l.shards[p>>placeBits%(1<<shardBits)].place.Load()
	if t == 0 {
		return
	}
	last := uintptr(1)<<(t&sizeMask) - 1
	at := t&^sizeMask + uintptr(entryBytes)*(uintptr(p)&(1<<placeBits-1)&last)
	prefetch.Fetch(at)
	prefetch.Fetch(at + uintptr(entryBytes)) // every third key lies behind the place where it belongs
}

// use puts a table in the place of the one before, which goes back to the pool.
func (s *shard) use(t table) {
	s.pool.give(s.table)
	s.table = t
	if len(t.entries) == 0 {
		s.place.Store(0)
		return
	}
	s.place.Store(uintptr(unsafe.Pointer(&t.entries[0]))&^sizeMask | uintptr(bits.TrailingZeros(uint(len(t.entries)))))
}

// spread mixes a UUID. Its random half is random already, and callers cannot choose it.
func spread(id *[16]byte) uint64 {
	hi, lo := bits.Mul64(
		binary.BigEndian.Uint64(id[:8])^0x9e3779b97f4a7c15, binary.BigEndian.Uint64(id[8:])^0xd6e8feb86659fd93,
	)
	return hi ^ lo
}

// find gives the entry of a key, nil where there is none. It is good until the next insert.
func (s *shard) find(h uint64, id *[16]byte) *entry {
	if len(s.entries) == 0 {
		return nil
	}
	mask := uint64(len(s.entries) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		e := &s.entries[i]
		if !e.live {
			return nil
		}
		if e.id == *id {
			return e
		}
	}
}

// insert makes the entry of a key that has none.
func (s *shard) insert(h uint64, id *[16]byte) *entry {
	if 4*(int(s.live)+1) > 3*len(s.entries) {
		s.resize(max(smallestTable, 2*len(s.entries)))
	}
	e := firstFree(s.entries, h)
	e.id, e.live = *id, true
	s.live++
	return e
}

// firstFree is the first empty slot for a hash.
func firstFree(entries []entry, h uint64) *entry {
	mask := uint64(len(entries) - 1)
	i := h & mask
	for entries[i].live {
		i = (i + 1) & mask
	}
	return &entries[i]
}

func (s *shard) resize(size int) {
	t := s.pool.take(size)
	for i := range s.entries {
		if e := &s.entries[i]; e.live {
			*firstFree(t.entries, spread(&e.id)) = *e
		}
	}
	s.use(t)
}

// runs gives the ring of an entry.
func (s *shard) runs(e *entry) []run {
	if e.class == 0 {
		return e.inline[:]
	}
	return s.arenas[e.class].ring(e.class, e.ref)
}

// admit notes an admission of cost 1 or more.
func (s *shard) admit(e *entry, runs []run, stamp uint32, limit, cost int64) {
	stamp = e.notBefore(runs, stamp)
	if e.joins(runs, stamp, limit) {
		e.join(runs, stamp, uint32(cost))
		return
	}
	if e.full(runs) {
		runs = s.enlarge(e, runs)
	}
	e.push(runs, run{stamp, uint32(cost)})
}

// enlarge moves an entry's runs to a ring of twice the size.
func (s *shard) enlarge(e *entry, runs []run) []run {
	class, ref := e.class, e.ref
	larger := s.ringFor(e, len(runs)+1)
	for i := range int(e.n) {
		larger[i] = runs[e.at(runs, i)]
	}
	if class != 0 {
		s.arenas[class].put(class, ref)
	}
	e.head = 0
	return larger
}

// bytes is the memory of the part beside the pool's blocks.
func (s *shard) bytes() (n int64) {
	if s.from == nil {
		n = entryBytes * int64(len(s.entries))
	}
	if s.arenas != nil {
		for i := range s.arenas {
			n += s.arenas[i].bytes()
		}
	}
	return n
}
