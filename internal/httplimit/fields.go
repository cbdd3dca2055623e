// Package httplimit owns the form of limits over HTTP, for our own API and for gateways; and the limit on attempts
// with invalid credentials. It does not own the counting of keys' limits (ratelimit).
package httplimit

import (
	"net/http"
	"strconv"
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
)

const (
	minute = 60
	day    = 86_400
)

// SetFields says in RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10) which limits a key has and
// how they stand: policies "minute" and "day", and "workspace-minute" and "workspace-day" of the plan that all keys of
// its workspace share, with the quota q in windows of w seconds, of which r remain, and t seconds until all of it is
// there again. A key that no limit holds for has neither field.
func SetFields(h http.Header, s *ratelimit.Status, now time.Time) {
	var policy, state []byte
	add := func(name string, w *ratelimit.Window, seconds int64) {
		if w.Limit == 0 {
			return
		}
		if policy != nil {
			policy, state = append(policy, ", "...), append(state, ", "...)
		}
		policy = param(param(append(policy, name...), ";q=", w.Limit), ";w=", seconds)
		state = param(param(append(state, name...), ";r=", w.Remaining), ";t=", min(until(w.ResetAt, now), seconds))
	}
	add(`"minute"`, &s.Minute, minute)
	add(`"day"`, &s.Day, day)
	add(`"workspace-minute"`, &s.WorkspaceMinute, minute)
	add(`"workspace-day"`, &s.WorkspaceDay, day)
	if policy != nil {
		h.Set("RateLimit-Policy", string(policy))
		h.Set("RateLimit", string(state))
	}
}

func param(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(append(b, name...), n, 10)
}

// until is the number of seconds to an instant in Unix milliseconds, rounded up, so that no caller returns too early.
func until(at int64, now time.Time) int64 { return max(0, (at-now.UnixMilli()+999)/1000) }

// SetRetryAfter says after a refusal in how many seconds to ask again (RFC 9110, section 10.2.3): 1 at least. Where no
// time helps, it says a day.
func SetRetryAfter(h http.Header, s *ratelimit.Status, now time.Time) {
	at := s.RetryAt
	if at == ratelimit.Never {
		at = now.UnixMilli() + day*1000
	}
	h.Set("Retry-After", strconv.FormatInt(max(1, until(at, now)), 10))
}
