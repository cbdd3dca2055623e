package replica_test

import (
	"testing"
	"time"
	"unsafe"

	"github.com/keyward/keyward/internal/replica"
)

func TestT26AReplicaIsFencedOnceNobodyHasConfirmedIt(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r := replica.New()
	r.LimitAge(5*time.Second, func() time.Time { return now })
	ready := func(when string, want bool) {
		t.Helper()
		if r.Ready() != want {
			t.Errorf("%s: ready is %v", when, !want)
		}
	}
	r.MarkReady()
	ready("before the first confirmation", false)
	r.ConfirmFresh(now)
	ready("at once", true)
	now = now.Add(5 * time.Second)
	ready("at the limit", true)
	now = now.Add(time.Nanosecond)
	ready("beyond it", false)
	r.ConfirmFresh(now.Add(-6 * time.Second))
	ready("after a look that began too long ago", false)
	r.ConfirmFresh(now.Add(-4 * time.Second))
	ready("after one that began lately", true)
	r.ConfirmFresh(now.Add(-10 * time.Second))
	ready("after an older one, which takes nothing back", true)
	r.Fence()
	ready("fenced by hand", false)
}

func TestT30AWallClockThatIsSetBackDoesNotKeepAReplicaFresh(t *testing.T) {
	t.Parallel()
	start := time.Now()
	now := start
	r := replica.New()
	r.LimitAge(5*time.Second, func() time.Time { return now })
	r.MarkReady()
	r.ConfirmFresh(start)
	// The wall clock jumps ahead of the monotonic one, as after a suspended machine: Round strips the monotonic
	// reading.
	now = start.Round(0).Add(6 * time.Second)
	if r.Ready() {
		t.Error("six seconds by the wall clock, and it is ready")
	}
	if r.Age() < 6*time.Second {
		t.Errorf("its age is %s", r.Age())
	}
}

// wallSet is an instant at which the wall clock was set by so many seconds and the monotonic one went on: the seconds
// of the wall clock begin at bit 30 of the first word of a time that has a monotonic reading.
func wallSet(t time.Time, seconds int64) time.Time {
	*(*uint64)(unsafe.Pointer(&t)) += uint64(seconds) << 30
	return t
}

func TestT30AWallClockThatWasAheadOnceHidesNothingLater(t *testing.T) {
	t.Parallel()
	start := time.Now()
	now := start
	r := replica.New()
	r.LimitAge(5*time.Second, func() time.Time { return now })
	r.MarkReady()
	r.ConfirmFresh(wallSet(start, 3600))
	r.ConfirmFresh(start.Add(time.Second))
	now = wallSet(start.Add(time.Second), 600) // a suspended machine: the monotonic clock stood still
	if r.Ready() || r.Age() < 10*time.Minute {
		t.Errorf(
			"ten minutes after the last confirmation by the wall clock, its age is %v and it is ready: %v", r.Age(), r.Ready(),
		)
	}
}

// The wall clock is set back by an hour: the copy ages by the other one.
func TestT30AWallClockThatIsSetBackByAnHourMakesACopyNoYounger(t *testing.T) {
	t.Parallel()
	start := time.Now()
	now := start
	r := replica.New()
	r.LimitAge(5*time.Second, func() time.Time { return now })
	r.MarkReady()
	r.ConfirmFresh(start)
	now = wallSet(start.Add(6*time.Second), -3600)
	if r.Ready() || r.Age() < 6*time.Second {
		t.Errorf("six seconds by the monotonic clock, and its age is %s and it is ready: %v", r.Age(), r.Ready())
	}
}
