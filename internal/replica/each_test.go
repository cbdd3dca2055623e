package replica_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/replica"
)

// told lists what a copy tells.
func told(t interface{ Fatal(...any) }, r *replica.Replica) (list []feed.Change) {
	if err := r.Each(func(c feed.Change) error {
		if c.Key != nil {
			own := *c.Key
			c.Key = &own
		}
		list = append(list, c)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

// copied is a copy of a copy.
func copied(t interface{ Fatal(...any) }, r *replica.Replica) *replica.Replica {
	again := replica.New()
	again.Apply(told(t, r))
	return again
}

func TestACopyOfACopyAnswersAsTheFirst(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, r := newModel(), replica.New()
		for _, changes := range drawDeliveries(t) {
			m.apply(changes)
			r.Apply(changes)
			if rapid.IntRange(0, 4).Draw(t, "sweep") == 0 {
				r.Sweep(0)
			}
		}
		compare(t, m, copied(t, r))
	})
}

// whole is a change of each kind, with every member that the copy keeps.
func whole() []feed.Change {
	planned := workspace("w")
	planned.Workspace.ID = id.Workspace(id.Format(uuid("w")))
	w := planned.Workspace.ID
	planned.Workspace.Settings.PermissionMode = account.Capped
	planned.Workspace.Plan.Shared = ratelimit.Limits{PerMinute: 7, PerDay: 9}
	bound := service("s", "service")
	bound.ServiceKey.Bounds.Workspaces = []id.Workspace{w}
	bound.ServiceKey.ExpiresAt = time.UnixMilli(99)
	return []feed.Change{
		planned, role(w, "r", "calls:read"), member(w, "ann", "r"), member(w, "bob", "r"), bound,
		{Settlement: &apikey.Settlement{
			ID: "d", Workspace: w, User: "ann", Period: 1, Kind: apikey.Transfer, Heir: "bob", Ceiling: set("calls:read"),
			By: "eve", At: time.UnixMilli(5), Bound: &account.Bound{Limits: ratelimit.Limits{PerMinute: 3}},
		}},
		key(w, "ann", "k", previous("before", time.UnixMilli(77)), func(k *apikey.Key) {
			k.Metadata, k.Period, k.Orphan = `{"a":1}`, 1, true
			k.Limits = ratelimit.Limits{PerMinute: 5, PerDay: 6}
			k.AllowedIPs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
			k.ExpiresAt, k.Permissions = time.UnixMilli(88), set("calls:read", "agents:read")
		}),
		key(w, "bob", "revoked", func(k *apikey.Key) { k.IsActive, k.Revoked, k.Environment = false, true, keyfmt.Test }),
		key(w, "bob", "foreign", func(k *apikey.Key) { k.Value.Digest.Pepper = "foreign:sha256" }),
	}
}

func TestACopyTellsEveryMemberOfWhatItHolds(t *testing.T) {
	t.Parallel()
	r := replica.New()
	r.Apply(whole())
	got := told(t, r)
	byName := func(a, b feed.Change) int { return strings.Compare(name(a), name(b)) }
	want := whole()
	slices.SortFunc(want, byName)
	slices.SortFunc(got, byName)
	sameTime := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
	sameSet := cmp.Comparer(func(a, b perm.Set) bool { return a == b })
	samePrefix := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	if d := cmp.Diff(want, got, sameTime, sameSet, samePrefix); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// name tells the objects of whole apart.
func name(c feed.Change) string {
	switch {
	case c.Workspace != nil:
		return "1"
	case c.Role != nil:
		return "2"
	case c.Member != nil:
		return "3" + string(c.Member.User)
	case c.ServiceKey != nil:
		return "4"
	case c.Settlement != nil:
		return "5"
	}
	return "6" + string(c.Key.ID)
}

// While a copy tells, it changes. A reader that applies what came after the beginning has the present state.
func TestT28AReaderOfACopyThatChangesHasThePresentStateAfterTheChanges(t *testing.T) {
	t.Parallel()
	r := replica.New()
	load := []feed.Change{workspace("w"), role("w", "r", "calls:read"), member("w", "ann", "r")}
	const keys = 3000
	for i := range keys {
		load = append(load, key("w", "ann", fmt.Sprint("k", i)))
	}
	r.Apply(load)
	var mu sync.Mutex
	var later [][]feed.Change
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := int64(1); ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			k := fmt.Sprint("k", n*7919%(2*keys))
			changes := at(n, key("w", "ann", k, value(fmt.Sprint(k, " at ", n))))
			if n%3 == 0 {
				changes = at(n, keyGone(k))
			}
			r.Apply(changes)
			r.Sweep(0)
			mu.Lock()
			later = append(later, changes)
			mu.Unlock()
		}
	})
	again := replica.New()
	for range 5 {
		again = copied(t, r)
	}
	close(stop)
	writer.Wait()
	for _, changes := range later {
		again.Apply(changes)
	}
	if again.Size() != r.Size() {
		t.Errorf("%d keys, want %d", again.Size(), r.Size())
	}
	values := func(r *replica.Replica) map[id.Key]keyfmt.Digest {
		all := map[id.Key]keyfmt.Digest{}
		for _, c := range told(t, r) {
			if c.Key != nil {
				all[c.Key.ID] = c.Key.Value.Digest.Sum
			}
		}
		return all
	}
	if d := cmp.Diff(values(r), values(again)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestACopyWithMoreKindsThanItTellsApartTellsNoKeys(t *testing.T) {
	t.Parallel()
	r := replica.New()
	r.Apply([]feed.Change{workspace("w"), role("w", "r"), member("w", "ann", "r")})
	for i := range 20 {
		r.Apply([]feed.Change{key("w", "ann", fmt.Sprint(i), func(k *apikey.Key) {
			k.Value.Digest.Pepper = keyfmt.PepperID(fmt.Sprint("foreign:sha256:", i))
		})})
	}
	if err := r.Each(func(feed.Change) error { return nil }); !errors.Is(err, replica.ErrKinds) {
		t.Errorf("%v", err)
	}
}
