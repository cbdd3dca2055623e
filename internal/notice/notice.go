// Package notice owns the records of webhooks: the endpoint, the kinds of notices, their bodies and signatures, and the
// addresses to which none is sent. It does not own how endpoints and deliveries are kept (store), who may have one
// (control), nor the sending (webhook).
package notice

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/id"
)

// Kind is the type of a notice.
type Kind string

// The kinds of notices. Test is sent on demand alone, and no endpoint chooses it.
const (
	KeyCreated    Kind = "api_key.created"
	KeyUpdated    Kind = "api_key.updated"
	KeyRotated    Kind = "api_key.rotated"
	KeyRevoked    Kind = "api_key.revoked" // also deleted
	KeyExpired    Kind = "api_key.expired"
	KeyExpiring   Kind = "api_key.expiring"
	NearLimit     Kind = "plan.near_limit"
	MemberRemoved Kind = "member.removed"
	PortalCreated Kind = "portal_session.created"
	Test          Kind = "webhook.test"
)

// Kinds lists those that an endpoint can choose, in the order in which they are shown.
func Kinds() []Kind {
	return []Kind{
		KeyCreated, KeyUpdated, KeyRotated, KeyRevoked, KeyExpiring, KeyExpired, NearLimit, MemberRemoved, PortalCreated,
	}
}

// Reasons for which an endpoint is off. "" is none, or that a caller switched it off.
const (
	Failing = "failing" // a notice could not be delivered for GiveUpAfter
	Gone    = "gone"    // the receiver answered 410
)

// GiveUpAfter is for how long a notice is tried again before its endpoint is switched off.
const GiveUpAfter = 72 * time.Hour

// The bounds of endpoints.
const (
	MaxEndpoints   = 20 // of a workspace, and of the installation
	MaxPending     = 1000
	KeptDeliveries = 1000 // that have ended, of an endpoint
	KeptFor        = 7 * 24 * time.Hour
	MaxOverlap     = 7 * 24 * time.Hour // of two secrets
	DefaultOverlap = 24 * time.Hour
	MaxURL         = 2048
)

// Start is where the notices of a kind begin: after an event of the log, and after a moment for those of the clock.
type Start struct {
	Seq int64
	At  time.Time
}

// Endpoint is a URL to which notices are sent.
type Endpoint struct {
	ID          id.Webhook
	Workspace   id.Workspace // "" for the whole installation
	URL         string
	Description string
	Kinds       []Kind // in the order of Kinds
	IsActive    bool
	Reason      string // why it is off
	// Secret and Previous are kept as Sealed says. Previous signs too until PreviousUntil.
	Secret        []byte
	Previous      []byte
	PreviousUntil time.Time
	Pepper        string // names the pepper under which the secrets are sealed; "none" for no seal
	CreatedBy     string
	CreatedAt     time.Time
	UpdatedAt     time.Time
	Deleted       time.Time

	// Seq is the event of the log up to which notices are queued. Looked and LookedKey are the time, and within it the
	// key, up to which those are that come from the clock.
	Seq       int64
	Looked    time.Time
	LookedKey id.Key
	Next      int64 // number of the next delivery
	// Since says where the notices begin of kinds that were chosen later than the webhook was switched on.
	Since map[Kind]Start

	FailingSince  time.Time // of the delivery that has been tried for the longest; zero for none
	LastDelivered time.Time
}

// Wants tells whether the endpoint chose a kind.
func (e *Endpoint) Wants(k Kind) bool { return slices.Contains(e.Kinds, k) }

// ChooseSince notes where the notices of each kind begin, for an endpoint that was was: those of a kind that it did not
// choose begin now. It drops what both places have passed.
func (e *Endpoint) ChooseSince(was *Endpoint, now Start) {
	e.Since = map[Kind]Start{}
	for _, k := range e.Kinds {
		if !was.Wants(k) {
			e.Since[k] = now
		} else if at, late := was.Since[k]; late && (at.Seq > was.Seq || at.At.After(was.Looked)) {
			e.Since[k] = at
		}
	}
}

// State is how far a delivery has come.
type State string

// The states of a delivery.
const (
	Pending   State = "pending"
	Delivered State = "delivered"
	Failed    State = "failed"
)

// Delivery is one notice on its way to one endpoint. Number orders those of an endpoint.
type Delivery struct {
	ID        id.Delivery
	Endpoint  id.Webhook
	Number    int64
	Event     string // the id of the notice: the same at each attempt and each replay
	Kind      Kind
	Workspace id.Workspace // that the notice is about; "" for none
	Object    string       // the id of the key, member or other object: its notices are sent in order
	Body      string
	State     State
	IsReplay  bool
	Attempts  int64
	Status    int64  // of the last answer; 0 for none
	Error     string // a class of failure, "" for none
	CreatedAt time.Time
	First     time.Time // attempt; zero for none
	Last      time.Time // attempt; zero for none
	NextAt    time.Time // not before
	Ended     time.Time
}

// Classes of failures. The body of an answer is not kept.
const (
	ErrStatus   = "status"   // the answer was not 2xx
	ErrRedirect = "redirect" // none is followed
	ErrTimeout  = "timeout"
	ErrAddress  = "address_refused" // the host has an address to which nothing is sent
	ErrResolve  = "resolve"         // the host's name is not known
	ErrConnect  = "connect"
	ErrTLS      = "tls"
	ErrSecret   = "secret_unreadable" // it was sealed under a pepper that this node does not have
	ErrOff      = "endpoint_disabled" // it was switched off before
)

// envelope is the body of a notice, as Standard Webhooks recommends.
type envelope struct {
	Type      Kind   `json:"type"`
	Timestamp string `json:"timestamp"`
	Data      any    `json:"data"`
}

// Body writes the body of a notice: the time, and the ids of the objects.
func Body(k Kind, at time.Time, data any) (string, error) {
	b, err := json.Marshal(envelope{k, Stamp(at), data})
	if err != nil {
		return "", fmt.Errorf("write a notice: %w", err)
	}
	return string(b), nil
}

// Stamp writes a time as notices do.
func Stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// Derived is the id of a notice without an event in the log. It depends on the content of the notice alone, so two
// nodes, and a node that starts anew, give it the same id. It is a UUID of version 8.
func Derived(k Kind, parts ...any) string {
	h := sha256.New()
	fmt.Fprintf(h, "keyward notice\x00%s", k)
	for _, p := range parts {
		fmt.Fprintf(h, "\x00%v", p)
	}
	var u [16]byte
	copy(u[:], h.Sum(nil))
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return id.Format(u)
}
