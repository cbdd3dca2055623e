package control_test

import (
	"context"
	cryptorand "crypto/rand"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

// Items of a bulk operation stand for themselves, whichever of them are refused: the good ones are done once, each with
// one event, the others leave nothing, and both are told in the order of the items.
func TestItemsStandAloneWhicheverAreRefused(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	ctx := context.Background()
	total := 0
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		items := make([]control.ImportKey, 1+r.IntN(40))
		var good, bad []int
		for i := range items {
			items[i].Generate = true
			items[i].CreateKey = control.CreateKey{User: "owner", Name: fmt.Sprintf("seed %d item %d", seed, i)}
			if r.IntN(3) == 0 {
				items[i].User = "nobody"
				bad = append(bad, i)
			} else {
				good = append(good, i)
			}
		}
		done, failed, err := k.ImportKeys(ctx, k.root, ws, items)
		must(t, err)
		var gotGood, gotBad []int
		for _, d := range done {
			gotGood = append(gotGood, d.Index)
			key, err := k.GetKey(ctx, k.root, string(d.ID))
			must(t, err)
			if key.Name != items[d.Index].Name {
				t.Errorf("seed %d: item %d became %q", seed, d.Index, key.Name)
			}
		}
		for _, f := range failed {
			if gotBad = append(gotBad, f.Index); f.Fault.Code != fault.NotFound {
				t.Errorf("seed %d: item %d: %v", seed, f.Index, f.Fault)
			}
		}
		if d := cmp.Diff([][]int{good, bad}, [][]int{gotGood, gotBad}); d != "" {
			t.Errorf("seed %d: %s", seed, d)
		}
		total += len(good)
		logs, err := k.ListLogs(ctx, k.root, control.ListLogs{Workspace: ws, EventType: "api_key.created", Limit: 1})
		must(t, err)
		if logs.Total != int64(total) {
			t.Fatalf("seed %d: %d events for %d keys", seed, logs.Total, total)
		}
	}
}

// A key that deletes many keys and itself among them deletes all, though its right ends with its own.
func TestAKeyThatDeletesItselfAmongManyDeletesAll(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	ctx := context.Background()
	own := k.key(t, ws, "owner", "api-keys:delete")
	ids := []string{string(own.Key.ID)}
	for range 30 {
		ids = append(ids, string(k.key(t, ws, "owner").Key.ID))
	}
	done, failed, err := k.DeleteKeys(ctx, by(own), ids)
	must(t, err)
	if d := cmp.Diff(ids, done); d != "" || len(failed) > 0 {
		t.Errorf("%s, refused: %v", d, failed)
	}
}

// Many items are several transactions, between which others come to their turn; where the caller's right ends in
// between, the results of the items before that are answered.
func TestManyItemsLetOthersComeInBetween(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	ctx := context.Background()
	caller := k.key(t, ws, "owner")
	items := make([]control.ImportKey, 1000)
	for i := range items {
		items[i].Generate = true
		items[i].CreateKey = control.CreateKey{User: "owner", Name: fmt.Sprint("item ", i)}
	}
	imported := make(chan error, 1)
	var done []control.Imported
	var failed []control.ItemError
	go func() {
		var err error
		done, failed, err = k.ImportKeys(ctx, by(caller), ws, items)
		imported <- err
	}()
	seen := int64(0)
	for seen == 0 { // until the first chunk can be seen
		logs, err := k.ListLogs(t.Context(), k.root, control.ListLogs{Workspace: ws, EventType: "api_key.created", Limit: 1})
		must(t, err)
		seen = logs.Total - 1
	}
	must(t, k.DeleteKey(ctx, k.root, string(caller.Key.ID)))
	must(t, <-imported)
	if seen == 1000 || len(done) == 1000 || len(done)+len(failed) != 1000 {
		t.Errorf("%d keys came in at once, %d in all; %d are refused", seen, len(done), len(failed))
	}
	for _, f := range failed {
		if f.Fault.Code != fault.Unauthenticated {
			t.Fatalf("item %d is refused with %v", f.Index, f.Fault)
		}
	}
	for i, d := range done {
		if d.Index != i || d.Secret.IsZero() {
			t.Fatalf("item %d is answered as %d", i, d.Index)
		}
	}
	logs, err := k.ListLogs(t.Context(), k.root, control.ListLogs{Workspace: ws, EventType: "api_key.created", Limit: 1})
	must(t, err)
	if logs.Total != int64(len(done))+1 {
		t.Errorf("%d events for %d keys that are answered", logs.Total, len(done))
	}
}

// stumble reads as a random source, and calls once after so many reads.
type stumble struct {
	io.Reader
	reads int
	call  func()
}

func (s *stumble) Read(p []byte) (int, error) {
	if s.reads--; s.reads == 0 {
		s.call()
	}
	return s.Reader.Read(p)
}

// An import of many keys ends its transaction where another workspace's change waits, and goes on behind it.
func TestAnImportLetsAnotherChangeInT105(t *testing.T) {
	t.Parallel()
	source := &stumble{Reader: cryptorand.Reader}
	k := newKit(t, t.TempDir(), func(c *control.Config) {
		c.Rand = source
		c.InChunk = 200
	})
	t.Cleanup(func() { must(t, k.db.Close()) })
	ws, other := k.found(t), k.found(t)
	items := make([]control.ImportKey, 250)
	for i := range items {
		items[i] = control.ImportKey{CreateKey: control.CreateKey{User: "owner", Name: fmt.Sprint(i)}, Generate: true}
	}
	changed := make(chan error, 1)
	const before = 10
	source.call = func() {
		go func() {
			_, err := k.CreateRole(t.Context(), k.root, other, control.CreateRole{Name: "beside"})
			changed <- err
		}()
		for k.db.Stats().Waiting == 0 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(25 * time.Millisecond) // so that the transaction has run for as long as it may
	}
	source.reads = before
	done, failed, err := k.ImportKeys(t.Context(), k.root, ws, items)
	must(t, err)
	must(t, <-changed)
	if len(done) != len(items) || len(failed) != 0 {
		t.Fatalf("%d keys were made and %d refused", len(done), len(failed))
	}
	page, err := k.ListLogs(t.Context(), k.root, control.ListLogs{Workspace: other, EventType: "role.created", Limit: 1})
	must(t, err)
	made, err := k.ListLogs(t.Context(), k.root,
		control.ListLogs{Workspace: ws, EventType: "api_key.created", Ascending: true, Limit: 100})
	must(t, err)
	n := 0
	for _, e := range made.Events {
		if e.Seq < page.Events[0].Seq {
			n++
		}
	}
	if n > before+1 {
		t.Errorf("another workspace's change waited for %d of %d keys, of which %d were made when it came", n, len(items),
			before)
	}
}
