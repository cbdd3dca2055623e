package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// turns holds the writer, has transactions wait, and tells in which order they ran.
type turns struct {
	*fixture
	release chan struct{}
	ended   chan error
	waiting int64
	order   []string // one transaction runs at a time
}

func newTurns(f *fixture) *turns {
	t := &turns{fixture: f, release: make(chan struct{}), ended: make(chan error, 300)}
	began := make(chan struct{})
	t.start("first", "holder", f.db.Update, func(*store.Tx) { close(began); <-t.release })
	<-began
	return t
}

// start begins a transaction that says its name when it runs.
func (t *turns) start(
	name, tenant string, update func(context.Context, func(*store.Tx) error) (int64, error), do func(*store.Tx),
) {
	go func() {
		_, err := update(store.InTurnOf(context.Background(), tenant), func(tx *store.Tx) error {
			t.order = append(t.order, name)
			do(tx)
			e := t.event()
			e.ID = id.Event(t.ids.Next())
			return tx.Record(e)
		})
		t.ended <- err
	}()
}

// wait begins a transaction, and returns once it waits for the writer.
func (t *turns) wait(name, tenant string, update func(context.Context, func(*store.Tx) error) (int64, error)) {
	t.start(name, tenant, update, func(*store.Tx) {})
	t.waiting++
	t.untilWaiting(t.waiting)
}

func (t *turns) untilWaiting(n int64) {
	for t.db.Stats().Waiting < n {
		time.Sleep(time.Millisecond)
	}
}

// finish lets all run, and gives their order.
func (t *turns) finish() []string {
	close(t.release)
	for range t.waiting + 1 {
		t.must(<-t.ended)
	}
	return t.order
}

// A long transaction has a commit of its own. Short ones before it and behind it do not wait for it together, and it
// waits for one group of them at most.
func testApart(_ *testing.T, f *fixture) {
	before := f.db.Stats().Groups
	t := newTurns(f)
	t.wait("short", "a", f.db.Update)
	t.wait("long", "a", f.db.UpdateApart)
	t.wait("long", "a", f.db.UpdateApart)
	t.wait("short, behind them", "b", f.db.Update)
	order := t.finish()
	if n := f.db.Stats().Groups - before; n != 3 {
		f.Errorf("%d commits for a group and two long transactions, in the order %q", n, order)
	}
	f.same("the order", "first, short, short, behind them, long, long", strings.Join(order, ", "))
}

// However many transactions of a tenant wait, another tenant's comes after one of them.
func testTurns(_ *testing.T, f *fixture) {
	for name, update := range map[string]func(context.Context, func(*store.Tx) error) (int64, error){
		"short": f.db.Update, "long": f.db.UpdateApart,
	} {
		t := newTurns(f)
		for i := range 40 {
			t.wait(fmt.Sprint("loud ", i), "loud", update)
		}
		t.wait("quiet", "quiet", update)
		order := t.finish()
		if at := slices.Index(order, "quiet"); at > 2 {
			f.Errorf("%s: a quiet tenant's transaction is behind %d of a loud one: %q", name, at-1, order)
		}
	}
}

// A group of several tenants is committed once it has run for as long as it may; one of a single tenant goes on.
func testShortGroups(_ *testing.T, f *fixture) {
	for _, tenants := range []int{1, 2} {
		before := f.db.Stats().Groups
		t := newTurns(f)
		slow := func(*store.Tx) { f.ran.Add(int64(50 * time.Millisecond)) }
		for i := range 4 {
			t.start("slow", fmt.Sprint("tenant ", i%tenants), f.db.Update, slow)
			t.waiting++
			t.untilWaiting(t.waiting)
		}
		t.finish()
		// The first group holds the writer and has a tenant of its own, so it is mixed in each case.
		if groups := f.db.Stats().Groups - before; tenants == 1 && groups != 2 || tenants == 2 && groups < 3 {
			f.Errorf("%d tenants: %d commits", tenants, groups)
		}
	}
}

// A transaction that could be several is told to end once it has run for a while, where others wait, and not before.
func testShouldEnd(_ *testing.T, f *fixture) {
	var alone, early, late bool
	t := newTurns(f)
	t.start("chunk", "a", f.db.UpdateApart, func(tx *store.Tx) {
		f.ran.Add(int64(time.Minute))
		alone = tx.ShouldEnd()
	})
	t.waiting++
	t.untilWaiting(1)
	t.finish()
	t = newTurns(f)
	t.start("chunk", "a", f.db.UpdateApart, func(tx *store.Tx) {
		t.start("another", "b", f.db.Update, func(*store.Tx) {})
		t.waiting++
		t.untilWaiting(1)
		early = tx.ShouldEnd()
		f.ran.Add(int64(time.Minute))
		late = tx.ShouldEnd()
	})
	t.waiting++
	t.untilWaiting(1)
	close(t.release)
	for range 3 {
		t.must(<-t.ended)
	}
	f.same("to end while none waits, at once, and later", []bool{false, false, true}, []bool{alone, early, late})
}
