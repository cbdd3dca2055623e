package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/httplimit"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/wire"
)

// Decision is the answer to an Asked.
type Decision struct {
	Status  int            // to answer with: 200, or a refusal's
	Reason  int            // the refusal's own status, where deny_status has made 403 of it; the same as Status elsewhere
	Fault   *fault.Error   // nil where the request may pass
	Asked   bool           // the engine was asked, and Verdict is its answer
	Verdict verify.Verdict // with a Status of 200 and Asked unset, the route is public

	gate      *Gate
	denied    bool // deny_status=403
	unsaid    bool // the proxy did not say for which request it asks
	tokenSent bool
	cross     crossOrigin
}

// The headers that describe the key. Every answer has all of them, empty if there is no value, so that a proxy which
// copies them never leaves the client's own values in their place (CVE-2026-30851).
const (
	HeaderKeyID       = "X-Keyward-Key-Id"
	HeaderWorkspaceID = "X-Keyward-Workspace-Id"
	HeaderUserID      = "X-Keyward-User-Id"
	HeaderEnvironment = "X-Keyward-Environment"
	HeaderPermissions = "X-Keyward-Permissions"
	HeaderStatus      = "X-Keyward-Status" // with deny_status, on refusals alone
)

// Passes tells whether the request may go on.
func (d *Decision) Passes() bool { return d.Fault == nil && !d.Preflight() }

// Failed tells whether nothing was decided about a key or a route: the question is wrong, or cannot be answered now.
func (d *Decision) Failed() bool {
	return d.Fault != nil && (d.Reason == http.StatusBadRequest || d.Reason >= http.StatusInternalServerError || d.unsaid)
}

func (d *Decision) settle() {
	d.Status = http.StatusOK
	switch {
	case d.Fault != nil:
		d.Status = d.Fault.Code.Status()
	case d.Preflight():
		d.Status = http.StatusNoContent
	}
	d.Reason = d.Status
	if d.denied && !d.Passes() {
		d.Status = http.StatusForbidden
	}
}

// Permissions are the key's current permissions, in catalogue order, with commas between; "" unless the request
// passes.
func (d *Decision) Permissions() string {
	if !d.identified() {
		return ""
	}
	return d.gate.names.text(d.gate, d.Verdict.Permissions)
}

func (d *Decision) identified() bool { return d.Fault == nil && d.Asked }

// Identity tells each of the identity headers once.
func (d *Decision) Identity(tell func(name, value string)) {
	var key, workspace, user, environment string
	if d.identified() {
		k := &d.Verdict.Key
		key, workspace, user, environment = string(k.ID()), string(k.Workspace), string(k.User), string(k.Environment)
	}
	tell(HeaderKeyID, key)
	tell(HeaderWorkspaceID, workspace)
	tell(HeaderUserID, user)
	tell(HeaderEnvironment, environment)
	tell(HeaderPermissions, d.Permissions())
}

// Limits tells the fields about limits (RateLimit, RateLimit-Policy), where some hold for the key and were asked.
func (d *Decision) Limits(tell func(name, value string)) {
	if s := &d.Verdict.Limits; s.Any() {
		h := make(http.Header, 2)
		httplimit.SetFields(h, s, d.gate.Now())
		tell("RateLimit", h.Get("RateLimit"))
		tell("RateLimit-Policy", h.Get("RateLimit-Policy"))
	}
}

// Challenge adds the fields of a refusal for the client: RFC 6750 (section 3), RFC 9110 (section 10.2.3), and, with
// deny_status, the status that it stands for.
func (d *Decision) Challenge(tell func(name, value string)) {
	if d.denied && !d.Passes() {
		tell(HeaderStatus, strconv.Itoa(d.Reason))
	}
	if d.Fault == nil {
		return
	}
	switch d.Fault.Code {
	case fault.Unauthenticated:
		challenge := "Bearer"
		if d.tokenSent {
			challenge = `Bearer error="invalid_token"`
		}
		tell("WWW-Authenticate", challenge)
	case fault.PermissionDenied:
		if d.tokenSent {
			tell("WWW-Authenticate", `Bearer error="insufficient_scope"`)
		}
	case fault.RateLimited:
		h := make(http.Header, 1)
		httplimit.SetRetryAfter(h, &d.Verdict.Limits, d.gate.Now())
		tell("Retry-After", h.Get("Retry-After"))
	case fault.Unavailable:
		tell("Retry-After", "1")
	}
}

// Headers tells all of the decision's own headers.
func (d *Decision) Headers(tell func(name, value string)) {
	d.Identity(tell)
	d.Limits(tell)
	d.Challenge(tell)
	d.CrossOrigin(tell)
}

// Body is the body of a refusal, JSON in the one envelope; nil if the request passes.
func (d *Decision) Body(requestID string) []byte {
	if d.Fault == nil {
		return nil
	}
	details := make([]wire.Detail, len(d.Fault.Details))
	for i, one := range d.Fault.Details {
		details[i] = wire.Detail{Field: one.Field, Message: one.Message}
	}
	body, err := wire.Marshal(wire.Failure{Error: wire.Error{
		Code: string(d.Fault.Code), Message: d.Fault.Message, Details: details, RequestID: requestID,
	}})
	if err != nil { // a refusal is made of text alone
		panic(err)
	}
	return body
}

// nameCache keeps the text of sets of permissions: there are few, and they are asked for at every request.
type nameCache struct {
	texts sync.Map // perm.Set -> string
	size  atomic.Int64
}

const maxNames = 4096 // sets that are kept

func (c *nameCache) text(g *Gate, s perm.Set) string {
	if t, ok := c.texts.Load(s); ok {
		return t.(string)
	}
	t := strings.Join(g.Catalogue.Names(s), ",")
	if c.size.Load() < maxNames {
		if _, there := c.texts.LoadOrStore(s, t); !there {
			c.size.Add(1)
		}
	}
	return t
}
