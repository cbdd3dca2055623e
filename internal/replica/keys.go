package replica

import (
	"math"
	"slices"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
)

// packed is a key on its way into the copy: the words of its record that the key alone says, and what the writers have
// to find the numbers of. Packing takes no lock.
type packed struct {
	fields         fields // without its member, its set, the kind of its digest and its text
	workspace      id.Workspace
	user           id.User
	period         int64
	permissions    perm.Set
	pepper         keyfmt.PepperID
	name, metadata string
	rare           *apikey.Key // has the earlier values, the networks and the second digests; nil where there are none
}

// pack packs a key. ok is false for a key that is not named as one: it is none, and is not found.
func (p *packed) pack(a *apikey.Key) (ok bool) {
	u, ok := id.Parse(string(a.ID))
	if ok {
		p.packAs(uuidOf(u), a)
	}
	return ok
}

// packAs packs a key under an id.
func (p *packed) packAs(u uuid, a *apikey.Key) {
	f := &p.fields
	f[versionWord], f[refsWord], f[textWord] = 0, 0, 0
	f.setDigest(&a.Value.Digest.Sum)
	f[expiryWord] = uint64(millis(a.ExpiresAt))
	f[limitsWord] = limit(a.Limits.PerMinute)<<32 | limit(a.Limits.PerDay)
	f[idWord], f[idWord+1] = u.hi, u.lo
	f[shapeWord] = known | exists | environmentNumber(a.Environment)<<environmentShift
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
	p.workspace, p.user, p.period = a.Workspace, a.User, a.Period
	p.permissions, p.pepper = a.Permissions, a.Value.Digest.Pepper
	p.name, p.metadata = a.Name, a.Metadata
	p.rare = nil
	if len(a.Previous) > 0 || len(a.AllowedIPs) > 0 || a.Value.Second.Pepper != "" {
		p.rare = a
	}
}

// limit is a limit in 32 bits; the highest that can be set takes 30.
func limit(n int64) uint64 { return uint64(min(max(n, 0), math.MaxUint32)) }

func (r *Replica) putKey(revision int64, p *packed) {
	w := r.workspaceOf(p)
	if w.gone {
		return
	}
	number := r.find(p.fields.id())
	if number == nobody && p.rare == nil {
		r.putNew(revision, p, r.creatorOf(p, w))
		return
	}
	var was fields
	number = r.number(p.fields.id(), number)
	r.records.at(number).peek(&was)
	if was.version().admits(revision) {
		r.complete(p, r.creatorOf(p, w), &was)
		r.setKey(number, &was, &p.fields, revision)
	}
}

// putNew puts a key of which nothing is known yet, and which has one value: nearly every key of a load. The slot of the
// value is the instant of the change: until there is one, no reader comes to the record.
func (r *Replica) putNew(revision int64, p *packed, creator *member) {
	f := &p.fields
	r.complete(p, creator, &fields{})
	number, unused := r.take()
	if unused {
		r.records.at(number).fill(f, revision)
	} else {
		r.records.at(number).store(f, revision)
	}
	r.use(f, +1)
	r.ids.insert(nameOfID(f.id()), number)
	r.values.insert(f.nameOfValue(), number)
	r.count(f, +1)
}

// workspaceOf gives the workspace of a key.
func (r *Replica) workspaceOf(p *packed) *workspace {
	if m := r.near; m != nil && m.workspace.id == p.workspace {
		return m.workspace
	}
	return r.workspace(p.workspace)
}

// creatorOf gives the node of a key's creator.
func (r *Replica) creatorOf(p *packed, w *workspace) *member {
	if m := r.near; m != nil && m.workspace == w && m.user == p.user && m.period == p.period {
		return m
	}
	r.near = r.memberAt(w, p.user, p.period)
	return r.near
}

// expectedAhead is how many keys before its turn a key is expected.
const expectedAhead = 8

// expectKey has the places of a key in both tables brought near, before its turn comes: in a large copy each is a miss
// of the cache, and those of several keys are waited for together.
func (r *Replica) expectKey(f *fields) {
	r.ids.expect(nameOfID(f.id()))
	r.values.expect(f.nameOfValue())
}

// putKeys puts keys of one revision.
func (r *Replica) putKeys(revision int64, keys []packed) {
	for i := range min(expectedAhead, len(keys)) {
		r.expectKey(&keys[i].fields)
	}
	for i := range keys {
		if next := i + expectedAhead; next < len(keys) {
			r.expectKey(&keys[next].fields)
		}
		r.putKey(revision, &keys[i])
	}
}

func (r *Replica) endKey(revision int64, name id.Key) {
	u, ok := id.Parse(string(name))
	if !ok {
		return
	}
	number := r.number(uuidOf(u), r.find(uuidOf(u)))
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

// complete gives a key the numbers that it has in this copy. Its text goes into the arena, unless it is the same as it
// was.
func (r *Replica) complete(p *packed, creator *member, was *fields) {
	f := &p.fields
	f[refsWord] = uint64(creator.number)<<32 | uint64(r.sets.number(p.permissions))
	b, s := r.appendText(r.scratch[:0], p)
	r.scratch = b[:0]
	f[shapeWord] |= s.word() | uint64(r.kinds.number(p.pepper))<<kindShift
	if was.has(exists) && was.text() == s {
		if old, ok := text(r.arena.texts(), was); ok && string(old) == string(b) {
			f[textWord] = was[textWord]
			return
		}
	}
	f[textWord] = r.arena.put(b)
}

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

// number gives a new record to a key of which find has found none.
func (r *Replica) number(u uuid, found uint32) uint32 {
	if found != nobody {
		return found
	}
	number, _ := r.take()
	r.ids.insert(nameOfID(u), number)
	return number
}

// take gives the number of a free record. An unused one was never anybody's.
func (r *Replica) take() (number uint32, unused bool) {
	number, unused = r.records.take()
	r.hints.fit(r.records.next)
	return number, unused
}

// forget gives a record back: nothing is known of its key any more.
func (r *Replica) forget(number uint32, f *fields) {
	r.ids.remove(nameOfID(f.id()), number)
	r.records.at(number).store(&fields{}, 0)
	r.records.free = append(r.records.free, number)
}
