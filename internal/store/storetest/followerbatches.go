package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/store"
)

// testFollowerBatches holds that a follower's batch is done once, also over a restart.
func testFollowerBatches(t *testing.T, f *fixture) {
	done := 0
	once := func(key, incarnation, kind string, number int64) (string, error) {
		var answer []byte
		err := f.db.Count(context.Background(), func(c *store.Counting) (err error) {
			answer, err = c.Once(store.FollowerBatch{
				Key: id.ServiceKey(key), Incarnation: incarnation, Kind: kind, Number: number,
			}, func() ([]byte, error) {
				done++
				return []byte(fmt.Sprint("answer ", done)), nil
			})
			return err
		})
		return string(answer), err
	}
	gets := func(want, key, incarnation, kind string, number int64) {
		t.Helper()
		if got, err := once(key, incarnation, kind, number); got != want || err != nil {
			t.Errorf("%s %s %s %d: %q, %v, want %q", key, incarnation, kind, number, got, err, want)
		}
	}
	gets("answer 1", "a", "i", "days", 1)
	gets("answer 1", "a", "i", "days", 1)
	gets("answer 2", "a", "i", "uses", 1)
	gets("answer 3", "a", "j", "days", 1)
	gets("answer 4", "b", "i", "days", 1)
	gets("answer 5", "a", "i", "days", 4)
	f.restart(catalogue)
	gets("answer 5", "a", "i", "days", 4)
	gets("answer 4", "b", "i", "days", 1)
	if _, err := once("a", "i", "days", 3); !errors.Is(err, store.ErrOldBatch) || done != 5 {
		t.Errorf("an old batch: %v, and %d were done", err, done)
	}
	failed := errors.New("no")
	err := f.db.Count(context.Background(), func(c *store.Counting) error {
		_, err := c.Once(store.FollowerBatch{Key: "a", Incarnation: "i", Kind: "days", Number: 5},
			func() ([]byte, error) { return nil, failed })
		return err
	})
	if !errors.Is(err, failed) {
		t.Error(err)
	}
	gets("answer 6", "a", "i", "days", 5)
	f.same("batches", int64(4), f.count("follower_batches"))
	f.pass(72 * time.Hour)
	f.must(f.db.MarkTime(context.Background()))
	_, err = f.db.Purge(context.Background())
	f.must(err)
	f.same("batches that are kept", int64(0), f.count("follower_batches"))
}

// testFollowerDays holds that a follower gives back no more than it holds, of the day that it holds it of.
func testFollowerDays(t *testing.T, f *fixture) {
	today := f.now().Unix() / 86_400
	claim := func(incarnation string, day, want, give, granted, reserved int64) {
		t.Helper()
		c := ratelimit.Claim{ID: someKey, Day: day, Limit: 100, Want: want, Give: give}
		f.must(f.db.Count(context.Background(), func(q *store.Counting) error {
			return q.ReserveFor(&store.FollowerBatch{Key: "a", Incarnation: incarnation}, &c)
		}))
		if c.Granted != granted || c.Reserved != reserved {
			t.Errorf("%s wants %d and gives %d: %+v", incarnation, want, give, c)
		}
	}
	f.reserve(ratelimit.Claim{Day: today, Limit: 100, Want: 20}) // the node's own
	claim("i", today, 0, 20, 0, 20)
	claim("i", today, 30, 0, 30, 50)
	claim("j", today, 10, 30, 10, 60)
	claim("j", today, 0, 30, 0, 50)
	claim("j", today, 0, 30, 0, 50)
	claim("i", today, 0, -5, 0, 50)
	claim("i", today, 90, 0, 50, 100)
	claim("i", today, 0, 1000, 0, 20)
	claim("i", today, 5, 0, 5, 25)
	claim("i", today+1, 3, 5, 3, 3)
	claim("i", today+1, 0, 9, 0, 0)
	f.pass(72 * time.Hour)
	f.must(f.db.MarkTime(context.Background()))
	_, err := f.db.Purge(context.Background())
	f.must(err)
	f.same("rows that are kept", int64(0), f.count("follower_days"))
}
