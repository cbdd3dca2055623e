// Package replica owns the copy in memory of everything that a verification needs: keys by the digest of their value,
// workspaces, roles, members and service keys. It is a full copy, not a cache: what is not in it does not exist,
// nothing is fetched on demand and nothing is evicted. It does not own what the facts amount to (verify) nor where they
// come from (store, by feed).
//
// # Where things are
//
// A key is a record of twelve words without a pointer (record.go), and its name, metadata, networks and earlier values
// are bytes in an arena (arena.go). Two tables without pointers (table.go) lead to the number of a record: from the
// digests of its values, for readers, and from its id, for writers. So the garbage collector has nothing to follow,
// however many keys there are. Sets of permissions are kept once each; workspaces, roles and members are few, and are
// nodes with pointers.
//
// # Who owns what, and why it is safe
//
// Everything that changes belongs to the writers, and mu lets in one at a time: Apply, and Sweep by batches. Readers
// take no lock. They reach what they need by atomic loads alone:
//
//   - A record is a seqlock. Every word of it is read and written atomically, so that a reader in the midst of a change
//     has read words of
//     different instants, but no torn word and no data race. Its first word holds the revision and a number that rises
//     by two with
//     each change and is odd during one. A reader that finds it even, reads the other words, and finds it the same
//     afterwards, has
//     read the record of one instant. (Go's atomic operations behave as if in one order, so no fence is missing.) The
//     number
//     has 15 bits beside the revision's 48: a reader would have to sleep through 32,768 changes of one record at one
//     revision.
//     What a reader does wait for, once in a long while, is a dozen stores of a writer in the midst of them.
//     The words of a record that was never given before are written plainly: the slots that lead to it are stored after
//     them.
//   - member.state, role.state: each points to a struct that is never written again. A change stores a pointer to a new
//     one, so an
//     old pointer that is still there means that nothing has changed in between. workspace.state is flags and a number
//     that rises.
//   - member.settled is the same, for the settlements that cover the keys of a node (settled.go).
//   - Bytes of the arena are written once, before the record that leads to them, and never again. A chunk that is
//     dropped stays for
//     whoever holds a string of it, as everything does in Go. The list of chunks is new with each change of it: a
//     reader loads it before the
//     record, and where it is still the same afterwards, every text that the record leads to is in it.
//   - A slot of a table goes from empty to a name and from there to the grave. A table that grows is built aside and
//     then put in place.
//   - A hint is one word that any reader writes, and decides nothing: it is a number of a record to try before the
//     index is asked.
//   - Entries of the directories, and sets, are in place before their numbers are told. Numbers of records and members
//     are given again,
//     once no slot and no record names them: a reader that still holds one finds another digest, or its record changed.
//
// A lookup looks at a record, the states and the list of texts, and then again whether the record's version and the
// pointers are what they were: then all of it was so together at one instant. Hence disabling or deleting a workspace,
// changing a role or moving a member to another role is one store, however many keys hang on it, and rotating a key is
// one change of one record: the table may name a record under a digest for longer than the record has that digest, but
// only the record decides.
//
// A lookup costs a probe of one open-addressing table, the two lines of a record, a comparison in constant time for
// each value of the key, about thirty atomic loads and the copy of a View; where the keys are many, it is the misses of
// the cache that count, each of which waits for the one before. For a text that was found before they are over when its
// digest is known: Trace, Expect and Follow are a lookup in three steps, of which the first two fetch what a hint leads
// to (hints.go). A lookup allocates nothing, except where a role narrows a set for the first time.
//
// Records, hints and the tables of a large copy lie in large pages, where the system gives them (hugepage).
package replica

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
)

// Replica is the copy. Make one with New; it is safe for concurrent use.
type Replica struct {
	values   index // digest → record
	records  records
	hints    hints // text → record
	arena    arena
	sets     sets
	members  members
	services atomic.Pointer[map[keyfmt.Digest]*account.ServiceKey] // copied on write: there are few
	revision atomic.Int64
	size     atomic.Int64
	ready    atomic.Bool
	fresh    *freshness                            // nil: nothing limits its age
	bound    atomic.Pointer[map[id.Workspace]bool] // workspaces of which second digests are wanted; copied on write

	sweeping    sync.Mutex // one sweep at a time; taken before mu
	mu          sync.Mutex // writers only
	ids         index      // id → record
	workspaces  map[id.Workspace]*workspace
	roles       map[id.Role]*role
	operators   map[id.ServiceKey]*serviceNode
	settlements map[id.Settlement]*settlement
	leaving     []*workspace // gone, and not swept yet
	marks       []mark       // of what is gone, for Sweep to forget
	left        []leaver     // likewise, of members and roles
	// changes up to it are in the copy, and their marks may be forgotten: one that comes late is dropped
	floor    int64
	near     *member // the creator of the key that was put last; of the next one in a load it nearly always is, too
	scratch  []byte  // where texts are put together
	kinds    kinds   // of the digests of foreign values
	had, has []keyfmt.Digest
	second   []keyfmt.PepperID // see KeepSecond
	untold   untold            // of all keys
}

// nobody is the number of a record that is looked at in place of a key that is not there. It is whole, and has a value
// of no text: no input is known whose SHA-256 is all zero.
const nobody uint32 = 0

// New makes an empty replica that is not ready.
func New() *Replica {
	r := &Replica{
		sets:        sets{numbers: map[perm.Set]uint32{}},
		workspaces:  map[id.Workspace]*workspace{},
		roles:       map[id.Role]*role{},
		operators:   map[id.ServiceKey]*serviceNode{},
		settlements: map[id.Settlement]*settlement{},
	}
	r.values.init()
	r.ids.init()
	r.arena.init()
	r.hints.init()
	r.services.Store(&map[keyfmt.Digest]*account.ServiceKey{})

	w, m, ro := &workspace{}, &member{}, &role{}
	w.change(workspaceActive)
	ro.state.Store(&roleState{})
	m.workspace = w
	m.state.Store(&memberState{role: ro})
	r.members.take(m)
	var p packed
	p.packAs(uuid{}, &apikey.Key{})
	r.complete(&p, m, &fields{})
	number, _ := r.records.take()
	r.records.at(number).store(&p.fields, 0)
	return r
}

// Size is the number of keys, without those of workspaces that are gone.
func (r *Replica) Size() int { return int(r.size.Load()) }

// Revision is the newest that was applied or set. Where changes come in order, the replica has everything up to it.
func (r *Replica) Revision() int64 { return r.revision.Load() }

// SetRevision says that the replica has everything up to a revision: after a load, or where a transaction changed
// nothing that is kept here. It never goes back.
func (r *Replica) SetRevision(revision int64) {
	for {
		old := r.revision.Load()
		if revision <= old || r.revision.CompareAndSwap(old, revision) {
			return
		}
	}
}

// AwaitLoad has Apply drop every change until Loaded. It is for a copy that is loaded from a snapshot of a database
// that others change too: a change that was committed before the snapshot and is told during the load would win over
// the newer row of the snapshot, or bring back what the snapshot has no more. What was committed after the snapshot
// comes by the feed. Call it before the copy is used.
func (r *Replica) AwaitLoad() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.floor = math.MaxInt64
}

// Loaded ends the wait: the snapshot was of this revision, and changes up to it are dropped from then on, however late
// they come.
func (r *Replica) Loaded(revision int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.floor = revision
	r.SetRevision(revision)
}

// MarkReady says that everything is loaded and fresh: verifications may be answered from here.
func (r *Replica) MarkReady() { r.ready.Store(true) }

// Fence takes MarkReady back: the replica can no longer be known to be fresh.
func (r *Replica) Fence() { r.ready.Store(false) }

// Ready tells whether verifications may be answered from here.
func (r *Replica) Ready() bool {
	return r.ready.Load() && (r.fresh == nil || r.fresh.age() <= r.fresh.limit)
}

// Apply takes over committed changes, all those of one transaction in one call. Of each object only a newer revision
// wins, so changes may come twice or late; revision 0, the initial load, wins over nothing but itself. An object that
// is gone stays so against older revisions: until Sweep forgets it by its mark, and from then on because Sweep has
// everything up to there dropped. The replica keeps the service keys that the changes point to: the caller must not
// write to them again.
//
// When Apply returns, every verification that starts sees the changes. One that runs meanwhile sees each object either
// as it was or as it has become, and all the objects that it looks at as they were together at one instant.
func (r *Replica) Apply(changes []feed.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(changes) > 0 {
		n := 1
		for n < len(changes) && changes[n].Revision == changes[0].Revision {
			n++
		}
		if revision := changes[0].Revision; revision == 0 || revision > r.floor {
			r.applyTransaction(changes[:n])
			r.SetRevision(revision)
		}
		changes = changes[n:]
	}
}
