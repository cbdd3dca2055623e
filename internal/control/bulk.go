package control

import (
	"context"
	"time"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/store"
)

// bulk is an operation on many items, each of which stands for itself: one that is refused changes nothing and stops no
// other. Many items are done in chunks, each a transaction of its own, so that the changes of others come in between.
type bulk[T, R any] struct {
	*Service
	items []T
	name  func(T) string // the id that a refusal shows
	// begin checks, in each transaction, that the caller may do it at all, and gives the operation on one item.
	begin func(tx *store.Tx, a *actor) (func(index int, item T) (R, error), error)

	tx      *store.Tx
	do      func(index int, item T) (R, error)
	order   []int // of the items, as they are done
	results []R
	refused map[int]*fault.Error
}

// run does all of it, and answers the results and the refusals in the order of the items. An error says that nothing
// was done. Where a later chunk fails as a whole, its items and those after it are refused with that error: the results
// of the earlier ones, which hold values that are shown once, are answered all the same.
func (b *bulk[T, R]) run(ctx context.Context, c Caller) (done []R, failed []ItemError, err error) {
	b.results = make([]R, len(b.items))
	b.refused = map[int]*fault.Error{}
	b.arrange(c)
	size := b.pace.fewest
	for from := 0; from < len(b.items) || from == 0; {
		to, took, err := b.chunk(ctx, c, from, min(from+size, len(b.items)))
		ctx = context.WithoutCancel(ctx) // what has begun is done, as one transaction would be
		switch {
		case err != nil && from == 0:
			return nil, nil, err
		case err != nil:
			for _, i := range b.order[from:] {
				b.refused[i] = fault.From(err)
			}
			to = len(b.items)
		}
		size = b.pace.stride(to-from, took)
		if from = to; to == 0 {
			break
		}
	}
	for i, item := range b.items {
		if f := b.refused[i]; f != nil {
			failed = append(failed, ItemError{Index: i, ID: b.name(item), Fault: f})
		} else {
			done = append(done, b.results[i])
		}
	}
	return done, failed, nil
}

// arrange puts the item about the caller's own key last: it may end the caller's right to the others.
func (b *bulk[T, R]) arrange(c Caller) {
	b.order = make([]int, 0, len(b.items))
	var own []int
	for i, item := range b.items {
		if c.APIKey != "" && b.name(item) == string(c.APIKey) {
			own = append(own, i)
		} else {
			b.order = append(b.order, i)
		}
	}
	b.order = append(b.order, own...)
}

// chunk does the items of a range in a transaction, and tells how far it got, and how long that took in the turn of the
// writer. A chunk of many ends early where others wait for the writer.
func (b *bulk[T, R]) chunk(ctx context.Context, c Caller, from, to int) (reached int, took time.Duration, err error) {
	update := b.update
	if b.many() {
		update = b.updateApart
	}
	began := b.now()
	err = update(ctx, c, func(tx *store.Tx, a *actor) (err error) {
		began = b.now()
		b.tx = tx
		if b.do, err = b.begin(tx, a); err != nil {
			return err
		}
		reached, err = b.between(from, to)
		return err
	})
	return reached, b.now().Sub(began), err
}

// many tells whether the items are done in chunks.
func (b *bulk[T, R]) many() bool { return len(b.items) > b.pace.fewest }

// between does the items of a range in as few savepoints as it can: one, where none is refused. A savepoint for each
// would make the thousandth item of a transaction cost many times the first, since the database goes through its
// journal at the end of each. Where an item is refused, those before it are taken back with it and done again by
// themselves. It tells where it ended.
func (b *bulk[T, R]) between(from, to int) (reached int, err error) {
	for from < to {
		at, end := to, to
		err := storageFault(b.tx.Savepoint(func() (err error) {
			for i := from; i < to; i++ {
				if i > from && b.many() && b.tx.ShouldEnd() {
					end = i
					return nil
				}
				item := b.order[i]
				if b.results[item], err = b.do(item, b.items[item]); err != nil {
					at = i
					return err
				}
			}
			return nil
		}))
		if err == nil {
			return end, nil
		}
		f := fault.From(err)
		if f.Code.Status() >= 500 {
			return from, f
		}
		if reached, err = b.between(from, at); err != nil || reached < at {
			return reached, err
		}
		b.refused[b.order[at]] = f
		from = at + 1
		if from < to && b.many() && b.tx.ShouldEnd() {
			return from, nil
		}
	}
	return to, nil
}
