package usage

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/keyward/keyward/internal/id"
)

// ID is a key or a workspace: the bytes of its UUID. The zero ID stands for no key, and for no workspace.
type ID [16]byte

// Buffer records uses in memory: one cell of 64 bytes for each key, minute and demand with which it was used. It is
// safe for concurrent use.
//
// There are two generations of cells. New uses go to the front; Turn makes the front the back, whose cells are then
// taken with Take, written, and settled. Both sides can be read at any time. The tables are reused and hold no
// pointer: recording a use of a key that was used in the same minute allocates nothing, and the garbage collector
// scans nothing, however many there are.
//
// A buffer never holds more cells on either side than its limit. Uses without room are lost, and counted.
type Buffer struct {
	shards [shards]shard
	limit  int // cells of a shard's side
	lost   atomic.Int64
	places places

	// For the writer: the cells of the back that were taken and are not settled, and the place to go on.
	taken []position
	next  position
}

// position is a cell of the back.
type position struct{ shard, cell int }

const (
	shardBits = 6
	shards    = 1 << shardBits
	smallest  = 16 // cells of a table that is in use at all
)

// known is how many outcomes a key can have. A cell without a key counts the others, in the same places.
const known = Codes - 2

// Demand stands for the permissions demanded of a key: a number that the caller of Add gives; 0 is nothing.
type Demand uint32

// mostDemands bounds the cells of one key and minute, which are looked through one after the other.
const mostDemands = 32

// cell is one line of a processor's cache.
type cell struct {
	key    ID
	place  uint32 // the workspace, by its number in places
	minute uint32 // since 1970; 0 is an empty cell
	used   uint16 // milliseconds into the minute of the last use that was verified, plus 1; 0 for none
	tried  uint16 // the same of the last use with any outcome
	demand Demand
	counts [known]uint32
	_      uint32
}

// shard is a part of the keys with a lock of its own, which is never held for longer than a table is looked through.
type shard struct {
	mu    sync.Mutex
	front table
	back  table
	_     [128 - (8+2*48)%128]byte // no two locks share a cache line
}

// NewBuffer makes a sheet for at most so many keys per minute of waiting.
func NewBuffer(limit int) *Buffer {
	return &Buffer{limit: max(limit/shards, smallest), places: places{numbers: map[ID]uint32{{}: 0}, ids: make([]ID, 1)}}
}

// Add counts one use of a key, at an instant in Unix milliseconds. It reports whether the demand was noted with the
// use: of a key that is asked with very many demands in one minute, the last ones are counted without.
func (s *Buffer) Add(key ID, ws id.Workspace, code Code, demand Demand, at int64) (noted bool) {
	minute := uint32(max(at/millisOfMinute, 1))
	h := hash(key, minute)
	sh := s.shard(key)
	sh.mu.Lock()
	c, others := sh.front.find(key, minute, demand, h)
	if c == nil && others >= mostDemands && demand != 0 {
		demand = 0
		c, _ = sh.front.find(key, minute, 0, h)
	} else {
		noted = true
	}
	if c == nil {
		if c = s.place(sh, key, ws, minute, demand, h); c == nil {
			sh.mu.Unlock()
			s.lost.Add(1)
			return true
		}
	}
	c.counts[code]++
	within := uint16(at%millisOfMinute) + 1
	c.tried = max(c.tried, within)
	if code == Verified {
		c.used = max(c.used, within)
	}
	sh.mu.Unlock()
	return noted
}

// AddUnknown counts an attempt with a text that is not a key.
func (s *Buffer) AddUnknown(code Code, at int64) {
	// Every shard has a cell without a key, and chance picks one: a flood arrives within one millisecond, from all
	// processors.
	minute := uint32(max(at/millisOfMinute, 1))
	sh := &s.shards[rand.Uint32()%shards]
	h := hash(ID{}, minute)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c, _ := sh.front.find(ID{}, minute, 0, h)
	if c == nil {
		if c = s.place(sh, ID{}, "", minute, 0, h); c == nil {
			s.lost.Add(1)
			return
		}
	}
	c.counts[code-known]++
}

const millisOfMinute = 60_000

// hash spreads keys, whose last eight bytes are random, and the minutes of one key.
func hash(key ID, minute uint32) uint64 {
	h := (binary.LittleEndian.Uint64(key[8:]) ^ uint64(minute)*0x9e3779b97f4a7c15) * 0xff51afd7ed558ccd
	return h ^ h>>32
}

// shard is where all minutes of a key are.
func (s *Buffer) shard(key ID) *shard {
	return &s.shards[binary.LittleEndian.Uint64(key[8:])*0x9e3779b97f4a7c15>>(64-shardBits)]
}

// place takes a new cell; nil where there is no room.
func (s *Buffer) place(sh *shard, key ID, ws id.Workspace, minute uint32, demand Demand, h uint64) *cell {
	if sh.front.used >= s.limit {
		return nil
	}
	c := sh.front.add(key, minute, demand, h)
	u, _ := id.Parse(string(ws))
	c.place = s.places.number(u)
	return c
}

// Lost is how many uses found no room since the start.
func (s *Buffer) Lost() int64 { return s.lost.Load() }

// Waiting is the number of cells that are noted and not settled.
func (s *Buffer) Waiting() (n int) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		n += sh.front.used + sh.back.used - sh.back.settled
		sh.mu.Unlock()
	}
	return n
}
