package clock_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// T103: whatever a clock does in steps both ways, running and stopped, is forgotten once it is put right, as long as no
// jump ahead was run with for an hour; and time goes on while it is behind.
func TestT103AClockThatIsPutRightTellsTheTruth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		m := boot(t)
		truth, off, run := time.Duration(0), time.Duration(0), time.Duration(0)
		pass := func(d time.Duration) {
			m.pass(d)
			truth += d
		}
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			to := rapid.SampledFrom(
				[]time.Duration{0, 2 * time.Minute, time.Hour, 40 * 24 * time.Hour, 3 * year, -time.Minute, -time.Hour, -3 * year},
			).
				Draw(r, "off")
			stopped := rapid.Bool().Draw(r, "stopped")
			m.step(to - off)
			if off = to; stopped {
				m.start()
			}
			run += 9 * time.Minute
			if off == 0 {
				run = 0
			}
			if run >= time.Hour-10*time.Minute { // the trial of a jump would be over
				m.step(-off)
				off = 0
				run = 0
			}
			pass(time.Duration(rapid.IntRange(1, 9).Draw(r, "minutes")) * time.Minute)
			told := m.Now().Sub(noon)
			want := truth + max(off, 0)
			if lead := told - want; lead < -time.Minute || lead > 2*time.Minute {
				r.Fatalf("the clock is %v off (stopped: %t), and it is %v, want about %v", off, stopped, told, want)
			}
			if floor := m.Floor().Sub(noon); floor > truth+2*time.Minute {
				r.Fatalf("the clock is %v off, and %v are known to have come, after %v", off, floor, truth)
			}
		}
	})
}
