package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/control"
)

// groupCommit compares how many keys 32 callers make in a second with how many one makes, on the same disk, in turns.
func groupCommit(ctx context.Context, out io.Writer, base string, span time.Duration) error {
	dir := filepath.Join(base, "group")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	k, err := open(ctx, dir)
	if err != nil {
		return err
	}
	defer k.db.Close()
	ws, err := k.workspace(ctx, "group commit")
	if err != nil {
		return err
	}
	var one, many float64
	for range 3 {
		a, err := k.creators(ctx, ws, 1, span/3)
		if err != nil {
			return err
		}
		b, err := k.creators(ctx, ws, 32, span/3)
		if err != nil {
			return err
		}
		one, many = one+a/3, many+b/3
	}
	_, err = fmt.Fprintf(out, "keys made per second, 32 callers (1 caller)\t%.0f\t%.0f\t%.2f\n", one, many, many/one)
	return err
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
				if _, err := k.control.CreateKey(ctx, k.root, control.CreateKey{Workspace: ws, User: "u-1", Name: "bench"}); err != nil {
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
