package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/control"
)

// groupCommit compares how many keys 32 callers make in a second with how many one makes, on the same disk, in turns.
func groupCommit(ctx context.Context, l *lab) (result, error) {
	dir, err := l.folder("create")
	if err != nil {
		return result{}, err
	}
	k, err := open(ctx, dir)
	if err != nil {
		return result{}, err
	}
	defer k.db.Close()
	ws, err := k.workspace(ctx, "group commit")
	if err != nil {
		return result{}, err
	}
	callers := func(n int) func() (float64, error) {
		return func() (float64, error) { return k.creators(ctx, ws, n, l.span) }
	}
	medians, ratios, err := l.rivals(callers(1), callers(32))
	if err != nil {
		return result{}, err
	}
	return result{
		figures: []figure{
			{what: "keys made by 32 callers", unit: "keys/s", value: medians[1], baseline: medians[0], against: "by one caller",
				ratio: ratios[1], must: atLeast(2.5), aim: atLeast(4)},
		},
		plots: []plot{
			bars(
				"rate", "Keys made per second, each durable before it is answered", "keys/s", bar{"1 caller", medians[0]},
				bar{"32 callers", medians[1]},
			),
		},
	}, nil
}

// creators lets n callers make keys for a span and answers keys per second.
func (k *kit) creators(ctx context.Context, ws string, n int, span time.Duration) (float64, error) {
	var made atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	start := time.Now()
	for range n {
		wg.Go(func() {
			for time.Since(start) < span {
				if _, err := k.control.CreateKey(ctx, k.root,
					control.CreateKey{Workspace: ws, User: "u-1", Name: "bench"}); err != nil {
					failed.Store(&err)
					return
				}
				made.Add(1)
			}
		})
	}
	wg.Wait()
	if p := failed.Load(); p != nil {
		return 0, *p
	}
	return float64(made.Load()) / time.Since(start).Seconds(), nil
}
