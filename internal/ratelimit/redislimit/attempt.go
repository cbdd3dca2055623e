package redislimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/keyward/keyward/internal/ratelimit/lease"
)

var errPatience = errors.New("others are answered, and this question is not")

// attempt asks Redis something in an epoch of this count. On an error Redis is another one now, or down, or worth one
// more question; or the error wraps lease.ErrAlone.
//
// Redis is down for all keys once a look at it as a whole has failed, or once two questions one after the other were
// met by silence. A single slow question is no loss, and neither is an error that Redis answers about one key.
func (l *Limiter) attempt(count uint64, ask func(context.Context) error) error {
	heard, doubted := l.watch.heard.Load(), l.watch.doubt.Load()
	err := l.patiently(context.Background(), l.timeout, ask)
	if err == nil {
		l.hear()
		return nil
	}
	l.counts.failures.Add(1)
	var answered *rueidis.RedisError
	switch {
	case errors.Is(err, lease.ErrOtherEpoch):
		l.hear()
		if l.watch.Epoch.Load().Count == count { // else another key's question has found it before
			l.look(context.Background())
		}
		return err
	case errors.As(err, &answered), errors.Is(err, errPatience), l.cluster && l.watch.heard.Load() != heard:
		err = fmt.Errorf("%w: %w", lease.ErrAlone, err)
	case doubted && l.watch.heard.Load() == heard:
		l.lost(err)
	default:
		l.watch.doubt.Store(true)
	}
	select {
	case l.watch.ring <- struct{}{}:
	default:
	}
	return err
}

// hear notes that Redis has answered.
func (l *Limiter) hear() {
	l.watch.heard.Add(1)
	if l.watch.doubt.Load() {
		l.watch.doubt.Store(false)
	}
}

// mostPeriods is for how many times its timeout a question is waited for while others are answered.
const mostPeriods = 8

// patiently runs ask, and gives it up when Redis has answered nothing at all for as long as silence: an answer that
// stands behind many others comes late, and says nothing of Redis but that there is much to do. The servers of a
// cluster answer for themselves alone.
func (l *Limiter) patiently(ctx context.Context, silence time.Duration, ask func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	left, heard := mostPeriods-1, l.watch.heard.Load()
	if l.cluster {
		left = 0
	}
	var timer *time.Timer
	timer = time.AfterFunc(time.Hour, func() {
		now := l.watch.heard.Load()
		switch {
		case now == heard:
			cancel(fmt.Errorf("no answer within %s", silence))
			return
		case left == 0:
			cancel(errPatience)
			return
		}
		left, heard = left-1, now
		timer.Reset(silence)
	})
	timer.Reset(silence)
	defer timer.Stop()
	err := ask(ctx)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
