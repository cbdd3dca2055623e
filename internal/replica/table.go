package replica

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"github.com/keyward/keyward/internal/hugepage"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/prefetch"
)

// index leads from names, which are digests or ids, to numbers of records. It is cut into shards so that growing one is
// short.
type index struct{ shards [256]shard }

type shard struct {
	table atomic.Pointer[table]

	// The writers'.
	live int // slots that lead to a record
	used int // these and the graves
}

// table is open addressing with linear probing, without a pointer in it. The reader's rule: probe from the name's place
// to the first empty slot. A slot is written once and may become a grave; it is never used again, and when three
// quarters are used the shard gets a new table, of which three fifths are.
type table struct{ slots []atomic.Uint64 }

// A slot is a tag in its upper half, 32 bits of the name, and in its lower half the number of a record, which has the
// whole name. The tag also says where the name belongs, so that a table grows without a look at the records.
const (
	empty = uint64(0) // no record that is named has the number 0
	grave = ^uint64(0)
)

const smallestTable = 8

// name is what an index knows of a digest or an id.
type name struct {
	shard byte
	tag   uint32
}

// nameOfDigest needs no hashing: digests are as good as random.
func nameOfDigest(d *keyfmt.Digest) name { return name{d[0], binary.LittleEndian.Uint32(d[1:5])} }

// nameOfID mixes the two halves of a UUID: one counts, the other is random.
func nameOfID(u uuid) name {
	h := (u.hi*0x9e3779b97f4a7c15 ^ u.lo) * 0xd6e8feb86659fd93
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return name{byte(h >> 56), uint32(h >> 16)}
}

func newTable(size int) *table { return &table{slots: make([]atomic.Uint64, size)} }

// sizeFor is the size of a table with room for so many names, of which three fifths are used then.
func sizeFor(names int) int { return max(smallestTable, names*5/3+1) }

func (x *index) init() {
	for i := range x.shards {
		x.shards[i].table.Store(newTable(smallestTable))
	}
}

// place is where the probing for a tag begins: tags are spread evenly, whatever the size.
func (t *table) place(tag uint32) uint64 {
	return uint64(tag) * uint64(len(t.slots)) >> 32
}

// probe goes through the numbers that may belong to a name: nearly always one or none. It takes no lock.
type probe struct {
	slots []atomic.Uint64
	at    uint64
	tag   uint32
}

func (x *index) probe(n name) probe {
	t := x.shards[n.shard].table.Load()
	return probe{slots: t.slots, at: t.place(n.tag), tag: n.tag}
}

// next gives one more number that has the name, or had it until just now; 0 at the end.
func (p *probe) next() uint32 {
	for {
		s := p.slots[p.at].Load()
		if s == empty {
			return 0
		}
		if p.at++; p.at == uint64(len(p.slots)) {
			p.at = 0
		}
		if uint32(s>>32) == p.tag && s != grave {
			return uint32(s)
		}
	}
}

// expect has the place of a name brought near.
func (x *index) expect(n name) {
	t := x.shards[n.shard].table.Load()
	prefetch.Fetch(uintptr(unsafe.Pointer(&t.slots[t.place(n.tag)])))
}

// insert names a record. For writers.
func (x *index) insert(n name, number uint32) {
	s := &x.shards[n.shard]
	t := s.table.Load()
	if 4*(s.used+1) > 3*len(t.slots) {
		t = s.grow()
	}
	t.put(slotOf(n.tag, number))
	s.live++
	s.used++
}

// remove takes a name away. For writers.
func (x *index) remove(n name, number uint32) {
	s := &x.shards[n.shard]
	t := s.table.Load()
	want := slotOf(n.tag, number)
	for i := t.place(n.tag); ; i = t.after(i) {
		switch t.slots[i].Load() {
		case empty:
			return
		case want:
			t.slots[i].Store(grave)
			s.live--
			return
		}
	}
}

func slotOf(tag uint32, number uint32) uint64 { return uint64(tag)<<32 | uint64(number) }

func (t *table) after(i uint64) uint64 {
	if i++; i == uint64(len(t.slots)) {
		return 0
	}
	return i
}

func (t *table) put(slot uint64) {
	i := t.place(uint32(slot >> 32))
	for t.slots[i].Load() != empty {
		i = t.after(i)
	}
	t.slots[i].Store(slot)
}

// reserve makes room for about so many names in all. The tables that it makes lie in one piece, so that those of a
// large copy lie in large pages; the piece is free when each of them has grown.
func (x *index) reserve(names int) {
	each := names / len(x.shards)
	var small []*shard
	for i := range x.shards {
		if s := &x.shards[i]; 4*each > 3*len(s.table.Load().slots) {
			small = append(small, s)
		}
	}
	if len(small) == 0 {
		return
	}
	size := sizeFor(each)
	all := hugepage.Make[atomic.Uint64](size * len(small))
	for i, s := range small {
		s.replace(&table{slots: all[i*size : (i+1)*size : (i+1)*size]})
	}
}

// grow puts a table in place that has room for one name more and no graves.
func (s *shard) grow() *table {
	t := newTable(sizeFor(s.live + 1))
	s.replace(t)
	return t
}

// replace puts a table in place of the present one, whose names it takes over. It has room for them.
func (s *shard) replace(t *table) {
	old := s.table.Load()
	for i := range old.slots {
		if slot := old.slots[i].Load(); slot != empty && slot != grave {
			t.put(slot)
		}
	}
	s.table.Store(t)
	s.used = s.live
}

// bytes is what the tables take.
func (x *index) bytes() (n int64) {
	for i := range x.shards {
		n += 8 * int64(len(x.shards[i].table.Load().slots))
	}
	return n
}
