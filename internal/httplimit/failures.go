package httplimit

import (
	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// rows and slots bound the memory, however many addresses there are. An address has a slot in each row, which it may
// share; it is refused only if both slots are full, so a neighbour's rare failures matter only to an address that
// fails as well.
const (
	rows  = 2
	slots = 1 << 15
)

// span is how many whole seconds count at an instant: the one that runs and the 60 before it. With 60 of them, twice
// the number could pass within a minute: at the end of one second and at the beginning of the 61st.
const span = 61

// Failures limits attempts with invalid credentials, by the address they come from: an IPv6 network of 64 bits is one
// address, because that is the network of one customer. It does not concern good credentials.
//
// At most perMinute attempts of one address pass in any 60 seconds. An attempt counts for 60 to 61 seconds. Each one
// that passes is counted in both slots of its address, also in one that is full: so neither slot ever counts less
// than the address has made, whichever neighbours come and go.
//
// A slot takes 160 bytes from its first attempt on: half a megabyte at the start, 11 MB at most. It is safe for
// concurrent use; attempts wait for each other only where they share a slot.
type Failures struct {
	elapsed   func() time.Duration
	perMinute int64
	seeds     [rows]maphash.Seed
	slots     [rows][slots]atomic.Pointer[slot]
}

// slot counts attempts by the second. The mutex owns the rest.
type slot struct {
	mu     sync.Mutex
	newest int64 // the latest second that was counted in
	sum    int64 // of units
	units  [span]uint16
}

// NewFailures admits so many failed attempts from one address in any minute, 65,535 at most; for 0 it returns nil,
// which refuses no attempt. elapsed is a clock that cannot be set.
func NewFailures(perMinute int, elapsed func() time.Duration) *Failures {
	if perMinute == 0 {
		return nil
	}
	f := &Failures{elapsed: elapsed, perMinute: min(int64(perMinute), math.MaxUint16)}
	for i := range f.seeds {
		f.seeds[i] = maphash.MakeSeed()
	}
	return f
}

// Failed counts a failed attempt. Where the address has made too many it answers how long to wait, else 0.
func (f *Failures) Failed(from netip.Addr) time.Duration {
	if f == nil {
		return 0
	}
	wait, all := f.lock(from)
	defer unlock(all)
	if wait > 0 {
		return wait
	}
	for _, s := range all {
		s.add()
	}
	return 0
}

// Wait answers how long an address that has made too many failed attempts has to wait, else 0. It counts nothing, so
// that an attempt that is dear to judge is refused before it is judged.
func (f *Failures) Wait(from netip.Addr) time.Duration {
	if f == nil {
		return 0
	}
	wait, all := f.lock(from)
	unlock(all)
	return wait
}

// lock locks the slots of an address, in the order of the rows, and tells how long it has to wait.
func (f *Failures) lock(from netip.Addr) (wait time.Duration, all [rows]*slot) {
	network := Network(from)
	for i := range all {
		all[i] = f.slot(i, maphash.Comparable(f.seeds[i], network)%slots)
		all[i].mu.Lock()
	}
	now := f.elapsed()
	wait = math.MaxInt64
	for _, s := range all {
		wait = min(wait, s.wait(now, f.perMinute))
	}
	return wait, all
}

func unlock(all [rows]*slot) {
	for _, s := range all {
		s.mu.Unlock()
	}
}

// slot gives the slot at a place, and makes it where it is the first time.
func (f *Failures) slot(row int, place uint64) *slot {
	at := &f.slots[row][place]
	if s := at.Load(); s != nil {
		return s
	}
	at.CompareAndSwap(nil, new(slot))
	return at.Load()
}

// wait takes out the seconds that no longer count, and tells how long it takes until one more attempt has room.
func (s *slot) wait(now time.Duration, perMinute int64) time.Duration {
	second := int64(now / time.Second)
	for gone := max(s.newest, second-span); gone < second; {
		gone++
		s.sum -= int64(s.units[gone%span])
		s.units[gone%span] = 0
	}
	s.newest = max(s.newest, second)
	if s.sum < perMinute {
		return 0
	}
	left := s.sum
	for oldest := s.newest - span + 1; ; oldest++ {
		left -= int64(s.units[(oldest+span)%span])
		if left < perMinute {
			return time.Duration(oldest+span)*time.Second - now
		}
	}
}

// add counts an attempt in the latest second. A second that is full fills the slot for as long as it counts.
func (s *slot) add() {
	if at := &s.units[s.newest%span]; *at < math.MaxUint16 {
		*at++
		s.sum++
	}
}

// Network is what counts as one address wherever callers are counted by it: an IPv6 network of 64 bits, which is what
// one customer gets, and a single IPv4 address. What is no address counts as one, too.
func Network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
