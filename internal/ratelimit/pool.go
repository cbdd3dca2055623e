package ratelimit

import (
	"math/bits"
	"slices"
	"sync"
	"unsafe"

	"github.com/keyward/keyward/internal/hugepage"
)

// pool gives the parts their tables. Small ones are made one by one. Larger ones are pieces of blocks, so that they lie
// in large pages (see hugepage): the parts grow at about the same time, so a block is soon full of pieces of one size,
// and soon empty again when they have grown on. An empty block is let go. Its lock is taken when a table grows or
// shrinks, with the lock of the part held.
type pool struct {
	mu    sync.Mutex
	open  [bits.UintSize][]*block // with pieces to give, by the size of these as a power of two
	bytes int64                   // of all blocks
}

// block is cut into pieces of one size.
type block struct {
	entries []entry
	free    []int32 // pieces that nobody has
	out     int     // pieces that somebody has
}

const (
	smallestPiece = 1 << 7
	blockEntries  = 1 << 16 // 4 MiB; a larger table is a block of its own
)

// table is a number of entries, a power of two, and where they are from.
type table struct {
	entries []entry
	from    *block // nil: made alone
	piece   int32
}

// take gives an empty table.
func (p *pool) take(size int) table {
	if size < smallestPiece {
		return table{entries: make([]entry, size)}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	open := &p.open[bits.TrailingZeros(uint(size))]
	if len(*open) == 0 {
		*open = append(*open, p.begin(size))
	}
	b := (*open)[len(*open)-1]
	last := len(b.free) - 1
	t := table{from: b, piece: b.free[last]}
	b.free = b.free[:last]
	b.out++
	if last == 0 {
		*open = (*open)[:len(*open)-1]
	}
	at := int(t.piece) * size
	t.entries = b.entries[at : at+size : at+size]
	clear(t.entries)
	return t
}

func (p *pool) begin(size int) *block {
	b := &block{entries: hugepage.Make[entry](max(size, blockEntries))}
	for i := len(b.entries)/size - 1; i >= 0; i-- {
		b.free = append(b.free, int32(i))
	}
	p.bytes += b.bytes()
	return b
}

// give takes a table back that has no reader any more.
func (p *pool) give(t table) {
	b := t.from
	if b == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	open := &p.open[bits.TrailingZeros(uint(len(t.entries)))]
	if len(b.free) == 0 {
		*open = append(*open, b)
	}
	b.free = append(b.free, t.piece)
	if b.out--; b.out == 0 {
		at := slices.Index(*open, b)
		*open = slices.Delete(*open, at, at+1)
		p.bytes -= b.bytes()
	}
}

func (b *block) bytes() int64 { return entryBytes * int64(len(b.entries)) }

const entryBytes = int64(unsafe.Sizeof(entry{}))

// held is the memory of all blocks.
func (p *pool) held() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes
}
