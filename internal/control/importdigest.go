package control

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/text"
)

// check refuses an item that does not say, in one way, where its value comes from. Empty is not absent: a line that was
// to hold a digest does not mint a key.
func (in *ImportKey) check() error {
	switch {
	case in.TwoDigests:
		return fault.Invalid("digest", "stands beside sha256: give one of them")
	case in.Digest == nil && !in.Generate:
		return fault.Invalid("generate", "must be true in an item that gives neither sha256 nor digest")
	case in.Digest != nil && in.Generate:
		return fault.Invalid("generate", "stands beside a digest: a value is made or taken over")
	case in.Digest == nil && in.Masked.Set:
		return fault.Invalid("maskedKey", "needs a digest: a made value has a mask of its own")
	case in.Digest == nil && in.Rehash:
		return fault.Invalid("rehash", "needs a digest: a made value has our own")
	}
	return nil
}

// field names a part of the digest as the request gave it: the short form has one field.
func (d *ImportDigest) field(part string) string {
	if d.Short {
		return "sha256"
	}
	return "digest." + part
}

// slow are the hashes for passwords, by how their texts begin.
var slow = map[string][]string{
	"bcrypt": {"$2a$", "$2b$", "$2x$", "$2y$"}, "argon2": {"$argon2"}, "scrypt": {"$scrypt$", "$s0$", "$7$"},
	"pbkdf2": {"$pbkdf2", "pbkdf2_"}, "sha-crypt": {"$5$", "$6$"}, "md5-crypt": {"$1$"}, "yescrypt": {"$y$"},
}

// slowHash names the slow hash that an algorithm or the text of a digest is; "" for none.
func slowHash(algorithm, value string) string {
	for name, heads := range slow {
		if strings.HasPrefix(strings.ToLower(algorithm), name) ||
			slices.ContainsFunc(heads, func(head string) bool { return strings.HasPrefix(value, head) }) {
			return name
		}
	}
	return ""
}

// stored reads a digest.
func (im *importing) stored(in *ImportDigest) (keyfmt.Stored, error) {
	if name := slowHash(in.Algorithm, in.Value); name != "" {
		return keyfmt.Stored{}, fault.Invalid(
			in.field("algorithm"),
			"%s is a slow hash for passwords: it would have to be computed at each "+
				"request, for each key. Import a SHA-256, SHA-512 or HMAC-SHA-256 of the value, or generate new values",
			name,
		)
	}
	size, known := map[string]int{keyfmt.SHA256: 32, keyfmt.SHA512: 64, keyfmt.HMACSHA256: 32}[in.Algorithm]
	if !known {
		return keyfmt.Stored{}, fault.Invalid(in.field("algorithm"), "want sha256, sha512 or hmac-sha256")
	}
	if err := im.secret(in); err != nil {
		return keyfmt.Stored{}, err
	}
	sum, err := in.decode(size)
	if err != nil {
		return keyfmt.Stored{}, err
	}
	return im.digester.Imported(in.Algorithm, in.Secret.Value, sum)
}

func (im *importing) secret(in *ImportDigest) error {
	switch keyed := in.Algorithm == keyfmt.HMACSHA256; {
	case keyed && in.Secret.Value == "":
		return fault.Invalid("digest.secret", "must name the secret of an hmac-sha256, as KEYWARD_IMPORT_SECRETS does")
	case keyed && !slices.Contains(im.digester.ImportSecrets(), in.Secret.Value):
		return fault.Invalid("digest.secret", "is the name of no secret in KEYWARD_IMPORT_SECRETS")
	case !keyed && in.Secret.Set:
		return fault.Invalid("digest.secret", "goes with hmac-sha256 alone")
	}
	return nil
}

// decode reads the bytes of a digest, of which there must be size.
func (d *ImportDigest) decode(size int) ([]byte, error) {
	switch d.Encoding {
	case "hex":
		if sum, err := hex.DecodeString(d.Value); err == nil && len(sum) == size {
			return sum, nil
		}
		return nil, fault.Invalid(
			d.field("value"), "want the %d hexadecimal digits of the whole key's %s", 2*size, d.Algorithm,
		)
	case "base64":
		plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(d.Value, "="))
		sum, err := base64.RawStdEncoding.Strict().DecodeString(plain)
		if err == nil && len(sum) == size && len(d.Value)-len(plain) <= 2 && !strings.ContainsAny(d.Value, "\r\n") {
			return sum, nil
		}
		return nil, fault.Invalid(
			d.field("value"), "want the base64 of the %d bytes of the whole key's %s", size, d.Algorithm,
		)
	}
	return nil, fault.Invalid("digest.encoding", "want hex or base64")
}

const (
	maxMasked     = 64
	maskedHead    = 8 // characters that a mask shows of the beginning
	maskedTail    = 4 // and of the end
	foreignMasked = "imported…"
)

// masked reads how an imported key is shown. It must not give the value away: it is at most 8 characters, an ellipsis,
// and at most 4 more; or the mask that a key of our own has; or, without an ellipsis, a label of at most 12 characters.
func (im *importing) masked(in Optional[string], stored keyfmt.Stored) (string, error) {
	if !in.Set {
		return foreignMasked, nil
	}
	masked, err := text.Line(in.Value, maxMasked)
	if err != nil {
		return "", fault.Invalid("maskedKey", "%v", err)
	}
	if err := noCredential("maskedKey", masked); err != nil {
		return "", err
	}
	for _, form := range []string{in.Value, masked} {
		if sum, ok := im.digester.Of(stored.Pepper, form); ok && sum == stored.Sum {
			return "", fault.Invalid("maskedKey", "is the value itself")
		}
	}
	if strings.TrimSpace(masked) == "" {
		return "", fault.Invalid("maskedKey", "must not be empty; leave it out for %s", foreignMasked)
	}
	if !im.format.IsMask(masked) && !thinMask(masked) {
		return "", fault.Invalid(
			"maskedKey", "shows too much of the value: want at most its first %d characters, … and its last %d", maskedHead,
			maskedTail,
		)
	}
	return masked, nil
}

// thinMask tells whether a mask shows at most 8 characters, and at most 4 behind the ellipsis. Three dots and more,
// asterisks and bullets are ellipses.
func thinMask(s string) bool {
	mask := []rune(ellipses(s))
	isMask := func(r rune) bool { return r == '…' }
	first := slices.IndexFunc(mask, isMask)
	if first < 0 {
		return len(mask) <= maskedHead+maskedTail
	}
	last := len(mask) - 1
	for !isMask(mask[last]) {
		last--
	}
	if slices.ContainsFunc(mask[first:last+1], func(r rune) bool { return !isMask(r) }) {
		return false
	}
	return first <= maskedHead && len(mask)-1-last <= maskedTail
}

// ellipses writes every form of an ellipsis as one.
func ellipses(s string) string {
	return strings.NewReplacer("...", "…", "*", "…", "•", "…", "●", "…", "·", "…").Replace(s)
}
