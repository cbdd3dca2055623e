// Package replica owns the copy in memory of everything that a verification needs: keys by the digest of their value, workspaces,
// roles, members and service keys. It is a full copy, not a cache: what is not in it does not exist, nothing is fetched on
// demand and nothing is evicted. It does not own what the facts amount to (verify) nor where they come from (store, by feed).
//
// # Who owns what, and why it is safe
//
// Everything that changes belongs to the writers, and mu lets in one at a time: Apply and Sweep. Readers take no lock, so no
// writer ever makes them wait. They reach what they need through atomic pointers alone, in this order:
//
//   - table.slots: a slot goes from empty to a node and from there to the grave, and its tag is written before the node is
//     stored. A table that grows is built aside and then put in place.
//   - keyNode.state, workspace.state, member.state, role.state: each points to a struct that is never written again. A change
//     stores a pointer to a new one, so an old pointer that is still there means that nothing has changed in between.
//
// Hence disabling or deleting a workspace, changing a role or moving a member to another role is one store, however many keys
// hang on it, and rotating a key is one store too: the table may name a node under a digest for longer than the node's state
// lists that digest, but only the state decides. All other fields of the nodes, and all maps, are the writers'.
//
// A lookup costs a probe of one open-addressing table, a comparison in constant time for each value of the key, about ten atomic
// loads and the copy of a View. It allocates nothing.
package replica

import (
	"sync"
	"sync/atomic"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
)

// Replica is the copy. Make one with New; it is safe for concurrent use.
type Replica struct {
	index    index                                                 // digest → node
	services atomic.Pointer[map[keyfmt.Digest]*account.ServiceKey] // copied on write: there are few
	revision atomic.Int64
	size     atomic.Int64
	ready    atomic.Bool
	nobody   *keyNode // looked at in place of a key that is not there; in no map

	mu         sync.Mutex // writers only
	workspaces map[id.Workspace]*workspace
	roles      map[id.Role]*role
	keys       map[id.Key]*keyNode
	operators  map[id.ServiceKey]*serviceNode
	leaving    []*workspace // gone, and not swept yet
	marks      []mark       // of what is gone, for Sweep to forget
}

// New makes an empty replica that is not ready.
func New() *Replica {
	r := &Replica{
		workspaces: map[id.Workspace]*workspace{},
		roles:      map[id.Role]*role{},
		keys:       map[id.Key]*keyNode{},
		operators:  map[id.ServiceKey]*serviceNode{},
		nobody:     newNobody(),
	}
	r.index.init()
	r.services.Store(&map[keyfmt.Digest]*account.ServiceKey{})
	return r
}

// Size is the number of keys, without those of workspaces that are gone.
func (r *Replica) Size() int { return int(r.size.Load()) }

// Revision is the newest that was applied or set. Where changes come in order, the replica has everything up to it.
func (r *Replica) Revision() int64 { return r.revision.Load() }

// SetRevision says that the replica has everything up to a revision: after a load, or where a transaction changed nothing that
// is kept here. It never goes back.
func (r *Replica) SetRevision(revision int64) {
	for {
		old := r.revision.Load()
		if revision <= old || r.revision.CompareAndSwap(old, revision) {
			return
		}
	}
}

// MarkReady says that everything is loaded and fresh: verifications may be answered from here.
func (r *Replica) MarkReady() { r.ready.Store(true) }

// Fence takes MarkReady back: the replica can no longer be known to be fresh.
func (r *Replica) Fence() { r.ready.Store(false) }

// Ready tells whether verifications may be answered from here.
func (r *Replica) Ready() bool { return r.ready.Load() }

// Apply takes over committed changes, all those of one transaction in one call. Of each object only a newer revision wins,
// so changes may come twice or late; revision 0, the initial load, wins over nothing but itself. An object that is gone stays so
// against older revisions until Sweep forgets it, and a workspace stays gone for good. The replica keeps what the changes
// point to: the caller must not write to it again.
//
// When Apply returns, every verification that starts sees the changes. One that runs meanwhile sees each object either as it was
// or as it has become, and all the objects that it looks at as they were together at one instant.
func (r *Replica) Apply(changes []feed.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(changes) > 0 {
		n := 1
		for n < len(changes) && changes[n].Revision == changes[0].Revision {
			n++
		}
		r.applyTransaction(changes[:n])
		r.SetRevision(changes[0].Revision)
		changes = changes[n:]
	}
}
