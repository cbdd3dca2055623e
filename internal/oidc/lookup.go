package oidc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	lookTimeout  = 5 * time.Second  // for the provider to answer one question
	refreshAfter = 30 * time.Minute // an answer is asked for anew in the background from then on
	holdFor      = time.Hour        // and callers wait for it from then on, if briefly: a withdrawn key is forgotten then
	patience     = time.Second      // of a caller who has an old answer, or asks after a failure
	askEvery     = 10 * time.Second // at most, however many tokens with unknown keys arrive
	retryAfter   = 5 * time.Second  // after the provider did not answer
	retryAtMost  = 5 * time.Minute  // after it did not answer again and again
)

// errPaused says that the provider was not asked, because it did not answer a moment ago.
var errPaused = errors.New("it did not answer a moment ago")

// lookup remembers the provider's answer to one question. It asks again in the background, one request at a time and
// with longer pauses after each failure, so that a provider that hangs delays no caller who needs only the answer that
// is known.
type lookup[T any] struct {
	ask func(context.Context) (T, error)
	now func() time.Time

	mu       sync.Mutex
	known    *kept[T]      // nil before the first answer
	looking  chan struct{} // closed when the request under way ends; nil while there is none
	failed   time.Time     // end of the last request that failed
	failures int           // in a row
	cause    error
}

// kept is an answer and the time at which it was asked for.
type kept[T any] struct {
	at    time.Time
	value T
}

// get returns the answer. A caller waits if none is known yet, or briefly if the known one is old and the provider is
// not known to hang.
func (l *lookup[T]) get(ctx context.Context) (*kept[T], error) {
	l.mu.Lock()
	known := l.known
	old := known == nil || l.now().Sub(known.at) >= holdFor
	if old || l.now().Sub(known.at) >= refreshAfter {
		l.begin(ctx)
	}
	looking, failing, cause := l.looking, l.failures > 0, l.cause
	l.mu.Unlock()
	switch {
	case known != nil && (!old || failing || looking == nil):
		return known, nil
	case looking == nil:
		return nil, paused(cause)
	}
	err := await(ctx, looking, failing || known != nil)
	switch latest := l.latest(); {
	case latest != nil:
		return latest, nil
	case err != nil:
		return nil, err
	}
	return nil, l.down()
}

// newer returns an answer that is newer than the given one, or the given one itself if it was asked for a moment ago.
// A caller who can do with the given one waits briefly.
func (l *lookup[T]) newer(ctx context.Context, than *kept[T], briefly bool) (*kept[T], error) {
	l.mu.Lock()
	known := l.known
	if known != than || l.now().Sub(known.at) < askEvery {
		l.mu.Unlock()
		return known, nil
	}
	l.begin(ctx)
	looking, failing, cause := l.looking, l.failures > 0, l.cause
	l.mu.Unlock()
	if looking == nil {
		return nil, paused(cause)
	}
	err := await(ctx, looking, failing || briefly)
	switch latest := l.latest(); {
	case latest != than:
		return latest, nil
	case err != nil:
		return nil, err
	}
	return nil, l.down()
}

// refresh asks anew if it is time to, and waits for nothing.
func (l *lookup[T]) refresh(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil || l.now().Sub(l.known.at) >= refreshAfter {
		l.begin(ctx)
	}
}

// latest returns the known answer, or nil.
func (l *lookup[T]) latest() *kept[T] {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known
}

// begin starts a request unless one is under way or the provider is left alone. The caller holds the lock.
func (l *lookup[T]) begin(ctx context.Context) {
	if l.looking != nil || l.now().Sub(l.failed) < l.pause() {
		return
	}
	l.looking = make(chan struct{})
	go l.look(context.WithoutCancel(ctx), l.now()) // the first caller to ask may be the first to give up
}

func (l *lookup[T]) look(ctx context.Context, at time.Time) {
	value, err := l.ask(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.known = &kept[T]{at, value}
		l.cause = nil
		l.failures = 0
		l.failed = time.Time{}
	case errors.Is(err, errPaused):
		l.cause = err
	default:
		l.cause = err
		l.failed = l.now()
		l.failures++
	}
	close(l.looking)
	l.looking = nil
}

// pause is how long the provider is left alone after failures: twice as long each time, up to a bound.
func (l *lookup[T]) pause() time.Duration {
	return min(retryAfter<<max(min(l.failures, 10)-1, 0), retryAtMost)
}

func (l *lookup[T]) down() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Errorf("%w: %w", ErrDown, l.cause)
}

func paused(cause error) error { return fmt.Errorf("%w: %w (%w)", ErrDown, errPaused, cause) }

// await waits for the end of a request, no longer than lookTimeout, or than patience if briefly is set.
func await(ctx context.Context, looking <-chan struct{}, briefly bool) error {
	limit := lookTimeout
	if briefly {
		limit = patience
	}
	enough := time.NewTimer(limit)
	defer enough.Stop()
	select {
	case <-looking:
		return nil
	case <-enough.C:
		return fmt.Errorf("%w: no answer within %s", ErrDown, limit)
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrDown, ctx.Err())
	}
}
