package apikey

import (
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
)

// Settlement says what becomes of all the keys of a user whose membership ended, or began again. It is decided in one
// transaction and holds from that commit on: a key that it covers is judged by it until the key's row has been written
// to say the same.
type Settlement struct {
	ID        id.Settlement
	Workspace id.Workspace
	User      id.User
	Period    int64 // it covers the user's keys of this period of membership and of earlier ones
	Kind      SettlementKind
	Heir      id.User        // of a transfer; "" once the heir has left, and every key that is left stops
	Ceiling   perm.Set       // of a transfer: the permissions that may go over. It only ever gets smaller.
	Bound     *account.Bound // of a transfer: what a key may not reach beyond; nil bounds nothing
	By        string         // the actor of the decision: a user, or a service key
	At        time.Time
	Done      bool // every row says what the settlement says
}

// SettlementKind is what a settlement does to a key.
type SettlementKind string

// The kinds. A key that may not be transferred stops.
const (
	Stop     SettlementKind = "stop"
	Keep     SettlementKind = "keep"
	Transfer SettlementKind = "transfer"
	Return   SettlementKind = "return" // the user is a member again: a key that was kept is an ordinary one again
)

// Outcome is what a settlement comes to for one key.
type Outcome string

// The outcomes.
const (
	Untouched   Outcome = "" // the key went to another user before, or a return does not concern it
	Stopped     Outcome = "stopped"
	Kept        Outcome = "kept"
	Transferred Outcome = "transferred"
	Returned    Outcome = "returned"
)

// Outcome judges a key. It looks at what no settlement changes, but for the user.
func (s *Settlement) Outcome(k *Key) Outcome {
	switch {
	case k.User != s.User:
		return Untouched
	case s.Kind == Keep:
		return Kept
	case s.Kind == Transfer && s.gives(k):
		return Transferred
	case s.Kind == Return && k.Orphan:
		return Returned
	case s.Kind == Return:
		return Untouched
	}
	return Stopped
}

func (s *Settlement) gives(k *Key) bool {
	return s.Heir != "" && !k.Revoked && k.Permissions.Within(s.Ceiling) && s.Bound.Expiry(k.ExpiresAt) &&
		s.Bound.PerMinute(k.Limits.PerMinute) &&
		s.Bound.PerDay(k.Limits.PerDay) &&
		s.Bound.Addresses(k.AllowedIPs)
}

// Apply makes the key what the settlement says, and tells whether that changed it. A key that stops is enabled again by
// right of api-keys:manage-others, and loses the mark of a key that was kept before: the key of a member who has left,
// and which was not kept, stays off.
func (s *Settlement) Apply(k *Key) (out Outcome, changed bool) {
	switch out = s.Outcome(k); out {
	case Untouched:
		return out, false
	case Kept:
		changed = !k.Orphan
		k.Orphan = true
	case Transferred:
		changed = true
		k.User, k.Orphan = s.Heir, false
	case Returned:
		changed = true
		k.Orphan = false
	default:
		changed = k.Orphan
		k.Orphan = false
		changed = k.Disable(Mark{By: s.By, At: s.At, Right: true}) || changed
	}
	if changed {
		k.UpdatedAt = s.At
	}
	return out, changed
}
