package replica

import (
	"crypto/subtle"
	"net/netip"
	"slices"
	"sync/atomic"
	"unique"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
)

// A node stands for one object for as long as anything is known of it, and also for one that is only referred to yet, or that
// is gone. Its version says which.
type version struct {
	known    bool
	revision int64
}

// admit tells whether a change of this revision is news, and notes it. The initial load may be repeated, so 0 wins over 0.
func (v *version) admit(revision int64) bool {
	if v.known && revision <= v.revision && (revision != 0 || v.revision != 0) {
		return false
	}
	*v = version{known: true, revision: revision}
	return true
}

// workspace is shared by all that is in it.
type workspace struct {
	id    id.Workspace
	state atomic.Pointer[workspaceState] // nil: not known yet

	// The writers'.
	version
	gone    bool
	members map[id.User]*member
	roles   map[id.Role]*role
	keys    *keyNode // the first of a list
	size    int64    // of that list
}

type workspaceState struct {
	gone   bool
	active bool
	capped bool
}

func (w *workspaceState) exists() bool { return w != nil && !w.gone }

func (w *workspaceState) fill(v *View) {
	v.WorkspaceActive = w.exists() && w.active
	v.Capped = w.exists() && w.capped
}

// role is shared by the members that have it.
type role struct {
	state atomic.Pointer[perm.Set] // nil: not known, or gone

	// The writers'.
	version
}

// member is shared by the keys that the user made in the workspace.
type member struct {
	user  id.User
	state atomic.Pointer[memberState] // nil: no member

	// The writers'.
	version
}

type memberState struct{ role *role }

func (m *memberState) fill(v *View) {
	v.CreatorPresent, v.CreatorHolds = m != nil, perm.Set{}
	if m == nil {
		return
	}
	if held := m.role.state.Load(); held != nil {
		v.CreatorHolds = *held
	}
}

// keyNode stands for one key; the index leads to it from each of the key's digests.
type keyNode struct {
	state atomic.Pointer[key] // nil: not known, or gone

	// The writers'.
	version
	id         id.Key
	home       *workspace // in whose list it is; nil while state is
	prev, next *keyNode   // in that list
}

// key is a key as of one revision. It is never written to once it is stored.
type key struct {
	id          id.Key
	workspace   *workspace
	creator     *member
	name        string
	environment keyfmt.Environment
	active      bool
	orphan      bool
	expiresAt   int64
	permissions unique.Handle[perm.Set] // few sets are shared by many keys
	limits      ratelimit.Limits
	allowedIPs  []netip.Prefix
	metadata    string
	current     keyfmt.Digest
	previous    []value
}

// value is an earlier value that still works, until an instant in Unix milliseconds.
type value struct {
	digest keyfmt.Digest
	until  int64
}

func newKey(k *apikey.Key, w *workspace, creator *member) *key {
	s := &key{
		id:          k.ID,
		workspace:   w,
		creator:     creator,
		name:        k.Name,
		environment: k.Environment,
		active:      k.IsActive && !k.Revoked,
		orphan:      k.Orphan,
		expiresAt:   millis(k.ExpiresAt),
		permissions: unique.Make(k.Permissions),
		limits:      k.Limits,
		allowedIPs:  slices.Clone(k.AllowedIPs),
		metadata:    k.Metadata,
		current:     k.Value.Digest.Sum,
	}
	for _, p := range k.Previous {
		s.previous = append(s.previous, value{p.Digest.Sum, millis(p.Until)})
	}
	return s
}

// value tells whether the key has a value of this digest, and until when.
func (k *key) value(d keyfmt.Digest) (until int64, ok bool) {
	ok = subtle.ConstantTimeCompare(k.current[:], d[:]) == 1
	for i := range k.previous {
		if p := &k.previous[i]; subtle.ConstantTimeCompare(p.digest[:], d[:]) == 1 && !ok {
			until, ok = p.until, true
		}
	}
	return until, ok
}

// digests lists those of all values; none for no key.
func (k *key) digests() []keyfmt.Digest {
	if k == nil {
		return nil
	}
	all := make([]keyfmt.Digest, 0, 1+len(k.previous))
	all = append(all, k.current)
	for _, p := range k.previous {
		if !slices.Contains(all, p.digest) {
			all = append(all, p.digest)
		}
	}
	return all
}

func (k *key) fill(v *View) {
	v.ID, v.Workspace, v.User = k.id, k.workspace.id, k.creator.user
	v.Name, v.Environment = k.name, k.environment
	v.IsActive, v.Orphan, v.ExpiresAt = k.active, k.orphan, k.expiresAt
	v.Permissions, v.Limits = k.permissions.Value(), k.limits
	v.AllowedIPs, v.Metadata = k.allowedIPs, k.metadata
}

// newNobody makes a key that is whole and has a value of no text: no input is known whose SHA-256 is all zero.
func newNobody() *keyNode {
	w, m, r := &workspace{}, &member{}, &role{}
	w.state.Store(&workspaceState{active: true})
	r.state.Store(&perm.Set{})
	m.state.Store(&memberState{role: r})
	n := &keyNode{}
	n.state.Store(newKey(&apikey.Key{}, w, m))
	return n
}

// serviceNode stands for one service key.
type serviceNode struct {
	version
	key *account.ServiceKey // nil: gone
}
