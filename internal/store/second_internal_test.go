package store

import (
	"testing"

	"github.com/keyward/keyward/internal/keyfmt"
)

// A node of an older release rotates a key and leaves the column as it was.
func TestASecondDigestBelongsToItsValue(t *testing.T) {
	t.Parallel()
	to := keyfmt.Stored{Pepper: "0123456789abcdef", Sum: keyfmt.Digest{7, 8, 9}}
	of := keyfmt.Digest{1, 2, 3}
	text := writeSecond(to, &of)
	if got, err := readSecond(text, &of); got != to || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := readSecond(text, &keyfmt.Digest{1, 2, 4}); got != (keyfmt.Stored{}) || err != nil {
		t.Errorf("of another value: %v, %v", got, err)
	}
	if got := writeSecond(keyfmt.Stored{}, &of); got != "" {
		t.Errorf("none is %q", got)
	}
	if _, err := readSecond("nonsense"+text[len(text)-13:], &of); err == nil {
		t.Error("a text that is none is read")
	}
}
