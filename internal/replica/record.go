package replica

import (
	"encoding/binary"
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/keyward/keyward/internal/hugepage"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/ratelimit"
)

// record is a key in 96 bytes without a pointer: two lines of a processor's cache, wherever it lies in its chunk.
type record [recordWords]atomic.Uint64

// fields is a record at one instant.
type fields [recordWords]uint64

// The words of a record.
const (
	versionWord = iota // revision << 16 | a number that rises by two with every change; odd in the midst of one
	digestWord         // four of them: the digest of the current value
	_
	_
	_
	expiryWord // Unix milliseconds, 0 for never
	refsWord   // member << 32 | set
	limitsWord // minute << 32 | day
	idWord     // two of them: the UUID
	_
	textWord  // where in the arena the key's text lies
	shapeWord // what the text is made of, and the flags
	recordWords
)

// Revisions are kept in 48 bits: a million changes a second for eight years.
const revisionShift = 16

// The flags, in the lowest byte of the shape.
const (
	known  = 1 << iota // of the versionWord's revision; without it the record is nobody's
	exists             // else gone
	active
	orphan
	environmentShift = iota
	rehash           = 1 << 6 // our own digest shall take the place of the current one
	revoked          = 1 << 7 // and so not active
)

var environments = [...]keyfmt.Environment{"", keyfmt.Live, keyfmt.Test, keyfmt.Service}

func environmentNumber(e keyfmt.Environment) uint64 {
	for i := range environments {
		if environments[i] == e {
			return uint64(i)
		}
	}
	return 0
}

// uuid is the id of a key in two words.
type uuid struct{ hi, lo uint64 }

func uuidOf(b [16]byte) uuid {
	return uuid{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (u uuid) bytes() (b [16]byte) {
	binary.BigEndian.PutUint64(b[:8], u.hi)
	binary.BigEndian.PutUint64(b[8:], u.lo)
	return b
}

func (f *fields) has(flag uint64) bool { return f[shapeWord]&flag != 0 }
func (f *fields) revision() int64      { return int64(f[versionWord] >> revisionShift) }
func (f *fields) id() uuid             { return uuid{f[idWord], f[idWord+1]} }
func (f *fields) member() uint32       { return uint32(f[refsWord] >> 32) }
func (f *fields) set() uint32          { return uint32(f[refsWord]) }

func (f *fields) environmentNumber() int {
	return int(f[shapeWord] >> environmentShift % uint64(len(environments)))
}

func (f *fields) environment() keyfmt.Environment { return environments[f.environmentNumber()] }

func (f *fields) limits() ratelimit.Limits {
	return ratelimit.Limits{PerMinute: int64(f[limitsWord] >> 32), PerDay: int64(uint32(f[limitsWord]))}
}

func (f *fields) setDigest(d *keyfmt.Digest) {
	for i := range 4 {
		f[digestWord+i] = binary.LittleEndian.Uint64(d[8*i:])
	}
}

func (f *fields) digest() (d keyfmt.Digest) {
	for i := range 4 {
		binary.LittleEndian.PutUint64(d[8*i:], f[digestWord+i])
	}
	return d
}

// nameOfValue is the name of the current value.
func (f *fields) nameOfValue() name { return name{byte(f[digestWord]), uint32(f[digestWord] >> 8)} }

// differs is 0 if the digest is that of the current value. It takes the same time for any difference.
func (f *fields) differs(d *keyfmt.Digest) uint64 {
	return f[digestWord] ^ binary.LittleEndian.Uint64(d[:]) | f[digestWord+1] ^ binary.LittleEndian.Uint64(d[8:]) |
		f[digestWord+2] ^ binary.LittleEndian.Uint64(d[16:]) | f[digestWord+3] ^ binary.LittleEndian.Uint64(d[24:])
}

// load reads all words as of one instant, and tells whether it could: it cannot in the midst of a change.
func (r *record) load(f *fields) bool {
	v := r[versionWord].Load()
	f[versionWord] = v
	for i := 1; i < recordWords; i++ {
		f[i] = r[i].Load()
	}
	return v&1 == 0 && r[versionWord].Load() == v
}

// peek reads the words for a writer, which runs alone.
func (r *record) peek(f *fields) {
	for i := range r {
		f[i] = r[i].Load()
	}
}

// unchanged tells whether the record is still as f was read.
func (r *record) unchanged(f *fields) bool { return r[versionWord].Load() == f[versionWord] }

// store changes the record to f as of a revision; f's own version does not count. For writers.
func (r *record) store(f *fields, revision int64) {
	v := r[versionWord].Load()
	r[versionWord].Store(v | 1)
	for i := 1; i < recordWords; i++ {
		if r[i].Load() != f[i] {
			r[i].Store(f[i])
		}
	}
	r[versionWord].Store(uint64(revision)<<revisionShift | uint64(uint16(v)+2))
}

// fill is store for a record that no reader can come to yet: whatever leads a reader to it is stored afterwards. It
// writes the words plainly, because each atomic store waits for all stores before it.
func (r *record) fill(f *fields, revision int64) {
	words := (*fields)(unsafe.Pointer(r))
	*words = *f
	words[versionWord] = uint64(revision)<<revisionShift | 2
}

// spins is how often a reader looks again at a record that changes before it lets others run: a change is a dozen
// stores.
const spins = 64

func pause(tries int) {
	if tries%spins == spins-1 {
		runtime.Gosched()
	}
}

// records holds them in chunks that are never moved. A number that was given back is given again; 0 is no record's.
type records struct {
	chunks directory[[recordsInChunk]record]

	// The writers'.
	next  uint32
	free  []uint32
	spare [][recordsInChunk]record // chunks that are there, and not in use yet
	room  int                      // so many chunks are known to be needed in all
}

const (
	chunkShift     = 12
	recordsInChunk = 1 << chunkShift
)

func (r *records) at(number uint32) *record {
	return &r.chunks.at(number >> chunkShift)[number%recordsInChunk]
}

// take returns the number of a free record; an unused one was never given before. For writers.
func (r *records) take() (number uint32, unused bool) {
	if n := len(r.free); n > 0 {
		number = r.free[n-1]
		r.free = r.free[:n-1]
		return number, false
	}
	if r.next%recordsInChunk == 0 {
		r.addChunk()
	}
	r.next++
	return r.next - 1, true
}

// reserve says about how many records there will be.
func (r *records) reserve(records int) {
	r.room = max(r.room, (records+recordsInChunk-1)/recordsInChunk)
}

// addChunk makes the chunks of a large copy some at a time, so that they lie in large pages: a sixteenth of the
// present ones, or those that are known to be needed, and no more than 24 MiB.
func (r *records) addChunk() {
	const most = 64
	if len(r.spare) == 0 {
		have := r.chunks.len()
		r.spare = hugepage.Make[[recordsInChunk]record](min(max(1, have/16, r.room-have), most))
	}
	r.chunks.add(&r.spare[0])
	r.spare = r.spare[1:]
}
