package replica

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/keyward/keyward/internal/keyfmt"
)

// index leads from digests to nodes. It is cut into shards so that growing one is short.
type index struct{ shards [256]shard }

type shard struct {
	table atomic.Pointer[table]

	// The writers'.
	live int // slots that lead to a node
	used int // these and the graves
}

// table is open addressing with linear probing. The reader's rule: probe from the digest's place to the first empty slot. A
// slot is written once and may become a grave; it is never used again, and when three quarters are used the shard gets a new table.
type table struct {
	mask  uint64
	slots []slot
}

// slot names a node under 64 bits of the digest; the node has the whole of it.
type slot struct {
	tag  uint64 // written before node, and never again
	node atomic.Pointer[keyNode]
}

// grave is in the place of a node that is no longer named: probing goes on past it.
var grave = new(keyNode)

const smallestTable = 8

func newTable(size int) *table { return &table{mask: uint64(size - 1), slots: make([]slot, size)} }

func (x *index) init() {
	for i := range x.shards {
		x.shards[i].table.Store(newTable(smallestTable))
	}
}

// place says where a digest belongs. Digests are as good as random, so their bytes need no further hashing.
func place(d *keyfmt.Digest) (shard byte, tag uint64) {
	return d[0], binary.LittleEndian.Uint64(d[1:9])
}

// probe goes through the nodes that may have a digest: nearly always one or none, since 64 bits of it agree.
type probe struct {
	table   *table
	at, tag uint64
}

func (x *index) probe(d *keyfmt.Digest) probe {
	i, tag := place(d)
	return probe{table: x.shards[i].table.Load(), at: tag, tag: tag}
}

// next gives one more node that is named under the digest, or was until just now; nil at the end. It takes no lock.
func (p *probe) next() *keyNode {
	for {
		s := &p.table.slots[p.at&p.table.mask]
		n := s.node.Load()
		if n == nil {
			return nil
		}
		p.at++
		if n != grave && s.tag == p.tag {
			return n
		}
	}
}

// insert names a node under a digest. For writers.
func (x *index) insert(d keyfmt.Digest, n *keyNode) {
	i, tag := place(&d)
	s := &x.shards[i]
	t := s.table.Load()
	if 4*(s.used+1) > 3*len(t.slots) {
		t = s.grow()
	}
	t.put(tag, n)
	s.live++
	s.used++
}

// remove takes a name away. For writers.
func (x *index) remove(d keyfmt.Digest, n *keyNode) {
	i, tag := place(&d)
	s := &x.shards[i]
	t := s.table.Load()
	for i := tag & t.mask; ; i = (i + 1) & t.mask {
		at := t.slots[i].node.Load()
		if at == nil {
			return
		}
		if at == n && t.slots[i].tag == tag {
			t.slots[i].node.Store(grave)
			s.live--
			return
		}
	}
}

func (t *table) put(tag uint64, n *keyNode) {
	i := tag & t.mask
	for t.slots[i].node.Load() != nil {
		i = (i + 1) & t.mask
	}
	t.slots[i].tag = tag
	t.slots[i].node.Store(n)
}

// grow puts a table in place that is at most half full and has no graves.
func (s *shard) grow() *table {
	size := smallestTable
	for size < 2*(s.live+1) {
		size *= 2
	}
	old, t := s.table.Load(), newTable(size)
	for i := range old.slots {
		if n := old.slots[i].node.Load(); n != nil && n != grave {
			t.put(old.slots[i].tag, n)
		}
	}
	s.table.Store(t)
	s.used = s.live
	return t
}
