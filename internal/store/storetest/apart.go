package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// A long transaction has a commit of its own, and keeps its turn: those before it and those behind it do not wait for it
// together.
func testApart(_ *testing.T, f *fixture) {
	held, began := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 4)
	touch := func(tx *store.Tx) error {
		e := f.event()
		e.ID = id.Event(f.ids.Next())
		return tx.Record(e)
	}
	var order []string
	run := func(name string, update func(context.Context, func(*store.Tx) error) (int64, error), first func()) {
		go func() {
			_, err := update(context.Background(), func(tx *store.Tx) error {
				order = append(order, name) // one transaction runs at a time
				first()
				return touch(tx)
			})
			ended <- err
		}()
	}
	before := f.db.Stats().Groups
	run("holds the writer", f.db.Update, func() { close(began); <-held })
	<-began
	nothing := func() {}
	run("short", f.db.Update, nothing)
	time.Sleep(100 * time.Millisecond) // until it waits
	run("long", f.db.UpdateApart, nothing)
	time.Sleep(100 * time.Millisecond)
	run("short, behind it", f.db.Update, nothing)
	time.Sleep(100 * time.Millisecond)
	close(held)
	for range 4 {
		f.must(<-ended)
	}
	if n := f.db.Stats().Groups - before; n != 3 {
		f.Errorf("%d commits for a group, a long transaction and a group, in the order %q", n, order)
	}
	f.same("what came third", "long", order[2])
}
