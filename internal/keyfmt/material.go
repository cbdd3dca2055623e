package keyfmt

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
)

// Material is key material derived from the presented credential. It seals data that only the holder of that
// credential may read again. Like a Secret it does not print itself. The zero Material is none.
type Material struct{ bytes [32]byte }

// MaterialOf derives the material of a credential: HKDF-SHA-256 (RFC 5869), so that it tells nothing about the
// credential's digest.
func MaterialOf(credential string) Material {
	return Material{[32]byte(derive([]byte(credential), nil, "keyward credential material v1"))}
}

// IsZero tells whether there is none.
func (m Material) IsZero() bool { return m == Material{} }

// Key derives an AES-256 key from the material and a salt of the caller's, for the purpose that info names alone.
func (m Material) Key(salt, info string) []byte { return derive(m.bytes[:], []byte(salt), info) }

func derive(secret, salt []byte, info string) []byte {
	out, err := hkdf.Key(sha256.New, secret, salt, info, 32)
	if err != nil { // 32 bytes are never too many
		panic(fmt.Errorf("keyfmt: derive: %w", err))
	}
	return out
}

// String hides it.
func (m Material) String() string { return redacted }

// GoString hides it.
func (m Material) GoString() string { return redacted }

// Format hides it.
func (m Material) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText hides it.
func (m Material) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue hides it.
func (m Material) LogValue() slog.Value { return slog.StringValue(redacted) }
