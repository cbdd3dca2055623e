package redislimit

import (
	"context"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/ratelimit/lease"
)

// A node of a release before the names had a version counts under other names, so neither sees what the other admits.
// Both would admit the whole limit. The earlier release cannot be told, so this one refuses: for as long as such a node
// was seen in Redis, and until all that it may have admitted has run out.

// foreignFor is how long after an earlier release's last sign of life something that it admitted may count: it says
// that it is alive four times a second, and is not believed gone before aliveFor.
const foreignFor = aliveFor + lease.ColdTime

// lookForOthers looks for nodes of the earlier release, at a second of Redis's clock.
func (l *Limiter) lookForOthers(ctx context.Context, now int64) error {
	b := l.client.B()
	newest, err := l.client.Do(ctx, b.Zrevrange().Key(l.earlier).Start(0).Stop(0).Withscores().Build()).AsZScores()
	if err != nil {
		return fmt.Errorf("look for nodes of an earlier release: %w", err)
	}
	if len(newest) == 0 {
		return nil
	}
	age := time.Duration(max(now-int64(newest[0].Score), 0)) * time.Second
	left := foreignFor - age
	if left <= 0 {
		return nil
	}
	until := l.clock.Mono() + left.Milliseconds()
	if before := l.watch.Foreign.Swap(until); before < l.clock.Mono() {
		l.log.Warn(
			"a node of an earlier release counts minutes under other names: limits per minute are refused until its admissions "+
				"have run out",
			"node",
			newest[0].Member,
			"for",
			left.String(),
			"policy",
			l.Policy().String(),
		)
	}
	return nil
}
