package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/verify"
)

// sample is the cost of looking at one workspace's keys.
type sample struct{ first, deep, byUse, ofMember, none, look, check time.Duration }

const (
	smallKeys = 1000
	batch     = 1000    // keys of one import
	spread    = 7919    // prime: look-ups go here and there, not to neighbours
	keep      = 200_000 // keys whose values are kept for looking up, from all over the workspace
)

// scale compares a page, a look-up and a verification in a workspace of 1,000 keys with those in one of many, in one
// database.
func scale(ctx context.Context, l *lab) (result, error) {
	dir, err := l.folder("scale")
	if err != nil {
		return result{}, err
	}
	k, err := open(ctx, dir)
	if err != nil {
		return result{}, err
	}
	few := l.most(smallKeys, 500)
	small, err := k.fill(ctx, "small", few)
	if err != nil {
		return result{}, err
	}
	start := time.Now()
	large, err := k.fill(ctx, "large", l.keys)
	if err != nil {
		return result{}, err
	}
	took := time.Since(start)
	a, b, err := k.inTurns(ctx, l, small, large)
	if err != nil {
		return result{}, err
	}
	if err := k.db.Close(); err != nil {
		return result{}, err
	}
	again, err := open(ctx, dir)
	if err != nil {
		return result{}, err
	}
	among := "among " + thousands(strconv.Itoa(l.keys)) + " keys"
	row := func(what string, of func(sample) time.Duration) figure {
		return figure{what: what + " " + among, unit: "µs", value: micros(of(b)), baseline: micros(of(a)),
			against: "among " + thousands(strconv.Itoa(few)), must: atMost(2)}
	}
	return result{figures: []figure{
		row("first page of 50", func(s sample) time.Duration { return s.first }),
		row("second page of 50", func(s sample) time.Duration { return s.deep }),
		row("first page of 50 by last use", func(s sample) time.Duration { return s.byUse }),
		row("first page of the member who has all, by expiry", func(s sample) time.Duration { return s.ofMember }),
		row("page of expiring keys, of which there are none", func(s sample) time.Duration { return s.none }),
		row("look-up by id", func(s sample) time.Duration { return s.look }),
		row("verification in process", func(s sample) time.Duration { return s.check }),
		{what: "import", unit: "keys/s", value: float64(l.keys) / took.Seconds()},
		{
			what: "start to ready with " + thousands(strconv.Itoa(l.keys+few)) + " keys", unit: "s", value: again.open.Seconds(),
			must: atMost(5), aim: atMost(2),
		},
	}}, again.db.Close()
}

// inTurns measures both workspaces round after round and answers the median of each.
func (k *kit) inTurns(ctx context.Context, l *lab, small, large filled) (a, b sample, err error) {
	var as, bs []sample
	for range l.rounds {
		a, err := k.measure(ctx, l, small)
		if err != nil {
			return a, b, err
		}
		b, err := k.measure(ctx, l, large)
		if err != nil {
			return a, b, err
		}
		as, bs = append(as, a), append(bs, b)
	}
	return middle(as), middle(bs), nil
}

func middle(all []sample) sample {
	of := func(get func(sample) time.Duration) time.Duration {
		var ds []time.Duration
		for _, s := range all {
			ds = append(ds, get(s))
		}
		return median(ds)
	}
	return sample{
		first: of(func(s sample) time.Duration { return s.first }), deep: of(func(s sample) time.Duration { return s.deep }),
		byUse:    of(func(s sample) time.Duration { return s.byUse }),
		ofMember: of(func(s sample) time.Duration { return s.ofMember }),
		none:     of(func(s sample) time.Duration { return s.none }),
		look:     of(func(s sample) time.Duration { return s.look }),
		check:    of(func(s sample) time.Duration { return s.check }),
	}
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// filled is a workspace with keys, some of whose ids and values are known.
type filled struct {
	ws     string
	ids    []string
	values []string
}

// fill imports keys by the supported road, a batch in each transaction.
func (k *kit) fill(ctx context.Context, name string, n int) (filled, error) {
	ws, err := k.workspace(ctx, name)
	f := filled{ws: ws}
	if err != nil {
		return f, err
	}
	every := max(1, n/keep)
	for made := 0; made < n; {
		items := make([]control.ImportKey, min(batch, n-made))
		for i := range items {
			items[i].Generate = true
			items[i].CreateKey = control.CreateKey{
				User: "u-1", Name: fmt.Sprintf("key %d", made+i), Permissions: control.Some([]string{"calls:read", "calls:write"}),
			}
		}
		done, failed, err := k.control.ImportKeys(ctx, k.root, ws, items)
		if err != nil || len(failed) > 0 {
			return f, fmt.Errorf("%d keys were refused: %w", len(failed), err)
		}
		for i, d := range done {
			if (made+i)%every == 0 {
				f.ids, f.values = append(f.ids, string(d.ID)), append(f.values, d.Secret.Reveal())
			}
		}
		made += len(items)
	}
	return f, nil
}

func (k *kit) measure(ctx context.Context, l *lab, f filled) (s sample, err error) {
	page := func(in control.ListKeys) (next string, d time.Duration, err error) {
		in.Workspace = f.ws
		in.Limit = 50
		start := time.Now()
		_, p, err := k.control.ListKeys(ctx, k.root, in)
		return p.NextCursor, time.Since(start), err
	}
	var first, deep, look []time.Duration
	others := []struct {
		in   control.ListKeys
		took []time.Duration
		into *time.Duration
	}{
		{in: control.ListKeys{Order: apikey.ByLastUse}, into: &s.byUse},
		{in: control.ListKeys{User: "u-1", Order: apikey.ByExpiry}, into: &s.ofMember},
		{in: control.ListKeys{Standing: apikey.Expiring, Order: apikey.ByExpiry}, into: &s.none},
	}
	for range l.most(200, 20) {
		next, d, err := page(control.ListKeys{})
		if err != nil {
			return s, err
		}
		first = append(first, d)
		if _, d, err = page(control.ListKeys{Paging: control.Paging{Cursor: next}}); err != nil {
			return s, err
		}
		deep = append(deep, d)
		for i := range others {
			if _, d, err = page(others[i].in); err != nil {
				return s, err
			}
			others[i].took = append(others[i].took, d)
		}
	}
	warm := l.most(2000, 20) // after that the upper pages of the tables lie in the cache of the connection
	for i := range warm + l.most(1000, 20) {
		start := time.Now()
		if _, err := k.control.GetKey(ctx, k.root, f.ids[rand.IntN(len(f.ids))]); err != nil {
			return s, err
		}
		if i >= warm {
			look = append(look, time.Since(start))
		}
	}
	s.first = median(first)
	s.deep = median(deep)
	s.look = median(look)
	for i := range others {
		*others[i].into = median(others[i].took)
	}
	s.check, err = k.checks(f.values, l.most(200_000, 2000))
	return s, err
}

// checks answers the mean time of a verification over the values, in turn.
func (k *kit) checks(values []string, n int) (time.Duration, error) {
	var v verify.Verdict
	start := time.Now()
	for i := range n {
		q := verify.Question{Key: values[i%len(values)], IP: noAddress}
		if k.engine.Check(&q, &v); v.Code != verify.Valid {
			return 0, fmt.Errorf("a key is %s", v.Code)
		}
	}
	return time.Since(start) / time.Duration(n), nil
}
