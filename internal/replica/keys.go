package replica

import (
	"crypto/subtle"
	"slices"
	"sync/atomic"
	"unique"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
)

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
	uuid        [16]byte
	workspace   *workspace
	creator     *member
	name        string
	environment keyfmt.Environment
	active      bool
	orphan      bool
	expiresAt   int64
	permissions unique.Handle[perm.Set] // few sets are shared by many keys
	limits      ratelimit.Limits
	allowedIPs  Networks
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
		workspace:   w,
		creator:     creator,
		name:        k.Name,
		environment: k.Environment,
		active:      k.IsActive && !k.Revoked,
		orphan:      k.Orphan,
		expiresAt:   millis(k.ExpiresAt),
		permissions: unique.Make(k.Permissions),
		limits:      k.Limits,
		allowedIPs:  NewNetworks(k.AllowedIPs),
		metadata:    k.Metadata,
		current:     k.Value.Digest.Sum,
	}
	s.uuid, _ = id.Parse(string(k.ID))
	for _, p := range k.Previous {
		s.previous = append(s.previous, value{p.Digest.Sum, endOf(p.Until)})
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
	v.UUID, v.Workspace, v.User = k.uuid, k.workspace.id, k.creator.user
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

func (r *Replica) putKey(revision int64, a *apikey.Key) {
	w := r.workspace(a.Workspace)
	if w.gone {
		return
	}
	if n := r.key(a.ID); n.admit(revision) {
		r.setKey(n, newKey(a, w, w.member(a.User)))
	}
}

func (r *Replica) endKey(revision int64, name id.Key) {
	if n := r.key(name); n.admit(revision) {
		r.setKey(n, nil)
		r.marks = append(r.marks, mark{revision: revision, key: name})
	}
}

// setKey changes what a key is; nil for gone. The one store of the state is the instant of the change: new digests are named before
// it and old ones forgotten after.
func (r *Replica) setKey(n *keyNode, now *key) {
	before := n.state.Load()
	had, has := before.digests(), now.digests()
	for _, d := range has {
		if !slices.Contains(had, d) {
			r.index.insert(d, n)
		}
	}
	n.state.Store(now)
	for _, d := range had {
		if !slices.Contains(has, d) {
			r.index.remove(d, n)
		}
	}
	var home *workspace
	if now != nil {
		home = now.workspace
	}
	r.move(n, home)
}

// move puts a key into a workspace's list; nil for none.
func (r *Replica) move(n *keyNode, to *workspace) {
	if n.home == to {
		return
	}
	if from := n.home; from != nil {
		from.unlink(n)
		if !from.gone {
			r.size.Add(-1)
		}
	}
	if to != nil {
		to.link(n)
		r.size.Add(1)
	}
}

// link and unlink keep the list of a workspace's keys.
func (w *workspace) link(n *keyNode) {
	n.home, n.prev, n.next = w, nil, w.keys
	if w.keys != nil {
		w.keys.prev = n
	}
	w.keys = n
	w.size++
}

func (w *workspace) unlink(n *keyNode) {
	if n.prev != nil {
		n.prev.next = n.next
	} else {
		w.keys = n.next
	}
	if n.next != nil {
		n.next.prev = n.prev
	}
	n.home, n.prev, n.next = nil, nil, nil
	w.size--
}

// key gives the node of a key, a new one for a key of which nothing is known yet.
func (r *Replica) key(name id.Key) *keyNode {
	n := r.keys[name]
	if n == nil {
		n = &keyNode{id: name}
		r.keys[name] = n
	}
	return n
}
