package keyhttp

import (
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/keyward/keyward"
)

const (
	soon     = 7 * 24 * time.Hour // before its end a key is told of
	mostTold = 10_000             // notices that a generation remembers
)

// notice is what a guard tells of once: the end of a key, or of an earlier value that is still in use.
type notice struct {
	key     string
	earlier bool
	end     int64 // in milliseconds since 1970
}

// told remembers the notices of two generations. A notice is given again only after as many others as a generation
// holds.
type told struct {
	mu        sync.Mutex
	now, then map[notice]struct{}
}

// first tells whether a notice was not given before.
func (t *told) first(n notice) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, again := t.now[n]; again {
		return false
	}
	_, again := t.then[n]
	if t.now == nil || len(t.now) >= mostTold {
		t.now, t.then = map[notice]struct{}{}, t.now
	}
	t.now[n] = struct{}{}
	return !again
}

// warn tells once that a key expires soon, and once that an earlier value of it is still in use.
func (g *Guard) warn(r *http.Request, v keyward.Verdict) {
	if at := v.ExpiresAt; g.expires != nil && at != nil && at.Sub(g.now()) < soon &&
		g.told.first(notice{v.KeyID, false, at.UnixMilli()}) {
		g.expires(r, v)
	}
	if at := v.PreviousKeyExpiresAt; g.earlier != nil && at != nil && g.told.first(notice{v.KeyID, true, at.UnixMilli()}) {
		g.earlier(r, v)
	}
}

// logFailure logs why the server could not be asked, unless the caller has gone.
func logFailure(r *http.Request, err error) {
	if r.Context().Err() == nil {
		slog.ErrorContext(r.Context(), "keyward: the server cannot be asked", "error", err.Error())
	}
}

func (g *Guard) logExpiry(r *http.Request, v keyward.Verdict) {
	slog.WarnContext(r.Context(), "keyward: a key expires soon", "key", v.KeyID, "hours", g.hours(v.ExpiresAt))
}

func (g *Guard) logEarlier(r *http.Request, v keyward.Verdict) {
	slog.WarnContext(
		r.Context(), "keyward: an earlier value of a rotated key is still in use",
		"key", v.KeyID, "hours", g.hours(v.PreviousKeyExpiresAt),
	)
}

// hours counts the whole hours that are left.
func (g *Guard) hours(end *time.Time) int { return int(max(0, end.Sub(g.now())).Hours()) }
