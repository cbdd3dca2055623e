package replica

import "sync/atomic"

// directory is a list of pointers that readers use without a lock while a writer adds to it. The reader judges the
// target of an entry: it may have been replaced since.
type directory[T any] struct{ entries atomic.Pointer[[]*T] }

// at returns an entry. A reader that has read a number from the place where the writer put it after add finds the
// entry.
func (d *directory[T]) at(i uint32) *T { return (*d.entries.Load())[i] }

// len is the number of entries.
func (d *directory[T]) len() int {
	if e := d.entries.Load(); e != nil {
		return len(*e)
	}
	return 0
}

// add appends an entry and gives its number. For writers. Readers of the list before do not look beyond its end.
func (d *directory[T]) add(p *T) uint32 {
	var list []*T
	if e := d.entries.Load(); e != nil {
		list = *e
	}
	list = append(list, p)
	d.entries.Store(&list)
	return uint32(len(list) - 1)
}
