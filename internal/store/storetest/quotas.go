package storetest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/store"
)

var someKey = [16]byte{1, 2, 3}

func (f *fixture) reserve(c ratelimit.Claim) ratelimit.Claim {
	f.Helper()
	c.ID = someKey
	f.must(f.db.Count(context.Background(), func(q *store.Counting) error { return q.Reserve(&c) }))
	return c
}

func testQuota(t *testing.T, f *fixture) {
	grant := func(want, limit, granted, stands int64) {
		t.Helper()
		c := f.reserve(ratelimit.Claim{Day: 7, Limit: limit, Want: want})
		if c.Granted != granted || c.Reserved != stands {
			t.Errorf("want %d of %d: %+v", want, limit, c)
		}
	}
	grant(10, 25, 10, 10)
	grant(10, 25, 10, 20)
	grant(10, 25, 5, 25)
	grant(1, 25, 0, 25)
	grant(0, 25, 0, 25)
	grant(1, 20, 0, 25)
	f.restart(catalogue)
	grant(1, 25, 0, 25)
	if c := f.reserve(ratelimit.Claim{Day: 7, Limit: 25, Give: 4}); c.Reserved != 21 {
		t.Errorf("given back: %+v", c)
	}
	failed := errors.New("no")
	err := f.db.Count(context.Background(), func(q *store.Counting) error {
		return errors.Join(q.Reserve(&ratelimit.Claim{ID: someKey, Day: 7, Limit: 25, Want: 4}), failed)
	})
	if !errors.Is(err, failed) {
		t.Error(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var sum int64
	for range 20 {
		all.Go(func() {
			c := f.reserve(ratelimit.Claim{Day: 7, Limit: 1000, Want: 77})
			mu.Lock()
			defer mu.Unlock()
			sum += c.Granted
		})
	}
	all.Wait()
	if sum != 979 {
		t.Errorf("twenty at once were granted %d of what was left, 979", sum)
	}
}

func testQuotaDays(t *testing.T, f *fixture) {
	today := f.now().Unix() / 86_400
	f.reserve(ratelimit.Claim{Day: today, Limit: 100, Want: 60})
	f.pass(
		24*time.Hour - f.now().Sub(f.now().Truncate(24*time.Hour)) - time.Second,
	) // another node's clock is a second ahead
	if c := f.reserve(ratelimit.Claim{Day: today + 1, Limit: 100, Want: 60, Give: 5}); c.Granted != 60 ||
		c.Reserved != 60 ||
		c.Stands != today+1 {
		t.Errorf("the next day: %+v", c)
	}
	if c := f.reserve(ratelimit.Claim{Day: today, Limit: 100, Want: 1, Give: 9}); c.Granted != 0 || c.Reserved != 60 ||
		c.Stands != today+1 {
		t.Errorf("back to the day before: %+v", c)
	}
	f.pass(time.Minute)
	for _, left := range []int64{1, 0} {
		f.pass(24 * time.Hour)
		f.must(f.db.MarkTime(context.Background())) // counting rows starts the store anew
		_, err := f.db.Purge(context.Background())
		f.must(err)
		f.same("quotas that are kept", left, f.count("day_quotas"))
	}
}

func testWindows(t *testing.T, f *fixture) {
	ctx := context.Background()
	save := func(node string, part int, body string) {
		f.must(f.db.Count(ctx, func(c *store.Counting) error { return c.SaveWindows(node, part, []byte(body)) }))
	}
	take := func(node string) (parts [][]byte) {
		f.must(f.db.Count(ctx, func(c *store.Counting) (err error) {
			parts, err = c.TakeWindows(node)
			return err
		}))
		return parts
	}
	save("a", 0, "zero")
	save("a", 1, "one")
	save("b", 0, "other")
	save("a", 1, "more")
	f.restart(catalogue)
	f.same("parts", [][]byte{[]byte("zero"), []byte("more")}, take("a"))
	f.same("parts, the second time", 0, len(take("a")))
	f.same("another node's", 1, len(take("b")))

	save("a", 0, "old, and longer than the head that is looked at")
	save("a", 1, "new")
	save("c", 0, "old")
	f.must(f.db.Count(ctx, func(c *store.Counting) error {
		return c.DropWindows(func(head []byte) bool { return bytes.HasPrefix(head, []byte("old")) && len(head) <= 16 })
	}))
	f.same("after the old ones are dropped", [][]byte{[]byte("new")}, append(take("a"), take("c")...))
}
