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
// Name, Metadata and AllowedIPs look into larger pieces of memory, which live for as long as somebody holds them: who
// keeps them for long clones them.
type View struct {
	UUID        [16]byte // its id; ID is the text
	Workspace   id.Workspace
	User        id.User
	Name        string
	Environment keyfmt.Environment
	IsActive    bool // not disabled, not revoked
	Orphan      bool // its creator left and it was kept
	Rehash      bool // our own digest shall take the place of the current value's
	Foreign     bool // the value that was looked up is a foreign one: only a digest of it was imported
	Second      bool // the value that was looked up has a second digest under the present pepper (KeepSecond)
	ExpiresAt   int64
	Permissions perm.Set // as they were granted
	Limits      ratelimit.Limits
	Plan        *ratelimit.Plan // what all keys of the workspace share, nil for nothing; not to be written to
	AllowedIPs  Networks
	Metadata    string // a JSON object; "" for {}

	Until           int64    // when the value that was looked up ends; 0 for the current one
	WorkspaceActive bool     // a deleted workspace's keys are not found at all
	Capped          bool     // the workspace narrows keys to what their creators still hold
	CreatorPresent  bool     // the creator is a member
	CreatorHolds    perm.Set // where Capped: by the creator's present role; empty for one who is no member
	Effective       perm.Set // Permissions, and where Capped only those of them that the creator holds
}

// ID is the key's id as text. It allocates.
func (v *View) ID() id.Key { return id.Key(id.Format(v.UUID)) }

// Lookup fills v with the key that has a value of this digest, and tells whether there is one; v is zero where there is
// none. It allocates nothing.
//
// An unknown digest takes the same way as a known one, against a key that nobody has, and digests are compared in
// constant time over their whole length. So the time taken says nothing of how close a guess came; and whoever guesses
// keys does not choose their digests.
func (r *Replica) Lookup(d keyfmt.Digest, v *View) bool { return r.lookup(&d, v) != nobody }

// lookup is Lookup that gives the number of the record.
func (r *Replica) lookup(d *keyfmt.Digest, v *View) uint32 {
	for p := r.values.probe(nameOfDigest(d)); ; {
		number := p.next()
		if r.lookupAt(number, d, v) && number != nobody {
			return number
		}
		if number == nobody {
			*v = View{}
			return nobody
		}
	}
}

// LookupID fills v with the key that has an id, and tells whether there is one. It is told of no value.
func (r *Replica) LookupID(id [16]byte, v *View) bool {
	number := r.find(uuidOf(id))
	if number == nobody {
		return false
	}
	var s snapshot
	for tries := 0; ; tries++ {
		s.texts = r.arena.texts() // before the record: see arena
		if r.read(number, &s) {
			if !s.key.has(exists) || s.key.id().bytes() != id {
				return false
			}
			r.fill(&s, &keyfmt.Digest{}, v)
			if r.unchanged(&s) {
				return s.workspace.exists()
			}
		}
		pause(tries)
	}
}

// LookupService finds a service key by the digest of its value. Its Scopes are shared and must not be written to. It
// allocates nothing.
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

// lookupAt fills v with a key as it is at one instant, and tells whether it has a value of this digest: where something
// that it looked at has changed by the end, it looks again.
func (r *Replica) lookupAt(number uint32, d *keyfmt.Digest, v *View) bool {
	var s snapshot
	for tries := 0; ; tries++ {
		s.texts = r.arena.texts() // before the record: see arena
		if r.read(number, &s) {
			if !s.key.has(exists) {
				return false
			}
			matches := r.fill(&s, d, v)
			if r.unchanged(&s) {
				return matches
			}
		}
		pause(tries)
	}
}

// snapshot is what a reader looks at of a key, for it to judge at the end whether all of it was so together.
type snapshot struct {
	record    *record
	key       fields
	texts     *[][]byte
	text      []byte
	owner     *member   // that the record names
	settled   *verdicts // of the owner
	creator   *member   // the owner, or the heir of a settlement
	member    *memberState
	workspace workspaceState
}

// read takes everything else in, and tells whether it could. Of a key that is gone there is nothing but the record.
func (r *Replica) read(number uint32, s *snapshot) (ok bool) {
	s.record = r.records.at(number)
	if !s.record.load(&s.key) {
		return false
	}
	if !s.key.has(exists) {
		return true
	}
	if s.text, ok = text(s.texts, &s.key); !ok {
		return false
	}
	if s.owner = r.members.at(s.key.member()); s.owner == nil {
		return false
	}
	s.creator = s.owner
	if s.settled = s.owner.settled.Load(); s.settled != nil {
		s.creator = s.settled.apply(r, &s.key, s.text, s.owner)
	}
	s.member, s.workspace = s.creator.state.Load(), workspaceState(s.creator.workspace.state.Load())
	return true
}

// unchanged tells whether nothing has changed of what was looked at. What the creator's role holds is read in between,
// once.
func (r *Replica) unchanged(s *snapshot) bool {
	return s.record.unchanged(&s.key) && r.arena.texts() == s.texts && s.owner.settled.Load() == s.settled &&
		workspaceState(s.creator.workspace.state.Load()) == s.workspace && s.creator.state.Load() == s.member
}

// fill fills v, and tells whether the key has a value of this digest, in a workspace that is there.
func (r *Replica) fill(s *snapshot, d *keyfmt.Digest, v *View) bool {
	until, which, matches := value(&s.key, s.text, d)
	r.fillRecord(v, &s.key, s.text)
	v.Second = s.key[shapeWord]>>secondShift&1 != 0 && s.hasSecond(which)
	if v.Foreign = s.key[shapeWord]>>kindShift != 0; which > 0 {
		v.Foreign = kindOf(s.text, which-1) != 0
	}
	v.Until, v.Workspace, v.User = until, s.creator.workspace.id, s.creator.user
	s.workspace.fill(v)
	if s.workspace&workspacePlanned != 0 || v.Plan != nil { // seldom, and nil is not written over nil
		s.fillPlan(v)
	}
	s.member.fill(v, s.key.set())
	return matches && s.workspace.exists()
}

// fillPlan is kept out of the way of keys without a plan.
//
//go:noinline
func (s *snapshot) fillPlan(v *View) {
	v.Plan = nil
	if s.workspace&workspacePlanned != 0 {
		v.Plan = s.creator.workspace.plan.Load()
	}
}

// hasSecond tells whether a value has a second digest under the present pepper.
func (s *snapshot) hasSecond(value int) bool {
	shape := s.key.text()
	_, number := shape.secondOf(s.text, value)
	return number == 1
}

// value tells whether a key has a value of this digest, until when, and which: the current one, or the earlier one of
// that number less 1.
func value(f *fields, text []byte, d *keyfmt.Digest) (until int64, which int, ok bool) {
	ok = f.differs(d) == 0
	for i := range f.text().previous {
		if e, end := earlier(text, i); subtle.ConstantTimeCompare(e[:], d[:]) == 1 && !ok {
			until, which, ok = end, 1+i, true
		}
	}
	return until, which, ok
}

// fillRecord tells what the record and its text say.
func (r *Replica) fillRecord(v *View, f *fields, text []byte) {
	s := f.text()
	v.UUID = f.id().bytes()
	v.Environment, v.IsActive, v.Orphan = f.environment(), f.has(active), f.has(orphan)
	v.Rehash = f.has(rehash)
	v.ExpiresAt, v.Limits = int64(f[expiryWord]), f.limits()
	v.Permissions = r.sets.at(f.set())
	text = text[s.previous*valueSize:]
	n := s.networks * networkSize
	v.AllowedIPs = Networks{stringOf(text[:n])}
	v.Name, v.Metadata = stringOf(text[n:n+s.name]), stringOf(text[n+s.name:n+s.name+s.metadata])
}

// millis is an expiry in Unix milliseconds, 0 for "never".
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return endOf(t)
}

// endOf is an instant in Unix milliseconds that does not read as "never": 1970 itself becomes a millisecond before. An
// earlier value of a key always ends, so one without an instant has ended long ago.
func endOf(t time.Time) int64 {
	if ms := t.UnixMilli(); ms != 0 {
		return ms
	}
	return -1
}
