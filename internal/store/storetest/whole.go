package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

// testWhole proves that every field of every record is inserted, updated and read.
func testWhole(t *testing.T, f *fixture) {
	check := EveryRecord(t, f.db, f.now())
	f.restart(catalogue)
	check(t, f.db)
}

// EveryRecord inserts a record of each kind with content in every field, updates it until every field has had another
// content, and reads it after each step. check reports whether another database, or the same one opened again, holds
// the last written record. The fields are filled by reflection: one that is added to a record, and left out of a
// column list, fails here.
func EveryRecord(t *testing.T, db *store.DB, now time.Time) (check func(*testing.T, *store.DB)) {
	t.Helper()
	w := &whole{t: t, now: now.UTC().Truncate(time.Millisecond), db: db}
	w.ids = id.NewGenerator(func() time.Time { return w.now }, rand.Reader)
	w.ws = id.Workspace(w.ids.Next())
	kinds := []*kind{
		w.workspace(), w.role(), w.member(), w.settlement(), w.key(), w.serviceKey(), w.session(), w.link(), w.event(),
		w.replay(),
	}
	for _, k := range kinds {
		for step := range k.steps {
			k.next(step)
		}
		k.covered()
	}
	return func(t *testing.T, db *store.DB) {
		t.Helper()
		for _, k := range kinds {
			k.compare(t, db)
		}
	}
}

// whole is the common part of the records.
type whole struct {
	t   *testing.T
	db  *store.DB
	now time.Time
	ids *id.Generator
	ws  id.Workspace // of every record that lies in one
	n   int          // counts what was filled, so that no two fields are alike
}

// update runs fn, and records an event for it.
func (w *whole) update(fn func(*store.Tx) error) error {
	_, err := w.db.Update(context.Background(), func(tx *store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return tx.Record(audit.Event{ID: id.Event(w.ids.Next()), Workspace: w.ws, Type: "whole.written"})
	})
	return err
}

// kind is one record and the way it is written and read.
type kind struct {
	name    string
	steps   int // 1 for a record that is never updated
	next    func(step int)
	compare func(*testing.T, *store.DB)
	covered func()
}

// updated has a record written four times: a boolean is true, false, true and false. The record of a switched-off
// thing is zero in the second step, where the thing is on, and so a boolean in it is true, true and false.
const updated = 4

// kindOf makes a kind. adjust sets the fields that have rules of their own, put writes the record, and get reads it
// again. The fields in constant keep their content, since an update does not change them.
func kindOf[T any](
	w *whole, steps int, adjust func(*T, int), put func(T, int) error, get func(*store.View, T) (T, error),
	constant ...string,
) *kind {
	k := &kind{name: fmt.Sprintf("%T", *new(T)), steps: steps}
	var want T
	contents := map[string][]string{}
	k.compare = func(t *testing.T, db *store.DB) {
		t.Helper()
		err := db.View(context.Background(), func(v *store.View) error {
			got, err := get(v, want)
			if d := diff(want, got); err == nil && d != "" {
				t.Errorf("%s is not read as it was written (-want +got):\n%s", k.name, d)
			}
			return err
		})
		if err != nil {
			t.Errorf("read %s: %v", k.name, err)
		}
	}
	k.next = func(step int) {
		w.t.Helper()
		want = *new(T)
		w.fill(&want, step)
		adjust(&want, step)
		gather(&want, contents)
		if err := put(want, step); err != nil {
			w.t.Fatalf("write %s, step %d: %v", k.name, step, err)
		}
		k.compare(w.t, w.db)
	}
	k.covered = func() {
		w.t.Helper()
		for field, had := range contents {
			if had = slices.Compact(slices.Sorted(slices.Values(had))); len(had) < min(steps, 2) &&
				!slices.Contains(constant, field) {
				w.t.Errorf("%s.%s had the contents %q alone: an update that forgets it passes", k.name, field, had)
			}
		}
	}
	return k
}

func (w *whole) workspace() *kind {
	return kindOf(w, updated, func(ws *account.Workspace, step int) {
		ws.ID, ws.CreatedAt, ws.IsActive = w.ws, w.now, step == 1
		if ws.IsActive {
			ws.Off = account.SwitchedOff{}
		}
	}, func(ws account.Workspace, _ int) error {
		return w.update(func(tx *store.Tx) error { return tx.PutWorkspace(ws) })
	}, func(v *store.View,
		ws account.Workspace) (account.Workspace, error) {
		return v.Workspace(ws.ID)
	}, "ID", "CreatedAt")
}

func (w *whole) role() *kind {
	own := id.Role(w.ids.Next())
	return kindOf(w, updated, func(r *account.Role, _ int) {
		r.ID, r.Workspace, r.System, r.MemberCount, r.CreatedAt = own, w.ws, account.NotASystem, 0, w.now
	}, func(r account.Role, _ int) error {
		return w.update(func(tx *store.Tx) error { return tx.PutRole(r, "folded "+r.Name) })
	}, func(v *store.View, r account.Role) (account.Role, error) {
		named, err := v.RoleNamed(r.Workspace, "folded "+r.Name)
		if err != nil || named.ID != r.ID {
			return named, errors.Join(err, fmt.Errorf("by its folded name there is %q", named.ID))
		}
		return v.Role(r.Workspace, r.ID)
	}, "ID", "Workspace", "System", "MemberCount", "CreatedAt")
}

func (w *whole) member() *kind {
	roles := []id.Role{id.Role(w.ids.Next()), id.Role(w.ids.Next())}
	return kindOf(w, updated, func(m *account.Member, step int) {
		m.Workspace, m.User, m.Role, m.KeyCount, m.Period = w.ws, "whole", roles[step%2], 0, 0
	}, func(m account.Member, step int) error {
		return w.update(func(tx *store.Tx) error {
			if step < len(roles) {
				r := account.Role{ID: roles[step], Workspace: w.ws, Name: string(roles[step])}
				if err := tx.PutRole(r, r.Name); err != nil {
					return err
				}
			}
			return tx.PutMember(m)
		})
	}, func(v *store.View, m account.Member) (account.Member, error) { return v.Member(m.Workspace, m.User) },
		"Workspace", "User", "KeyCount", "Period")
}

func (w *whole) key() *kind {
	own := id.Key(w.ids.Next())
	return kindOf(w, updated, func(k *apikey.Key, step int) {
		k.ID, k.Workspace, k.IsActive, k.Period, k.Unsettled = own, w.ws, step == 1, 0, false
		if k.IsActive {
			k.Disabled = apikey.Mark{}
		}
		k.Value.Until, k.Value.LastUsedAt = time.Time{}, time.Time{} // those of the current value are the key's
		k.Value.LastUsedFrom = ""
	}, func(k apikey.Key, step int) error {
		return w.update(func(tx *store.Tx) error {
			if step == 0 {
				return tx.InsertKey(k)
			}
			return tx.UpdateKey(k)
		})
	}, func(v *store.View, k apikey.Key) (apikey.Key, error) { return v.Key(k.ID) },
		"ID", "Workspace", "Value.Until", "Value.LastUsedAt", "Value.LastUsedFrom", "Period", "Unsettled")
}

func (w *whole) settlement() *kind {
	const leaver = id.User("leaver")
	r := account.Role{ID: id.Role(w.ids.Next()), Workspace: w.ws, Name: "leaver's"}
	return kindOf(w, 1, func(u *store.Unsettled, _ int) {
		u.Workspace, u.User, u.Period, u.Done, u.After = w.ws, leaver, 0, false, ""
	}, func(u store.Unsettled, _ int) error {
		return w.update(func(tx *store.Tx) error {
			if err := tx.PutRole(r, r.Name); err != nil {
				return err
			}
			if err := tx.PutMember(account.Member{Workspace: w.ws, User: leaver, Role: r.ID}); err != nil {
				return err
			}
			return tx.Settle(&u.Settlement, u.Origin)
		})
	}, func(v *store.View, u store.Unsettled) (store.Unsettled, error) { return v.Unsettled(u.ID) },
		"Workspace", "User", "Period", "Done", "After")
}

func (w *whole) serviceKey() *kind {
	own := id.ServiceKey(w.ids.Next())
	return kindOf(w, updated, func(k *account.ServiceKey, _ int) { k.ID, k.CreatedAt = own, w.now },
		func(k account.ServiceKey, _ int) error {
			return w.update(func(tx *store.Tx) error { return tx.PutServiceKey(k) })
		}, func(v *store.View,
			k account.ServiceKey) (account.ServiceKey, error) {
			return v.ServiceKey(k.ID)
		}, "ID", "CreatedAt")
}

func (w *whole) session() *kind {
	return kindOf(w, 1, func(*session.Session, int) {}, func(s session.Session, _ int) error {
		return w.update(func(tx *store.Tx) error { return tx.PutSession(s) })
	}, func(v *store.View, s session.Session) (session.Session, error) { return v.Session(s.ID) })
}

func (w *whole) link() *kind {
	return kindOf(w, 1, func(*session.Link, int) {}, func(l session.Link, _ int) error {
		return w.update(func(tx *store.Tx) error { return tx.PutSignInLink(l) })
	}, func(v *store.View, l session.Link) (session.Link, error) { return v.SignInLink(l.Digest) })
}

// event reads the fields that the store gives to an event, its number, time and hash, as they are.
func (w *whole) event() *kind {
	return kindOf(w, 1, func(*audit.Event, int) {}, func(e audit.Event, _ int) error {
		_, err := w.db.Update(context.Background(), func(tx *store.Tx) error {
			// an event alone changes nothing
			if err := tx.PutWorkspace(account.Workspace{ID: id.Workspace(w.ids.Next())}); err != nil {
				return err
			}
			return tx.Record(e)
		})
		return err
	}, func(v *store.View, want audit.Event) (audit.Event, error) {
		found, err := v.Logs(store.LogFilter{Workspace: want.Workspace, Target: want.Target})
		if err != nil || len(found) != 1 {
			return audit.Event{}, errors.Join(err, fmt.Errorf("%d events have the target", len(found)))
		}
		got := found[0]
		if got.Seq == 0 || got.CreatedAt.IsZero() || got.Hash == want.Hash {
			return got, fmt.Errorf("the store gave it nothing: %+v", got)
		}
		got.Seq, got.CreatedAt, got.Hash, got.Target = want.Seq, want.CreatedAt, want.Hash, want.Target
		return got, nil
	})
}

func (w *whole) replay() *kind {
	return kindOf(w, 1, func(*store.Replay, int) {}, func(p store.Replay, _ int) error {
		return w.update(func(tx *store.Tx) error { return tx.PutIdempotent("scope", "client's key", p) })
	}, func(v *store.View, want store.Replay) (store.Replay, error) {
		got, err := v.Idempotent("scope", "client's key")
		if err == nil && got.CreatedAt.IsZero() {
			err = errors.New("it has no time")
		}
		got.CreatedAt = want.CreatedAt // given by the store
		return got, err
	})
}
