package follower

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/keyward/keyward/internal/feedhttp"
)

const (
	longestPause = 2 * time.Second // between questions to a source that is away, at most
	firstPause   = 50 * time.Millisecond
)

// Start loads everything from the source. It tries again while the source is away, until ctx ends, and gives up where
// asking again would not help (Hopeless). The error at the end of ctx also says why the source could not be followed.
func (f *Follower) Start(ctx context.Context) error {
	var before error // of the last try that ctx did not cut short
	for try := 0; ; try++ {
		err := f.follow.Start(ctx)
		switch {
		case err == nil, Hopeless(err):
			return err
		case ctx.Err() != nil && errors.Is(err, ctx.Err()):
			if before != nil {
				err = fmt.Errorf("%w (the try before: %w)", err, before)
			}
			return err
		}
		before = err
		f.trouble(err)
		if !pauseFor(ctx, pauseAfter(try, err)) {
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// Hopeless tells whether an error of Start will be there the next time, too: a token that is refused, a pepper that is
// missing, a mode without leave.
func Hopeless(err error) bool {
	return errors.Is(err, feedhttp.ErrRefused) || Unfit(err)
}

// Unfit tells whether this follower's own settings do not fit its source.
func Unfit(err error) bool { return errors.Is(err, ErrPepper) || errors.Is(err, ErrLeave) }

// KeepUp follows the source until ctx ends, or until an error that ends tells of, which it returns.
func (f *Follower) KeepUp(ctx context.Context, ends func(error) bool) error {
	for try := 0; ctx.Err() == nil; try++ {
		err := f.follow.Look(ctx)
		switch {
		case err == nil:
			if f.told != "" {
				f.told = ""
				f.cfg.Logger.Info("the source is followed again", "revision", f.Revision())
			}
			try = -1
			continue
		case ctx.Err() != nil:
			return nil
		case ends(err):
			return err
		}
		f.trouble(err)
		if !pauseFor(ctx, pauseAfter(try, err)) {
			return nil
		}
	}
	return nil
}

// pauseAfter is how long to wait after so many tries: longer each time, never the same for all followers of a source
// that comes back, and not less than it asks for.
func pauseAfter(try int, err error) time.Duration {
	d := min(firstPause<<min(try, 10), longestPause)
	d = d/2 + rand.N(d/2+1)
	var later interface{ RetryAfter() time.Duration }
	if errors.As(err, &later) {
		d = max(d, later.RetryAfter()+rand.N(d+1))
	}
	return d
}

func pauseFor(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// trouble says once why the source cannot be followed.
func (f *Follower) trouble(err error) {
	if text := err.Error(); text != f.told {
		f.told = text
		f.cfg.Logger.Warn(
			"the source cannot be followed: verifications go on until the copy is too old",
			"source",
			f.cfg.URL,
			"error",
			text,
			"limit",
			f.cfg.Limit.String(),
		)
	}
}
