package limittest

import "time"

// arrival is a request on a schedule: so many of the same cost, so long after the one before.
type arrival struct {
	after time.Duration
	times int
	cost  int64
}

// schedules are the ways in which people have got more than their limit out of other limiters, for a limit of n.
func schedules(n int) map[string][]arrival {
	const s, ms = time.Second, time.Millisecond
	return map[string][]arrival{
		"bursts on either side of a full minute": {
			{59_900 * ms, n, 1}, {200 * ms, n, 1}, {59_700 * ms, n, 1}, {200 * ms, n, 1},
		},
		"a burst at the start and one at the end": {
			{0, n, 1}, {59_999 * ms, n, 1}, {1 * ms, n, 1}, {59_999 * ms, n, 1}, {1 * ms, n, 1},
		},
		"a burst after a long rest": {
			{600 * s, n, 1}, {1 * s, n, 1}, {30 * s, n, 1}, {29 * s, n, 1}, {10 * ms, n, 1},
		},
		"just before what is in use ends, and just after": {
			{0, n / 2, 1}, {30 * s, n, 1}, {29_999_999 * time.Microsecond, n, 1}, {2 * time.Microsecond, n, 1}, {30 * s, n, 1},
		},
		"a trickle, then all at once": append(
			trickle(120, s, 1), arrival{500 * ms, 2 * n, 1}, arrival{30 * s, 2 * n, 1}, arrival{30 * s, 2 * n, 1},
		),
		"faster than the limit": trickle(3*min(n, 2000), max(time.Minute/time.Duration(2*n), time.Microsecond), 1),
		"in waves":              waves(n),
		"with costs": {
			{0, 3, int64(n / 4)}, {20 * s, 3, int64(n / 3)}, {39 * s, 4, int64(n / 2)}, {1 * s, 4, int64(n)}, {1 * s, 1, 0},
		},
		"at odd fractions of a cell": oddly(n),
	}
}

func trickle(times int, every time.Duration, cost int64) (out []arrival) {
	for range times {
		out = append(out, arrival{every, 1, cost})
	}
	return out
}

func waves(n int) (out []arrival) {
	for i := range 40 {
		out = append(out, arrival{time.Duration(i%7) * 1300 * time.Millisecond, n/5 + 1, 1})
	}
	return out
}

func oddly(n int) (out []arrival) {
	for i := range 80 {
		out = append(out, arrival{time.Duration(733*(i%11)+1) * 997 * time.Microsecond, n/17 + 1, 1})
	}
	return out
}
