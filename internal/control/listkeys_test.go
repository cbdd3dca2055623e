package control_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/store"
)

// copies puts n copies of a key into the store.
func (k *kit) copies(t failer, of apikey.Key, n int, change func(i int, k *apikey.Key)) {
	t.Helper()
	for done := 0; done < n; {
		batch := min(n-done, 1000)
		_, err := k.db.Update(context.Background(), func(tx *store.Tx) error {
			for i := range batch {
				c := of
				c.ID = id.Key(fmt.Sprintf("%s-%06d", of.ID[:29], done+i))
				copy(c.Value.Digest.Sum[:], fmt.Sprintf("%032d", done+i))
				change(done+i, &c)
				if err := tx.InsertKey(c); err != nil {
					return err
				}
			}
			return tx.Record(
				audit.Event{ID: id.Event(fmt.Sprint("copies", done)), Workspace: of.Workspace, Type: audit.APIKeyCreated},
			)
		})
		must(t, err)
		done += batch
	}
}

func TestAPageOfAFilteredListLooksAtTenThousandKeysT105(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	first := k.key(t, ws, "owner", "calls:read")
	now := time.Now()
	k.copies(t, first.Key.Key, 11_000, func(i int, c *apikey.Key) {
		c.IsActive, c.ExpiresAt = i%100 > 0, now.Add(-time.Hour)
		if i == 5 {
			c.Environment, c.LastTriedAt = keyfmt.Test, now
		}
	})
	for name, in := range map[string]control.ListKeys{
		"environment": {Environment: keyfmt.Test}, "tried": {TriedSince: now.Add(-time.Hour)},
		"disabled test keys":     {Environment: keyfmt.Test, Order: apikey.UsedDown},
		"environment, by expiry": {Environment: keyfmt.Test, Order: apikey.ExpiresUp, ExpiringBefore: now},
	} {
		in.Workspace = ws
		found, pages := 0, 0
		for in.Cursor = ""; pages == 0 || in.Cursor != ""; pages++ {
			keys, page, err := k.ListKeys(t.Context(), k.root, in)
			must(t, err)
			found += len(keys)
			in.Cursor = page.NextCursor
		}
		if found != 1 || pages != 2 {
			t.Errorf("%s: %d keys on %d pages, want 1 on 2", name, found, pages)
		}
		n, err := k.CountKeys(t.Context(), k.root, in)
		must(t, err)
		if n != (control.KeyCounts{Total: -1, Active: -1, Expiring: -1, Expired: -1, Disabled: -1}) {
			t.Errorf("%s: %+v, want none counted", name, n)
		}
	}
	n, err := k.CountKeys(t.Context(), k.root, control.ListKeys{Workspace: ws, Standing: apikey.Expired})
	must(t, err)
	if n != (control.KeyCounts{Total: 11_001, Active: -1, Expiring: 0, Expired: -1, Disabled: 110}) {
		t.Errorf("all: %+v", n)
	}
}

// TestACursorHoldsForItsConditionsAlone: with other ones it would skip keys in silence.
func TestACursorHoldsForItsConditionsAlone(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	for range 3 {
		k.key(t, ws, "owner", "calls:read")
	}
	at := time.Now().Add(time.Hour)
	lists := []control.ListKeys{
		{}, {Environment: keyfmt.Live}, {Permission: "calls:read"}, {UnusedSince: at}, {UnusedSince: at.Add(time.Hour)},
		{Order: apikey.UsedDown}, {Order: apikey.TriedDown}, {Standing: apikey.Working, Along: true},
	}
	for i, in := range lists {
		in.Workspace, in.Limit = ws, 1
		keys, page, err := k.ListKeys(t.Context(), k.root, in)
		must(t, err)
		if len(keys) != 1 || page.NextCursor == "" {
			t.Fatalf("list %d: %d keys, next %q", i, len(keys), page.NextCursor)
		}
		for j, other := range lists {
			other.Workspace, other.Cursor = ws, page.NextCursor
			if _, _, err := k.ListKeys(t.Context(), k.root, other); (codeOf(err) == "invalid_request") != (i != j) {
				t.Errorf("the cursor of list %d in list %d: %v", i, j, err)
			}
		}
	}
}

// TestAKeyUsedJustNowIsNotUnused: its row does not say so yet.
func TestAKeyUsedJustNowIsNotUnused(t *testing.T) {
	t.Parallel()
	w := &waiting{}
	k := newKit(t, t.TempDir(), func(c *control.Config) { c.Recent = w })
	t.Cleanup(func() { must(t, k.db.Close()) })
	ws := k.found(t)
	used, idle := k.key(t, ws, "owner"), k.key(t, ws, "owner")
	w.key, _ = id.Parse(string(used.Key.ID))
	w.at = time.Now().Add(time.Minute).UnixMilli()
	keys, _, err := k.ListKeys(
		t.Context(), k.root, control.ListKeys{Workspace: ws, UnusedSince: time.Now().Add(30 * time.Second)},
	)
	must(t, err)
	if len(keys) != 1 || keys[0].ID != idle.Key.ID {
		t.Errorf("unused: %v", keys)
	}
	got, err := k.GetKey(t.Context(), k.root, string(used.Key.ID))
	must(t, err)
	if got.LastTriedAt.UnixMilli() != w.at {
		t.Errorf("last tried %v", got.LastTriedAt)
	}
}
