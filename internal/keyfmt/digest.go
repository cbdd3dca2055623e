package keyfmt

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"sync"
)

// Digest is the stored form of a key: SHA-256, or HMAC-SHA-256 under a pepper, of its whole text.
type Digest [32]byte

// PepperID names the pepper that a digest was made under, without telling it; NoPepper is plain SHA-256. That of a
// foreign value says by which algorithm and secret its digest was made (IsForeign).
type PepperID string

// NoPepper marks plain SHA-256 digests.
const NoPepper PepperID = "none"

// Stored is a digest together with the pepper it was made under.
type Stored struct {
	Pepper PepperID
	Sum    Digest
}

type pepper struct {
	id   PepperID
	key  []byte     // nil for plain SHA-256
	macs *sync.Pool // of *mac; nil for plain SHA-256
}

// mac is a reusable HMAC keyed with the pepper, and a buffer for its output.
type mac struct {
	hash.Hash
	sum [sha256.Size]byte
}

func newPepper(value string) pepper {
	if value == "" {
		return pepper{id: NoPepper}
	}
	sum := sha256.Sum256([]byte("keyward pepper id\x00" + value))
	return newMAC(PepperID(hex.EncodeToString(sum[:8])), []byte(value))
}

func newMAC(name PepperID, key []byte) pepper {
	return pepper{
		id: name, key: key,
		macs: &sync.Pool{New: func() any { return &mac{Hash: hmac.New(sha256.New, key)} }},
	}
}

// digest returns the digest of a text. A reused HMAC keeps the state derived from the pepper: that takes a quarter of
// the time of a new one, and no memory.
func (p pepper) digest(s string) (d Digest) {
	if p.macs == nil {
		return sha256.Sum256(bytesOf(s))
	}
	m := p.macs.Get().(*mac)
	m.Write(bytesOf(s))
	m.Sum(m.sum[:0])
	d, m.sum = m.sum, Digest{}
	m.Reset()
	p.macs.Put(m)
	return d
}

// Digester makes digests under the current pepper and recognises those of earlier ones.
type Digester struct {
	current  pepper
	previous []pepper
	secrets  []*maker // of imported digests
}

// NewDigester takes the current pepper ("" for plain SHA-256) and the earlier ones that are still admitted, where the
// word "none" admits plain digests.
func NewDigester(current string, previous ...string) (*Digester, error) {
	d := &Digester{current: newPepper(current)}
	for _, v := range previous {
		if v == "" {
			return nil, fmt.Errorf("an earlier pepper is empty")
		}
		if v == string(NoPepper) {
			v = ""
		}
		if p := newPepper(v); !d.Knows(p.id) {
			d.previous = append(d.previous, p)
		}
	}
	return d, nil
}

// Store gives the digest to keep for a new key.
func (d *Digester) Store(s Secret) Stored {
	return Stored{Pepper: d.current.id, Sum: d.current.digest(s.Reveal())}
}

// Current gives the digest of a presented key under the current pepper. It allocates nothing but, now and then, a
// pepper's HMAC.
func (d *Digester) Current(presented string) Digest { return d.current.digest(presented) }

// Previous calls try with the digest under each earlier pepper until try says true.
func (d *Digester) Previous(presented string, try func(Digest) bool) bool {
	for _, p := range d.previous {
		if try(p.digest(presented)) {
			return true
		}
	}
	return false
}

// Made tells whether a digest is that of a value, under any of the peppers that are known here.
func (d *Digester) Made(s Stored, value string) bool {
	if s.Pepper == d.current.id {
		return d.current.digest(value) == s.Sum
	}
	for _, p := range d.previous {
		if p.id == s.Pepper {
			return p.digest(value) == s.Sum
		}
	}
	return false
}

// Knows tells whether digests made under the pepper can be recognised.
func (d *Digester) Knows(p PepperID) bool {
	if p.IsForeign() {
		return d.maker(p) != nil
	}
	if p == d.current.id {
		return true
	}
	for _, e := range d.previous {
		if e.id == p {
			return true
		}
	}
	return false
}

// CurrentPepper names the pepper that new digests are made under.
func (d *Digester) CurrentPepper() PepperID { return d.current.id }
