package sqlite

import (
	"context"
	"sync"

	"github.com/keyward/keyward/internal/store"
)

// readers lends connections. The one that came back last goes first: each has a cache of its own, and in a large file a
// page that is not in it costs as much as everything else about a look-up.
type readers struct {
	free chan struct{} // one for each that lies in idle
	mu   sync.Mutex
	idle []*conn
	all  int
}

func newReaders(most int) *readers { return &readers{free: make(chan struct{}, most)} }

// add takes one more connection into the pool.
func (r *readers) add(c *conn) {
	r.all++
	r.giveBack(c)
}

// take waits for a connection, no longer than ctx lasts.
func (r *readers) take(ctx context.Context) (*conn, error) {
	select {
	case <-r.free:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.idle) - 1
	c := r.idle[last]
	r.idle = r.idle[:last]
	return c, nil
}

func (r *readers) giveBack(c *conn) {
	r.mu.Lock()
	r.idle = append(r.idle, c)
	r.mu.Unlock()
	r.free <- struct{}{}
}

// read runs fn on a snapshot.
func (r *readers) read(ctx context.Context, fn func(store.SQL) error) error {
	c, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer r.giveBack(c)
	if _, err := c.Exec(ctx, "BEGIN"); err != nil {
		c.rollback()
		return err
	}
	defer c.rollback()
	return fn(c)
}

// close waits for those that are lent, and closes all. It may be called again.
func (r *readers) close() (errs []error) {
	for ; r.all > 0; r.all-- {
		c, _ := r.take(context.Background())
		errs = append(errs, c.close())
	}
	return errs
}
