package replica

import (
	"crypto/subtle"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
)

// View is what is known of a key at the instant of a lookup: a copy. Instants are Unix milliseconds, 0 for "never".
type View struct {
	UUID        [16]byte // its id; ID is the text
	Workspace   id.Workspace
	User        id.User
	Name        string
	Environment keyfmt.Environment
	IsActive    bool // not disabled, not revoked
	Orphan      bool // its creator left and it was kept
	ExpiresAt   int64
	Permissions perm.Set // as they were granted
	Limits      ratelimit.Limits
	AllowedIPs  Networks
	Metadata    string // a JSON object; "" for {}

	Until           int64    // when the value that was looked up ends; 0 for the current one
	WorkspaceActive bool     // a deleted workspace's keys are not found at all
	Capped          bool     // the workspace narrows keys to what their creators still hold
	CreatorPresent  bool     // the creator is a member
	CreatorHolds    perm.Set // by the creator's present role; empty for one who is no member
}

// ID is the key's id as text. It allocates.
func (v *View) ID() id.Key { return id.Key(id.Format(v.UUID)) }

// Lookup fills v with the key that has a value of this digest, and tells whether there is one; v is zero where there is none.
// It allocates nothing.
//
// An unknown digest takes the same way as a known one, against a key that nobody has, and digests are compared in constant
// time over their whole length. So the time taken says nothing of how close a guess came; and whoever guesses keys does not
// choose their digests.
func (r *Replica) Lookup(d keyfmt.Digest, v *View) bool {
	for p := r.index.probe(&d); ; {
		n := p.next()
		if n == nil {
			r.nobody.read(d, v)
			*v = View{}
			return false
		}
		if n.read(d, v) {
			return true
		}
	}
}

// LookupService finds a service key by the digest of its value. Its Scopes are shared and must not be written to. It allocates
// nothing.
func (r *Replica) LookupService(d keyfmt.Digest) (account.ServiceKey, bool) {
	k := (*r.services.Load())[d]
	if k == nil {
		return account.ServiceKey{}, false
	}
	if subtle.ConstantTimeCompare(k.Digest.Sum[:], d[:]) != 1 {
		return account.ServiceKey{}, false
	}
	return *k, true
}

// read fills v with the key as it is at one instant: where a pointer has changed by the end, it reads again. A key is read again
// only if a change to it, its workspace or its creator was applied in between.
func (n *keyNode) read(d keyfmt.Digest, v *View) bool {
	for {
		k := n.state.Load()
		if k == nil {
			return false
		}
		w, m := k.workspace.state.Load(), k.creator.state.Load()
		until, matches := k.value(d)
		k.fill(v)
		v.Until = until
		w.fill(v)
		m.fill(v)
		if n.state.Load() == k && k.workspace.state.Load() == w && k.creator.state.Load() == m {
			return matches && w.exists()
		}
	}
}

// millis is an expiry in Unix milliseconds, 0 for "never".
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return endOf(t)
}

// endOf is an instant in Unix milliseconds that does not read as "never": 1970 itself becomes a millisecond before. An earlier
// value of a key always ends, so one without an instant has ended long ago.
func endOf(t time.Time) int64 {
	if ms := t.UnixMilli(); ms != 0 {
		return ms
	}
	return -1
}
