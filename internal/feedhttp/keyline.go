package feedhttp

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
)

// Keys are nearly all of a snapshot, so that their lines are written and read here without reflection: in the form in
// which encoding/json writes them, as far as they have no rare member and no text that has to be escaped. Everything
// else is left to encoding/json.

var (
	keyLineBegin     = []byte(`{"key":{"id":"`)
	sameKeyLineBegin = []byte(`{"sameKey":{"id":"`)
	keyLineEnd       = []byte("}}\n")
)

// isPlain tells whether JSON writes a text as it is.
func isPlain(text []byte) bool {
	const high = 0x8080808080808080
	if n := len(text); n >= 8 {
		odd := oddBytes(text[n-8:])
		for ; len(text) > 8; text = text[8:] {
			odd |= oddBytes(text)
		}
		return odd&high == 0
	}
	for _, c := range text {
		if c < ' ' || c >= 0x80 || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// oddBytes looks at eight bytes: of each, a sum or a difference sets the highest bit where the byte, or one before it,
// is none that may stand alone.
func oddBytes(text []byte) uint64 {
	const ones = 0x0101010101010101
	w := binary.LittleEndian.Uint64(text)
	quote, slash := w^ones*'"', w^ones*'\\'
	return (w-ones*' ')&^w | (quote-ones)&^quote | (slash-ones)&^slash | w
}

// appendKeyLine appends the line of a key. ok is false for a key that encoding/json has to write.
func appendKeyLine(b []byte, l *keyLine) (line []byte, ok bool) {
	if len(l.AllowedIPs) > 0 || len(l.Previous) > 0 || len(l.Metadata) > 0 || len(l.Digest) == 0 {
		return b, false
	}
	ok = true
	text := func(name, value string) {
		b = append(append(b, name...), value...)
		ok = ok && isPlain(b[len(b)-len(value):])
		b = append(b, '"')
	}
	number := func(name string, n int64) {
		if n != 0 {
			b = strconv.AppendInt(append(b, name...), n, 10)
		}
	}
	flag := func(name string, set bool) {
		if set {
			b = append(b, name...)
		}
	}
	text(`{"key":{"id":"`, l.ID)
	text(`,"workspaceId":"`, l.WorkspaceID)
	text(`,"userId":"`, l.UserID)
	text(`,"environment":"`, l.Environment)
	b = base64.StdEncoding.AppendEncode(append(b, `,"digest":"`...), l.Digest)
	b = append(b, '"')
	if l.Second != "" {
		text(`,"secondDigest":"`, l.Second)
	}
	b = strconv.AppendInt(append(b, `,"permissionSet":`...), int64(l.PermissionSet), 10)
	b = strconv.AppendBool(append(b, `,"isActive":`...), l.IsActive)
	flag(`,"isRevoked":true`, l.IsRevoked)
	flag(`,"isOrphan":true`, l.IsOrphan)
	number(`,"period":`, l.Period)
	number(`,"requestsPerMinute":`, l.PerMinute)
	number(`,"requestsPerDay":`, l.PerDay)
	if l.ExpiresAt != nil {
		b = l.ExpiresAt.UTC().AppendFormat(append(b, `,"expiresAt":`...), `"`+instantForm+`"`)
	}
	if l.Name != "" {
		text(`,"name":"`, l.Name)
	}
	return append(b, keyLineEnd...), ok
}

// appendSameKeyLine appends the line of a key that is like another one. ok is false for a key that encoding/json has to
// write.
func appendSameKeyLine(b []byte, l *sameKeyLine) (line []byte, ok bool) {
	if len(l.Digest) == 0 {
		return b, false
	}
	ok = true
	text := func(name, value string) {
		b = append(append(b, name...), value...)
		ok = ok && isPlain(b[len(b)-len(value):])
		b = append(b, '"')
	}
	text(`{"sameKey":{"id":"`, l.ID)
	if l.UserID != "" {
		text(`,"userId":"`, l.UserID)
	}
	b = base64.StdEncoding.AppendEncode(append(b, `,"digest":"`...), l.Digest)
	b = append(b, '"')
	if l.Second != "" {
		text(`,"secondDigest":"`, l.Second)
	}
	if l.ExpiresAt != nil {
		b = l.ExpiresAt.UTC().AppendFormat(append(b, `,"expiresAt":`...), `"`+instantForm+`"`)
	}
	if l.Name != "" {
		text(`,"name":"`, l.Name)
	}
	return append(b, keyLineEnd...), ok
}

// keyLines reads the lines of keys. Texts that many of them share are kept once.
type keyLines struct {
	texts map[string]string
	last  string // the latest of texts that only few others stand beside
	own   textBlock
	until instant
	sum   [maxDigest]byte
	rest  []byte // of the line that is read
	bad   bool
}

// textBlock makes strings that share memory, so that a million of them need few allocations. The memory of a block is
// free when no string of it is in use.
type textBlock struct {
	block strings.Builder
	size  int
}

const (
	smallestBlock = 128
	largestBlock  = 64 << 10
)

func (t *textBlock) text(b []byte) string {
	if t.block.Cap()-t.block.Len() < len(b) {
		t.size = max(smallestBlock, min(2*t.size, largestBlock))
		t.block.Reset() // the strings of the block before keep it
		t.block.Grow(max(t.size, len(b)))
	}
	from := t.block.Len()
	t.block.Write(b)
	return t.block.String()[from:]
}

const (
	mostTexts = 100_000 // that are kept
	maxDigest = 48      // bytes of a digest at most
	sumLength = 44      // of a digest of 32 bytes in base64
	idLength  = 36
	digits    = 18 // that every int64 has room for
)

// is takes a text that has to come next.
func (k *keyLines) is(text string) bool {
	if len(k.rest) < len(text) || string(k.rest[:len(text)]) != text {
		return false
	}
	k.rest = k.rest[len(text):]
	return true
}

// must is is, and notes where the text does not come.
func (k *keyLines) must(text string) {
	if !k.is(text) {
		k.bad = true
	}
}

// quoted takes the text up to the next quotation mark, and that.
func (k *keyLines) quoted() []byte {
	end := bytes.IndexByte(k.rest, '"')
	if end < 0 {
		k.bad = true
		return nil
	}
	text := k.rest[:end]
	k.rest = k.rest[end+1:]
	return text
}

// plain is quoted for a text that stands for itself.
func (k *keyLines) plain() []byte {
	text := k.quoted()
	if !isPlain(text) {
		k.bad = true
	}
	return text
}

// id is plain for a text that nearly always has the length of an id.
func (k *keyLines) id() []byte {
	if len(k.rest) <= idLength || k.rest[idLength] != '"' || !isPlain(k.rest[:idLength]) {
		return k.plain()
	}
	text := k.rest[:idLength]
	k.rest = k.rest[idLength+1:]
	return text
}

// usual is shared for a text that is nearly always that of the key before.
func (k *keyLines) usual() string {
	if n := len(k.last); n > 0 && len(k.rest) > n && string(k.rest[:n]) == k.last && k.rest[n] == '"' {
		k.rest = k.rest[n+1:]
		return k.last
	}
	k.last = k.shared()
	return k.last
}

// shared is plain for a text that other keys have, too.
func (k *keyLines) shared() string {
	text := k.quoted()
	if known, ok := k.texts[string(text)]; ok {
		return known
	}
	if !isPlain(text) {
		k.bad = true
	}
	if k.texts == nil {
		k.texts = map[string]string{}
	}
	if len(k.texts) >= mostTexts {
		clear(k.texts)
	}
	s := string(text)
	k.texts[s] = s
	return s
}

func (k *keyLines) number() (n int64) {
	i := 0
	for ; i < len(k.rest) && k.rest[i] >= '0' && k.rest[i] <= '9'; i++ {
		if i == digits {
			k.bad = true
			return 0
		}
		n = 10*n + int64(k.rest[i]-'0')
	}
	if i == 0 || k.rest[0] == '0' && i > 1 {
		k.bad = true
	}
	k.rest = k.rest[i:]
	return n
}

// optional takes a number that has a name before it, where that comes next.
func (k *keyLines) optional(name string) int64 {
	if !k.is(name) {
		return 0
	}
	return k.number()
}

// read reads a line into l, whose digest is that of this line until the next one is read. ok is false for a line that
// encoding/json has to read; l is of no use then.
func (k *keyLines) read(text []byte, l *keyLine) (ok bool) {
	if !bytes.HasPrefix(text, keyLineBegin) {
		return false
	}
	k.rest, k.bad = text[len(keyLineBegin):], false
	*l = keyLine{ID: k.own.text(k.id())}
	k.must(`,"workspaceId":"`)
	l.WorkspaceID = k.shared()
	k.must(`,"userId":"`)
	l.UserID = k.shared()
	k.must(`,"environment":"`)
	l.Environment = k.usual()
	l.Digest = k.digest()
	l.Second = k.named(`,"secondDigest":"`)
	k.must(`,"permissionSet":`)
	l.PermissionSet = int(k.number())
	if l.IsActive = k.is(`,"isActive":true`); !l.IsActive {
		k.must(`,"isActive":false`)
	}
	l.IsRevoked = k.is(`,"isRevoked":true`)
	l.IsOrphan = k.is(`,"isOrphan":true`)
	l.Period = k.optional(`,"period":`)
	l.PerMinute = k.optional(`,"requestsPerMinute":`)
	l.PerDay = k.optional(`,"requestsPerDay":`)
	l.ExpiresAt = k.instant()
	l.Name = k.named(`,"name":"`)
	return k.whole()
}

// readSame reads the line of a key that is like the one in l, whose own members it replaces: user is that of the last
// whole line. ok is false for a line that encoding/json has to read; the own members of l are of no use then.
func (k *keyLines) readSame(text []byte, l *keyLine, user string) (ok bool) {
	if !bytes.HasPrefix(text, sameKeyLineBegin) {
		return false
	}
	k.rest, k.bad = text[len(sameKeyLineBegin):], false
	l.ID = k.own.text(k.id())
	l.UserID = user
	if k.is(`,"userId":"`) {
		l.UserID = k.shared()
	}
	l.Digest = k.digest()
	l.Second = k.named(`,"secondDigest":"`)
	l.ExpiresAt = k.instant()
	l.Name = k.named(`,"name":"`)
	return k.whole()
}

// whole tells whether a line was read as it has to be, and to its end.
func (k *keyLines) whole() bool {
	return !k.bad && string(k.rest) == string(keyLineEnd)
}

// named takes a text of the key alone that has a name before it, where that comes next.
func (k *keyLines) named(name string) string {
	if !k.is(name) {
		return ""
	}
	return k.own.text(k.plain())
}

// digest takes the digest, which is there until the next line is read.
func (k *keyLines) digest() []byte {
	k.must(`,"digest":"`)
	if len(k.rest) > sumLength && k.rest[sumLength] == '"' && decodeSum(k.sum[:], k.rest[:sumLength]) {
		k.rest = k.rest[sumLength+1:]
		return k.sum[:32]
	}
	sum := k.plain()
	if base64.StdEncoding.DecodedLen(len(sum)) > maxDigest {
		k.bad = true
		return nil
	}
	n, err := base64.StdEncoding.Decode(k.sum[:], sum)
	k.bad = k.bad || err != nil
	return k.sum[:n]
}

// sextets has the value of each digit of base64; of what is none it is above 63.
var sextets = func() (n [256]byte) {
	for i := range n {
		n[i] = 0xff
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		n[c] = byte(i)
	}
	return n
}()

// decodeSum decodes 32 bytes of base64, as encoding/base64 does, and tells whether they are.
func decodeSum(sum, text []byte) bool {
	text = text[:sumLength]
	sum = sum[:33]
	odd := byte(0)
	end := text[sumLength-1]
	for len(text) > 4 {
		a, b, c, d := sextets[text[0]], sextets[text[1]], sextets[text[2]], sextets[text[3]]
		odd |= a | b | c | d
		sum[0], sum[1], sum[2] = a<<2|b>>4, b<<4|c>>2, c<<6|d
		text, sum = text[4:], sum[3:]
	}
	a, b, c := sextets[text[0]], sextets[text[1]], sextets[text[2]]
	sum[0], sum[1] = a<<2|b>>4, b<<4|c>>2
	return odd|a|b|c < 64 && end == '='
}

// instant takes the end of a key, where that comes next.
func (k *keyLines) instant() *instant {
	if !k.is(`,"expiresAt":`) {
		return nil
	}
	if len(k.rest) == 0 || k.rest[0] != '"' {
		k.bad = true
		return nil
	}
	end := bytes.IndexByte(k.rest[1:], '"')
	if end < 0 {
		k.bad = true
		return nil
	}
	at := &k.until
	if err := at.UnmarshalJSON(k.rest[:end+2]); err != nil {
		k.bad = true
	}
	k.rest = k.rest[end+2:]
	return at
}
