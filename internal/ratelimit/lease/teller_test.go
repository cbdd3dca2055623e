package lease_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/lease"
	"github.com/keyward/keyward/internal/ratelimit/limittest"
)

// desk is a source with a key, and shows how many units of its minute are charged.
type desk struct {
	*testing.T
	began   time.Time
	limiter *ratelimit.Limiter
	own     *lease.Own
	teller  *lease.Teller
	key     lease.Account
	number  uint64
}

func newDesk(t *testing.T, parts [][]byte, cold time.Duration) *desk {
	d := &desk{T: t, began: time.Now().Add(-time.Hour), key: lease.Account{ID: limittest.Someone().ID}}
	d.open(parts, cold)
	t.Cleanup(func() { _ = d.limiter.Close(context.Background()) })
	return d
}

func (d *desk) open(parts [][]byte, cold time.Duration) {
	d.limiter = ratelimit.New(
		ratelimit.Config{Elapsed: func() time.Duration { return time.Since(d.began) }, Wall: time.Now},
	)
	for _, p := range parts {
		if err := d.limiter.Restore(p); err != nil {
			d.Fatal(err)
		}
	}
	clock := lease.NewClock(time.Now)
	d.own = lease.NewOwn(d.limiter, clock, cold)
	d.teller = lease.NewTeller(d.own, clock)
}

const limit = 100

func (d *desk) ask(who string, number uint64, want int64, back ...lease.Rest) (lease.Answer, error) {
	cost := min(want, 1)
	a, err := d.teller.Ask(
		who, number, cost, lease.Question{Of: d.key, Limit: limit, Want: want, Ahead: min(want, 2), Settle: back},
	)
	return a[0], err
}

// lent asks for units, under a number of its own.
func (d *desk) lent(who string, want int64, back ...lease.Rest) lease.Answer {
	d.Helper()
	d.number++
	a, err := d.ask(who, d.number, want, back...)
	if err != nil {
		d.Fatal(err)
	}
	return a
}

func (d *desk) charged(want int64) {
	d.Helper()
	if a := d.lent("auditor", 0); a.Charged != want {
		d.Errorf("%d units are charged, want %d", a.Charged, want)
	}
}

func TestALeaseIsGivenBackOnceByItsHolderAndNotForMoreThanItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, nil, 0)
		a := d.lent("one", 30)
		d.charged(30)
		for _, wrong := range []lease.Rest{{Lot: a.Lot + 1, Units: 5}, {Lot: a.Lot, Units: -5}, {Lot: 0, Units: 5}} {
			d.lent("one", 0, wrong)
			d.charged(30)
		}
		d.lent("two", 0, lease.Rest{Lot: a.Lot, Units: 5})
		d.charged(30)
		other := d.key
		other.ID[15]++
		if _, err := d.teller.Ask("one", 500, 0, lease.Question{
			Of: other, Limit: limit, Settle: []lease.Rest{{Lot: a.Lot, Units: 5}},
		}); err != nil {
			t.Error(err)
		}
		d.charged(30)
		d.lent("one", 0, lease.Rest{Lot: a.Lot, Units: 10})
		d.charged(20)
		d.lent("one", 0, lease.Rest{Lot: a.Lot, Units: 25})
		d.charged(0)
		d.lent("two", 40)
		d.lent("one", 0, lease.Rest{Lot: a.Lot, Units: 30})
		d.charged(40)
	})
}

// A node that was stopped in order and started, and another node over the same bank, have a teller of their own. A
// lease of the one before is none of theirs, also where they have lent to the same holder.
func TestALeaseOfAnotherTellerIsNotGivenBackInPlaceOfOnesOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, nil, 0)
		before := d.lent("one", 30)
		d.teller = lease.NewTeller(d.own, lease.NewClock(time.Now))
		now := d.lent("one", 20)
		d.charged(50)
		d.lent("one", 0, lease.Rest{Lot: before.Lot, Units: 30})
		d.charged(50)
		d.lent("one", 0, lease.Rest{Lot: now.Lot, Units: 20})
		d.charged(30)
	})
}

// A number is for one question: its answer is not that to another one.
func TestAnotherQuestionUnderANumberIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, nil, 0)
		if _, err := d.ask("one", 7, 30); err != nil {
			t.Fatal(err)
		}
		mine := d.key
		d.key.ID[15]++
		if a, err := d.ask("one", 7, 30); !errors.Is(err, lease.ErrReused) || a.Granted != 0 {
			t.Errorf("another key: %+v, %v", a, err)
		}
		d.key = mine
		if a, err := d.ask("one", 7, 20); !errors.Is(err, lease.ErrReused) || a.Granted != 0 {
			t.Errorf("fewer units: %+v, %v", a, err)
		}
		if err := d.teller.Charge("one", 7, d.key, []lease.Owing{{Units: 5}}); !errors.Is(err, lease.ErrReused) {
			t.Errorf("units that are owed: %v", err)
		}
		if a, err := d.ask("one", 7, 30); err != nil || a.Granted != 30 {
			t.Errorf("the first question: %+v, %v", a, err)
		}
	})
}

func TestAQuestionThatComesAgainGetsItsFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, nil, 0)
		first, err := d.ask("one", 7, 30)
		if err != nil || first.Granted != 30 {
			t.Fatal(first, err)
		}
		for range 3 {
			time.Sleep(3 * time.Second)
			if again, err := d.ask("one", 7, 30); again != first || err != nil {
				t.Errorf("%+v, and the second time %+v, %v", first, again, err)
			}
		}
		if other, err := d.ask("two", 7, 30); err != nil || other.Lot == first.Lot || other.Granted != 30 {
			t.Errorf("the same number of another: %+v, %v", other, err)
		}
		back, err := d.ask("one", 8, 0, lease.Rest{Lot: first.Lot, Units: 10})
		if err != nil || back.Charged != 50 {
			t.Errorf("%+v, %v", back, err)
		}
		_ = d.teller.Charge("one", 9, d.key, []lease.Owing{{Units: 5}})
		_ = d.teller.Charge("one", 9, d.key, []lease.Owing{{Units: 5}})
		d.charged(55)
		time.Sleep(lease.Remembered)
		if _, err := d.ask("one", 10, 1); err != nil {
			t.Error(err)
		}
		for _, number := range []uint64{7, 8, 9} {
			if _, err := d.ask("one", number, 1); !errors.Is(err, lease.ErrOld) {
				t.Errorf("number %d after its time: %v", number, err)
			}
		}
	})
}

func TestABankThatLostItsWindowsLendsNothingUntilAllThatItForgotHasRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, nil, lease.ColdTime)
		for at := time.Duration(0); at < lease.ColdTime; at += 15 * time.Second {
			d.number++
			if a, err := d.ask("one", d.number, 1); !errors.Is(err, lease.ErrAway) || a.Granted != 0 {
				t.Errorf("after %s: %+v, %v", at, a, err)
			}
			if away := d.teller.Away(); away != lease.ColdTime-at || d.own.Cold() != away {
				t.Errorf("after %s it is away for %s", at, away)
			}
			time.Sleep(15 * time.Second)
		}
		d.lent("one", 1)
	})
}

// The charge of a lease lies ahead, and has to come through a restart.
func TestLeasesStayChargedOverARestartInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, away := range []time.Duration{0, 700 * time.Millisecond, 5 * time.Second, 59 * time.Second} {
			d := newDesk(t, nil, 0)
			d.lent("one", 30)
			if err := d.limiter.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			var parts [][]byte
			if err := d.limiter.Windows(func(p []byte) error {
				parts = append(parts, append([]byte(nil), p...))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(away)
			d.open(parts, 0)
			time.Sleep(lease.Time + limittest.Minute - away - 10*time.Millisecond)
			d.charged(30)
			time.Sleep(20 * time.Millisecond)
			d.charged(0)
		}
	})
}

func TestALeaseCountsForAMinuteFromItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, nil, 0)
		a := d.lent("one", limit+20)
		if a.Granted != limit {
			t.Errorf("%+v", a)
		}
		if b := d.lent("two", 5); b.Granted != 0 || b.Retry != a.Reset || b.Known != 100 {
			t.Errorf("%+v after %+v", b, a)
		}
		time.Sleep(lease.Time + limittest.Minute - time.Millisecond)
		if b := d.lent("two", 5); b.Granted != 0 {
			t.Errorf("%+v", b)
		}
		time.Sleep(2 * time.Millisecond)
		if b := d.lent("two", 5); b.Granted != 5 {
			t.Errorf("%+v", b)
		}
		if b := d.lent("two", 0, lease.Rest{Lot: a.Lot, Units: 5}); b.Charged != 5 {
			t.Errorf("a lease that has run out was given back: %+v", b)
		}
	})
}

// forgetful is a bank that forgets everything while it is asked.
type forgetful struct{ *lease.Own }

func (f forgetful) Ask(epoch uint64, cost int64, questions ...lease.Question) ([2]lease.Answer, error) {
	f.Standing().Epoch.Store(&lease.Epoch{Count: epoch + 1})
	return f.Own.Ask(epoch, cost, questions...)
}

func TestABankThatForgetsWhileItIsAskedLendsNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil, 0)
	teller := lease.NewTeller(forgetful{d.own}, lease.NewClock(time.Now))
	a, err := teller.Ask("a", 1, 1, lease.Question{Of: d.key, Limit: limit, Want: 10, Ahead: 2})
	if !errors.Is(err, lease.ErrAway) || a[0].Granted != 0 {
		t.Errorf("it lends %d: %v", a[0].Granted, err)
	}
	if again, err := teller.Ask("a", 1, 1, lease.Question{Of: d.key, Limit: limit, Want: 10, Ahead: 2}); !errors.Is(err,
		lease.ErrAway) {
		t.Errorf("the second time it lends %d: %v", again[0].Granted, err)
	}
}
