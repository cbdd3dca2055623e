package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/verify"
)

// busy compares the 99th percentile of a verification's time while 32 callers make keys as fast as they can with the
// percentile on an idle server.
func busy(ctx context.Context, l *lab) (r result, err error) {
	dir, err := l.folder("busy")
	if err != nil {
		return r, err
	}
	k, err := open(ctx, dir)
	if err != nil {
		return r, err
	}
	defer k.db.Close()
	f, err := k.fill(ctx, "busy", l.most(10_000, 100))
	if err != nil {
		return r, err
	}
	made := 0
	times, ratios, err := l.rivals(
		func() (float64, error) { return k.tail(f.values, l.span/2) },
		func() (p99 float64, err error) {
			stop := k.makers(ctx, f.ws, 32)
			p99, err = k.tail(f.values, l.span/2)
			n, stopped := stop()
			made += n
			return p99, errors.Join(err, stopped)
		})
	if err != nil {
		return r, err
	}
	r.figures = []figure{
		{what: fmt.Sprintf("99th percentile of a verification while keys are made (%d)", made), unit: "ns", value: times[1],
			baseline: times[0], ratio: ratios[1], against: "while nothing else is done", must: atMost(2)},
	}
	return r, nil
}

// tail is the 99th percentile of a verification's time, in nanoseconds.
func (k *kit) tail(values []string, span time.Duration) (float64, error) {
	var all []time.Duration
	var v verify.Verdict
	for begin := time.Now(); time.Since(begin) < span || len(all) < 100; {
		q := verify.Question{Key: values[len(all)%len(values)], Demand: granted, Cost: 1}
		start := time.Now()
		k.engine.Check(&q, &v)
		all = append(all, time.Since(start))
		if v.Code != verify.Valid {
			return 0, fmt.Errorf("a key is %s", v.Code)
		}
	}
	slices.Sort(all)
	return float64(all[len(all)*99/100].Nanoseconds()), nil
}

// makers lets n callers make keys until they are stopped; then it says how many they made.
func (k *kit) makers(ctx context.Context, ws string, n int) (stop func() (int, error)) {
	ctx, cancel := context.WithCancel(ctx)
	made, errs := make([]int, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				_, err := k.control.CreateKey(
					context.WithoutCancel(ctx), k.root, control.CreateKey{Workspace: ws, User: "u-1", Name: "busy"},
				)
				if err != nil {
					errs[i] = err
					return
				}
				made[i]++
			}
		})
	}
	return func() (total int, err error) {
		cancel()
		wg.Wait()
		for _, m := range made {
			total += m
		}
		return total, errors.Join(errs...)
	}
}
