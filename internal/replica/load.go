package replica

import "github.com/keyward/keyward/internal/feed"

// Load applies the changes that read tells, in batches, while it reads on: reading and applying take a processor each.
// It answers read's error when all that was told before has been applied. It does not hold up Apply for longer than a
// batch, so the feed can be followed meanwhile.
func (r *Replica) Load(read func(tell func(feed.Change) error) error) error {
	const batches, batch = 4, 512
	full, empty := make(chan []feed.Change, batches), make(chan []feed.Change, batches)
	for range batches {
		empty <- make([]feed.Change, 0, batch)
	}
	applied := make(chan struct{})
	go func() {
		defer close(applied)
		for changes := range full {
			r.Apply(changes)
			clear(changes) // the keys are not held for longer than it takes to pack them
			empty <- changes[:0]
		}
	}()
	changes := <-empty
	err := read(func(c feed.Change) error {
		if changes = append(changes, c); len(changes) == batch {
			full <- changes
			changes = <-empty
		}
		return nil
	})
	full <- changes
	close(full)
	<-applied
	return err
}
