package perm

import "math/bits"

// Set is an immutable set of permissions of one catalogue: a bit for each, eight to a byte, without trailing zero
// bytes. Equal sets compare equal with ==, and a Set can be a map's key. The zero value is the empty set.
type Set struct{ bits string }

type builder struct{ b []byte }

func newBuilder(n int) *builder { return &builder{make([]byte, (n+7)/8)} }

func (b *builder) add(i int) { b.b[i/8] |= 1 << (i % 8) }

func (b *builder) set() Set { return fromBytes(b.b) }

func fromBytes(b []byte) Set {
	n := len(b)
	for n > 0 && b[n-1] == 0 {
		n--
	}
	return Set{string(b[:n])}
}

func (s Set) has(i int) bool { return i/8 < len(s.bits) && s.bits[i/8]>>(i%8)&1 == 1 }

// IsEmpty tells whether nothing is in the set.
func (s Set) IsEmpty() bool { return s.bits == "" }

// Len counts the permissions.
func (s Set) Len() int {
	n := 0
	for i := 0; i < len(s.bits); i++ {
		n += bits.OnesCount8(s.bits[i])
	}
	return n
}

// Within tells whether every permission of s is in outer. It allocates nothing.
func (s Set) Within(outer Set) bool {
	if len(s.bits) > len(outer.bits) {
		return false
	}
	for i := 0; i < len(s.bits); i++ {
		if s.bits[i]&^outer.bits[i] != 0 {
			return false
		}
	}
	return true
}

// Meets tells whether the sets share a permission. It allocates nothing.
func (s Set) Meets(o Set) bool {
	for i := 0; i < min(len(s.bits), len(o.bits)); i++ {
		if s.bits[i]&o.bits[i] != 0 {
			return true
		}
	}
	return false
}

// And is the intersection.
func (s Set) And(o Set) Set {
	b := []byte(s.bits[:min(len(s.bits), len(o.bits))])
	for i := range b {
		b[i] &= o.bits[i]
	}
	return fromBytes(b)
}

// Or is the union.
func (s Set) Or(o Set) Set {
	if len(s.bits) < len(o.bits) {
		s, o = o, s
	}
	b := []byte(s.bits)
	for i := 0; i < len(o.bits); i++ {
		b[i] |= o.bits[i]
	}
	return fromBytes(b)
}

// Without returns the permissions of s that o does not have.
func (s Set) Without(o Set) Set {
	b := []byte(s.bits)
	for i := range min(len(b), len(o.bits)) {
		b[i] &^= o.bits[i]
	}
	return fromBytes(b)
}

// Demand is the requirement of a verification: all of one set, and at least one of another unless that is empty.
type Demand struct {
	All Set
	Any Set
}

// Met tells whether the held set satisfies the demand. It allocates nothing.
func (d Demand) Met(held Set) bool {
	return d.All.Within(held) && (d.Any.IsEmpty() || d.Any.Meets(held))
}

// Missing returns the permissions that the held set lacks: the rest of All, and the whole of Any if none of it is
// held.
func (d Demand) Missing(held Set) Set {
	m := d.All.Without(held)
	if !d.Any.IsEmpty() && !d.Any.Meets(held) {
		m = m.Or(d.Any)
	}
	return m
}

// IsEmpty tells whether nothing is demanded.
func (d Demand) IsEmpty() bool { return d.All.IsEmpty() && d.Any.IsEmpty() }

// Hash is the same for equal demands. It allocates nothing, and is no defence against demands that are chosen to
// collide.
func (d Demand) Hash() uint64 { return d.Any.hash(d.All.hash(0x9e3779b97f4a7c15)) }

func (s Set) hash(h uint64) uint64 {
	for i := 0; i < len(s.bits); i++ {
		h = (h ^ uint64(s.bits[i])) * 0x100000001b3
	}
	h = (h ^ uint64(len(s.bits))) * 0xff51afd7ed558ccd
	return h ^ h>>32
}
