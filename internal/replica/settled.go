package replica

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
)

// A settlement says in one change what becomes of all the keys of a user, and their records follow one by one. Until
// then a lookup judges a key by it. Which settlements cover a key is said by its period: records of the same user and
// period share a node, and the node leads to the settlements. So a settlement is one store for each node, however many
// keys hang on it; a key whose record has followed hangs on the node of a later period. A key that hangs on a node
// without a settlement, as nearly all do, costs a lookup one load more, in a line of the cache that it has read
// already.

// verdicts are the settlements that cover the keys of a node, in the order in which they apply. They are never written
// again.
type verdicts []verdict

type verdict struct {
	apikey.Settlement
	heir *member // nil for none
}

// settlement is one as the writers know it.
type settlement struct {
	version
	apikey.Settlement
	of *member // the first node of the user
}

// apply changes what was read of a key to what the settlements make of it, and gives the node of the key's creator
// then.
func (l verdicts) apply(r *Replica, f *fields, text []byte, creator *member) *member {
	k := apikey.Key{
		User: creator.user, Permissions: r.sets.at(f.set()), Revoked: f.has(revoked), IsActive: f.has(active),
		Orphan: f.has(orphan),
	}
	for i := range l {
		v := &l[i]
		if v.Bound != nil {
			k.ExpiresAt, k.Limits, k.AllowedIPs = f.expiry(), f.limits(), f.networks(text)
		}
		if outcome, _ := v.Apply(&k); outcome == apikey.Transferred &&
			v.heir != nil { // nil in a workspace that has gone meanwhile
			creator = v.heir
		}
	}
	f[shapeWord] &^= active | orphan
	if k.IsActive {
		f[shapeWord] |= active
	}
	if k.Orphan {
		f[shapeWord] |= orphan
	}
	return creator
}

// expiry is the key's as a time.
func (f *fields) expiry() time.Time {
	if f[expiryWord] == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(f[expiryWord]))
}

// networks lists those of a key. It allocates.
func (f *fields) networks(text []byte) (list []netip.Prefix) {
	s := f.text()
	packed := Networks{stringOf(text[s.previous*valueSize:][:s.networks*networkSize])}
	for i := range packed.Len() {
		list = append(list, packed.At(i))
	}
	return list
}

// memberAt gives the node of a user's keys of one period, a new one where nothing is known of it yet. All nodes of a
// user have the same state.
func (r *Replica) memberAt(w *workspace, name id.User, period int64) *member {
	first := r.member(w, name)
	if period == first.period {
		return first
	}
	for _, m := range first.others {
		if m.period == period {
			return m
		}
	}
	m := &member{user: first.user, workspace: w, period: period, first: first}
	m.state.Store(first.state.Load())
	m.settle(first.settlements)
	r.members.take(m)
	first.others = append(first.others, m)
	return m
}

// head is the first node of the user.
func (m *member) head() *member {
	if m.first != nil {
		return m.first
	}
	return m
}

// change puts the state of a member in place, at all nodes. It is asked of the first.
func (m *member) change(state *memberState) {
	m.state.Store(state)
	for _, other := range m.others {
		other.state.Store(state)
	}
}

// settle puts in place those of a user's settlements that cover the node's keys.
func (m *member) settle(all []*settlement) {
	var list verdicts
	for _, s := range all {
		if s.Period < m.period {
			continue
		}
		v := verdict{Settlement: s.Settlement}
		if s.Heir != "" {
			v.heir = s.of.workspace.members[s.Heir]
		}
		list = append(list, v)
	}
	if list == nil {
		m.settled.Store(nil)
		return
	}
	m.settled.Store(&list)
}

func (r *Replica) putSettlement(revision int64, a *apikey.Settlement) {
	w := r.workspace(a.Workspace)
	if w.gone {
		return
	}
	first := r.member(w, a.User)
	if a.Heir != "" {
		r.member(w, a.Heir)
	}
	s := r.settlements[a.ID]
	if s == nil {
		s = &settlement{of: first}
		r.settlements[a.ID] = s
		first.settlements = append(first.settlements, s)
	}
	if !s.admit(revision) {
		return
	}
	s.Settlement = *a
	slices.SortFunc(first.settlements, func(a, b *settlement) int { return cmp.Compare(a.Period, b.Period) })
	first.resettle()
}

func (m *member) resettle() {
	m.settle(m.settlements)
	for _, other := range m.others {
		other.settle(m.settlements)
	}
}

// sweepSettlements forgets settlements that were done as of a revision up to which every change has been applied: every
// key that they covered has followed.
func (r *Replica) sweepSettlements(settled int64) (n int) {
	for name, s := range r.settlements {
		if !s.of.workspace.gone && (!s.Done || s.revision > settled) {
			continue
		}
		n++
		delete(r.settlements, name)
		if s.of.workspace.gone {
			continue
		}
		s.of.settlements = slices.DeleteFunc(s.of.settlements, func(o *settlement) bool { return o == s })
		s.of.resettle()
		if s.of.over() { // nothing else may be left of the user
			r.left = append(r.left, leaver{revision: s.revision, member: s.of})
		}
	}
	return n
}
