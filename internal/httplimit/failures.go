package httplimit

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"
)

// rows and slots bound the memory, whatever arrives: half a megabyte. An address has a slot in each row, which it may
// share; it is refused only if both slots are full, so a neighbour's rare failures matter only to an address that
// fails as well.
const (
	rows  = 2
	slots = 1 << 15
)

// Failures limits attempts with invalid credentials, by the address they come from: an IPv6 network of 64 bits is one
// address, because that is the network of one customer. It does not concern good credentials. It is safe for
// concurrent use, and takes no lock.
type Failures struct {
	elapsed func() time.Duration
	each    time.Duration // what an attempt costs of a minute
	seeds   [rows]maphash.Seed
	full    [rows][slots]atomic.Int64 // until when the slot is in use, in nanoseconds of elapsed
}

// NewFailures admits so many failed attempts a minute from one address, all at once or one after the other; for 0 it
// returns nil, which refuses no attempt. elapsed is a clock that cannot be set.
func NewFailures(perMinute int, elapsed func() time.Duration) *Failures {
	if perMinute == 0 {
		return nil
	}
	f := &Failures{elapsed: elapsed, each: time.Minute / time.Duration(perMinute)}
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
	network, now := Network(from), f.elapsed()
	wait := time.Duration(1<<63 - 1)
	for i := range f.full {
		slot := &f.full[i][maphash.Comparable(f.seeds[i], network)%slots]
		wait = min(wait, f.charge(slot, now))
	}
	return wait
}

// Wait answers how long an address that has made too many failed attempts has to wait, else 0. It counts nothing, so
// that an attempt that is dear to judge is refused before it is judged.
func (f *Failures) Wait(from netip.Addr) time.Duration {
	if f == nil {
		return 0
	}
	network, now := Network(from), f.elapsed()
	wait := time.Duration(1<<63 - 1)
	for i := range f.full {
		old := time.Duration(f.full[i][maphash.Comparable(f.seeds[i], network)%slots].Load())
		wait = min(wait, max(max(old, now)+f.each-now-time.Minute, 0))
	}
	return wait
}

// charge takes one attempt from a slot, or says when it has room again.
func (f *Failures) charge(slot *atomic.Int64, now time.Duration) time.Duration {
	for {
		old := slot.Load()
		next := max(time.Duration(old), now) + f.each
		if over := next - now - time.Minute; over > 0 {
			return over
		}
		if slot.CompareAndSwap(old, int64(next)) {
			return 0
		}
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
