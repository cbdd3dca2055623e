package storetest

import (
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/store"
)

func testStandings(_ *testing.T, f *fixture) {
	f.pass(200 * 24 * time.Hour)
	at := func(days int) time.Time { return f.now().Add(time.Duration(days) * 24 * time.Hour) }
	for _, k := range []struct {
		name                   string
		expires, used, created int // days from now; 0 is never for the first two
		off, orphan            bool
	}{
		{name: "a"}, {name: "b", expires: 3, used: -1}, {name: "c", expires: 10, used: -3},
		{name: "d", expires: 20, used: -100, created: -150},
		{name: "e", expires: -1, used: -2}, {name: "f", used: -120, created: -150}, {name: "g", created: -150},
		{name: "h", orphan: true, used: -4},
		{name: "i", off: true, expires: 2, orphan: true, created: -150},
	} {
		f.insert(func(key *apikey.Key) {
			key.Name, key.IsActive, key.Orphan, key.CreatedAt = k.name, !k.off, k.orphan, at(k.created)
			key.ExpiresAt, key.LastUsedAt = time.Time{}, time.Time{}
			if k.expires != 0 {
				key.ExpiresAt = at(k.expires)
			}
			if k.used != 0 {
				key.LastUsedAt = at(k.used)
			}
		})
	}
	for _, test := range []struct {
		standing apikey.Standing
		order    apikey.Order
		want     string
	}{
		{apikey.AnyStanding, apikey.OldestFirst, "a b c d e f g h i "},
		{apikey.Working, "", "h g f d c b a "},
		{apikey.Expiring, apikey.ByExpiry, "b c "},
		{apikey.Expired, apikey.ByExpiry, "e "},
		{apikey.Unused, apikey.ByLeastUse, "g f d "},
		{apikey.Orphaned, "", "h "},
		{apikey.AnyStanding, apikey.ByExpiry, "e b c d "},
		{apikey.AnyStanding, apikey.ByLastUse, "b e c h d f g a "},
	} {
		filter := store.KeyFilter{Workspace: f.ws, Standing: test.standing, Order: test.order}
		f.same("keys "+string(test.standing)+" "+string(test.order), test.want, f.pages(filter, 2))
		if test.order != apikey.ByExpiry || test.standing != apikey.AnyStanding {
			f.view(func(v *store.View) error {
				n, err := v.KeyCount(filter, 5)
				want := int64(len(test.want) / 2)
				if test.order == apikey.ByLastUse {
					want++ // a count asks for no order, and so not for enabled keys alone
				}
				f.same("count of "+string(test.standing), min(want, 5), n)
				return err
			})
		}
	}
	f.view(func(v *store.View) error {
		n, err := v.KeyTotal(f.ws, "")
		f.same("all", int64(9), n)
		return err
	})
}

// pages reads a list page by page, and names its items.
func (f *fixture) pages(filter store.KeyFilter, size int) (all string) {
	f.Helper()
	filter.Limit = size
	for {
		var page []apikey.Key
		f.view(func(v *store.View) (err error) {
			page, err = v.Keys(filter)
			return err
		})
		all += names(page, func(k apikey.Key) string { return k.Name })
		if len(page) < size {
			return all
		}
		filter.After = filter.Position(&page[len(page)-1])
	}
}

func testTargets(_ *testing.T, f *fixture) {
	for i, target := range []string{"a", "b", "a", ""} {
		f.record(
			audit.Event{
				Workspace: f.ws, Description: string(rune('0' + i)), Target: target, Metadata: `{}`, Type: "api_key.updated",
			},
		)
	}
	f.view(func(v *store.View) error {
		got, err := v.Logs(store.LogFilter{Workspace: f.ws, Target: "a"})
		f.same("events about a", "2 0 ", names(got, func(e audit.Event) string { return e.Description }))
		return err
	})
}
