package ratelimit

// arena holds rings that have outgrown their entries, in chunks without a pointer inside, so that the garbage collector
// has nothing to look at however many there are. Class k holds rings of 2<<k runs, for k from 1 on.
type arena struct {
	chunks [][]run
	used   uint32 // rings that were ever given out
	free   uint32 // one more than the number of the first ring on the free list; 0 ends it
}

const (
	classes    = 11 // 0 is within the entry
	chunkBytes = 4096
)

func ringSize(class uint8) int { return 2 << class }

// perChunk is how many rings of a class share a chunk: a power of two.
func perChunk(class uint8) uint32 { return uint32(max(1, chunkBytes/8/ringSize(class))) }

// ring gives the runs of a ring.
func (a *arena) ring(class uint8, ref uint32) []run {
	size, per := uint32(ringSize(class)), perChunk(class)
	at := ref % per * size
	return a.chunks[ref/per][at : at+size : at+size]
}

// take gives a ring out.
func (a *arena) take(class uint8) (ref uint32) {
	if a.free != 0 {
		ref = a.free - 1
		a.free = a.ring(class, ref)[0].at
		return ref
	}
	ref = a.used
	if per := perChunk(class); ref/per == uint32(len(a.chunks)) {
		a.chunks = append(a.chunks, make([]run, per*uint32(ringSize(class))))
	}
	a.used++
	return ref
}

// put takes a ring back.
func (a *arena) put(class uint8, ref uint32) {
	a.ring(class, ref)[0].at = a.free
	a.free = ref + 1
}

func (a *arena) bytes() (n int64) {
	for _, c := range a.chunks {
		n += 8 * int64(len(c))
	}
	return n
}
