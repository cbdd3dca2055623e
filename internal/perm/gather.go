package perm

import "maps"

// Gatherer makes sets out of names that come one by one, as bytes. It allocates only for a set that was not made
// before, so that a door can read the same few demands again and again for nothing. It is not safe for concurrent use;
// Reset makes it ready again.
type Gatherer struct {
	c    *Catalogue
	bits []byte
	any  bool
}

// Gatherer gives a new one.
func (c *Catalogue) Gatherer() *Gatherer {
	return &Gatherer{c: c, bits: make([]byte, (len(c.entries)+7)/8)}
}

// Reset forgets the added permissions.
func (g *Gatherer) Reset() {
	if g.any {
		clear(g.bits)
	}
	g.any = false
}

// Add takes a name in, and tells whether the catalogue knows it.
func (g *Gatherer) Add(name []byte) bool {
	at, known := g.c.index[string(name)]
	if known {
		g.bits[at/8] |= 1 << (at % 8)
		g.any = true
	}
	return known
}

// Set returns the added permissions.
func (g *Gatherer) Set() Set {
	if !g.any {
		return Set{}
	}
	n := len(g.bits)
	for g.bits[n-1] == 0 {
		n--
	}
	return g.c.intern(g.bits[:n])
}

// maxInterned bounds the number of remembered sets.
const maxInterned = 1024

// intern gives the set of these bits, the same string for the same bits while there is room to remember them.
func (c *Catalogue) intern(b []byte) Set {
	kept := c.interned.Load()
	if kept != nil {
		if s, ok := (*kept)[string(b)]; ok {
			return s
		}
	}
	s := fromBytes(b)
	if kept != nil && len(*kept) >= maxInterned {
		return s
	}
	next := map[string]Set{s.bits: s}
	if kept != nil {
		maps.Copy(next, *kept)
	}
	c.interned.CompareAndSwap(kept, &next) // another's set was kept instead: this one is, the next time
	return s
}
