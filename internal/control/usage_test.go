package control_test

import (
	"context"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/usage"
)

// waiting is what memory knows in a test: one use of a key.
type waiting struct {
	key usage.ID
	at  int64
}

func (w waiting) Settled(read func() error) error { return read() }
func (w waiting) Key(k usage.ID, s *usage.Series) {
	if k == w.key {
		s.Add(w.at, &usage.Counts{usage.Verified: 1})
	}
}
func (w waiting) Workspace(_ usage.ID, s *usage.Series) {
	s.Add(w.at, &usage.Counts{usage.Verified: 1})
}
func (w waiting) All(s *usage.Series) { s.Add(w.at, &usage.Counts{usage.Verified: 1}) }
func (w waiting) Latest(k usage.ID) (used, tried int64) {
	if k == w.key {
		return w.at, w.at
	}
	return 0, 0
}

func (w waiting) EarlierUsed(usage.ID, int64) (int64, string) { return 0, "" }

func (w waiting) Permissions(usage.ID, func(perm.Set, time.Time))            {}
func (w waiting) PermissionCounts(id.Workspace, func(store.PermissionCount)) {}
func (w waiting) ByWorkspace(usage.Span, func(id.Workspace, *usage.Counts))  {}

func (w waiting) RefusalsOf([16]byte) []store.Refusal     { return nil }
func (w waiting) RefusalsIn(id.Workspace) []store.Refusal { return nil }

func TestUsageOfAPageOfKeysIsWhatTheCallerSeesOfIt(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := &waiting{}
	k := newKit(t, t.TempDir(), func(c *control.Config) { c.Recent = w })
	t.Cleanup(func() { must(t, k.db.Close()) })
	ws := k.found(t)
	k.join(t, ws, "mia", "Member")
	mine, others := k.key(t, ws, "mia"), k.key(t, ws, "owner")
	now := time.Now()
	w.at = now.UnixMilli()
	w.key, _ = id.Parse(string(mine.Key.ID))
	must(t, k.db.Count(ctx, func(c *store.Counting) error {
		for _, key := range []control.Revealed{mine, others} {
			err := c.AddUsage(
				&store.UsageRow{Grain: usage.Hour, Start: usage.Hour.Start(now.UnixMilli()), Of: store.UsageOf(key.Key.ID),
					Counts: usage.Counts{2: 2} /* EXPIRED */},
			)
			if err != nil {
				return err
			}
		}
		return nil
	}))
	ids := []string{string(mine.Key.ID), string(others.Key.ID), ws, "nonsense"}
	for name, c := range map[string]struct {
		caller control.Caller
		want   map[string]int64
	}{
		"the root":   {k.root, map[string]int64{ids[0]: 3, ids[1]: 2}},
		"the owner":  {person(ws, "owner"), map[string]int64{ids[0]: 3, ids[1]: 2}},
		"the member": {person(ws, "mia"), map[string]int64{ids[0]: 3}},
	} {
		got, err := k.KeysUsage(ctx, c.caller, ids, control.AskUsage{From: now.Add(-2 * time.Hour)})
		must(t, err)
		if len(got) != len(c.want) {
			t.Errorf("%s sees %d keys, not %d", name, len(got), len(c.want))
		}
		for key, n := range c.want {
			if s := got[key]; s == nil {
				t.Errorf("%s does not see %s", name, key)
			} else if total := s.Total(); total.Total() != n {
				t.Errorf("%s sees %d, not %d", name, total.Total(), n)
			}
		}
	}
	_, err := k.KeysUsage(ctx, k.root, make([]string, 101), control.AskUsage{})
	if !fault.Is(err, fault.InvalidRequest) {
		t.Errorf("101 keys: %v", err)
	}
	page, _, err := k.ListKeys(ctx, k.root, control.ListKeys{Workspace: ws})
	must(t, err)
	for _, key := range page {
		if used := key.ID == mine.Key.ID; used != key.LastUsedAt.Equal(time.UnixMilli(w.at)) ||
			used == key.LastUsedAt.IsZero() {
			t.Errorf("key %s was last used %v", key.ID, key.LastUsedAt)
		}
	}
}
