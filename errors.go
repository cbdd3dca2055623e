package keyward

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ErrorCode is the code of an error answer.
type ErrorCode string

// The stable codes of refusals.
const (
	CodeInvalidRequest       ErrorCode = "invalid_request"
	CodeUnauthenticated      ErrorCode = "unauthenticated"
	CodePermissionDenied     ErrorCode = "permission_denied"
	CodePermissionEscalation ErrorCode = "permission_escalation"
	CodeNotFound             ErrorCode = "not_found"
	CodeMethodNotAllowed     ErrorCode = "method_not_allowed"
	CodeConflict             ErrorCode = "conflict"
	CodeLimitReached         ErrorCode = "limit_reached"
	CodeBodyTooLarge         ErrorCode = "body_too_large"
	CodeUnsupportedMediaType ErrorCode = "unsupported_media_type"
	CodeRateLimited          ErrorCode = "rate_limited"
	CodeUnavailable          ErrorCode = "unavailable"
	CodeOutcomeUnknown       ErrorCode = "outcome_unknown"
)

// Error is a refusal by the server, or by something in front of it. Ask for it with errors.As, or for its kind with
// errors.Is and one of the Err values.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Code is the stable word for a program; empty when the answer was not a Keyward server's.
	Code ErrorCode
	// Message is the sentence for people.
	Message string
	// Details name the fields, or the permissions, that were refused.
	Details []Detail
	// RequestID finds the call in the server's log.
	RequestID string
	// RetryAfter is how long the server asks to wait; 0 when it did not say.
	RetryAfter time.Duration
}

// Detail names one field of a request and its error.
type Detail struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error says status, code, message, details and request id on one line. It never holds a token.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "keyward: status %d", e.Status)
	if e.Code != "" {
		b.WriteString(" " + string(e.Code))
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	between := ": "
	for _, d := range e.Details {
		if one := d.Field + ": " + d.Message; !strings.Contains(e.Message, one) {
			b.WriteString(between + one)
			between = "; "
		}
	}
	if e.RequestID != "" {
		b.WriteString(" (request " + e.RequestID + ")")
	}
	return b.String()
}

// The kinds of refusal, for errors.Is: errors.Is(err, keyward.ErrNotFound).
var (
	// ErrInvalid says that the request itself was refused as wrong (400).
	ErrInvalid error = kind(CodeInvalidRequest)
	// ErrUnauthenticated says that the token is missing, unknown, expired or revoked (401).
	ErrUnauthenticated error = kind(CodeUnauthenticated)
	// ErrPermissionDenied says that the caller lacks a permission that the operation needs (403).
	ErrPermissionDenied error = kind(CodePermissionDenied)
	// ErrEscalation says that more was to be granted than caller and creator hold (403); Details name it.
	ErrEscalation error = kind(CodePermissionEscalation)
	// ErrNotFound says that the server knows no such object in the caller's workspace. A 404 of anything else, a wrong
	// base URL for one, is not meant.
	ErrNotFound error = kind(CodeNotFound)
	// ErrConflict says that the change does not fit the present state (409).
	ErrConflict error = kind(CodeConflict)
	// ErrLimitReached says that a quota of the workspace's plan has no room left (409); Details name it.
	ErrLimitReached error = kind(CodeLimitReached)
	// ErrRateLimited says that the caller sent too much: every answer 429, of a proxy in front as well.
	ErrRateLimited error = kind(CodeRateLimited)
	// ErrUnavailable says that the server cannot answer at present: every answer 503, of a proxy in front as well.
	ErrUnavailable error = kind(CodeUnavailable)
	// ErrOutcomeUnknown says that the change may have taken place or not (503): look before asking again. The client
	// does not send such a call again by itself. A creation or rotation with an idempotency key can be sent again as it
	// was.
	ErrOutcomeUnknown error = kind(CodeOutcomeUnknown)
)

// kind is what refusals with one code have in common.
type kind ErrorCode

// Error names the code.
func (k kind) Error() string { return "keyward: " + string(k) }

// Is tells whether the refusal is of a kind: one of the Err values.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrRateLimited:
		return e.Status == http.StatusTooManyRequests
	case ErrUnavailable:
		return e.Status == http.StatusServiceUnavailable
	}
	k, ok := target.(kind)
	return ok && e.Code == ErrorCode(k)
}

// ReplayError says that an earlier call with the same idempotency key made or rotated the key, and that its value is
// not told again: the time for that is over, the value was replaced or taken back since, or another credential asked
// first. Rotate the key for a new value.
type ReplayError struct {
	// APIKey is the key as it is now.
	APIKey APIKey
}

// Error names the key, and not its value.
func (e *ReplayError) Error() string {
	return fmt.Sprintf(
		"keyward: an earlier call with this idempotency key did this to key %s, whose value is not told again", e.APIKey.ID,
	)
}

// refusal makes an Error out of an answer and its body. A body that is not Keyward's is not repeated: it may hold
// anything, the request's own headers included.
func refusal(resp *http.Response, body []byte) *Error {
	e := &Error{
		Status:     resp.StatusCode,
		Message:    http.StatusText(resp.StatusCode),
		RequestID:  resp.Header.Get("X-Request-Id"),
		RetryAfter: retryAfter(resp.Header),
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		e.Message = "the answer is a redirect, which is not followed because it would carry the token elsewhere"
		return e
	}
	var envelope struct {
		Error       json.RawMessage `json:"error"`
		Description string          `json:"error_description"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		return e
	}
	e.fill(envelope.Error, envelope.Description)
	return e
}

// fill reads the envelope's error, or the bare word of RFC 6749, section 5.2, which the /oauth2 operations answer.
func (e *Error) fill(raw json.RawMessage, description string) {
	var word string
	if json.Unmarshal(raw, &word) == nil && word != "" {
		e.Code, e.Message = ErrorCode(word), description
		return
	}
	var own struct {
		Code      ErrorCode `json:"code"`
		Message   string    `json:"message"`
		Details   []Detail  `json:"details"`
		RequestID string    `json:"requestId"`
	}
	if json.Unmarshal(raw, &own) != nil || own.Code == "" {
		return
	}
	e.Code, e.Message, e.Details = own.Code, own.Message, own.Details
	if own.RequestID != "" {
		e.RequestID = own.RequestID
	}
}

// retryAfter reads both forms of RFC 9110, section 10.2.3. A date is measured against the answer's own Date, so that
// the two clocks need not agree, and against this clock where the answer has no Date.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	sent, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		sent = time.Now()
	}
	return max(0, at.Sub(sent))
}
