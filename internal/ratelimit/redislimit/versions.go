package redislimit

import (
	"context"
	"fmt"
	"time"
)

// A node of a release before the names had a version counts under other names, so neither sees what the other admits.
// Both would admit the whole limit. The earlier release cannot be told, so this one refuses: for as long as such a node
// was seen in Redis, and until all that it may have admitted has run out.

// foreignFor is how long after an earlier release's last sign of life something that it admitted may count: it says
// that it is alive four times a second, and is not believed gone before aliveFor.
const foreignFor = aliveFor + coldTime

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
	until := l.mono() + left.Milliseconds()
	if before := l.watch.foreign.Swap(until); before < l.mono() {
		l.log.Warn(
			"a node of an earlier release counts minutes under other names: limits per minute are refused until its admissions "+
				"have run out",
			"node",
			newest[0].Member,
			"for",
			left.String(),
			"policy",
			l.policy.String(),
		)
	}
	return nil
}

// foreign tells whether units may count under names of another version, and when to come back, in Unix milliseconds.
// The policy "open" would rather admit too much.
func (l *Limiter) foreign(now int64) (retry int64, yes bool) {
	until := l.watch.foreign.Load()
	if now >= until || l.policy == Open {
		return 0, false
	}
	return l.now().UnixMilli() + until - now, true
}
