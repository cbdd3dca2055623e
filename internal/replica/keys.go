package replica

import (
	"math"
	"slices"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
)

func (r *Replica) putKey(revision int64, a *apikey.Key) {
	w := r.workspaceOf(a)
	u, ok := id.Parse(string(a.ID))
	if w.gone || !ok { // what is not named as a key is none, and is not found
		return
	}
	number := r.number(uuidOf(u))
	var was fields
	r.records.at(number).peek(&was)
	if was.version().admits(revision) {
		now := r.pack(a, uuidOf(u), r.creatorOf(a, w), &was)
		r.setKey(number, &was, &now, revision)
	}
}

// workspaceOf gives the workspace of a key.
func (r *Replica) workspaceOf(a *apikey.Key) *workspace {
	if m := r.near; m != nil && m.workspace.id == a.Workspace {
		return m.workspace
	}
	return r.workspace(a.Workspace)
}

// creatorOf gives the node of a key's creator.
func (r *Replica) creatorOf(a *apikey.Key, w *workspace) *member {
	if m := r.near; m != nil && m.workspace == w && m.user == a.User && m.period == a.Period {
		return m
	}
	r.near = r.memberAt(w, a.User, a.Period)
	return r.near
}

// expectedAhead is how many keys before its turn a key is expected.
const expectedAhead = 8

// expectKey has the places of a key in both tables brought near, before its turn comes: in a large copy each is a miss
// of the cache, and those of several keys are waited for together.
func (r *Replica) expectKey(a *apikey.Key) {
	if u, ok := id.Parse(string(a.ID)); ok {
		r.ids.expect(nameOfID(uuidOf(u)))
		r.values.expect(nameOfDigest(&a.Value.Digest.Sum))
	}
}

func (r *Replica) endKey(revision int64, name id.Key) {
	u, ok := id.Parse(string(name))
	if !ok {
		return
	}
	number := r.number(uuidOf(u))
	var was fields
	r.records.at(number).peek(&was)
	if was.version().admits(revision) {
		r.setKey(number, &was, goneKey(uuidOf(u)), revision)
		r.marks = append(r.marks, mark{revision: revision, key: uuidOf(u)})
	}
}

func (f *fields) version() version { return version{known: f.has(known), revision: f.revision()} }

// goneKey is the rest of a deleted key: its id.
func goneKey(u uuid) *fields {
	return &fields{idWord: u.hi, idWord + 1: u.lo, shapeWord: known}
}

// pack makes the fields of a key. Its text goes into the arena, unless it is the same as it was.
func (r *Replica) pack(a *apikey.Key, u uuid, creator *member, was *fields) (f fields) {
	f.setDigest(&a.Value.Digest.Sum)
	f[expiryWord] = uint64(millis(a.ExpiresAt))
	f[refsWord] = uint64(creator.number)<<32 | uint64(r.sets.number(a.Permissions))
	f[limitsWord] = limit(a.Limits.PerMinute)<<32 | limit(a.Limits.PerDay)
	f[idWord], f[idWord+1] = u.hi, u.lo
	b, s := r.appendText(r.scratch[:0], a)
	r.scratch = b[:0]
	f[shapeWord] = s.word() | known | exists | environmentNumber(a.Environment)<<environmentShift
	f[shapeWord] |= uint64(r.kinds.number(a.Value.Digest.Pepper)) << kindShift
	if a.Value.Digest.Pepper.Rehash() {
		f[shapeWord] |= rehash
	}
	if a.IsActive && !a.Revoked {
		f[shapeWord] |= active
	}
	if a.Revoked {
		f[shapeWord] |= revoked
	}
	if a.Orphan {
		f[shapeWord] |= orphan
	}
	if old, ok := text(r.arena.texts(), was); ok && was.text() == s && string(old) == string(b) {
		f[textWord] = was[textWord]
	} else {
		f[textWord] = r.arena.put(b)
	}
	return f
}

// limit is a limit in 32 bits; the highest that can be set takes 30.
func limit(n int64) uint64 { return uint64(min(max(n, 0), math.MaxUint32)) }

// setKey changes a key. The store into the record is the instant of the change: new digests are named before it and
// old ones forgotten after.
func (r *Replica) setKey(number uint32, was, now *fields, revision int64) {
	r.had, r.has = r.digests(r.had[:0], was), r.digests(r.has[:0], now)
	for i := range r.has {
		if !slices.Contains(r.had, r.has[i]) {
			r.values.insert(nameOfDigest(&r.has[i]), number)
		}
	}
	r.use(now, +1)
	r.records.at(number).store(now, revision)
	for i := range r.had {
		if !slices.Contains(r.has, r.had[i]) {
			r.values.remove(nameOfDigest(&r.had[i]), number)
		}
	}
	r.use(was, -1)
	if was.has(exists) && was[textWord] != now[textWord] {
		r.arena.release(was)
	}
	r.count(now, +1)
	r.count(was, -1)
}

// digests lists those of all values behind list; none for a key that is gone.
func (r *Replica) digests(list []keyfmt.Digest, f *fields) []keyfmt.Digest {
	if !f.has(exists) {
		return list
	}
	list = append(list, f.digest())
	n := f.text().previous
	if n == 0 {
		return list
	}
	b, _ := text(r.arena.texts(), f)
	for i := range n {
		if d, _ := earlier(b, i); !slices.Contains(list, *d) {
			list = append(list, *d)
		}
	}
	return list
}

// count counts a key in its workspace, and as one of its creator's. A creator who has left is kept in memory for the
// last of them.
func (r *Replica) count(f *fields, by int64) {
	if !f.has(exists) {
		return
	}
	m := r.members.at(f.member()).head()
	if m.keys += int(by); m.keys == 0 && m.over() {
		r.left = append(r.left, leaver{revision: m.revision, member: m})
	}
	w := m.workspace
	w.size += by
	if !w.gone {
		r.size.Add(by)
	}
}

// find gives the number of a key's record, 0 for a key of which nothing is known.
func (r *Replica) find(u uuid) uint32 {
	for p := r.ids.probe(nameOfID(u)); ; {
		number := p.next()
		if number == 0 {
			return 0
		}
		rec := r.records.at(number)
		if rec[idWord].Load() == u.hi && rec[idWord+1].Load() == u.lo {
			return number
		}
	}
}

// number is find that gives a new record to a key of which nothing is known yet.
func (r *Replica) number(u uuid) uint32 {
	number := r.find(u)
	if number == 0 {
		number = r.records.take()
		r.hints.fit(r.records.next)
		r.ids.insert(nameOfID(u), number)
	}
	return number
}

// forget gives a record back: nothing is known of its key any more.
func (r *Replica) forget(number uint32, f *fields) {
	r.ids.remove(nameOfID(f.id()), number)
	r.records.at(number).store(&fields{}, 0)
	r.records.free = append(r.records.free, number)
}
