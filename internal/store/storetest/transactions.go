package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

var errMine = errors.New("mine")

// unchanged: there are so many keys, the feed said nothing, and the log is sound.
func (f *fixture) unchanged(keys int) {
	f.Helper()
	f.same("keys", int64(keys), f.keyCount(f.member))
	f.same("feed", 0, len(f.told))
	_, err := f.db.VerifyLog(context.Background())
	f.must(err)
}

func testNoEvent(t *testing.T, f *fixture) {
	k := f.insert(nil)
	f.told = nil
	for name, write := range map[string]func(*store.Tx) error{
		"workspace": func(tx *store.Tx) error { return tx.PutWorkspace(account.Workspace{ID: f.ws, Name: "x"}) },
		"deletion":  func(tx *store.Tx) error { return tx.DeleteWorkspace(f.ws) },
		"role":      func(tx *store.Tx) error { return tx.PutRole(account.Role{ID: f.plain, Workspace: f.ws}, "x") },
		"member": func(tx *store.Tx) error {
			return tx.PutMember(account.Member{Workspace: f.ws, User: "x", Role: f.plain})
		},
		"leaving":     func(tx *store.Tx) error { return tx.RemoveMember(f.ws, f.member) },
		"key":         func(tx *store.Tx) error { return tx.InsertKey(f.aKey()) },
		"update":      func(tx *store.Tx) error { return tx.UpdateKey(k) },
		"end":         func(tx *store.Tx) error { return tx.DeleteKey(k.ID) },
		"service key": func(tx *store.Tx) error { return tx.PutServiceKey(account.ServiceKey{ID: "s"}) },
		"replay":      func(tx *store.Tx) error { return tx.PutIdempotent("a", "b", store.Replay{Key: k.ID}) },
		"an event that was taken back": func(tx *store.Tx) error {
			_ = tx.Savepoint(func() error { return errors.Join(tx.Record(f.event()), errMine) })
			return tx.UpdateKey(k)
		},
	} {
		if _, err := f.db.Update(context.Background(), write); !errors.Is(err, store.ErrNoEvent) {
			t.Errorf("%s: %v, want ErrNoEvent", name, err)
		}
	}
	f.unchanged(1)
	f.same("the key", k, f.key(k.ID))
	_, err := f.db.Update(context.Background(), func(tx *store.Tx) error { _, err := tx.Key(k.ID); return err })
	f.must(err)
}

func testRollback(t *testing.T, f *fixture) {
	err := f.update(func(tx *store.Tx) error {
		if err := errors.Join(tx.InsertKey(f.aKey()), tx.Record(f.event())); err != nil {
			return err
		}
		return errMine
	})
	if !errors.Is(err, errMine) {
		t.Errorf("%v, want the function's own error", err)
	}
	f.unchanged(0)
}

// testRevision: a caller that waits for another node to have the revision waits for all that the transaction wrote
// and read, and for no more.
func testRevision(t *testing.T, f *fixture) {
	k := f.insert(nil)
	ctx := context.Background()
	head := func() int64 { return f.db.Stats().LogHead }
	update := func(fn func(*store.Tx) error) int64 {
		t.Helper()
		revision, err := f.db.Update(ctx, fn)
		f.check(err)
		return revision
	}
	f.same("after two events", head()+2, update(func(tx *store.Tx) error {
		return errors.Join(tx.UpdateKey(k), tx.Record(f.event()), tx.Record(f.event()))
	}))
	f.same("where it read alone", head(), update(func(tx *store.Tx) error {
		_, err := tx.Key(k.ID)
		return err
	}))
	if revision, err := f.db.Update(ctx, func(*store.Tx) error { return errMine }); revision != 0 ||
		!errors.Is(err, errMine) {
		t.Errorf("revision %d of a transaction that failed: %v", revision, err)
	}
	const n = 20
	first, got := head(), make(chan int64, n)
	f.told = nil
	f.together(n, func(int) {
		got <- update(func(tx *store.Tx) error { return errors.Join(tx.InsertKey(f.aKey()), tx.Record(f.event())) })
	})
	close(got)
	of := map[int64]bool{}
	for revision := range got {
		of[revision] = true
	}
	for i := range int64(n) {
		if !of[first+1+i] || f.told[i].Revision != first+1+i {
			t.Errorf("revision %d of a group: answered %v, and the feed tells %d", first+1+i, of[first+1+i], f.told[i].Revision)
		}
	}
}

// together starts n Updates so that they wait while another one runs, which the last of them lets go.
func (f *fixture) together(n int, update func(i int)) {
	var started, done sync.WaitGroup
	started.Add(n)
	begun := make(chan struct{})
	done.Go(func() {
		_, _ = f.db.Update(context.Background(), func(*store.Tx) error { // it fails where the test makes the commit fail
			close(begun)
			started.Wait()
			time.Sleep(50 * time.Millisecond) // until they stand in the queue
			return nil
		})
	})
	<-begun
	for i := range n {
		done.Go(func() {
			started.Done()
			update(i)
		})
	}
	done.Wait()
}

// check is must for other goroutines.
func (f *fixture) check(err error) {
	f.Helper()
	if err != nil {
		f.Error(err)
	}
}

func testGroup(t *testing.T, f *fixture) {
	const n = 40
	errs := make([]error, n)
	f.together(n, func(i int) {
		_, errs[i] = f.db.Update(context.Background(), func(tx *store.Tx) error {
			if err := tx.InsertKey(f.aKey()); err != nil {
				return err
			}
			switch i % 4 {
			case 0:
				return nil // and no event
			case 1:
				return errors.Join(tx.Record(f.event()), errMine)
			case 2:
				panic(i)
			}
			return tx.Record(f.event())
		})
	})
	for i, err := range errs {
		ok := err == nil
		switch i % 4 {
		case 0:
			ok = errors.Is(err, store.ErrNoEvent)
		case 1:
			ok = errors.Is(err, errMine)
		case 2:
			ok = err != nil && strings.Contains(err.Error(), fmt.Sprintf("panic in a transaction: %d", i))
		}
		if !ok {
			t.Errorf("transaction %d: %v", i, err)
		}
	}
	f.same("keys", int64(n/4), f.keyCount(f.member))
	f.same("feed", n/4, len(f.told))
	_, err := f.db.VerifyLog(context.Background())
	f.must(err)
}

func testGroupShares(t *testing.T, f *fixture) {
	before := f.db.Stats()
	f.together(100, func(int) { f.check(f.update(func(tx *store.Tx) error { return tx.InsertKey(f.aKey()) })) })
	after := f.db.Stats()
	f.same("transactions", int64(101), after.Updates-before.Updates)
	if groups := after.Groups - before.Groups; groups > 20 {
		t.Errorf("100 transactions that waited took %d commits", groups)
	}
	f.same("keys", int64(100), f.keyCount(f.member))
}

func testPanic(t *testing.T, f *fixture) {
	err := f.update(func(tx *store.Tx) error {
		_ = tx.InsertKey(f.aKey())
		panic("at the disco")
	})
	if err == nil || !strings.Contains(err.Error(), "at the disco") {
		t.Errorf("%v, want what the function said", err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = f.update(func(tx *store.Tx) error {
			_ = tx.InsertKey(f.aKey())
			runtime.Goexit()
			return nil
		})
	}()
	<-gone
	f.unchanged(0)
	f.insert(nil)
}

func testContext(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	never := func(*store.Tx) error { t.Error("it ran"); return nil }
	if _, err := f.db.Update(ctx, never); !errors.Is(err, context.Canceled) {
		t.Errorf("update: %v, want Canceled", err)
	}
	if err := f.db.View(ctx, func(v *store.View) error { _, err := v.Workspace(f.ws); return err }); !errors.Is(
		err, context.Canceled,
	) {
		t.Errorf("view: %v, want Canceled", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	_, err := f.db.Update(ctx, func(tx *store.Tx) error {
		cancel() // too late: it has begun
		return errors.Join(tx.InsertKey(f.aKey()), tx.Record(f.event()))
	})
	f.must(err)
	f.same("keys", int64(1), f.keyCount(f.member))
}

func testSavepoint(t *testing.T, f *fixture) {
	good, bad := f.aKey(), f.aKey()
	_, err := f.db.Update(context.Background(), func(tx *store.Tx) error {
		for _, k := range []apikey.Key{good, bad} {
			err := tx.Savepoint(func() error {
				if err := errors.Join(tx.InsertKey(k), tx.Record(f.event())); err != nil || k.ID == good.ID {
					return err
				}
				return errMine
			})
			if (k.ID == bad.ID) != errors.Is(err, errMine) {
				t.Errorf("savepoint: %v", err)
			}
		}
		return nil
	})
	f.must(err)
	if len(f.told) != 1 || f.told[0].Key == nil || f.told[0].Key.ID != good.ID {
		t.Errorf("the feed told %+v, want the good key alone", f.told)
	}
	f.same("revision", f.db.Stats().LogHead, f.told[0].Revision)
	f.told = nil
	f.unchanged(1)
}

// A transaction that has found a workspace alive does not take that for granted once it has deleted it, or taken back
// that it made it.
func testLiving(t *testing.T, f *fixture) {
	made := account.Workspace{ID: id.Workspace(f.ids.Next()), Name: "M", IsActive: true}
	f.must(f.update(func(tx *store.Tx) error {
		err := tx.Savepoint(func() error {
			if err := tx.PutWorkspace(made); err != nil {
				return err
			}
			if _, err := tx.Members(made.ID, store.Page{}); err != nil {
				return err
			}
			return errMine
		})
		if !errors.Is(err, errMine) {
			return err
		}
		if err := tx.PutRole(account.Role{ID: id.Role(f.ids.Next()), Workspace: made.ID, Name: "x"}, "x"); !errors.Is(
			err, store.ErrNotFound,
		) {
			t.Errorf("a role in a workspace that was taken back: %v", err)
		}
		if _, err := tx.Member(f.ws, f.member); err != nil {
			return err
		}
		if err := tx.DeleteWorkspace(f.ws); err != nil {
			return err
		}
		if _, err := tx.Member(f.ws, f.member); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a member of a workspace that was deleted: %v", err)
		}
		return nil
	}))
}

func testSavepointNest(t *testing.T, f *fixture) {
	insert := func(tx *store.Tx) error { return errors.Join(tx.InsertKey(f.aKey()), tx.Record(f.event())) }
	f.mustUpdate(func(tx *store.Tx) error {
		err := tx.Savepoint(func() error {
			if err := insert(tx); err != nil {
				return err
			}
			if err := tx.Savepoint(func() error { return errors.Join(insert(tx), errMine) }); !errors.Is(err, errMine) {
				t.Errorf("inner: %v", err)
			}
			return insert(tx)
		})
		if err != nil {
			return err
		}
		err = tx.Savepoint(func() error {
			return errors.Join(tx.Savepoint(func() error { return insert(tx) }), errMine)
		})
		if !errors.Is(err, errMine) {
			t.Errorf("outer: %v", err)
		}
		return nil
	})
	f.same("feed", 2, len(f.told))
	f.told = nil
	f.unchanged(2)
}

func testSetRolledBack(_ *testing.T, f *fixture) {
	odd := func(k *apikey.Key) { k.Permissions = f.set("agents:sync", "calls:export") }
	f.mustUpdate(func(tx *store.Tx) error {
		_ = tx.Savepoint(func() error {
			k := f.aKey()
			odd(&k)
			return errors.Join(tx.InsertKey(k), errMine)
		})
		k := f.aKey() // takes the number that the other set had for a while
		k.Permissions = f.set("feedbacks:read")
		return tx.InsertKey(k)
	})
	k := f.insert(odd)
	f.same("permissions", k.Permissions, f.key(k.ID).Permissions)
	f.restart(catalogue)
	f.same("permissions after a restart", k.Permissions, f.key(k.ID).Permissions)
}

func testSnapshot(t *testing.T, f *fixture) {
	k := f.insert(nil)
	f.view(func(v *store.View) error {
		if _, err := v.Key(k.ID); err != nil {
			return err
		}
		f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteKey(k.ID) })
		_, err := v.Key(k.ID)
		return err
	})
	err := f.db.View(context.Background(), func(v *store.View) error { _, err := v.Key(k.ID); return err })
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a later view: %v, want ErrNotFound", err)
	}
}

func testUncommitted(_ *testing.T, f *fixture) {
	k := f.aKey()
	f.mustUpdate(func(tx *store.Tx) error {
		if err := tx.InsertKey(k); err != nil {
			return err
		}
		seen, err := tx.Key(k.ID)
		f.same("in the transaction", k, seen)
		f.view(func(v *store.View) error {
			_, err := v.Key(k.ID)
			f.same("outside", true, errors.Is(err, store.ErrNotFound))
			return nil
		})
		return err
	})
}

func testLostUpdate(_ *testing.T, f *fixture) {
	k := f.insert(nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				f.check(f.update(func(tx *store.Tx) error {
					now, err := tx.Key(k.ID)
					if err != nil {
						return err
					}
					now.Limits.PerDay++
					return tx.UpdateKey(now)
				}))
			}
		})
	}
	wg.Wait()
	f.same("increments", int64(80), f.key(k.ID).Limits.PerDay)
}

func testClosed(t *testing.T, f *fixture) {
	f.must(f.db.Close())
	f.must(f.db.Close())
	if err := f.update(func(*store.Tx) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("%v, want ErrClosed", err)
	}
}
