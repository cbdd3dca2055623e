package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/usage"
)

const aDay = 24 * time.Hour

// testPermissionUses: a key has one row with the last day of each permission that it holds, and days only go forwards.
func testPermissionUses(_ *testing.T, f *fixture) {
	k := f.insert(func(k *apikey.Key) { k.Permissions = f.set("calls:read", "calls:write", "roles:read") })
	day := start.Truncate(aDay)
	use := func(at time.Time, demanded perm.Set) {
		f.Helper()
		f.must(f.db.Count(context.Background(), func(c *store.Counting) error {
			return c.UsePermissions(k.ID, at, demanded)
		}))
	}
	uses := func() (out map[string]time.Time) {
		f.view(func(v *store.View) (err error) {
			out, err = v.PermissionUses(k.ID)
			return err
		})
		return out
	}
	f.same("before any use", map[string]time.Time{}, uses())
	f.told = nil
	use(day, f.set("calls:read"))
	use(day.Add(2*aDay), f.set("calls:write", "members:read")) // one that the key does not hold
	use(day.Add(aDay), f.set("calls:write", "calls:read"))     // a node that was late
	want := map[string]time.Time{"calls:read": day.Add(aDay), "calls:write": day.Add(2 * aDay)}
	f.same("days", want, uses())
	f.same("rows", int64(1), f.count("permission_uses"))
	f.same("the feed", 0, len(f.told))
	f.must(f.db.Count(context.Background(), func(c *store.Counting) error {
		return c.UsePermissions(f.newKey(), day, f.set("calls:read"))
	}))
	f.same("rows after the use of a key that is gone", int64(1), f.count("permission_uses"))
	f.restart(catalogue)
	f.same("days after a restart", want, uses())
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteKey(k.ID) })
	f.purgeAll()
	f.same("rows of a deleted key", int64(0), f.count("permission_uses"))
}

// testPermissionCounts: counts add up by workspace, day and permission, are purged as days are, and go with their
// workspace.
func testPermissionCounts(_ *testing.T, f *fixture) {
	day := start.Truncate(aDay)
	add := func(at time.Time, name string, verified, refused int64) {
		f.Helper()
		f.must(f.db.Count(context.Background(), func(c *store.Counting) error {
			return c.AddPermissionCount(f.ws, store.PermissionCount{
				Day: at, Permission: name, Verified: verified, Refused: refused,
			})
		}))
	}
	add(day, "calls:read", 2, 1)
	add(day, "calls:read", 3, 0)
	add(day, "calls:write", 0, 4)
	add(day.Add(-aDay), "calls:read", 7, 0)
	add(day.Add(-40*aDay), "calls:read", 9, 0)
	counts := func(from, to time.Time) (out []store.PermissionCount) {
		f.view(func(v *store.View) (err error) {
			out, err = v.PermissionCounts(f.ws, from, to)
			return err
		})
		return out
	}
	f.same("two days", []store.PermissionCount{
		{Day: day.Add(-aDay), Permission: "calls:read", Verified: 7},
		{Day: day, Permission: "calls:read", Verified: 5, Refused: 1},
		{Day: day, Permission: "calls:write", Refused: 4},
	}, counts(day.Add(-aDay), day.Add(aDay)))
	f.same("until the day", 1, len(counts(day.Add(-aDay), day)))
	_, err := f.db.PurgeUsage(context.Background(), usage.Retention{aDay, aDay, 30 * aDay})
	f.must(err)
	f.same("rows after old ones went", int64(3), f.count("permission_counts"))
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteWorkspace(f.ws) })
	f.purgeAll()
	f.same("rows of a deleted workspace", int64(0), f.count("permission_counts"))
}

// testBackups: the latest backup is known, also one that another process has noted.
func testBackups(_ *testing.T, f *fixture) {
	last := func() (out store.Backup) {
		f.view(func(v *store.View) (err error) {
			out, err = v.LastBackup()
			return err
		})
		return out
	}
	f.same("before any", store.Backup{}, last())
	f.must(f.db.Close())
	beside := f.open()
	for _, b := range []store.Backup{{At: start, Bytes: 7}, {At: start.Add(time.Hour), Bytes: 8},
		{At: start.Add(time.Minute), Bytes: 9}} {
		f.must(store.NoteBackup(context.Background(), beside, b))
	}
	f.start(beside, catalogue)
	f.same("the latest", store.Backup{At: start.Add(time.Hour), Bytes: 8}, last())
	f.workspace("Later")
	f.same("after a change", store.Backup{At: start.Add(time.Hour), Bytes: 8}, last())
}
