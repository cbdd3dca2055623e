package verify

import (
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/replica"
)

// kindsInUse are the kinds of digest that foreign values have in a replica, put together from its list.
type kindsInUse struct {
	from *[]keyfmt.PepperID
	keyfmt.Kinds
}

// foreign gives the kinds in use, nil where there are no foreign keys. The list of a replica changes when a kind comes
// or goes.
func (e *Engine) foreign(facts *replica.Replica) *kindsInUse {
	list := facts.Foreign()
	if list == nil {
		return nil
	}
	if have := e.kinds.Load(); have != nil && have.from == list {
		return have
	}
	k := &kindsInUse{from: list, Kinds: e.digests.Kinds(*list)}
	e.kinds.Store(k)
	return k
}

// strange decides on a text that is not of our form, and tells the digest by which the key was found.
func (e *Engine) strange(
	facts *replica.Replica, t *replica.Trace, q *Question, v *Verdict, now Instant,
) (by keyfmt.Digest) {
	if by, v.Code = e.findStrange(facts, t, q.Key, &v.Key); v.Code == Valid {
		e.judge(q, v, now)
		e.offer(q, by, v)
	}
	return by
}

// findStrange looks for a text that is not of our form: a foreign value where there are some, else malformed, without a
// look-up. The code is Valid where a key has the value.
func (e *Engine) findStrange(
	facts *replica.Replica, t *replica.Trace, presented string, k *replica.View,
) (by keyfmt.Digest, code Code) {
	kinds := e.foreign(facts)
	if kinds == nil || !e.format.MayBeForeign(presented) {
		return by, Malformed
	}
	if !facts.Ready() {
		return by, Unavailable
	}
	if place, ok := facts.Prefetch(t); ok && e.nearer != nil {
		e.nearer.Prefetch(place)
	}
	by, ok := findForeign(facts, kinds, presented, k)
	switch {
	case ok:
		return by, Valid
	case kinds.Strange: // it may be one whose secret is missing here
		return by, Unavailable
	}
	return by, NotFound
}

// Rehashed gives our own digest of a foreign value, which may take the place of the imported one at any time; zero for
// others.
func (e *Engine) Rehashed(presented string, k *replica.View) keyfmt.Digest {
	if !k.Rehash || k.Until != 0 {
		return keyfmt.Digest{}
	}
	return e.digests.StoreForeign(presented).Sum
}

// findForeign makes the digest of each kind and looks for all of them, whether one is found or not: the time taken says
// nothing. Where keys of several kinds have the same value, the first kind wins.
func findForeign(
	facts *replica.Replica, kinds *kindsInUse, presented string, k *replica.View,
) (by keyfmt.Digest, ok bool) {
	var other replica.View
	for i := range kinds.Len() {
		d := kinds.Digest(i, presented)
		if facts.Lookup(d, &other) && !ok {
			*k, by, ok = other, d, true
		}
	}
	return by, ok
}

// Rehash is our own digest of a value, to take the place of an imported one.
type Rehash struct {
	Key  [16]byte // its id
	From keyfmt.Digest
	To   keyfmt.Stored
}

// offer hands on our own digest of a value that was used and waits for one.
func (e *Engine) offer(q *Question, by keyfmt.Digest, v *Verdict) {
	if e.rehash != nil && v.Code == Valid && v.Key.Rehash && v.Key.Until == 0 && !q.DryRun {
		e.rehash(Rehash{Key: v.Key.UUID, From: by, To: e.digests.StoreForeign(q.Key)})
	}
}
