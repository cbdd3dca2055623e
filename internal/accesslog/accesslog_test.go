package accesslog_test

import (
	"testing"
	"time"

	"github.com/keyward/keyward/internal/accesslog"
)

func TestWhichRequestsHaveALine(t *testing.T) {
	t.Parallel()
	const quick, slow = accesslog.Slow - time.Nanosecond, accesslog.Slow
	for _, c := range []struct {
		mode   accesslog.Mode
		failed bool
		took   time.Duration
		want   int
	}{
		{accesslog.Off, false, quick, 0}, {accesslog.Off, true, slow, 0},
		{"", false, quick, 0}, {"", true, quick, 1}, {"", false, slow, 1},
		{accesslog.Errors, false, quick, 0}, {accesslog.Errors, true, quick, 1}, {accesslog.Errors, false, slow, 1},
		{accesslog.Sampled, true, quick, 1}, {accesslog.Sampled, false, slow, 1},
		{accesslog.All, false, quick, 1}, {accesslog.All, true, slow, 1},
	} {
		if got := c.mode.Lines(c.failed, c.took); got != c.want {
			t.Errorf("mode %q, failed %t, %s: %d, want %d", c.mode, c.failed, c.took, got, c.want)
		}
	}
}

// The sum over the lines is the number of requests, as near as chance lets it.
func TestSampledLinesStandForAllRequests(t *testing.T) {
	t.Parallel()
	const n = 200_000
	sum := 0
	for range n {
		sum += accesslog.Sampled.Lines(false, 0)
	}
	if sum < n*85/100 || sum > n*115/100 {
		t.Errorf("lines that stand for %d requests, of %d", sum, n)
	}
}

func TestAModeThatThereIsNotIsRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"off", "errors", "sampled", "all"} {
		if m, err := accesslog.Parse(s); err != nil || string(m) != s {
			t.Errorf("%q: %q, %v", s, m, err)
		}
	}
	for _, s := range []string{"", "none", "ALL", "error", "1"} {
		if _, err := accesslog.Parse(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}
