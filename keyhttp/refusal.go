package keyhttp

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward"
)

// refusal is an answer to a request that does not get through, as Keyward itself would give it.
type refusal struct {
	status     int
	code       keyward.ErrorCode
	message    string
	details    []keyward.Detail
	challenge  string // WWW-Authenticate
	retryAfter time.Duration
}

var unavailable = refusalOf(keyward.Verdict{Code: keyward.VerdictUnavailable}, Rule{}, time.Time{})

func invalid(field, message string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: keyward.CodeInvalidRequest, message: field + ": " + message,
		details: []keyward.Detail{{Field: field, Message: message}}}
}

// refusalOf tells why a key that is not valid is refused.
func refusalOf(v keyward.Verdict, rule Rule, now time.Time) refusal {
	e := v.Code.Refusal()
	out := refusal{status: e.Status, code: e.Code, message: e.Message, details: e.Details, retryAfter: e.RetryAfter}
	switch e.Status {
	case http.StatusUnauthorized:
		out.challenge = `Bearer error="invalid_token"`
	case http.StatusForbidden:
		out.challenge = `Bearer error="insufficient_scope"`
	case http.StatusTooManyRequests:
		out.retryAfter = untilReset(v, now)
	}
	if v.Code == keyward.VerdictInsufficientPermissions {
		out.challenge += `, scope="` + strings.Join(slices.Concat(rule.All, rule.Any), " ") + `"`
		for _, p := range v.MissingPermissions {
			out.details = append(out.details, keyward.Detail{Field: "permissions", Message: p})
		}
	}
	return out
}

// untilReset is when the limit that refused is whole again: before, the same request may get through, and then it
// certainly does.
func untilReset(v keyward.Verdict, now time.Time) time.Duration {
	if v.RateLimit == nil {
		return time.Second
	}
	windows := []*keyward.Window{v.RateLimit.Minute, v.RateLimit.WorkspaceMinute}
	if v.Code == keyward.VerdictQuotaExceeded {
		windows = []*keyward.Window{v.RateLimit.Day, v.RateLimit.WorkspaceDay}
	}
	wait := time.Second
	for _, w := range windows {
		if w != nil {
			wait = max(wait, w.ResetAt.Sub(now))
		}
	}
	return wait
}

// limitFields says how the key's limits and its workspace's stand (draft-ietf-httpapi-ratelimit-headers).
func limitFields(h http.Header, limits *keyward.VerdictLimits, now time.Time) {
	if limits == nil {
		return
	}
	var policies, states []string
	for _, w := range []struct {
		name    string
		seconds int
		*keyward.Window
	}{{"minute", 60, limits.Minute}, {"day", 86400, limits.Day},
		{"workspace-minute", 60, limits.WorkspaceMinute}, {"workspace-day", 86400, limits.WorkspaceDay}} {
		if w.Window == nil {
			continue
		}
		policies = append(policies, fmt.Sprintf("%q;q=%d;w=%d", w.name, w.Limit, w.seconds))
		states = append(states, fmt.Sprintf("%q;r=%d;t=%d", w.name, w.Remaining, seconds(w.ResetAt.Sub(now))))
	}
	if policies != nil {
		h.Set("RateLimit-Policy", strings.Join(policies, ", "))
		h.Set("RateLimit", strings.Join(states, ", "))
	}
}

// seconds rounds up, so that no client returns too early.
func seconds(d time.Duration) int { return max(int((d+time.Second-1)/time.Second), 0) }

// refuse answers in the form that all refusals of Keyward have.
func refuse(w http.ResponseWriter, r *http.Request, f refusal) {
	id := r.Header.Get("X-Request-Id")
	if !plain(id) {
		id = rand.Text()
	}
	h := w.Header()
	if f.challenge != "" {
		h.Set("WWW-Authenticate", f.challenge)
	}
	if f.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(seconds(f.retryAfter)))
	}
	h.Set("X-Request-Id", id)
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	type failure struct {
		Code      string           `json:"code"`
		Message   string           `json:"message"`
		Details   []keyward.Detail `json:"details"`
		RequestID string           `json:"requestId"`
	}
	if f.details == nil {
		f.details = []keyward.Detail{}
	}
	body, err := json.Marshal(struct {
		Success bool    `json:"success"`
		Error   failure `json:"error"`
	}{Error: failure{string(f.code), f.message, f.details, id}})
	if err != nil { // it is made of text alone
		panic(err)
	}
	w.WriteHeader(f.status)
	_, _ = w.Write(body)
}

// plain tells whether a request's id can stand in a log.
func plain(id string) bool {
	return id != "" && len(id) <= 128 && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("._:-", r)
	}) && !keyInQuery(id)
}
