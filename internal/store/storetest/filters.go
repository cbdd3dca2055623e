package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/store"
)

// testFilters holds every list to the whole list, filtered and sorted by hand: pages of any size meet each key once,
// also where a walk is cut into stretches, and a count says how many they are.
func testFilters(t *testing.T, f *fixture) {
	r := rand.New(rand.NewPCG(7, 11))
	f.pass(300 * 24 * time.Hour)
	now := f.now()
	instant := func() time.Time { // few, so that keys share them
		if r.IntN(3) == 0 {
			return time.Time{}
		}
		return now.Add(time.Duration(r.IntN(7)-3) * 50 * time.Hour)
	}
	f.join(f.ws, "other", f.plain)
	var all []apikey.Key
	for range 40 {
		all = append(all, f.insert(func(k *apikey.Key) {
			k.Environment = []keyfmt.Environment{keyfmt.Live, keyfmt.Test}[r.IntN(2)]
			k.Permissions = f.set([]string{"calls:read", "calls:write", "calls:read contacts:read"}[r.IntN(3)], "bots:read")
			if r.IntN(2) == 0 {
				k.Permissions = f.set("calls:read", "bots:read")
			}
			k.User = []id.User{k.User, "other"}[r.IntN(2)]
			k.IsActive = r.IntN(3) > 0
			k.ExpiresAt, k.LastUsedAt, k.LastTriedAt = instant(), instant(), instant()
			k.CreatedAt = now.Add(-time.Duration(r.IntN(4)) * 60 * time.Hour)
		}))
	}
	yes, no := true, false
	for range 400 {
		filter := store.KeyFilter{Workspace: f.ws, Along: r.IntN(2) == 0}
		filter.Order = []apikey.Order{apikey.NewestFirst, apikey.OldestFirst, apikey.ExpiresUp, apikey.ExpiresDown,
			apikey.UsedUp, apikey.UsedDown,
			apikey.TriedUp, apikey.TriedDown}[r.IntN(8)]
		filter.User = []id.User{"", "", "other"}[r.IntN(3)]
		filter.Own = filter.User != "" && r.IntN(2) == 0
		filter.Active = []*bool{nil, nil, &yes, &no}[r.IntN(4)]
		filter.Of = [][]keyfmt.Environment{nil, nil, {keyfmt.Test}, {}}[min(r.IntN(9), 3)]
		filter.Permission = []string{"", "", "calls:read", "bots:read", "calls:delete"}[r.IntN(5)]
		filter.Standing = []apikey.Standing{"", "", "", apikey.Working, apikey.Expired, apikey.Expiring}[r.IntN(6)]
		for _, at := range []*time.Time{&filter.ExpiringBefore, &filter.UnusedSince, &filter.TriedSince} {
			if r.IntN(3) == 0 {
				*at = now.Add(time.Duration(r.IntN(9)-4) * 50 * time.Hour)
			}
		}
		f.filtered(all, filter, 1+r.IntN(9))
	}
	t.Log("of", len(all), "keys")
}

// filtered compares one list, and its count, with the list by hand.
func (f *fixture) filtered(all []apikey.Key, filter store.KeyFilter, size int) {
	f.Helper()
	want := []id.Key{}
	for _, k := range byHand(all, filter, f.now()) {
		want = append(want, k.ID)
	}
	what := fmt.Sprintf("%+v", filter)
	f.view(func(v *store.View) error {
		n, err := v.KeyCount(filter, 1000)
		f.same("count of "+what, int64(len(want)), n)
		return err
	})
	filter.Limit = size
	got := []id.Key{}
	for range 200 {
		var page []apikey.Key
		f.view(func(v *store.View) (err error) {
			if filter.UpTo, err = v.KeyStretch(filter, 7); err != nil {
				filter.UpTo = ""
			}
			page, err = v.Keys(filter)
			return err
		})
		for i := range page {
			got = append(got, page[i].ID)
		}
		switch {
		case len(page) == size:
			filter.After = filter.Position(&page[len(page)-1])
		case filter.UpTo != "":
			filter.After = filter.UpTo
		default:
			f.same("list of "+what, want, got)
			return
		}
	}
	f.Fatalf("the list of %s does not end", what)
}

// byHand filters and sorts keys as the store is to do.
func byHand(all []apikey.Key, f store.KeyFilter, now time.Time) []apikey.Key {
	out := slices.DeleteFunc(slices.Clone(all), func(k apikey.Key) bool {
		expired := k.Expired(now)
		switch f.Standing {
		case apikey.Working:
			if !k.IsActive || expired {
				return true
			}
		case apikey.Expired:
			if !k.IsActive || !expired {
				return true
			}
		case apikey.Expiring:
			if !k.IsActive || expired || k.ExpiresAt.IsZero() || k.ExpiresAt.After(now.Add(apikey.ExpiringSoon)) {
				return true
			}
		}
		return f.User != "" && k.User != f.User || f.Active != nil && *f.Active != k.IsActive ||
			f.Of != nil &&
				!slices.Contains(f.Of, k.Environment) || f.Permission != "" && !catalogue.Holds(k.Permissions, f.Permission) ||
			!f.ExpiringBefore.IsZero() && (k.ExpiresAt.IsZero() || !k.ExpiresAt.Before(f.ExpiringBefore)) ||
			!f.UnusedSince.IsZero() && (!k.LastUsedAt.Before(f.UnusedSince) || !k.CreatedAt.Before(f.UnusedSince)) ||
			!f.TriedSince.IsZero() && k.LastTriedAt.Before(f.TriedSince)
	})
	by := func(k *apikey.Key) time.Time {
		switch f.Order {
		case apikey.ExpiresUp, apikey.ExpiresDown:
			if k.ExpiresAt.IsZero() {
				return now.Add(1000 * 24 * time.Hour)
			}
			return k.ExpiresAt
		case apikey.UsedUp, apikey.UsedDown:
			return k.LastUsedAt
		case apikey.TriedUp, apikey.TriedDown:
			return k.LastTriedAt
		}
		return time.Time{}
	}
	slices.SortFunc(out, func(a, b apikey.Key) int { return cmp.Or(by(&a).Compare(by(&b)), cmp.Compare(a.ID, b.ID)) })
	switch f.Order {
	case apikey.NewestFirst, apikey.ExpiresDown, apikey.UsedDown, apikey.TriedDown:
		slices.Reverse(out)
	}
	return out
}
