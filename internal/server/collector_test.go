package server_test

import (
	"testing"

	"github.com/keyward/keyward/internal/server"
)

func TestTheHeapMayGrowByLittleOfWhatTheKeysTake(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	cases := []struct {
		live, keys int64
		want       int
	}{
		{20 * mb, 0, 100},
		{140 * mb, 130 * mb, 30},   // a million keys: 24 + 10 + 8 of 140
		{1330 * mb, 1300 * mb, 10}, // ten million
		{1300 * mb, 1330 * mb, 8},  // the figure of live bytes is of the last collection, and may be behind
		{13_000 * mb, 13_000 * mb, 6},
		{1 << 42, 1 << 42, 6},
	}
	for _, c := range cases {
		if got := server.CollectorPercent(c.live, c.keys); got != c.want {
			t.Errorf("%d MB, %d MB of them keys: %d, want %d", c.live/mb, c.keys/mb, got, c.want)
		}
	}
}
