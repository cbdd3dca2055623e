package ratelimit

import "testing"

// A claim is under way at midnight: what it reserved is of the day before, and lost.
func TestAGrantThatComesAfterMidnightIsNotSpent(t *testing.T) {
	t.Parallel()
	var q quota
	q.turn(100)
	q.turn(101)
	if lost := q.told(&Claim{Day: 100, Stands: 100, Granted: 50, Reserved: 50}); lost != 50 || q.unspent != 0 || q.loaded {
		t.Errorf("%d lost, and %d to spend on the next day", lost, q.unspent)
	}
	if lost := q.told(&Claim{Day: 101, Stands: 101, Granted: 5, Reserved: 5}); lost != 0 || q.unspent != 5 || !q.loaded {
		t.Errorf("the day's own grant: %d lost, %d to spend", lost, q.unspent)
	}
}

// A clock that is set back does not open an earlier day again.
func TestADayThatHasBegunStaysBegun(t *testing.T) {
	t.Parallel()
	var q quota
	q.turn(101)
	q.told(&Claim{Day: 101, Stands: 101, Granted: 5, Reserved: 7})
	q.turn(100)
	if q.day != 101 || q.unspent != 5 || q.reserved != 7 || !q.loaded {
		t.Errorf("%+v", q)
	}
	if q.turn(102); q.day != 102 || q.unspent != 0 || q.loaded {
		t.Errorf("the next day: %+v", q)
	}
}
