package keyward

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

const redacted = "[secret]"

// Secret is the whole value of a key. It prints, marshals and logs as "[secret]"; Reveal alone gives the value. Storing
// it is the caller's decision, and has to say Reveal.
//
// The value sits behind a pointer, because package fmt prints the unexported fields of other people's structs without
// asking their methods: what it finds there is an address.
type Secret struct{ value *string }

// NewSecret wraps a value; the empty string is no secret.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{&value}
}

// Reveal gives the value, or "" when there is none.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero tells whether there is no value.
func (s Secret) IsZero() bool { return s.value == nil }

// Equal compares two values in constant time.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String hides the value.
func (s Secret) String() string { return redacted }

// GoString hides the value.
func (s Secret) GoString() string { return redacted }

// Format hides the value from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue hides the value from log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON hides the value.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// UnmarshalJSON takes the value out of a server's answer; null is no value.
func (s *Secret) UnmarshalJSON(data []byte) error {
	var value string
	if err := json.Unmarshal(data, &value); err != nil {
		return fmt.Errorf("a key's value is not a string")
	}
	*s = NewSecret(value)
	return nil
}

// keyTail is how many base62 digits end a key: 43 random ones and 6 of the checksum.
const keyTail = 49

// keyHead gives the length of <prefix>_<environment>_ where s has the form of a key, else 0.
func keyHead(s string) int {
	head := len(s) - keyTail
	if head < len("k_svc_") ||
		strings.Trim(s[head:], "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "" {
		return 0
	}
	for _, env := range []string{"_live_", "_test_", "_svc_"} {
		if strings.HasSuffix(s[:head], env) {
			return head
		}
	}
	return 0
}

// mask shows a value as the server does after its one revelation: kw_live_AbCd…wxyz.
func mask(s string) string {
	head := keyHead(s)
	if head == 0 {
		return "…"
	}
	return s[:head+4] + "…" + s[len(s)-4:]
}

// masked is the masked form of an object's key, if the server has put the value itself there.
func masked(shown string, value Secret) string {
	if keyHead(shown) > 0 || shown != "" && shown == value.Reveal() {
		return mask(shown)
	}
	return shown
}
