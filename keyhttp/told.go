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
	mostTold = 10_000             // keys that are told of
)

// told remembers the keys whose end was told.
type told struct {
	mu   sync.Mutex
	keys map[string]struct{}
}

// first tells whether a key was not told of before. It is false once too many were.
func (t *told) first(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, again := t.keys[key]; again || len(t.keys) >= mostTold {
		return false
	}
	if t.keys == nil {
		t.keys = map[string]struct{}{}
	}
	t.keys[key] = struct{}{}
	return true
}

// warn tells once of a key that it expires soon.
func (g *Guard) warn(r *http.Request, v keyward.Verdict) {
	if g.expires == nil || v.ExpiresAt == nil || v.ExpiresAt.Sub(g.now()) >= soon || !g.told.first(v.KeyID) {
		return
	}
	g.expires(r, v)
}

// logFailure logs why the server could not be asked, unless the caller has gone.
func logFailure(r *http.Request, err error) {
	if r.Context().Err() == nil {
		slog.ErrorContext(r.Context(), "keyward: the server cannot be asked", "error", err.Error())
	}
}

func (g *Guard) logExpiry(r *http.Request, v keyward.Verdict) {
	slog.WarnContext(
		r.Context(), "keyward: a key expires soon", "key", v.KeyID, "hours", int(max(0, v.ExpiresAt.Sub(g.now())).Hours()),
	)
}
