package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/verify"
)

// sample is what one workspace's keys cost to look at.
type sample struct{ first, deep, look, check time.Duration }

const (
	smallKeys = 1000
	batch     = 1000 // keys of one import
	keep      = 1000 // keys whose values are kept for looking up
)

// scale compares a page, a look-up and a verification in a workspace of 1,000 keys with those in one of many, in one database.
func scale(ctx context.Context, out io.Writer, base string, keys int) error {
	dir := filepath.Join(base, "scale")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	k, err := open(ctx, dir)
	if err != nil {
		return err
	}
	small, err := k.fill(ctx, "small", smallKeys)
	if err != nil {
		return err
	}
	start := time.Now()
	large, err := k.fill(ctx, "large", keys)
	if err != nil {
		return err
	}
	took := time.Since(start)
	a, err := k.measure(ctx, small)
	if err != nil {
		return err
	}
	b, err := k.measure(ctx, large)
	if err != nil {
		return err
	}
	row := func(what string, x, y time.Duration) {
		fmt.Fprintf(out, "%s, %d keys (%d)\t%v\t%v\t%.2f\n", what, keys, smallKeys, x, y, float64(y)/float64(x))
	}
	row("first page of 50", a.first, b.first)
	row("second page of 50", a.deep, b.deep)
	row("look-up by id", a.look, b.look)
	row("verification, in process", a.check, b.check)
	fmt.Fprintf(out, "import of %d keys\t\t%v\t%.0f/s\n", keys, took.Round(time.Millisecond), float64(keys)/took.Seconds())
	if err := k.db.Close(); err != nil {
		return err
	}
	again, err := open(ctx, dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "start to ready with %d keys\t\t%v\t\n", keys+smallKeys, again.open.Round(time.Millisecond))
	return again.db.Close()
}

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
			items[i].CreateKey = control.CreateKey{User: "u-1", Name: fmt.Sprintf("key %d", made+i), Permissions: control.Some([]string{"calls:read", "calls:write"})}
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

func (k *kit) measure(ctx context.Context, f filled) (s sample, err error) {
	page := func(cursor string) (next string, d time.Duration, err error) {
		start := time.Now()
		_, p, err := k.control.ListKeys(ctx, k.root, control.ListKeys{Workspace: f.ws, Paging: control.Paging{Limit: 50, Cursor: cursor}})
		return p.NextCursor, time.Since(start), err
	}
	var first, deep, look []time.Duration
	for range 200 {
		next, d, err := page("")
		if err != nil {
			return s, err
		}
		first = append(first, d)
		if _, d, err = page(next); err != nil {
			return s, err
		}
		deep = append(deep, d)
	}
	for i := range 1000 {
		start := time.Now()
		if _, err := k.control.GetKey(ctx, k.root, f.ids[i%len(f.ids)]); err != nil {
			return s, err
		}
		look = append(look, time.Since(start))
	}
	s = sample{first: median(first), deep: median(deep), look: median(look)}
	s.check, err = k.checks(f.values)
	return s, err
}

// checks answers the mean time of a verification over the values, in turn.
func (k *kit) checks(values []string) (time.Duration, error) {
	const n = 200_000
	var v verify.Verdict
	start := time.Now()
	for i := range n {
		q := verify.Question{Key: values[i%len(values)], IP: noAddress}
		if k.engine.Check(&q, &v); v.Code != verify.Valid {
			return 0, fmt.Errorf("a key is %s", v.Code)
		}
	}
	return time.Since(start) / n, nil
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
