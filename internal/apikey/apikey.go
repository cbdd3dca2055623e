// Package apikey owns the record of an API key and the facts that follow from it alone: its status at an instant and
// the values it answers to. It does not own the right to make or change one (account) nor storage (store).
package apikey

import (
	"net/netip"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
)

// Bounds of a key's fields.
const (
	MaxMetadata   = 4 << 10 // bytes of JSON
	MaxAllowedIPs = 64
	MaxOverlap    = 7 * 24 * time.Hour
	// earlier values that work at once: each costs every change of the key, and every verification of it
	MaxPrevious = 10
)

// Key is everything that is known of a key but its value. Times are UTC in whole milliseconds; a zero time means
// "never".
type Key struct {
	ID          id.Key
	Workspace   id.Workspace
	User        id.User // the creator
	Name        string
	Environment keyfmt.Environment
	IsActive    bool
	Revoked     bool // by the standard's revocation: it stays disabled for good
	Disabled    Mark // by whom, where it is not active
	Orphan      bool // its creator left and it was kept
	// as a caller it manages the keys of its own environment alone: one who is bound to that has had its value
	Confined    bool
	Permissions perm.Set
	Limits      ratelimit.Limits
	AllowedIPs  []netip.Prefix
	Description string // "" for none
	Metadata    string // a JSON object, compact; "" for {}
	CreatedAt   time.Time
	UpdatedAt   time.Time
	LastUsedAt  time.Time
	LastTriedAt time.Time // when it was last asked about, whatever the outcome
	ExpiresAt   time.Time

	// Period is the membership of its creator that the key belongs to, and Unsettled says that a settlement of the
	// creator's keys is not written to the key's row yet: the key is already as the settlement has it. Both are the
	// store's own.
	Period    int64
	Unsettled bool

	// ValueMadeAt is when the current value was made by a rotation; zero where it was made with the key. See Made.
	ValueMadeAt time.Time

	Value    Value   // the current value
	Previous []Value // earlier values that still work, each until its Until
}

// Mark records the caller that disabled a key. By is "" if the caller is unknown: for a key that was disabled before
// this was recorded, or by a restore.
type Mark struct {
	By    string // a user, or a service key: the actor of the event
	At    time.Time
	Right bool // by right of api-keys:manage-others: it takes that right to enable the key
}

// Strong reports whether only the right of api-keys:manage-others enables the key. An unknown caller counts as
// strong.
func (m Mark) Strong() bool { return m.Right || m.By == "" }

// Disable stops the key and tells whether that changed it: the mark of the greater right takes over from that of a
// lesser one.
func (k *Key) Disable(m Mark) (changed bool) {
	known := k.Disabled.By != ""
	if !k.IsActive && (!m.Right || known && k.Disabled.Right) {
		return false
	}
	k.IsActive, k.Disabled = false, m
	return true
}

// Enable lets the key work again.
func (k *Key) Enable() { k.IsActive, k.Disabled = true, Mark{} }

// Value is the stored form of one value of a key.
type Value struct {
	Digest keyfmt.Stored
	// Second is a digest under the key of the workspace, for followers that are bound to it; zero for none.
	Second keyfmt.Stored
	Masked string
	Until  time.Time // end of the overlap; zero for the current value
	// LastUsedAt is when an earlier value was last verified since another replaced it; zero for never, and for the
	// current value, whose last use is the key's.
	LastUsedAt time.Time
	// LastUsedFrom is the network that its latest use came from, /24 of IPv4 or /48 of IPv6, as far as a use told an
	// address; else "".
	LastUsedFrom string
}

// Expired tells whether the key is past its expiry: it is good while now is before it, to the millisecond.
func (k *Key) Expired(now time.Time) bool { return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) }

// leeway is how far the times of two transactions may lie apart where their nodes' clocks do.
const leeway = time.Minute

// Answers tells whether the digest is that of a value that works: the current one, for which until is zero, or an
// earlier one, and until when that works. An end that is further away than any overlap lasts was set by a clock that
// was wrong, and does not count.
func (k *Key) Answers(d keyfmt.Digest, now time.Time) (until time.Time, ok bool) {
	if k.Value.Digest.Sum == d {
		return time.Time{}, true
	}
	for i := range k.Previous {
		if p := &k.Previous[i]; p.Digest.Sum == d && now.Before(p.Until) && p.Until.Sub(now) <= MaxOverlap+leeway {
			return p.Until, true
		}
	}
	return time.Time{}, false
}

// Made is when the current value was made.
func (k *Key) Made() time.Time {
	if k.ValueMadeAt.IsZero() {
		return k.CreatedAt
	}
	return k.ValueMadeAt
}

// End ends an earlier value before its time, and tells whether there is one of this digest.
func (k *Key) End(d keyfmt.Digest) bool {
	n := len(k.Previous)
	k.Previous = slices.DeleteFunc(slices.Clone(k.Previous), func(v Value) bool { return v.Digest.Sum == d })
	return len(k.Previous) < n
}

// Rotate puts a new value in place. The one it replaces works until now+overlap or the key's expiry, whichever comes
// first, and no earlier value longer than now+overlap; without an overlap all of them end at once. A later expiry of
// the key carries no earlier value along.
func (k *Key) Rotate(v Value, now time.Time, overlap time.Duration) {
	k.RotateSince(v, now, now, overlap)
}

// RotateSince is Rotate that also keeps values that have ended by now but not by floor, a time known to have come: a
// jump of the clock can be taken back.
func (k *Key) RotateSince(v Value, now, floor time.Time, overlap time.Duration) {
	end := now.Add(overlap)
	var kept []Value
	if overlap > 0 {
		for _, p := range k.Previous {
			if p.Until.After(floor) {
				if p.Until.After(end) {
					p.Until = end
				}
				kept = append(kept, p)
			}
		}
		old := k.Value
		old.Until = end
		if !k.ExpiresAt.IsZero() && k.ExpiresAt.Before(end) {
			old.Until = k.ExpiresAt
		}
		if old.Until.After(now) {
			kept = append(kept, old)
		}
	}
	k.Value, k.Previous, k.ValueMadeAt = v, kept, now
}
