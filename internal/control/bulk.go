package control

import (
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/store"
)

// bulk is an operation on many items, each of which stands for itself: one that is refused changes nothing and stops no
// other.
type bulk[T, R any] struct {
	tx    *store.Tx
	items []T
	name  func(T) string // the id that a refusal shows
	do    func(index int, item T) (R, error)

	results []R
	refused map[int]*fault.Error
}

// run does all of it, and answers the results and the refusals in the order of the items. An error is the whole
// transaction's.
func (b *bulk[T, R]) run() (done []R, failed []ItemError, err error) {
	b.results, b.refused = make([]R, len(b.items)), map[int]*fault.Error{}
	if err := b.between(0, len(b.items)); err != nil {
		return nil, nil, err
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

// between does the items of a range in as few savepoints as it can: one, where none is refused. A savepoint for each
// would make the thousandth item of a transaction cost many times the first, since the database goes through its
// journal at the end of each. Where an item is refused, those before it are taken back with it and done again by
// themselves.
func (b *bulk[T, R]) between(from, to int) error {
	for from < to {
		at := to
		err := storageFault(b.tx.Savepoint(func() (err error) {
			for i := from; i < to; i++ {
				if b.results[i], err = b.do(i, b.items[i]); err != nil {
					at = i
					return err
				}
			}
			return nil
		}))
		if err == nil {
			return nil
		}
		f := fault.From(err)
		if f.Code.Status() >= 500 {
			return f
		}
		if err := b.between(from, at); err != nil {
			return err
		}
		b.refused[at] = f
		from = at + 1
	}
	return nil
}
