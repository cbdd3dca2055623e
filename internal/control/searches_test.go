package control_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// fill appends n events to a workspace's log.
func (k *kit) fill(t failer, ws string, n int) {
	t.Helper()
	for n > 0 {
		batch := min(n, 5000)
		_, err := k.db.Update(context.Background(), func(tx *store.Tx) error {
			for i := range batch {
				err := tx.Record(
					audit.Event{
						ID: id.Event(fmt.Sprint(n, i)), Workspace: id.Workspace(ws), Type: audit.RoleUpdated, Description: "filler",
					},
				)
				if err != nil {
					return err
				}
			}
			return nil
		})
		must(t, err)
		n -= batch
	}
}

func TestAPageOfASearchLooksAtTenThousandEventsT105(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	k.key(t, ws, "owner")
	k.fill(t, ws, 12_000)
	for name, in := range map[string]control.ListLogs{
		"search": {Search: "api_key.created"}, "search upwards": {Search: "filler no", Ascending: true},
		"from":         {From: time.Unix(1, 0), Search: "x y z"},
		"installation": {Search: "api_key.created"}, "target": {Target: "nothing"},
	} {
		if name != "installation" {
			in.Workspace = ws
		}
		page, err := k.ListLogs(t.Context(), k.root, in)
		must(t, err)
		if len(page.Events) > 0 || page.NextCursor == "" || page.Total != -1 {
			t.Errorf(
				"%s: %d events, next %q, total %d: want an empty page that goes on", name, len(page.Events), page.NextCursor,
				page.Total,
			)
		}
		in.Cursor = page.NextCursor
		page, err = k.ListLogs(t.Context(), k.root, in)
		must(t, err)
		if page.NextCursor != "" || in.Search == "api_key.created" && len(page.Events) != 1 {
			t.Errorf("%s: the second page has %d events, next %q", name, len(page.Events), page.NextCursor)
		}
	}
	for kind, want := range map[string]int64{"api_key.created": 1, "role.updated": 12_000, "": -1} {
		page, err := k.ListLogs(t.Context(), k.root, control.ListLogs{Workspace: ws, EventType: kind})
		must(t, err)
		if want >= 0 && page.Total != want || want < 0 && page.Total < 12_001 {
			t.Errorf("type %q: total %d, want %d", kind, page.Total, want)
		}
	}
	found := 0
	must(
		t,
		k.ExportLogs(
			t.Context(), k.root, control.ListLogs{Workspace: ws, Search: "api_key.created"},
			func(events []audit.Event) error { found += len(events); return nil },
		),
	)
	if found != 1 {
		t.Errorf("the export has %d events, want 1", found)
	}
}

func TestSearchesLeaveReadersToOthersT105(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	other := k.found(t)
	release, held := make(chan struct{}), make(chan struct{}, 100)
	var wg sync.WaitGroup
	for range 8 { // exports whose events are held while they are within nothing
		wg.Go(func() {
			_ = k.ExportLogs(t.Context(), k.root, control.ListLogs{Workspace: ws, Search: "created"}, func([]audit.Event) error {
				held <- struct{}{}
				<-release
				return nil
			})
		})
	}
	<-held
	if _, err := k.ListLogs(t.Context(), k.root, control.ListLogs{Workspace: other}); err != nil {
		t.Errorf("another workspace beside slow exports: %v", err)
	}
	close(release)
	wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.ListLogs(ctx, k.root, control.ListLogs{Workspace: ws}); err == nil || fault.Is(err, fault.Unavailable) {
		t.Errorf("a caller who has gone: %v", err)
	}
}

func TestAPageOfASearchForKeysLooksAtTenThousandT105(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	needle := k.key(t, ws, "owner").Key
	_, err := k.db.Update(context.Background(), func(tx *store.Tx) error {
		for i := range 10_050 {
			one, err := tx.Key(needle.ID)
			if err != nil {
				return err
			}
			one.ID, one.Name = id.Key(fmt.Sprintf("ffffffff-ffff-7fff-8fff-%012x", i)), "hay"
			one.Value.Digest.Sum[0], one.Value.Digest.Sum[1], one.Value.Digest.Sum[2] = byte(i), byte(i>>8), 0xee
			if err := tx.InsertKey(one); err != nil {
				return err
			}
		}
		return tx.Record(audit.Event{ID: "e", Workspace: id.Workspace(ws), Type: audit.APIKeyCreated})
	})
	must(t, err)
	in := control.ListKeys{Workspace: ws, Search: string(needle.ID)}
	keys, page, err := k.ListKeys(t.Context(), k.root, in)
	must(t, err)
	if len(keys) != 0 || page.NextCursor == "" {
		t.Fatalf("the first page has %d keys, next %q: want an empty page that goes on", len(keys), page.NextCursor)
	}
	in.Cursor = page.NextCursor
	keys, page, err = k.ListKeys(t.Context(), k.root, in)
	must(t, err)
	if len(keys) != 1 || page.NextCursor != "" {
		t.Errorf("the second page has %d keys, next %q: want the one, and the end", len(keys), page.NextCursor)
	}
	k.listsOwn(t, ws)
}

// listsOwn holds that a member of few keys sees them on the first page, in whichever order and under whichever
// condition, however many keys others have.
func (k *kit) listsOwn(t *testing.T, ws string) {
	t.Helper()
	k.join(t, ws, "few", "Owner")
	for range 3 {
		_, err := k.CreateKey(t.Context(), k.root, control.CreateKey{
			Workspace: ws, User: "few", Name: "own",
			ExpiresAt: control.Some(time.Now().Add(time.Hour).UTC().Format(time.RFC3339)),
		})
		must(t, err)
	}
	for _, order := range []apikey.Order{
		apikey.NewestFirst, apikey.OldestFirst, apikey.ByExpiry, apikey.ByLastUse, apikey.ByLeastUse, apikey.ExpiresUp,
		apikey.ExpiresDown, apikey.UsedUp, apikey.UsedDown, apikey.TriedUp, apikey.TriedDown,
	} {
		for name, in := range map[string]control.ListKeys{
			"all": {}, "a search": {Search: "own"}, "by expiry": {ExpiringBefore: time.Now().Add(2 * time.Hour)},
		} {
			in.Workspace, in.User, in.Order, in.Limit = ws, "few", order, 2
			keys, page, err := k.ListKeys(t.Context(), k.root, in)
			must(t, err)
			in.Cursor = page.NextCursor
			rest, end, err := k.ListKeys(t.Context(), k.root, in)
			must(t, err)
			if len(keys) != 2 || page.NextCursor == "" || len(rest) != 1 || end.NextCursor != "" || rest[0].ID == keys[1].ID {
				t.Errorf("%s in the order %v: pages of %d and %d keys of 3, next %q", name, order, len(keys), len(rest),
					end.NextCursor)
			}
		}
	}
}

// A search waits for its own turn, and keeps none at reading meanwhile.
func TestASearchEndsTheTurnAtReadingT105(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	ctx, leave, err := k.InReadTurn(t.Context(), ws)
	must(t, err)
	_, _, err = k.FindMembers(ctx, k.root, ws, "nobody", 1)
	must(t, err)
	for range k.db.LongReads() {
		end, err := k.ReadTurn(t.Context(), ws)
		must(t, err)
		defer end()
	}
	leave()
	if n := k.ReadsWaiting(); n != 0 {
		t.Errorf("%d reads wait", n)
	}
}
