package replica

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/keyfmt"
)

// arena holds the texts of keys in chunks without a pointer. A byte is written once, before the record that leads to
// it, and never again: a chunk is dropped when nothing in it is in use, and lives on for as long as a string of it is
// referenced.
type arena struct {
	chunks atomic.Pointer[[][]byte] // a new list for every chunk that comes or is dropped

	// The writers'.
	live []int32 // bytes in use, for each chunk
	free []uint32
	open uint32 // the chunk that is being filled
	fill int
	used int64  // bytes in use, of
	size int64  // all bytes
	move []bool // chunks that texts are moved away from; nil at most times
}

// textChunk is the size of a chunk but for one that holds a single longer text. An offset takes offsetBits.
const (
	offsetBits = 16
	textChunk  = 1 << offsetBits
)

// A text is the earlier values, the networks, the name, the metadata and the second digests, one after the other. The
// shapeWord says how long each is.
const (
	networksShift = 8
	nameShift     = 16
	metadataShift = 32
	previousShift = 48
	secondShift   = 59 // one bit: second digests are there
	kindShift     = 60 // of the current value

	valueSize   = 32 + 8 + 1 // a digest, until when, and of which kind
	maxPrevious = 1<<(secondShift-previousShift) - 1
	maxNetworks = 1<<(nameShift-networksShift) - 1
	maxPart     = 1<<16 - 1
)

// shape holds the lengths that a shapeWord encodes. The first two and the last are counts.
type shape struct{ previous, networks, name, metadata, second int }

func (f *fields) text() shape {
	s := f[shapeWord]
	previous := int(s >> previousShift & maxPrevious)
	return shape{
		previous, int(s >> networksShift & maxNetworks), int(s >> nameShift & maxPart),
		int(s >> metadataShift & maxPart), int(s>>secondShift&1) * (1 + previous),
	}
}

func (s shape) size() int {
	return s.previous*valueSize + s.networks*networkSize + s.name + s.metadata + s.second*secondSize
}

func (s shape) word() uint64 {
	w := uint64(s.previous)<<previousShift | uint64(s.metadata)<<metadataShift | uint64(s.name)<<nameShift |
		uint64(s.networks)<<networksShift
	if s.second > 0 {
		w |= 1 << secondShift
	}
	return w
}

// texts is the arena as a reader finds it: a list that is still the arena's has everything that the records lead to.
func (a *arena) texts() *[][]byte { return a.chunks.Load() }

// text gives the bytes that belong to f, and false where they are not there any more, or not yet in this list.
func text(list *[][]byte, f *fields) ([]byte, bool) {
	n, chunk, offset := f.text().size(), f[textWord]>>offsetBits, int(f[textWord]%textChunk)
	if n == 0 {
		return nil, true
	}
	if chunk >= uint64(len(*list)) || offset+n > len((*list)[chunk]) {
		return nil, false
	}
	return (*list)[chunk][offset : offset+n : offset+n], true
}

// stringOf converts bytes of the arena, which are never written again, to a string.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// appendText writes the text of a key behind b, and returns its shape. Text that does not fit is cut: the bounds of
// keys are far below.
func (r *Replica) appendText(b []byte, p *packed) ([]byte, shape) {
	s := shape{name: min(len(p.name), maxPart), metadata: min(len(p.metadata), maxPart)}
	if p.rare != nil {
		b = r.appendRare(b, p.rare, &s)
	}
	b = append(b, p.name[:s.name]...)
	b = append(b, p.metadata[:s.metadata]...)
	if p.rare != nil {
		b, s.second = r.appendSecond(b, p.rare, s.previous)
	}
	return b, s
}

// appendRare writes the earlier values and the networks of a key.
func (r *Replica) appendRare(b []byte, k *apikey.Key, s *shape) []byte {
	s.previous, s.networks = min(len(k.Previous), maxPrevious), min(len(k.AllowedIPs), maxNetworks)
	for _, p := range k.Previous[:s.previous] {
		b = binary.LittleEndian.AppendUint64(append(b, p.Digest.Sum[:]...), uint64(endOf(p.Until)))
		b = append(b, byte(r.kinds.number(p.Digest.Pepper)))
	}
	for _, p := range k.AllowedIPs[:s.networks] {
		b = appendNetwork(b, p)
	}
	return b
}

// earlier reads the i-th earlier value of a text.
func earlier(text []byte, i int) (d *keyfmt.Digest, until int64) {
	v := text[i*valueSize : (i+1)*valueSize]
	return (*keyfmt.Digest)(v), int64(binary.LittleEndian.Uint64(v[32:]))
}

// kindOf reads the kind of the i-th earlier value of a text.
func kindOf(text []byte, i int) int { return int(text[(i+1)*valueSize-1]) }

// put copies a text into the arena, and gives the word that leads to it. For writers, as is all that follows.
func (a *arena) put(b []byte) uint64 {
	if len(b) == 0 {
		return 0
	}
	list := *a.chunks.Load()
	if a.fill+len(b) > len(list[a.open]) {
		list = a.begin(max(textChunk, len(b)))
	}
	at := a.fill
	copy(list[a.open][at:], b)
	a.fill += len(b)
	a.live[a.open] += int32(len(b))
	a.used += int64(len(b))
	return uint64(a.open)<<offsetBits | uint64(at)
}

// begin opens a new chunk, and drops the one before if nothing in it is in use.
func (a *arena) begin(size int) [][]byte {
	before, list := a.open, *a.chunks.Load()
	a.fill = 0
	a.size += int64(size)
	if n := len(a.free); n > 0 {
		a.open, a.free = a.free[n-1], a.free[:n-1]
		list = a.replace(a.open, make([]byte, size))
	} else {
		a.open = uint32(len(list))
		list = append(list, make([]byte, size)) // beyond the end of what readers have
		a.live = append(a.live, 0)
		a.chunks.Store(&list)
	}
	if int(a.open) < len(a.move) {
		a.move[a.open] = false // it is another one now
	}
	if before != 0 && a.live[before] == 0 {
		a.drop(before)
	}
	return *a.chunks.Load()
}

// replace puts a chunk, or nil, in place in a new list.
func (a *arena) replace(number uint32, chunk []byte) [][]byte {
	list := append([][]byte(nil), *a.chunks.Load()...)
	list[number] = chunk
	a.chunks.Store(&list)
	return list
}

func (a *arena) drop(number uint32) {
	a.size -= int64(len((*a.chunks.Load())[number]))
	a.replace(number, nil)
	a.free = append(a.free, number)
}

// release says that the text of f is not in use any more: no record leads to it.
func (a *arena) release(f *fields) {
	n := f.text().size()
	if n == 0 {
		return
	}
	number := uint32(f[textWord] >> offsetBits)
	a.live[number] -= int32(n)
	a.used -= int64(n)
	if a.live[number] == 0 && number != a.open {
		a.drop(number)
	}
}

// thin tells whether moving texts together gives back enough to be worth it: the unused bytes are more than half of the
// used ones.
func (a *arena) thin() bool { return a.size-a.used > a.used/2+4*textChunk }

// markThin marks the chunks from which the texts are to be moved away.
func (a *arena) markThin() {
	list := *a.chunks.Load()
	a.move = make([]bool, len(list))
	for i, c := range list {
		a.move[i] = uint32(i) != a.open && 2*int(a.live[i]) < len(c)
	}
}

// init leaves the chunk 0 empty for good, so that the word 0 leads to no text.
func (a *arena) init() {
	a.chunks.Store(&[][]byte{nil})
	a.live = []int32{0}
}
