package verifier_test

import (
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
)

// midnight is the next one, in UTC.
func midnight() time.Time { return time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour) }

// A day is that of the server, where the clocks of the two machines differ by so much that one of them is wrong: the
// verifier claims and spends units of that day, and all of them.
func TestADayIsThatOfTheServersClock(t *testing.T) {
	t.Parallel()
	for what, ahead := range map[string]time.Duration{"ahead": 25 * time.Hour, "behind": -25 * time.Hour} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			const perDay = 40
			_, value := h.key(func(r *keyward.CreateKeyRequest) {
				r.RateLimit = keyward.Set(keyward.Limits{RequestsPerDay: keyward.Set(perDay)})
			})
			clock := rig.NewSteppedClock(t)
			h.must(clock.Set(ahead))
			v := h.verifierBy(clock.Now, nil)
			day, admitted := midnight(), 0
			for range perDay + 5 {
				got, err := v.Verify(t.Context(), keyward.VerifyRequest{Key: value})
				h.must(err)
				if got.Valid {
					admitted++
				}
				if ends := got.RateLimit.Day.ResetAt; !ends.Equal(day) && day.Equal(midnight()) {
					t.Fatalf("the day ends at %s, want %s", ends, day)
				}
			}
			look, err := h.client.Verify(t.Context(), keyward.VerifyRequest{Key: value, Cost: new(0)})
			h.must(err)
			if day.Equal(midnight()) && (admitted != perDay || look.RateLimit.Day.Remaining != 0) {
				t.Errorf("%d of %d were admitted, and the server has %d more", admitted, perDay, look.RateLimit.Day.Remaining)
			}
		})
	}
}

// A clock that is set while a verifier runs lets nothing too much pass, and the verifier goes on.
func TestAClockThatIsSetChangesNoLimit(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const perDay = 200
	_, value := h.key(func(r *keyward.CreateKeyRequest) {
		r.RateLimit = keyward.Set(keyward.Limits{RequestsPerDay: keyward.Set(perDay), RequestsPerMinute: keyward.Set(1000)})
	})
	clock := rig.NewSteppedClock(t)
	v := h.verifierBy(clock.Now, nil)
	day, admitted := midnight(), 0
	for _, ahead := range []time.Duration{0, 25 * time.Hour, -25 * time.Hour, 0} {
		h.must(clock.Set(ahead))
		mine := 0
		eventually(t, "a part is admitted by a clock that is ahead by "+ahead.String(), func() bool {
			got, err := v.Verify(t.Context(), keyward.VerifyRequest{Key: value})
			if err == nil && got.Valid {
				mine++
			}
			return mine == 5
		})
		admitted += mine
	}
	for range 3 * perDay {
		for _, at := range []keyward.Verifier{v, h.client} {
			if got, err := at.Verify(t.Context(), keyward.VerifyRequest{Key: value}); err == nil && got.Valid {
				admitted++
			}
		}
	}
	if day.Equal(midnight()) && admitted > perDay {
		t.Errorf("%d of %d were admitted", admitted, perDay)
	}
}
