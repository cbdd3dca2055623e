package apikey_test

import (
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
)

// T32: a key is good while now is before its expiry, to the millisecond.
func TestT32ExpiryEdges(t *testing.T) {
	t.Parallel()
	at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	k := apikey.Key{ExpiresAt: at}
	for _, c := range []struct {
		shift time.Duration
		want  bool
	}{{-time.Millisecond, false}, {0, true}, {time.Millisecond, true}} {
		if got := k.Expired(at.Add(c.shift)); got != c.want {
			t.Errorf("%v from the expiry: expired %v", c.shift, got)
		}
	}
	if (&apikey.Key{}).Expired(at.AddDate(200, 0, 0)) {
		t.Error("a key without an expiry expires")
	}
}

func TestRotationKeepsOldValuesNoLongerThanTheNewOverlap(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	k := apikey.Key{Value: apikey.Value{Masked: "a"}}
	k.Rotate(apikey.Value{Masked: "b"}, now, time.Hour)
	k.Rotate(apikey.Value{Masked: "c"}, now.Add(time.Minute), 10*time.Minute)
	if k.Value.Masked != "c" || len(k.Previous) != 2 {
		t.Fatalf("now %q with %d earlier values", k.Value.Masked, len(k.Previous))
	}
	for _, p := range k.Previous {
		if want := now.Add(11 * time.Minute); !p.Until.Equal(want) {
			t.Errorf("%s works until %v, want %v", p.Masked, p.Until, want)
		}
	}
	k.Rotate(apikey.Value{Masked: "d"}, now.Add(2*time.Minute), 0)
	if len(k.Previous) != 0 {
		t.Errorf("%d earlier values survive a rotation without an overlap", len(k.Previous))
	}
}
