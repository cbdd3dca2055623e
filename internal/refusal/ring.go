package refusal

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/keyward/keyward/internal/id"
)

// Bounds of a Ring.
const (
	RingSize  = 32_768 // records of all keys
	RingOfKey = 200    // records of one key
)

// Ring holds the latest records of each key until they are written down. It is safe for concurrent use, and waits for
// nothing but the lock of one of 64 parts of the keys.
//
// A key holds RingOfKey records at most; further ones take the place of its oldest. A workspace holds no more than what
// is left for all others together, so that half of the ring is the most for one, and a flood of refusals in one
// workspace leaves room for those of every other. Beyond its share a workspace replaces records of its own, and a key
// that has none there is passed over.
type Ring struct {
	shards [shards]shard
	used   atomic.Int64
	lost   atomic.Int64
	places sync.Map // of *place, by the workspace
}

const (
	shardBits = 6
	shards    = 1 << shardBits
)

type shard struct {
	mu    sync.Mutex
	seq   int64
	front map[[16]byte]*held
	back  map[[16]byte]*held // being written down
	_     [128 - 8 - 8 - 2*8]byte
}

// place counts the records of a workspace.
type place struct{ used atomic.Int64 }

// held are the records of one key, the oldest of which is at next once one was replaced.
type held struct {
	place   *place
	records []Record
	next    int
}

// NewRing makes an empty one.
func NewRing() *Ring {
	r := &Ring{}
	for i := range r.shards {
		r.shards[i].seq = rand.Int64N(1 << 62) // so that two nodes number apart
	}
	return r
}

func (r *Ring) shard(key *[16]byte) *shard {
	return &r.shards[binary.LittleEndian.Uint64(key[8:])*0x9e3779b97f4a7c15>>(64-shardBits)]
}

// Add keeps a record.
func (r *Ring) Add(one Record) {
	sh := r.shard(&one.Key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.seq++
	one.Seq = sh.seq
	h := sh.front[one.Key]
	if h == nil {
		h = &held{place: r.placeOf(one.Workspace)}
	}
	switch {
	case len(h.records) < RingOfKey && r.reserve(h.place):
		h.records = append(h.records, one)
	case len(h.records) > 0:
		h.records[h.next] = one
		h.next = (h.next + 1) % len(h.records)
	default:
		r.lost.Add(1)
		return
	}
	if sh.front == nil {
		sh.front = map[[16]byte]*held{}
	}
	sh.front[one.Key] = h
}

func (r *Ring) placeOf(ws id.Workspace) *place {
	if p, ok := r.places.Load(ws); ok {
		return p.(*place)
	}
	p, _ := r.places.LoadOrStore(ws, &place{})
	return p.(*place)
}

// reserve makes room for one more record of a workspace, which may hold less than what is free.
func (r *Ring) reserve(p *place) bool {
	if p.used.Load() >= RingSize-r.used.Load() {
		return false
	}
	if r.used.Add(1) > RingSize { // others were as quick
		r.used.Add(-1)
		return false
	}
	p.used.Add(1)
	return true
}

// Turn readies what was added for writing down. What is not settled of an earlier turn stays ready, and what was added
// meanwhile waits.
func (r *Ring) Turn() {
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		if len(sh.back) == 0 {
			sh.back, sh.front = sh.front, nil
		}
		sh.mu.Unlock()
	}
}

// Take gives keys' records that are ready until they are n or more, each key's in the order of time. They stay until
// they are settled. Turn, Take and Settle are for one goroutine.
func (r *Ring) Take(n int) [][]Record {
	var out [][]Record
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		for _, h := range sh.back {
			if n <= 0 {
				break
			}
			out = append(out, h.inOrder())
			n -= len(h.records)
		}
		sh.mu.Unlock()
	}
	return out
}

func (h *held) inOrder() []Record {
	return append(append(make([]Record, 0, len(h.records)), h.records[h.next:]...), h.records[:h.next]...)
}

// Settle forgets records that Take gave.
func (r *Ring) Settle(taken [][]Record) {
	for _, records := range taken {
		key := records[0].Key
		sh := r.shard(&key)
		sh.mu.Lock()
		h := sh.back[key]
		delete(sh.back, key)
		sh.mu.Unlock()
		h.place.used.Add(-int64(len(h.records)))
		r.used.Add(-int64(len(h.records)))
	}
}

// Of gives the records of a key that are not settled.
func (r *Ring) Of(key [16]byte) []Record {
	sh := r.shard(&key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var out []Record
	for _, side := range []map[[16]byte]*held{sh.back, sh.front} {
		if h := side[key]; h != nil {
			out = append(out, h.inOrder()...)
		}
	}
	return out
}

// In gives the records of a workspace, or of all where it is "", that are not settled. It looks at every key that has
// some.
func (r *Ring) In(ws id.Workspace) []Record {
	var out []Record
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		for _, side := range []map[[16]byte]*held{sh.back, sh.front} {
			for _, h := range side {
				if ws == "" || h.records[0].Workspace == ws {
					out = append(out, h.records...)
				}
			}
		}
		sh.mu.Unlock()
	}
	return out
}

// Lost is how many records found no room since the start.
func (r *Ring) Lost() int64 { return r.lost.Load() }

// Waiting is how many records are not settled.
func (r *Ring) Waiting() int64 { return r.used.Load() }
