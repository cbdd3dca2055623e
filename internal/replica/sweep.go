package replica

import "github.com/keyward/keyward/internal/id"

// Sweep gives back the memory of workspaces that are gone, of texts that are not in use, and of the marks that deleted
// objects leave. Marks are forgotten up to the revision settled: the caller knows that every change up to it has been
// applied, and that no initial load from before it can still come. A change up to it that comes once more, such as a
// node's own that it publishes late, is dropped from then on: without its mark a deleted key would come back to life.
// It answers how many keys and marks it let go. Readers do not notice it, and writers wait for a batch at most.
func (r *Replica) Sweep(settled int64) int {
	r.sweeping.Lock()
	defer r.sweeping.Unlock()
	return r.sweepRecords() + r.sweepMarks(settled)
}

// sweepRecords takes the keys of workspaces that are gone out, and moves texts together, if there is any of this to do:
// one pass through all records does both.
func (r *Replica) sweepRecords() (total int) {
	leaving, needed := r.beginSweep()
	if !needed {
		return 0
	}
	for chunk := range r.records.chunks.len() {
		total += r.sweepChunk(uint32(chunk))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.arena.move = nil
	r.near = nil
	for _, w := range leaving {
		r.empty(w)
	}
	return total
}

func (r *Replica) beginSweep() (leaving []*workspace, needed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	leaving, r.leaving = r.leaving, nil
	if r.arena.thin() {
		r.arena.markThin()
	}
	return leaving, len(leaving) > 0 || r.arena.move != nil
}

// sweepChunk is a batch: it bounds how long other writers wait.
func (r *Replica) sweepChunk(chunk uint32) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := chunk << chunkShift
	for number := max(first, nobody+1); number < min(first+recordsInChunk, r.records.next); number++ {
		var f fields
		rec := r.records.at(number)
		if f[shapeWord] = rec[shapeWord].Load(); !f.has(exists) {
			continue
		}
		rec.peek(&f)
		if r.members.at(f.member()).workspace.gone {
			r.setKey(number, &f, goneKey(f.id()), f.revision())
			r.forget(number, &f)
			n++
			continue
		}
		r.moveText(rec, &f)
	}
	return n
}

// moveText puts a text elsewhere that lies in a chunk with little in it.
func (r *Replica) moveText(rec *record, f *fields) {
	chunk := f[textWord] >> offsetBits
	if chunk >= uint64(len(r.arena.move)) || !r.arena.move[chunk] {
		return
	}
	b, _ := text(r.arena.texts(), f)
	now := *f
	now[textWord] = r.arena.put(b)
	rec.store(&now, f.revision())
	r.arena.release(f)
}

// empty forgets who and what was in a workspace that is gone, when no record names them.
func (r *Replica) empty(w *workspace) {
	for name, ro := range w.roles {
		ro.state.Store(nil)
		delete(r.roles, name)
	}
	for _, m := range w.members {
		r.members.give(m)
		for _, other := range m.others {
			r.members.give(other)
		}
	}
	w.roles, w.members = nil, nil
}

// mark says that a key or a workspace is gone as of a revision. Its record, or node, stays, so that an older change
// does not bring it back, until the mark is forgotten. Nodes of service keys stay without marks: they are few.
type mark struct {
	revision  int64
	key       uuid
	workspace id.Workspace
}

func (r *Replica) sweepMarks(settled int64) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.near = nil
	r.floor = max(r.floor, min(settled, r.Revision())) // a number of another history is above what this copy has
	kept := r.marks[:0]
	for _, m := range r.marks {
		if m.revision > settled {
			kept = append(kept, m)
			continue
		}
		if m.workspace == "" {
			r.forgetGone(m)
		} else if w := r.workspaces[m.workspace]; w != nil && w.gone {
			delete(r.workspaces, m.workspace)
		}
	}
	n := len(r.marks) - len(kept)
	clear(r.marks[len(kept):])
	r.marks = kept
	n += r.sweepSettlements(settled)
	return n + r.sweepLeavers(settled)
}

// leaver is a member or a role that is gone as of a revision. Its node stays as a mark does, and for as long as a key
// names the member, or a member the role: then it is noted once more when the last of these goes.
type leaver struct {
	revision int64
	member   *member
	role     *role
}

func (r *Replica) sweepLeavers(settled int64) (n int) {
	kept := r.left[:0]
	for _, l := range r.left {
		switch {
		case l.revision > settled:
			kept = append(kept, l)
		case l.member != nil && r.forgetMember(l.member), l.role != nil && r.forgetRole(l.role):
			n++
		}
	}
	clear(r.left[len(kept):])
	r.left = kept
	return n
}

// forgetMember gives the node of a member back, unless they have come back, a record names them, or a settlement covers
// their keys. It may have been given back already.
func (r *Replica) forgetMember(m *member) bool {
	if !m.over() || m.keys > 0 || len(m.settlements) > 0 || m.workspace.members[m.user] != m {
		return false
	}
	delete(m.workspace.members, m.user)
	r.members.give(m)
	for _, other := range m.others {
		r.members.give(other)
	}
	return true
}

// forgetRole does the same for a role.
func (r *Replica) forgetRole(ro *role) bool {
	if !ro.over() || ro.holders > 0 || r.roles[ro.id] != ro {
		return false
	}
	if ro.place != nil {
		delete(ro.place.roles, ro.id)
	}
	delete(r.roles, ro.id)
	return true
}

// forgetGone gives the record of a deleted key back, unless the key has come back since.
func (r *Replica) forgetGone(m mark) {
	number := r.find(m.key)
	if number == 0 {
		return
	}
	var f fields
	r.records.at(number).peek(&f)
	if !f.has(exists) && f.revision() == m.revision {
		r.forget(number, &f)
	}
}
