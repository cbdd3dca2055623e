package ratelimit

import (
	"encoding/binary"
	"math/bits"
	"sync"
	"unsafe"
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
	closed bool
	live   int
	table  []entry
	arenas *[classes]arena
	_      [64]byte // neighbours do not share a line
}

const (
	shardBits     = 10
	smallestTable = 8
)

// spread mixes a UUID. Its random half is random already; nobody chooses it.
func spread(id *[16]byte) uint64 {
	hi, lo := bits.Mul64(binary.BigEndian.Uint64(id[:8])^0x9e3779b97f4a7c15, binary.BigEndian.Uint64(id[8:])^0xd6e8feb86659fd93)
	return hi ^ lo
}

// find gives the entry of a key, nil where there is none. It is good until the next insert.
func (s *shard) find(h uint64, id *[16]byte) *entry {
	if len(s.table) == 0 {
		return nil
	}
	mask := uint64(len(s.table) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		e := &s.table[i]
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
	if 4*(s.live+1) > 3*len(s.table) {
		s.resize(max(smallestTable, 2*len(s.table)))
	}
	e := place(s.table, h)
	e.id, e.live = *id, true
	s.live++
	return e
}

// place is the first empty slot for a hash.
func place(table []entry, h uint64) *entry {
	mask := uint64(len(table) - 1)
	i := h & mask
	for table[i].live {
		i = (i + 1) & mask
	}
	return &table[i]
}

func (s *shard) resize(size int) {
	table := make([]entry, size)
	for i := range s.table {
		if e := &s.table[i]; e.live {
			*place(table, spread(&e.id)) = *e
		}
	}
	s.table = table
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

func (s *shard) bytes() int64 {
	n := int64(len(s.table)) * int64(unsafe.Sizeof(entry{}))
	if s.arenas != nil {
		for i := range s.arenas {
			n += s.arenas[i].bytes()
		}
	}
	return n
}
