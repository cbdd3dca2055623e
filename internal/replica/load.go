package replica

import (
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
)

// loadBatch is a part of what is loaded, with a copy of its keys: the one who tells uses a key again for the next.
type loadBatch struct {
	changes []feed.Change
	keys    []apikey.Key
}

func (b *loadBatch) add(c feed.Change) {
	if c.Key != nil {
		b.keys = append(b.keys, *c.Key)
		c.Key = &b.keys[len(b.keys)-1]
	}
	b.changes = append(b.changes, c)
}

// mostReserved bounds the memory that a number which is too large takes: less than a gigabyte.
const mostReserved = 1 << 24

// Reserve makes room for about so many keys, so that the tables do not grow again and again during a load. More keys
// than that may come.
func (r *Replica) Reserve(keys int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := int(max(0, min(keys, mostReserved)))
	r.ids.reserve(n)
	r.values.reserve(n)
	r.records.reserve(n + 1) // that of nobody is one, too
	r.hints.fit(max(r.records.next, uint32(n)))
}

// Load applies the changes that read tells, in batches, while it reads on: reading and applying take a processor each.
// It answers read's error when all that was told before has been applied. It does not hold up Apply for longer than a
// batch, so the feed can be followed meanwhile.
func (r *Replica) Load(read func(tell func(feed.Change) error) error) error {
	const batches, size = 4, 512
	full, empty := make(chan *loadBatch, batches), make(chan *loadBatch, batches)
	for range batches {
		empty <- &loadBatch{make([]feed.Change, 0, size), make([]apikey.Key, 0, size)}
	}
	applied := make(chan struct{})
	go func() {
		defer close(applied)
		for b := range full {
			r.Apply(b.changes)
			clear(b.changes) // the keys are not held for longer than it takes to pack them
			clear(b.keys)
			b.changes, b.keys = b.changes[:0], b.keys[:0]
			empty <- b
		}
	}()
	b := <-empty
	err := read(func(c feed.Change) error {
		if b.add(c); len(b.changes) == size {
			full <- b
			b = <-empty
		}
		return nil
	})
	full <- b
	close(full)
	<-applied
	return err
}
