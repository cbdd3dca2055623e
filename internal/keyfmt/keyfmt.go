// Package keyfmt owns the text of a key: minting, parsing, checksum, digest and mask, and the type Secret that never
// prints itself. It does not own whether a key is good.
//
// A key is <prefix>_<live|test|svc>_ + 43 base62 digits (256 random bits) + 6 base62 digits of a CRC-32 (IEEE) over all
// bytes before them. The checksum lets a mistyped or invented value be refused without a look-up; it proves nothing.
package keyfmt

import (
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"
)

// Environment is the middle part of a key.
type Environment string

// The environments of keys; Service marks an operator's credential.
const (
	Live    Environment = "live"
	Test    Environment = "test"
	Service Environment = "svc"
)

const (
	alphabet    = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	randomSize  = 43
	checksumLen = 6
	tailLen     = randomSize + checksumLen
	maxPrefix   = 16

	// DefaultPrefix stands at the front of a key unless configured otherwise.
	DefaultPrefix = "kw"
)

// digits maps a byte to its base62 value, 255 for one that is none.
var digits = func() (d [256]byte) {
	for i := range d {
		d[i] = 255
	}
	for i := 0; i < len(alphabet); i++ {
		d[alphabet[i]] = byte(i)
	}
	return d
}()

var prefixForm = regexp.MustCompile(`^[a-z][a-z0-9]{0,15}$`)

// Format makes and reads the keys of one installation. The zero value is not usable. Copies share the earlier prefixes.
type Format struct {
	prefix string
	others *atomic.Pointer[[]string] // prefixes that keys were given before, or are given by another node
}

// NewFormat takes the installation's prefix: 1–16 lower-case letters and digits, a letter first.
func NewFormat(prefix string) (Format, error) {
	if !prefixForm.MatchString(prefix) {
		return Format{}, fmt.Errorf("key prefix %q: want 1 to 16 lower-case letters and digits, a letter first", prefix)
	}
	return Format{prefix: prefix, others: &atomic.Pointer[[]string]{}}, nil
}

// Admit adds prefixes to read, for every copy of the format. Invalid prefixes are ignored.
func (f Format) Admit(prefixes ...string) {
	all := f.Prefixes()[1:]
	for _, p := range prefixes {
		if p != f.prefix && prefixForm.MatchString(p) && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	f.others.Store(&all)
}

// Prefixes lists the prefixes of keys that are read; the first is that of new ones.
func (f Format) Prefixes() []string {
	all := []string{f.prefix}
	if others := f.others.Load(); others != nil {
		all = append(all, *others...)
	}
	return all
}

// PrefixOf returns the text before the first "_" of a key or of its mask; "" if that is not a prefix.
func PrefixOf(key string) string {
	prefix, _, found := strings.Cut(key, "_")
	if !found || !prefixForm.MatchString(prefix) {
		return ""
	}
	return prefix
}

// Prefix gives the installation's prefix.
func (f Format) Prefix() string { return f.prefix }

// Pattern is a regular expression (RE2) that finds this installation's keys in text, for secret scanners.
func (f Format) Pattern() string {
	return `\b` + f.anyPrefix() + `_(?:live|test|svc)_[0-9A-Za-z]{49}\b`
}

// anyPrefix is a regular expression for the prefixes, which hold no special character.
func (f Format) anyPrefix() string {
	all := f.Prefixes()
	if len(all) == 1 {
		return f.prefix
	}
	return `(?:` + strings.Join(all, "|") + `)`
}

// Mint makes a new key out of 256 bits of rand.
func (f Format) Mint(rand io.Reader, env Environment) (Secret, error) {
	var b [32]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return Secret{}, fmt.Errorf("read randomness: %w", err)
	}
	body := f.prefix + "_" + string(env) + "_" + base62(b)
	return NewSecret(body + string(checksum([]byte(body)))), nil
}

// base62 writes 256 bits as 43 digits (62^43 > 2^256).
func base62(b [32]byte) string {
	n, base, r := new(big.Int).SetBytes(b[:]), big.NewInt(62), new(big.Int)
	out := [randomSize]byte{}
	for i := randomSize - 1; i >= 0; i-- {
		n.DivMod(n, base, r)
		out[i] = alphabet[r.Int64()]
	}
	return string(out[:])
}

func checksum(body []byte) []byte {
	sum := crc32.ChecksumIEEE(body)
	out := make([]byte, checksumLen)
	for i := checksumLen - 1; i >= 0; i-- {
		out[i] = alphabet[sum%62]
		sum /= 62
	}
	return out
}

// Parse tells the environment of a well-formed key with a right checksum. It allocates nothing and looks nothing up.
func (f Format) Parse(s string) (Environment, bool) {
	p := len(f.prefix)
	if len(s) < p+2 || s[:p] != f.prefix || s[p] != '_' {
		return f.parseOther(s)
	}
	return parseAfter(s, p)
}

// parseOther reads a key with another prefix than that of new ones.
func (f Format) parseOther(s string) (Environment, bool) {
	others := f.others.Load()
	if others == nil {
		return "", false
	}
	for _, prefix := range *others {
		if p := len(prefix); len(s) >= p+2 && s[:p] == prefix && s[p] == '_' {
			return parseAfter(s, p)
		}
	}
	return "", false
}

// parseAfter reads the text after a prefix of p bytes.
func parseAfter(s string, p int) (Environment, bool) {
	env := environment(s[p+1:])
	head := p + 1 + len(env) + 1
	if env == "" || len(s) != head+tailLen {
		return "", false
	}
	if !allDigits(s[head:]) || !sumMatches(s) {
		return "", false
	}
	return env, true
}

// Find returns the place of the first whole, well-formed key in a text, with any prefix; from is -1 if there is none.
// The checksum identifies a key, so Find also finds keys of other installations, and one look-alike in four billion.
func Find(s string) (from, to int) {
	for at := range len(s) {
		if s[at] != '_' {
			continue
		}
		env := environment(s[at+1:])
		head := at + 1 + len(env) + 1
		if env == "" || len(s) < head+tailLen || !allDigits(s[head:head+tailLen]) {
			continue
		}
		for p := at - 1; p >= 0 && at-p <= maxPrefix && inPrefix(s[p]); p-- {
			if s[p] >= 'a' && sumMatches(s[p:head+tailLen]) {
				return p, head + tailLen
			}
		}
	}
	return -1, -1
}

func inPrefix(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

func environment(s string) Environment {
	for _, e := range [...]Environment{Live, Test, Service} {
		if len(s) > len(e) && s[:len(e)] == string(e) && s[len(e)] == '_' {
			return e
		}
	}
	return ""
}

// allDigits reads every byte without a branch: the value of a digit does not have the highest bit set, the value of
// any other byte has.
func allDigits(s string) bool {
	all := byte(0)
	for i := range len(s) {
		all |= digits[s[i]]
	}
	return all < 128
}

// sumMatches reads the checksum as a number, which leaves no two ways to write one: it has six digits, and 62^6 > 2^32.
func sumMatches(s string) bool {
	split, told := len(s)-checksumLen, uint64(0)
	for i := split; i < len(s); i++ {
		told = told*62 + uint64(digits[s[i]])
	}
	return told == uint64(crc32.ChecksumIEEE(bytesOf(s[:split])))
}

// bytesOf returns a string's bytes without copying them. The result must not be written to.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// Mask shows enough of a key to recognise it: the prefix, the first four characters after it and the last four of the
// whole. A string that is not a key is masked whole.
func (f Format) Mask(s Secret) string {
	value := s.Reveal()
	env, ok := f.Parse(value)
	if !ok {
		return "…"
	}
	head := strings.IndexByte(value, '_') + 1 + len(env) + 1 + 4
	return value[:head] + "…" + value[len(value)-4:]
}

// IsMask tells whether a text has the form of a mask that Mask makes of a key.
func (f Format) IsMask(s string) bool {
	prefix := PrefixOf(s)
	if !slices.Contains(f.Prefixes(), prefix) {
		return false
	}
	for _, env := range [...]Environment{Live, Test} {
		rest, ok := strings.CutPrefix(s, prefix+"_"+string(env)+"_")
		if !ok {
			continue
		}
		head, tail, cut := strings.Cut(rest, "…")
		return cut && len(head) == 4 && len(tail) == 4 && allDigits(head) && allDigits(tail)
	}
	return false
}
