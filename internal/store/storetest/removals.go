package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// removed takes the fixture's member out, with the removal kept. With an heir the keys go there.
func (f *fixture) removed(heir id.User) store.Removal {
	f.Helper()
	r := store.Removal{
		ID: id.Settlement(f.ids.Next()), Workspace: f.ws, User: f.member, Role: f.plain, Permissions: f.set("calls:read"),
		Mode: account.Frozen, By: "user ada", At: f.now(), Until: f.now().Add(10 * time.Minute),
	}
	f.mustUpdate(func(tx *store.Tx) error {
		s := apikey.Settlement{ID: r.ID, Workspace: f.ws, User: f.member, Kind: apikey.Stop, By: "ada", At: f.now()}
		if heir != "" {
			s.Kind, s.Heir, s.Ceiling = apikey.Transfer, heir, f.set("calls:read")
		}
		if err := tx.Settle(&s, "{}"); err != nil {
			return err
		}
		if err := tx.KeepRemoval(r); err != nil {
			return err
		}
		return tx.RemoveMember(f.ws, f.member)
	})
	return r
}

// since says what has happened to each key of a removal.
func (f *fixture) since(r id.Settlement) map[id.Key]store.KeySince {
	f.Helper()
	out := map[id.Key]store.KeySince{}
	f.view(func(v *store.View) error {
		keys, err := v.RemovedKeys(r)
		for _, k := range keys {
			out[k.ID] = k.Since
		}
		return err
	})
	return out
}

func (f *fixture) removalState(r store.Removal) (state store.RemovalState) {
	f.Helper()
	f.view(func(v *store.View) error {
		got, err := v.Removal(r.Workspace, r.User, r.ID)
		state = got.State
		return err
	})
	return state
}

func testRemoval(t *testing.T, f *fixture) {
	mark := apikey.Mark{By: "ada", At: start, Right: true}
	works := f.insert(nil)
	off := f.insert(func(k *apikey.Key) { k.IsActive, k.Disabled = false, mark })
	limited, gone, once := f.insert(nil), f.insert(nil), f.insert(nil)
	r := f.removed("")
	f.view(func(v *store.View) error {
		got, err := v.Removal(f.ws, f.member, r.ID)
		f.same("the removal", r, got)
		if _, err := v.Removal(f.ws, "user-2", r.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("another user's: %v", err)
		}
		keys, err2 := v.RemovedKeys(r.ID)
		f.same("keys", 5, len(keys))
		f.same("one that worked", store.RemovedKey{ID: works.ID, Key: keys[0].Key, IsActive: true}, keys[0])
		f.same("it is stopped", false, keys[0].Key.IsActive)
		f.same("one that was off", store.RemovedKey{ID: off.ID, Key: keys[1].Key, Disabled: mark}, keys[1])
		left, err3 := v.LeftMember(f.ws, f.member)
		f.same(
			"the member", account.Member{Workspace: f.ws, User: f.member, Email: "user-1@example.com", CreatedAt: start}, left,
		)
		return errors.Join(err, err2, err3)
	})
	f.mustUpdate(func(tx *store.Tx) error {
		k, err := tx.Key(limited.ID)
		k.Limits.PerDay = 5
		return errors.Join(err, tx.UpdateKey(k), tx.DeleteKey(gone.ID))
	})
	head := f.db.Stats().LogHead
	_, err := f.db.Update(t.Context(), func(tx *store.Tx) error { return tx.TakeKeyBack(once.ID) })
	f.must(err)
	f.same("events of a key that is disabled once more", head, f.db.Stats().LogHead)
	f.same(
		"what happened since",
		map[id.Key]store.KeySince{works.ID: store.KeyAsLeft, off.ID: store.KeyAsLeft, limited.ID: store.KeyChanged,
			gone.ID: store.KeyDeleted, once.ID: store.KeyChanged},
		f.since(r.ID),
	)

	f.same("the state", store.RemovalOpen, f.removalState(r))
	f.join(f.ws, f.member, f.plain)
	f.same("of a member again", store.RemovalReturned, f.removalState(r))
	f.mustUpdate(func(tx *store.Tx) error { return tx.EndRemoval(r.ID, store.RemovalRestored) })
	f.same("the first end lasts", store.RemovalReturned, f.removalState(r))

	f.clock.Add((25 * time.Hour).Milliseconds())
	f.ran.Add(int64(25 * time.Hour))
	f.purge()
	f.same("removals after a day", int64(0), f.count("removals"))
	f.same("and their keys", int64(0), f.count("removal_keys"))
}

// An heir who loses permissions while the keys are on their way, or leaves with them, ends what can be undone.
func testRemovalOfHeirs(_ *testing.T, f *fixture) {
	f.join(f.ws, "heir", f.plain)
	k := f.insert(nil)
	r := f.removed("heir")
	f.join(f.ws, "heir", f.role(account.Role{Workspace: f.ws, Name: "Bare"}))
	f.same("after a demotion of the heir", store.RemovalNarrowed, f.removalState(r))

	f.join(f.ws, f.member, f.plain)
	f.join(f.ws, "heir", f.plain)
	k = f.insert(nil)
	r = f.removed("heir")
	f.mustUpdate(func(tx *store.Tx) error {
		now, err := tx.Key(k.ID)
		if err == nil {
			err = tx.WriteSettled(now)
		}
		return errors.Join(err, tx.MoveKeys(f.ws, f.member, "heir", 1))
	})
	f.same("a row that is written", store.KeyAsLeft, f.since(r.ID)[k.ID])
	f.mustUpdate(func(tx *store.Tx) error {
		return tx.Settle(
			&apikey.Settlement{ID: id.Settlement(f.ids.Next()), Workspace: f.ws, User: "heir", Kind: apikey.Keep, At: f.now()},
			"{}",
		)
	})
	f.same("when its heir leaves", store.KeyChanged, f.since(r.ID)[k.ID])
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteWorkspace(f.ws) })
	f.purge()
	f.same("removals of a deleted workspace", int64(0), f.count("removals")+f.count("removal_keys"))
}
