package cluster_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
	"github.com/keyward/keyward/internal/verify"
)

// A look that takes longer than the limit proves nothing: a change may have been committed right after it began.
func TestT26ACopyIsAsFreshAsTheBeginningOfItsLook(t *testing.T) {
	t.Parallel()
	var slow atomic.Bool
	var readings atomic.Int32
	a := join(t, pgtest.Database(t), func(c *cluster.Config) {
		now := c.Now
		c.Now = func() time.Time {
			if slow.Load() && readings.Add(1) > 1 { // the first reading is the beginning of the look
				return now().Add(2 * limit)
			}
			return now()
		}
	})
	slow.Store(true)
	a.Look(context.Background())
	if a.Replica().Ready() || a.Replica().Age() < limit {
		t.Errorf("after a look of twice the limit the copy is %s old, and ready: %v", a.Replica().Age(), a.Replica().Ready())
	}
}

// A node that others cannot hear of does not count for wait=all, so it must be fenced before they give it up.
func TestT26ANodeThatOthersCannotHearOfFencesItself(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a := join(t, url).settle()
	k := a.mint()
	a.look()
	pgtest.Run(t, url, "ALTER TABLE nodes RENAME TO others")
	for _, step := range []struct {
		pass time.Duration
		want verify.Code
	}{{limit, verify.Valid}, {3 * limit / 2, verify.Unavailable}} {
		a.ahead.Add(int64(step.pass))
		a.Look(context.Background()) // the feed is followed, and the heartbeat is not heard
		a.says(k, step.want, "after "+step.pass.String())
	}
}
