package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/usage"
)

func (f *fixture) count1(g usage.Grain, at time.Time, of store.UsageOf, n usage.Counts) {
	f.Helper()
	f.must(f.db.Count(context.Background(), func(c *store.Counting) error {
		return c.AddUsage(&store.UsageRow{Grain: g, Start: g.Start(at.UnixMilli()), Of: of, Counts: n})
	}))
}

func (f *fixture) usage(g usage.Grain, from, to time.Time, of store.UsageOf) *usage.Series {
	f.Helper()
	span, err := usage.NewSpan(g, from, to, f.now())
	f.must(err)
	s := usage.NewSeries(span)
	f.view(func(v *store.View) error { return v.Usage(of, s) })
	return s
}

func testUsage(t *testing.T, f *fixture) {
	k := store.UsageOf(f.insert(nil).ID)
	all := usage.Counts{1, 2, 3, 4, 5, 6, 7, 8, 9}
	f.count1(usage.Minute, start, k, all)
	f.count1(usage.Minute, start.Add(time.Second), k, all)
	f.count1(usage.Minute, start.Add(2*time.Minute), k, usage.Counts{usage.Malformed: 1})
	f.count1(usage.Minute, start.Add(3*time.Minute), k, all) // at the end, and so not in it
	f.count1(usage.Hour, start, k, all)
	f.count1(usage.Minute, start, store.AllUsage, all)
	s := f.usage(usage.Minute, start.Add(-time.Minute), start.Add(3*time.Minute-8*time.Second), k)
	want := []usage.Counts{{}, {2, 4, 6, 8, 10, 12, 14, 16, 18}, {}, {usage.Malformed: 1}}
	for i, b := range s.Buckets {
		f.same("bucket", want[i], b.Counts)
	}
	f.same("buckets", len(want), len(s.Buckets))
	f.same(
		"the same hour", int64(45),
		func() int64 { n := f.usage(usage.Hour, start, start.Add(1), k).Total(); return n.Total() }(),
	)
}

func testCounting(t *testing.T, f *fixture) {
	k := f.insert(nil)
	f.told = nil
	before, head := f.count("events"), f.db.Stats().LogHead
	at := start.Add(time.Hour)
	used := func(k id.Key, at time.Time) (there bool) {
		f.must(f.db.Count(context.Background(), func(c *store.Counting) (err error) {
			there, err = c.UseKey(k, at, at)
			return err
		}))
		return there
	}
	f.same("the key is there", true, used(k.ID, at) && used(k.ID, at.Add(-time.Minute)) && used(k.ID, time.Time{}))
	f.same("one that is gone", false, used(f.newKey(), at) || used(f.newKey(), time.Time{}))
	f.same("last use", at, f.key(k.ID).LastUsedAt)
	f.same("last try", at, f.key(k.ID).LastTriedAt)
	f.same("events", before, f.count("events"))
	f.same("the end of the log", head, f.db.Stats().LogHead)
	f.same("the feed", 0, len(f.told))

	k.Name = "another name"
	tried := at.Add(time.Minute)
	f.must(f.db.Count(context.Background(), func(c *store.Counting) error {
		_, err := c.UseKey(k.ID, time.Time{}, tried)
		return err
	}))
	f.same(
		"a try that was refused is no use", []time.Time{at, tried},
		[]time.Time{f.key(k.ID).LastUsedAt, f.key(k.ID).LastTriedAt},
	)
	k.LastUsedAt, k.LastTriedAt = at, tried
	f.mustUpdate(func(tx *store.Tx) error { return tx.UpdateKey(k) })
	f.restart(catalogue)
	f.same(
		"last use after a restart", []time.Time{at, tried}, []time.Time{f.key(k.ID).LastUsedAt, f.key(k.ID).LastTriedAt},
	)

	wrong := errors.New("wrong")
	err := f.db.Count(context.Background(), func(c *store.Counting) error {
		if _, err := c.UseKey(k.ID, at.Add(time.Hour), at); err != nil {
			return err
		}
		return wrong
	})
	f.same("a failed count", true, errors.Is(err, wrong))
	f.same("and what it leaves", at, f.key(k.ID).LastUsedAt)
}

// testEarlierUse: an earlier value has a last use of its own, which the key's changes leave in place.
func testEarlierUse(_ *testing.T, f *fixture) {
	k := f.fullKey()
	f.mustUpdate(func(tx *store.Tx) error { return tx.InsertKey(k) })
	f.told = nil
	used, at := k.Previous[len(k.Previous)-1], start.Add(time.Second/2)
	note := func(at time.Time, from string) {
		f.must(f.db.Count(context.Background(), func(c *store.Counting) error {
			return errors.Join(
				c.UseEarlier(k.ID, used.Until, at, from),
				c.UseEarlier(k.ID, used.Until.Add(time.Millisecond), at.Add(time.Hour), "192.0.2.0/24"),
				c.UseEarlier(f.newKey(), used.Until, at, "192.0.2.0/24"),
			)
		}))
	}
	note(at.Add(-time.Second), "198.51.100.0/24")
	note(at, "203.0.113.0/24")
	note(at.Add(-time.Minute), "198.51.100.0/24")
	note(at, "") // a use that told no address
	type use struct {
		At   time.Time
		From string
	}
	lasts := func() (all []use) {
		for _, p := range f.key(k.ID).Previous {
			all = append(all, use{p.LastUsedAt, p.LastUsedFrom})
		}
		return all
	}
	want := make([]use, len(k.Previous))
	want[len(want)-1] = use{at, "203.0.113.0/24"}
	f.same("last uses", want, lasts())
	f.same("the feed", 0, len(f.told))
	changed := f.key(k.ID)
	changed.Name = "another name"
	f.mustUpdate(func(tx *store.Tx) error { return tx.UpdateKey(changed) })
	f.same("last uses after a change", want, lasts())
	f.restart(catalogue)
	f.same("last uses after a restart", want, lasts())
}

func testUsageGone(t *testing.T, f *fixture) {
	other := f.workspace("Other")
	kept, gone := f.insert(nil).ID, f.insert(nil).ID
	f.must(f.db.Count(context.Background(), func(c *store.Counting) error {
		for i := range int64(1500) { // more than a purge removes
			err := c.AddUsage(
				&store.UsageRow{Grain: usage.Minute, Start: i * 60_000, Of: store.UsageOf(gone), Counts: usage.Counts{1}},
			)
			if err != nil {
				return err
			}
		}
		return nil
	}))
	for _, of := range []store.UsageOf{store.UsageOf(kept), store.UsageOf(f.ws), store.UsageOf(other), store.AllUsage} {
		f.count1(usage.Day, start, of, usage.Counts{1})
	}
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteKey(gone) })
	f.purgeAll()
	f.same("rows without the key's", int64(4), f.count("usage_counts"))
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteWorkspace(f.ws) })
	f.view(func(v *store.View) error {
		there, err := v.HasWorkspace(f.ws)
		f.same("a deleted workspace is there", false, there)
		return err
	})
	f.purgeAll()
	f.same("rows without the workspace's", int64(2), f.count("usage_counts"))
	f.same("what is still to be removed", int64(0), f.count("usage_gone"))
}

func (f *fixture) purgeAll() {
	f.Helper()
	for more := true; more; {
		var err error
		more, err = f.db.Purge(context.Background())
		f.must(err)
	}
}

func testUsageOld(t *testing.T, f *fixture) {
	k := store.UsageOf(f.insert(nil).ID)
	keep := usage.Retention{time.Hour, 10 * time.Hour, 0}
	for g := range usage.Grains {
		for _, age := range []time.Duration{0, 59 * time.Minute, 90 * time.Minute, 9 * time.Hour, 20 * time.Hour,
			48 * time.Hour} {
			f.count1(g, start.Add(-age), k, usage.Counts{1})
		}
	}
	for more := true; more; {
		var err error
		more, err = f.db.PurgeUsage(context.Background(), keep)
		f.must(err)
	}
	left := func(g usage.Grain) int64 {
		n := f.usage(g, start.Add(-24*g.Length()), start.Add(1), k).Total()
		return n.Total()
	}
	f.same("minutes, hours and days", []int64{1, 4, 0}, []int64{left(usage.Minute), left(usage.Hour), left(usage.Day)})
}
