package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// refuse keeps n refusals of a key, one each millisecond from an instant on.
func (f *fixture) refuse(ws id.Workspace, key id.Key, from time.Time, n int) {
	f.Helper()
	var all []store.Refusal
	for i := range n {
		all = append(
			all,
			store.Refusal{
				Key: key, Workspace: ws, At: from.Add(time.Duration(i) * time.Millisecond), Seq: int64(i), Code: "EXPIRED",
				Why: "because",
			},
		)
	}
	f.must(f.db.Count(context.Background(), func(c *store.Counting) error { return c.AddRefusals(key, all) }))
}

// total is what the store believes, after it was held against a count.
func (f *fixture) total() int64 {
	f.Helper()
	var believed int64
	f.raw(func(q store.SQL) error {
		rows, err := q.Query(context.Background(), `SELECT refusals FROM refusal_total`)
		if err != nil {
			return err
		}
		defer rows.Close()
		rows.Next()
		return rows.Scan(&believed)
	})
	f.same("the counted rows", f.count("refusals"), believed)
	return believed
}

func (f *fixture) refusalsOf(k id.Key, n int) (all []store.Refusal) {
	f.Helper()
	f.view(func(v *store.View) (err error) {
		all, err = v.RefusalsOf(k, n)
		return err
	})
	return all
}

func testRefusals(t *testing.T, f *fixture) {
	k := f.insert(nil)
	one := store.Refusal{
		Key: k.ID, Workspace: f.ws, At: start.Add(time.Second), Seq: 1 << 62, Code: "IP_FORBIDDEN",
		Why: "IP not allowed: ::1", All: []string{"calls:read", "calls:write"}, Any: []string{"agents:read"}, IP: "::1",
		Previous: true,
	}
	bare := store.Refusal{
		Key: k.ID, Workspace: f.ws, At: start, Seq: -1, Code: "DISABLED", Why: "", All: []string{}, Any: []string{},
	}
	add := func(refusals ...store.Refusal) {
		f.must(f.db.Count(context.Background(), func(c *store.Counting) error { return c.AddRefusals(k.ID, refusals) }))
	}
	head := f.db.Stats().LogHead
	add(bare, one)
	add(one) // written a second time, where it was not known whether the first was
	f.same("what is read", []store.Refusal{one, bare}, f.refusalsOf(k.ID, 10))
	f.same("the latest", []store.Refusal{one}, f.refusalsOf(k.ID, 1))
	f.view(func(v *store.View) error {
		all, err := v.RefusalsIn(f.ws, 10)
		f.same("of the workspace", []store.Refusal{one, bare}, all)
		return err
	})
	f.same("the end of the log", head, f.db.Stats().LogHead)
	f.same("rows", int64(2), f.total())

	f.refuse(f.ws, k.ID, start.Add(time.Minute), 150)
	f.refuse(f.ws, k.ID, start.Add(time.Hour), 150)
	all := f.refusalsOf(k.ID, 1000)
	f.same("those of a key", store.RefusalsOfKey, len(all))
	f.same("the newest", start.Add(time.Hour+149*time.Millisecond), all[0].At)
	f.same("the oldest", start.Add(time.Minute+100*time.Millisecond), all[len(all)-1].At)
	f.same("rows", int64(store.RefusalsOfKey), f.total())

	gone := f.newKey()
	f.refuse(f.ws, gone, start, 3)
	f.same("those of a key that is gone", 0, len(f.refusalsOf(gone, 10)))
}

func testRefusalsGone(t *testing.T, f *fixture) {
	k, other := f.insert(nil), f.insert(nil)
	f.refuse(f.ws, k.ID, start, 5)
	f.refuse(f.ws, other.ID, start, 7)
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteKey(k.ID) })
	f.same("those of a deleted key", 0, len(f.refusalsOf(k.ID, 10)))
	f.same("rows", int64(7), f.total())
	f.refuse(f.ws, k.ID, start, 5) // another node did not know yet
	f.same("rows", int64(7), f.total())

	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteWorkspace(f.ws) })
	f.refuse(f.ws, other.ID, start.Add(time.Second), 5)
	f.purgeAll()
	f.same("rows without the workspace's", int64(0), f.total())
}

func testRefusalsOld(t *testing.T, f *fixture) {
	k := f.insert(nil)
	now := f.now()
	f.refuse(f.ws, k.ID, now.Add(-store.RefusalsKept-time.Minute), 3)
	f.refuse(f.ws, k.ID, now.Add(-store.RefusalsKept+time.Minute), 4)
	f.same("those that are young enough", 4, len(f.refusalsOf(k.ID, 10)))
	f.purgeAll()
	f.same("rows", int64(4), f.total())
}

// The table has a bound, and the workspace with the most refusals gives way to others.
func testRefusalsFull(t *testing.T, f *fixture) {
	mine := f.insert(nil)
	f.refuse(f.ws, mine.ID, start, store.RefusalsOfKey)
	loud := f.workspace("Loud")
	f.join(loud, "lou", f.role(account.Role{Workspace: loud, Name: "Lou"}))
	key := f.insert(func(k *apikey.Key) { k.Workspace, k.User = loud, "lou" }).ID
	f.raw(func(q store.SQL) error {
		// Keys that only the table knows: what is tested is its bound.
		fill := fmt.Sprintf(`INSERT INTO refusals
			WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %d)
			SELECT 'k' || i / 200, %d + i, 1, '%s', 'EXPIRED', '', '', '', '', 0 FROM n`,
			store.RefusalsInAll-store.RefusalsOfKey, start.UnixMilli(), loud)
		if _, err := q.Exec(context.Background(), fill); err != nil {
			return err
		}
		_, err := q.Exec(context.Background(), `UPDATE refusal_total SET refusals = ?`, store.RefusalsInAll)
		return err
	})
	f.refuse(loud, key, start.Add(time.Hour), 150)
	f.refuse(f.ws, mine.ID, start.Add(time.Hour), 1)
	if n := f.total(); n > store.RefusalsInAll {
		t.Errorf("%d rows", n)
	}
	f.same("of the loud one", 150, len(f.refusalsOf(key, 1000)))
	f.same("of the other", store.RefusalsOfKey, len(f.refusalsOf(mine.ID, 1000)))
}
