package keyfmt

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"strings"
)

// Bounds of a foreign value: a value that another system made, and of which we were given a digest.
const (
	LeastForeign = 16
	MostForeign  = 512
)

// Reserved is how all other credentials of Keyward begin, such as session tokens and sign-in codes.
const Reserved = "keyward_"

// LooksLikeJWT tells whether a text has the form of a signed JSON Web Token (RFC 7519): "ey" begins every JSON object
// in base64url.
func LooksLikeJWT(s string) bool { return strings.HasPrefix(s, "ey") && strings.Count(s, ".") == 2 }

// MayBeForeign tells whether a text can be a foreign value: 16 to 512 visible ASCII characters, without our prefix, and
// not of the form of a session token, a sign-in code or a JWT. It allocates nothing and looks nothing up.
func (f Format) MayBeForeign(s string) bool {
	if len(s) < LeastForeign || len(s) > MostForeign {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return !f.hasPrefix(s) && !strings.HasPrefix(s, Reserved) && !LooksLikeJWT(s)
}

// hasPrefix tells whether a text begins as a key of this installation does, or did under an earlier prefix.
func (f Format) hasPrefix(s string) bool {
	if begins(s, f.prefix) {
		return true
	}
	if others := f.others.Load(); others != nil {
		for _, prefix := range *others {
			if begins(s, prefix) {
				return true
			}
		}
	}
	return false
}

func begins(s, prefix string) bool {
	return len(s) > len(prefix) && s[len(prefix)] == '_' && s[:len(prefix)] == prefix
}

// The algorithms of digests that can be imported.
const (
	SHA256     = "sha256"
	SHA512     = "sha512"
	HMACSHA256 = "hmac-sha256"
)

// The forms of the PepperID of a foreign value. It says how the digest is made and, after "rehash:", that our own
// digest takes its place once the value is used; "own:" is then followed by the pepper of that digest.
const (
	foreignHead = "foreign:"
	rehashHead  = foreignHead + "rehash:"
	ownHead     = foreignHead + "own:"
)

// IsForeign tells whether digests under p are those of foreign values.
func (p PepperID) IsForeign() bool { return strings.HasPrefix(string(p), foreignHead) }

// Rehash tells whether our own digest shall take the place of this one once the value is used.
func (p PepperID) Rehash() bool { return strings.HasPrefix(string(p), rehashHead) }

// WithRehash is p of a foreign value, with Rehash set or not.
func (p PepperID) WithRehash(on bool) PepperID {
	kind := p.kind()
	if on {
		return PepperID(rehashHead + kind)
	}
	return PepperID(foreignHead + kind)
}

// Own is the pepper of our own digest of a foreign value, and false for every other digest.
func (p PepperID) Own() (PepperID, bool) {
	own, ok := strings.CutPrefix(string(p), ownHead)
	return PepperID(own), ok
}

// Secret is the name of the import secret that digests under p need, "" for none.
func (p PepperID) Secret() string {
	algorithm, rest, _ := strings.Cut(p.kind(), ":")
	if algorithm != HMACSHA256 {
		return ""
	}
	name, _, _ := strings.Cut(rest, ":")
	return name
}

// kind names the way the digest is made: the algorithm and, if it needs one, the secret's name and identifier, or
// "own:" and a pepper.
func (p PepperID) kind() string {
	kind, _ := strings.CutPrefix(string(p), foreignHead)
	kind, _ = strings.CutPrefix(kind, "rehash:")
	return kind
}

// maker makes the digests of one kind: SHA-512, or any kind under a pepper.
type maker struct {
	kind   string
	sha512 bool
	pepper
}

func (m *maker) digest(s string) Digest {
	if m.sha512 {
		sum := sha512.Sum512(bytesOf(s))
		return fold(&sum)
	}
	return m.pepper.digest(s)
}

const foldHead = "keyward imported digest\x00" + SHA512 + "\x00\x00"

// fold makes 32 bytes of a longer digest: the SHA-256 of a label, the algorithm, the secret's identifier (SHA-512 has
// none), each ended by a zero byte, and the digest.
func fold(sum *[sha512.Size]byte) Digest {
	var b [len(foldHead) + sha512.Size]byte
	copy(b[:], foldHead)
	copy(b[len(foldHead):], sum[:])
	return sha256.Sum256(b[:])
}

// AddImportSecret makes HMAC-SHA-256 digests under a named secret known. The name stays with the digests.
func (d *Digester) AddImportSecret(name string, value []byte) {
	p := newPepper(string(value))
	id := sha256.Sum256([]byte("keyward import secret id\x00" + string(value)))
	kind := HMACSHA256 + ":" + name + ":" + hex.EncodeToString(id[:8])
	d.secrets = append(d.secrets, &maker{kind: kind, pepper: p})
}

// ImportSecrets lists the names of the import secrets.
func (d *Digester) ImportSecrets() (names []string) {
	for _, m := range d.secrets {
		names = append(names, PepperID(foreignHead+m.kind).Secret())
	}
	return names
}

// plain and long are the kinds that need no secret.
var (
	plain = maker{kind: SHA256, pepper: newPepper("")}
	long  = maker{kind: SHA512, sha512: true}
)

// maker returns the maker of digests under the PepperID of a foreign value; nil if this installation does not know
// the PepperID.
func (d *Digester) maker(p PepperID) *maker {
	kind := p.kind()
	switch kind {
	case SHA256:
		return &plain
	case SHA512:
		return &long
	}
	for _, m := range d.secrets {
		if m.kind == kind {
			return m
		}
	}
	own, ok := p.Own()
	if !ok {
		return nil
	}
	for _, e := range append([]pepper{d.current}, d.previous...) {
		if e.id == own {
			return &maker{kind: kind, pepper: e}
		}
	}
	return nil
}

// Imported returns the stored form of a foreign value's digest, made elsewhere by an algorithm and, for HMACSHA256,
// under the import secret of that name. It fails for an unknown algorithm or secret, and for a digest of another
// size.
func (d *Digester) Imported(algorithm, secret string, digest []byte) (Stored, error) {
	m := d.algorithm(algorithm, secret)
	if m == nil {
		return Stored{}, fmt.Errorf("no algorithm %q with a secret %q", algorithm, secret)
	}
	out := Stored{Pepper: PepperID(foreignHead + m.kind)}
	switch {
	case m.sha512 && len(digest) == sha512.Size:
		out.Sum = fold((*[sha512.Size]byte)(digest))
	case !m.sha512 && len(digest) == sha256.Size:
		out.Sum = Digest(digest)
	default:
		return Stored{}, fmt.Errorf("a digest by %s of %d bytes", algorithm, len(digest))
	}
	return out, nil
}

func (d *Digester) algorithm(name, secret string) *maker {
	switch name {
	case SHA256:
		return &plain
	case SHA512:
		return &long
	}
	for _, m := range d.secrets {
		if PepperID(foreignHead+m.kind).Secret() == secret {
			return m
		}
	}
	return nil
}

// Of gives the digest of a foreign value by the kind that p names; ok is false where that is not known here.
func (d *Digester) Of(p PepperID, value string) (sum Digest, ok bool) {
	m := d.maker(p)
	if m == nil {
		return sum, false
	}
	return m.digest(value), true
}

// StoreForeign returns the stored form of our own digest of a foreign value.
func (d *Digester) StoreForeign(value string) Stored {
	return Stored{Pepper: PepperID(ownHead) + d.current.id, Sum: d.current.digest(value)}
}

// Kinds are the sorts of digest that foreign values have in an installation.
type Kinds struct {
	makers []*maker
	// Strange reports that a digest of one kind cannot be made here because its secret is missing: a value that was
	// not found may exist.
	Strange bool
}

// Kinds returns the makers of the digests of the PepperIDs in use. Our own digest comes last, and is included as soon
// as one value waits to be rehashed: a reader that misses the old digest then finds the new one.
func (d *Digester) Kinds(used []PepperID) Kinds {
	var k Kinds
	rehash := false
	for _, p := range used {
		if _, own := p.Own(); !own {
			k.add(d.maker(p))
			rehash = rehash || p.Rehash()
		}
	}
	for _, p := range used {
		if _, own := p.Own(); own {
			k.add(d.maker(p))
		}
	}
	if rehash {
		k.add(d.maker(PepperID(ownHead) + d.current.id))
	}
	return k
}

func (k *Kinds) add(m *maker) {
	if m == nil {
		k.Strange = true
		return
	}
	for _, have := range k.makers {
		if have.kind == m.kind || have.macs == nil && m.macs == nil && have.sha512 == m.sha512 {
			return
		}
	}
	k.makers = append(k.makers, m)
}

// Len is how many digests a foreign value costs.
func (k *Kinds) Len() int { return len(k.makers) }

// Digest gives a value's digest by the i-th kind. It allocates nothing but, now and then, a secret's HMAC.
func (k *Kinds) Digest(i int, value string) Digest { return k.makers[i].digest(value) }
