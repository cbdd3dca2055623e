package control_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/control"
)

// A search that goes back stretch by stretch finds what one over the whole log finds, in the same order, and says how
// far it has come.
func TestASearchInStretchesFindsWhatOneSearchFinds(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	ctx := context.Background()
	for i := range 25 {
		name := "other"
		if i%7 == 0 || i > 20 {
			name = "needle"
		}
		_, err := k.CreateKey(
			ctx, k.root, control.CreateKey{Workspace: ws, User: "owner", Name: fmt.Sprintf("%s %d", name, i)},
		)
		must(t, err)
	}
	whole, err := k.ListLogs(ctx, k.root, control.ListLogs{Workspace: ws, Search: "needle"})
	must(t, err)
	if whole.Total != 7 || !whole.Back.IsZero() {
		t.Fatalf("%d in all, %v", whole.Total, whole.Back)
	}
	for _, limit := range []int{1, 2, 50} {
		in := control.ListLogs{Workspace: ws, Search: "needle", Limit: limit, Stretch: 4}
		var found []audit.Event
		var back time.Time
		pages := 0
		for {
			page, err := k.ListLogs(ctx, k.root, in)
			must(t, err)
			found = append(found, page.Events...)
			pages++
			if page.Total != -1 {
				t.Errorf("limit %d, page %d counts %d", limit, pages, page.Total)
			}
			if !page.Back.IsZero() && !back.IsZero() && page.Back.After(back) {
				t.Errorf("limit %d: from %v on to %v", limit, back, page.Back)
			}
			back = page.Back
			if in.Cursor = page.NextCursor; in.Cursor == "" {
				break
			}
		}
		if len(found) != len(whole.Events) || pages < 6 {
			t.Errorf("limit %d: %d events on %d pages, want %d", limit, len(found), pages, len(whole.Events))
			continue
		}
		for i := range found {
			if found[i].ID != whole.Events[i].ID {
				t.Errorf("limit %d: event %d is another", limit, i)
			}
		}
	}
	// Without a search, and where the log is shorter, nothing is different.
	for _, in := range []control.ListLogs{{Workspace: ws, Stretch: 4}, {Workspace: ws, Search: "needle", Stretch: 1000}} {
		page, err := k.ListLogs(ctx, k.root, in)
		must(t, err)
		if page.Total < 7 || !page.Back.IsZero() {
			t.Errorf("%+v: %d, %v", in, page.Total, page.Back)
		}
	}
	// What lies before the first day that is asked for is not promised.
	page, err := k.ListLogs(
		ctx, k.root, control.ListLogs{Workspace: ws, Search: "needle", Stretch: 4, From: time.Now().Add(time.Hour)},
	)
	must(t, err)
	if len(page.Events) != 0 || page.NextCursor != "" {
		t.Errorf("%+v", page)
	}
}
