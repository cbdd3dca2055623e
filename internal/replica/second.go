package replica

import (
	"slices"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
)

// A text ends with the second digests of the key's values, the current one first, where one of them has one: a digest
// and a number of its pepper, 0 for a value without one.
const secondSize = 32 + 1

// MaxBound is the most workspaces that a follower may be bound to and be told second digests of: it makes a digest for
// each of them.
const MaxBound = 8

// KeepSecond has the copy keep the second digests under these peppers, the present one first. All others are dropped as
// if there were none, and without a call all are. Call it before the copy is filled.
func (r *Replica) KeepSecond(peppers []keyfmt.PepperID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.second = peppers
}

// secondNumber gives the number of a second digest's pepper; 0 for none.
func (r *Replica) secondNumber(s *keyfmt.Stored) byte {
	return byte(slices.Index(r.second, s.Pepper) + 1)
}

// appendSecond writes the second digests behind b, and tells how many places they take.
func (r *Replica) appendSecond(b []byte, k *apikey.Key, previous int) ([]byte, int) {
	any := r.secondNumber(&k.Value.Second) != 0
	for i := range k.Previous[:previous] {
		any = any || r.secondNumber(&k.Previous[i].Second) != 0
	}
	if !any {
		return b, 0
	}
	add := func(s *keyfmt.Stored) {
		number := r.secondNumber(s)
		if number == 0 {
			s = &keyfmt.Stored{}
		}
		b = append(append(b, s.Sum[:]...), number)
	}
	add(&k.Value.Second)
	for i := range k.Previous[:previous] {
		add(&k.Previous[i].Second)
	}
	return b, 1 + previous
}

// secondOf gives the second digest of a value and the number of its pepper: of the current value, or of the earlier
// one of that number less 1.
func (s *shape) secondOf(text []byte, value int) (sum []byte, number byte) {
	if value >= s.second {
		return nil, 0
	}
	at := s.size() - (s.second-value)*secondSize
	return text[at : at+32], text[at+32]
}

// unpackSecond gives the second digest of a value.
func (r *Replica) unpackSecond(s *shape, text []byte, value int) (d keyfmt.Stored) {
	sum, number := s.secondOf(text, value)
	if number == 0 || int(number) > len(r.second) {
		return d
	}
	return keyfmt.Stored{Pepper: r.second[number-1], Sum: keyfmt.Digest(sum)}
}

// untold counts keys, by their environments, of which a feed does not tell every value.
type untold struct {
	foreign [len(environments)]int64 // one of the values is a foreign one
	second  [len(environments)]int64 // one of them has no second digest, or is a foreign one
}

func (u *untold) add(environment int, foreign, second bool, by int64) {
	if foreign {
		u.foreign[environment] += by
	}
	if second {
		u.second[environment] += by
	}
}

// countUntold counts a key in its workspace and in the whole. Its text must be there.
func (r *Replica) countUntold(f *fields, by int64) {
	s := f.text()
	var b []byte
	if s.previous > 0 || s.second > 0 {
		b, _ = text(r.arena.texts(), f)
	}
	foreign := f[shapeWord]>>kindShift != 0
	for i := range s.previous {
		foreign = foreign || kindOf(b, i) != 0
	}
	second := foreign
	for i := 0; i <= s.previous && !second; i++ {
		_, number := s.secondOf(b, i)
		second = number == 0
	}
	if !second {
		return
	}
	environment := f.environmentNumber()
	r.members.at(f.member()).head().workspace.untold.add(environment, foreign, second, by)
	r.untold.add(environment, foreign, second, by)
}

// Untold tells how many keys within a reach have a value that the feed does not tell a follower of that reach: a
// foreign one, and for a follower that is told second digests one that has none.
func (r *Replica) Untold(reach *account.Reach, second bool) (n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	add := func(u *untold) {
		list := &u.foreign
		if second {
			list = &u.second
		}
		for i, e := range environments {
			if reach.Environments == nil || slices.Contains(reach.Environments, e) {
				n += list[i]
			}
		}
	}
	n = int64(len(r.kinds.more)) // of which no values are counted
	if reach.Workspaces == nil {
		add(&r.untold)
		return n
	}
	for i, name := range reach.Workspaces {
		w := r.workspaces[name]
		if w != nil && !w.gone && !slices.Contains(reach.Workspaces[:i], name) {
			add(&w.untold)
		}
	}
	return n
}

// SizeWithin is about how many keys are within a reach; 0 where that is bound to environments, of which keys are not
// counted.
func (r *Replica) SizeWithin(reach *account.Reach) (n int64) {
	switch {
	case reach.Environments != nil:
		return 0
	case reach.Workspaces == nil:
		return r.size.Load()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, name := range reach.Workspaces {
		w := r.workspaces[name]
		if w != nil && !w.gone && !slices.Contains(reach.Workspaces[:i], name) {
			n += w.size
		}
	}
	return n
}

// follows tells whether a service key's holder is told second digests of the workspaces that the key is bound to.
func follows(k *account.ServiceKey) bool {
	n := len(k.Bounds.Workspaces)
	return n > 0 && n <= MaxBound && slices.Contains(k.Scopes, account.ScopeFollow)
}

// putBound publishes the workspaces of which a follower may be told second digests.
func (r *Replica) putBound() {
	var all map[id.Workspace]bool
	for _, o := range r.operators {
		if o.key == nil || !follows(o.key) {
			continue
		}
		if all == nil {
			all = map[id.Workspace]bool{}
		}
		for _, w := range o.key.Bounds.Workspaces {
			all[w] = true
		}
	}
	if all == nil {
		r.bound.Store(nil)
		return
	}
	r.bound.Store(&all)
}

// Bound tells whether a service key with the scope follow is bound to the workspace, so that second digests of its
// values are wanted. It allocates nothing.
func (r *Replica) Bound(w id.Workspace) bool {
	all := r.bound.Load()
	return all != nil && (*all)[w]
}
