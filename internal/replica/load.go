package replica

import (
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
)

// loadBatch is a part of what is loaded: changes, and keys after them. It keeps nothing of the key that a change points
// to but its texts: the one who tells uses the key again for the next.
type loadBatch struct {
	changes []feed.Change
	keys    []packed
	rare    []apikey.Key // of which there is more than is packed
}

// loadSize is how many changes are in a batch. The batches are to stay in the processor's cache.
const loadSize = 128

// hasRoom tells whether a change can be added, so that it comes after those that are there.
func (b *loadBatch) hasRoom(c *feed.Change) bool {
	return len(b.changes)+len(b.keys) < loadSize && (isLoaded(c) || len(b.keys) == 0)
}

// isLoaded tells whether a change is one of nearly all of a load: a key, without a transaction that it belongs to.
func isLoaded(c *feed.Change) bool { return c.Key != nil && c.Revision == 0 }

func (b *loadBatch) add(c *feed.Change) {
	if !isLoaded(c) {
		b.changes = append(b.changes, *c)
		if c.Key != nil {
			b.changes[len(b.changes)-1].Key = b.keep(c.Key)
		}
		return
	}
	b.keys = b.keys[:len(b.keys)+1]
	p := &b.keys[len(b.keys)-1]
	switch {
	case !p.pack(c.Key):
		b.keys = b.keys[:len(b.keys)-1]
	case p.rare != nil:
		p.rare = b.keep(p.rare)
	}
}

// keep copies a key. The batch never has more of them than there is room for.
func (b *loadBatch) keep(k *apikey.Key) *apikey.Key {
	if b.rare == nil {
		b.rare = make([]apikey.Key, 0, loadSize)
	}
	b.rare = append(b.rare, *k)
	return &b.rare[len(b.rare)-1]
}

// reset empties a batch. Texts of its keys are held until it is filled again, or the load ends.
func (b *loadBatch) reset() {
	clear(b.changes)
	clear(b.rare)
	b.changes, b.keys, b.rare = b.changes[:0], b.keys[:0], b.rare[:0]
}

// mostReserved bounds the memory that a number which is too large takes: less than a gigabyte. Records are made only as
// keys come.
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
	const batches = 4
	full, empty := make(chan *loadBatch, batches), make(chan *loadBatch, batches)
	for range batches {
		empty <- &loadBatch{changes: make([]feed.Change, 0, loadSize), keys: make([]packed, 0, loadSize)}
	}
	applied := make(chan struct{})
	go func() {
		defer close(applied)
		for b := range full {
			r.applyBatch(b)
			b.reset()
			empty <- b
		}
	}()
	b := <-empty
	err := read(func(c feed.Change) error {
		if !b.hasRoom(&c) {
			full <- b
			b = <-empty
		}
		b.add(&c)
		return nil
	})
	full <- b
	close(full)
	<-applied
	return err
}

func (r *Replica) applyBatch(b *loadBatch) {
	r.Apply(b.changes)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.putKeys(0, b.keys)
}
