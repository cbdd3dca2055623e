package replica

import (
	"slices"
	"sync/atomic"

	"github.com/keyward/keyward/internal/keyfmt"
)

// kinds counts the values of each kind of foreign digest. Every method but inUse is for writers.
type kinds struct {
	names [maxKind + 1]keyfmt.PepperID
	count [maxKind + 1]int64
	more  []keyfmt.PepperID // kinds beyond those that have a number: in use for as long as the replica is there
	used  atomic.Pointer[[]keyfmt.PepperID]
}

// maxKind is the highest number of a kind. 0 is native.
const maxKind = 1<<(64-kindShift) - 1

// number gives the number of a kind: 0 for a native digest, and for a kind beyond the highest number.
func (k *kinds) number(p keyfmt.PepperID) int {
	if !p.IsForeign() {
		return 0
	}
	free := 0
	for i := maxKind; i > 0; i-- {
		if k.names[i] == p {
			return i
		}
		if k.names[i] == "" {
			free = i
		}
	}
	if free == 0 {
		if !slices.Contains(k.more, p) {
			k.more = append(k.more, p)
			k.publish()
		}
		return 0
	}
	k.names[free] = p
	return free
}

// use counts a value of a kind. The kind is in use before the first of its values is there, and until the last is gone.
func (k *kinds) use(number int, by int64) {
	if number == 0 {
		return
	}
	before := k.count[number]
	k.count[number] += by
	if k.count[number] == 0 {
		k.names[number] = ""
	}
	if (before == 0) != (k.count[number] == 0) {
		k.publish()
	}
}

func (k *kinds) publish() {
	list := slices.Clone(k.more)
	for i, n := range k.count {
		if n > 0 {
			list = append(list, k.names[i])
		}
	}
	if len(list) == 0 {
		k.used.Store(nil)
		return
	}
	slices.Sort(list)
	k.used.Store(&list)
}

// Foreign lists the kinds of digest that foreign values have here, nil where there are none. The list is never written
// to again: the same pointer is the same list.
func (r *Replica) Foreign() *[]keyfmt.PepperID { return r.kinds.used.Load() }

// use counts the values of a key by their kinds.
func (r *Replica) use(f *fields, by int64) {
	if !f.has(exists) {
		return
	}
	r.countUntold(f, by)
	r.kinds.use(int(f[shapeWord]>>kindShift), by)
	n := f.text().previous
	if n == 0 {
		return
	}
	b, _ := text(r.arena.texts(), f)
	for i := range n {
		r.kinds.use(kindOf(b, i), by)
	}
}
