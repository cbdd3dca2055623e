package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

const years = 3 * 365 * 24 * time.Hour

// run lets time pass as on a server, which marks it every ten seconds.
func (f *fixture) run(d time.Duration) {
	f.Helper()
	for ; d > 0; d -= 10 * time.Second {
		f.pass(min(d, 10*time.Second))
		f.must(f.db.MarkTime(context.Background()))
	}
}

func (f *fixture) purge() {
	f.Helper()
	for more := true; more; {
		var err error
		more, err = f.db.Purge(context.Background())
		f.must(err)
	}
}

// ends counts rows with an end: earlier values, sessions, links.
func (f *fixture) ends() (rows [3]int64) {
	return [3]int64{f.count("key_values"), f.count("sessions"), f.count("sign_in_links")}
}

// withEnds is a key with an expiry and an earlier value that holds for an hour; a session and a link are there, too.
func (f *fixture) withEnds() apikey.Key {
	f.Helper()
	k := f.insert(func(k *apikey.Key) {
		k.ExpiresAt = f.now().Add(90 * 24 * time.Hour)
		k.Rotate(
			apikey.Value{Masked: "new", Digest: keyfmt.Stored{Pepper: keyfmt.NoPepper, Sum: keyfmt.Digest{77}}}, f.now(),
			time.Hour,
		)
	})
	f.mustUpdate(func(tx *store.Tx) error {
		return errors.Join(
			tx.PutSession(
				session.Session{ID: "s", Workspace: f.ws, User: f.member, Method: session.ByLink, Digest: keyfmt.Digest{1},
					StartedAt: f.now(), SeenAt: f.now(), ExpiresAt: f.now().Add(session.Life)},
			),
			tx.PutSignInLink(
				session.Link{Digest: keyfmt.Digest{2}, Workspace: f.ws, User: f.member, ExpiresAt: f.now().Add(session.LinkLife)},
			),
		)
	})
	return k
}

func testJump(t *testing.T, f *fixture) {
	for name, around := range map[string]func(jump func()){
		"running": func(jump func()) {
			jump()
			f.must(f.db.MarkTime(context.Background())) // a node that shares a database looks at its clock
		},
		"stopped": func(jump func()) {
			f.must(f.db.Close())
			jump()
			f.start(f.open(), catalogue)
		},
	} {
		k := f.withEnds()
		around(func() { f.leap(years) })
		f.same(name+": now", f.now(), f.viewNow())
		f.run(5 * time.Minute)
		later := f.insert(func(k *apikey.Key) { k.Name = "written meanwhile" })
		f.same(name+": the time of what is written meanwhile", f.now(), f.created())
		f.mustUpdate(func(tx *store.Tx) error {
			found, err := tx.Key(k.ID)
			if err != nil {
				return err
			}
			found.Name = "changed meanwhile"
			return tx.UpdateKey(found)
		})
		before := f.ends()
		f.purge()
		f.same(name+": what a purge leaves", before, f.ends())
		f.same(name+": loaded with its earlier value", 1, len(f.loaded(k).Previous))
		around(func() { f.leap(-years) })
		f.same(name+": now, put right", f.now(), f.viewNow())
		f.run(10 * time.Second)
		f.purge()
		f.same(name+": what is there", before, f.ends())
		f.same(name+": the earlier value", 1, len(f.loaded(k).Previous))
		f.run(time.Hour)
		f.purge()
		f.same(name+": an hour later", [3]int64{0, before[1], 0}, f.ends())
		f.mustUpdate(func(tx *store.Tx) error {
			return errors.Join(tx.DeleteSession("s"), tx.DeleteKey(k.ID), tx.DeleteKey(later.ID))
		})
	}
}

func (f *fixture) created() (at time.Time) {
	f.Helper()
	f.view(func(v *store.View) error {
		found, err := v.Logs(store.LogFilter{All: true, Limit: 1})
		if err == nil {
			at = found[0].CreatedAt
		}
		return err
	})
	return at
}

// loaded is the key as a start reads it.
func (f *fixture) loaded(k apikey.Key) (found apikey.Key) {
	f.Helper()
	f.must(f.db.LoadAll(context.Background(), func(c feed.Change) error {
		if c.Key != nil && c.Key.ID == k.ID {
			found = *c.Key
		}
		return nil
	}))
	return found
}

func testJumpLasts(t *testing.T, f *fixture) {
	f.withEnds()
	f.must(f.db.Close())
	f.leap(30 * 24 * time.Hour) // off for a month
	f.start(f.open(), catalogue)
	for range 6 {
		f.run(9 * time.Minute)
		f.purge()
		f.same("sessions while it is provisional", int64(1), f.ends()[1])
		f.restart(catalogue)
	}
	f.run(7 * time.Minute)
	f.purge()
	f.same("after an hour, in three starts", [3]int64{}, f.ends())
	late := f.viewNow()
	f.leap(-24 * time.Hour)
	f.restart(catalogue)
	if f.viewNow().Before(late.Add(-time.Minute)) {
		t.Errorf("it was %v, and is %v after the clock was set back", late, f.viewNow())
	}
}

func testJumpedDay(t *testing.T, f *fixture) {
	today := f.now().Unix() / 86_400
	f.reserve(ratelimit.Claim{Day: today, Limit: 100, Want: 60})
	for _, days := range []int64{1, 400} {
		d := time.Duration(days) * 24 * time.Hour
		f.leap(d)
		if c := f.reserve(ratelimit.Claim{Day: today + days, Limit: 100, Want: 70}); c.Granted != 70 {
			t.Errorf("%d days ahead: %+v", days, c)
		}
		f.run(time.Minute)
		f.purge()
		f.leap(-d)
		if c := f.reserve(ratelimit.Claim{Day: today, Limit: 100, Want: 1}); c.Granted != 1 || c.Stands != today {
			t.Errorf("back from %d days ahead: %+v", days, c)
		}
	}
	if c := f.reserve(ratelimit.Claim{Day: today, Limit: 100, Want: 90}); c.Granted != 38 || c.Reserved != 100 {
		t.Errorf("what is left of the day: %+v", c)
	}
}

func testFallingLog(t *testing.T, f *fixture) {
	first := f.now()
	for range 20 {
		f.pass(time.Minute)
		f.insert(nil)
	}
	f.leap(years)
	for range 5 {
		f.pass(time.Minute)
		f.insert(nil)
	}
	f.leap(-years)
	for range 20 {
		f.pass(time.Minute)
		f.insert(nil)
	}
	end := f.now()
	for _, n := range []int{1, 15, 20, 30} {
		f.view(func(v *store.View) error {
			in := store.LogFilter{Workspace: f.ws, To: end}
			seq, at, err := v.LogStretch(in, n)
			if err != nil {
				return err
			}
			in.DownTo = seq
			found, err := v.Logs(in)
			if len(found) == 0 || at.Before(first) {
				t.Errorf("the %d newest events go down to %d, of %v: %d are there", n, seq, at, len(found))
			}
			return err
		})
	}
	f.view(func(v *store.View) error {
		between, err := v.Logs(store.LogFilter{Workspace: f.ws, From: first.Add(time.Minute), To: end})
		f.same("events within a time", 39, len(between))
		return err
	})
	f.view(func(v *store.View) error { // a bound that lies within the first stretch
		to := first.Add(10*time.Minute + time.Second)
		seq, at, err := v.LogStretch(store.LogFilter{Workspace: f.ws, To: to}, 3)
		f.same("the third before a bound", first.Add(8*time.Minute), at)
		turned, err2 := v.Turned(seq, false)
		f.same("no turn before it", false, turned)
		return errors.Join(err, err2)
	})
	if _, err := f.db.VerifyLog(context.Background()); err != nil {
		t.Error(err)
	}
}

func testResetTime(t *testing.T, f *fixture) {
	k := f.withEnds()
	f.leap(years)
	f.run(2 * time.Hour)
	f.leap(-years)
	f.restart(catalogue)
	if behind := f.db.Time().Behind; behind < years-time.Minute || behind > years+time.Minute {
		t.Errorf("the clock is said to be %v behind", behind)
	}
	before := f.viewNow()
	f.run(7 * time.Minute)
	if passed := f.viewNow().Sub(before); passed < 7*time.Minute-time.Second || passed > 7*time.Minute+time.Second {
		t.Errorf("of seven minutes with the mark ahead, %v have passed", passed)
	}
	f.view(func(v *store.View) error {
		n, keys, err := v.EndedBetween(f.now(), v.Now(), 10)
		if n.Keys != 1 || len(keys) != 1 || keys[0].ID != k.ID {
			t.Errorf("would come back: %+v, %v", n, keys)
		}
		return err
	})
	kept := errors.New("no")
	if err := f.update(func(tx *store.Tx) error { tx.ResetTime(); return kept }); !errors.Is(err, kept) {
		t.Fatal(err)
	}
	if now := f.viewNow(); now.Before(before) {
		t.Errorf("a reset that failed set the time to %v", now)
	}
	f.mustUpdate(func(tx *store.Tx) error { tx.ResetTime(); return nil })
	f.same("now, after the reset", f.now(), f.viewNow())
	f.restart(catalogue)
	f.same("now, after a restart", f.now(), f.viewNow())
	f.same("it goes by the clock", time.Duration(0), f.db.Time().Behind)
	if _, err := f.db.VerifyLog(context.Background()); err != nil {
		t.Error(err)
	}
}
