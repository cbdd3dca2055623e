package httpapi

import (
	"net/http"
	"strconv"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/wire"
)

const (
	retryAfter = "1"
	jsonType   = "application/json; charset=utf-8"
)

// writeJSON answers with one JSON document.
func (x *exchange) writeJSON(status int, v any) error {
	body, err := wire.Marshal(v)
	if err != nil {
		return err
	}
	x.send(status, jsonType, body)
	return nil
}

// send writes every answer that is known as a whole. An error of the connection has no receiver any more.
func (x *exchange) send(status int, contentType string, body []byte) {
	h := x.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if x.leave != nil {
		x.leave()
	}
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body)
}

// fail answers with a refusal, in the one form that all of them have.
func (x *exchange) fail(err error) {
	f := faultOf(err)
	if f.Code.Status() >= http.StatusInternalServerError {
		x.cause = f
	}
	if x.w.status != 0 { // an answer is under way: only breaking it off tells the client that it is not whole
		panic(http.ErrAbortHandler)
	}
	if x.forPeople() {
		x.api.Refuse(x.w, x.r, fault.New(f.Code, x.api.redact.text(f.Message)).Because(f))
		return
	}
	x.refusalHeaders(f.Code)
	x.send(f.Code.Status(), jsonType, x.api.refusal(f, x.id))
}

// refusal is the body of a refused request.
func (a *api) refusal(f *fault.Error, requestID string) []byte {
	body, err := wire.Marshal(wire.Failure{Error: wire.Error{
		Code: string(f.Code), Message: a.redact.text(f.Message), Details: a.redact.details(f.Details), RequestID: requestID,
	}})
	if err != nil { // a refusal is made of text alone
		panic(err)
	}
	return body
}

// scheme is how the operation is authenticated: for a portal session by DPoP (RFC 9449,
// section 7.1).
func (x *exchange) scheme() string {
	if x.through != "" || x.route != nil && x.route.portal == portalProof {
		return dpopScheme
	}
	return "Bearer"
}

// refusalHeaders sets the header fields for a code: RFC 6750 (section 3), RFC 9110 (section 10.2.3).
func (x *exchange) refusalHeaders(code fault.Code) {
	h := x.w.Header()
	switch code {
	case fault.Unauthenticated:
		h.Set("WWW-Authenticate", x.scheme())
		if x.tokenSent {
			h.Set("WWW-Authenticate", x.scheme()+` error="invalid_token"`)
		}
	case fault.PermissionDenied, fault.PermissionEscalation:
		if x.tokenSent {
			h.Set("WWW-Authenticate", x.scheme()+` error="insufficient_scope"`)
		}
	case fault.RateLimited, fault.Unavailable:
		if h.Get("Retry-After") == "" {
			h.Set("Retry-After", retryAfter)
		}
	case fault.BodyTooLarge:
		h.Set("Connection", "close")
	}
}
