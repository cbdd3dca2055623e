package store

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
)

// Standing selects keys by how they stand at the view's time. Each has an index, so that a page or a bounded count of it costs the
// same whatever the number of keys.
type Standing string

// The standings. All but AnyStanding select enabled keys alone.
const (
	AnyStanding Standing = ""
	Working     Standing = "working"  // not expired
	Expiring    Standing = "expiring" // within ExpiringSoon from now
	Expired     Standing = "expired"
	Unused      Standing = "unused" // neither used nor made within UnusedFor
	Orphaned    Standing = "orphaned"
)

// What is soon, and what is long.
const (
	ExpiringSoon = 14 * 24 * time.Hour
	UnusedFor    = 90 * 24 * time.Hour
)

func (v *View) standing(w *where, s Standing) {
	now := millis(v.now)
	switch s {
	case Working:
		w.and("k.is_active = 1 AND (k.expires_ms = 0 OR k.expires_ms > ?)", now)
	case Expiring:
		w.and("k.is_active = 1 AND k.expires_ms > 0 AND k.expires_ms > ? AND k.expires_ms <= ?", now, millis(v.now.Add(ExpiringSoon)))
	case Expired:
		w.and("k.is_active = 1 AND k.expires_ms > 0 AND k.expires_ms <= ?", now)
	case Unused:
		long := millis(v.now.Add(-UnusedFor))
		w.and("k.is_active = 1 AND k.last_used_ms < ? AND k.created_ms < ?", long, long)
	case Orphaned:
		w.and("k.is_active = 1 AND k.is_orphan = 1")
	}
}

// KeyOrder is the order of a list of keys.
type KeyOrder string

// The orders. ByExpiry and ByLeastUse list enabled keys alone, and ByExpiry only those that expire.
const (
	NewestFirst KeyOrder = ""
	OldestFirst KeyOrder = "oldest"
	ByExpiry    KeyOrder = "expiry" // what expires first in front
	ByLastUse   KeyOrder = "used"   // what was used last in front
	ByLeastUse  KeyOrder = "idle"   // what was never used, or not for the longest time, in front
)

// follow adds where a page begins, and answers how it is ordered.
func (f KeyFilter) follow(w *where) (order string, err error) {
	column, compare, order := "", "<", ""
	switch f.Order {
	case NewestFirst:
		order = " ORDER BY k.id DESC"
	case OldestFirst:
		compare, order = ">", " ORDER BY k.id"
	case ByExpiry:
		w.and("k.is_active = 1 AND k.expires_ms > 0")
		column, compare, order = "k.expires_ms", ">", " ORDER BY k.expires_ms, k.id"
	case ByLastUse:
		w.and("k.is_active = 1")
		column, order = "k.last_used_ms", " ORDER BY k.last_used_ms DESC, k.id DESC"
	case ByLeastUse:
		w.and("k.is_active = 1")
		column, compare, order = "k.last_used_ms", ">", " ORDER BY k.last_used_ms, k.id"
	}
	if f.After == "" {
		return order, nil
	}
	if column == "" {
		w.and("k.id "+compare+" ?", f.After)
		return order, nil
	}
	ms, last, ok := strings.Cut(f.After, " ")
	at, err := strconv.ParseInt(ms, 10, 64)
	if err != nil || !ok {
		return "", fmt.Errorf("a position of another list: %q", f.After)
	}
	w.and("("+column+", k.id) "+compare+" (?, ?)", at, id.Key(last))
	return order, nil
}

// Position is where a page that ends with the key goes on: Page.After of the next.
func (o KeyOrder) Position(k *apikey.Key) string {
	switch o {
	case ByExpiry:
		return fmt.Sprintf("%d %s", millis(k.ExpiresAt), k.ID)
	case ByLastUse, ByLeastUse:
		return fmt.Sprintf("%d %s", millis(k.LastUsedAt), k.ID)
	}
	return string(k.ID)
}

// KeyTotal is the number of a workspace's keys, or of those of one user. It reads what members count, never the keys.
func (v *View) KeyTotal(ws id.Workspace, u id.User) (int64, error) {
	var w where
	w.and("workspace_id = ?", ws)
	if u != "" {
		w.and("user_id = ?", u)
	}
	return one(v, scanInt, `SELECT CAST(coalesce(sum(key_count), 0) AS BIGINT) FROM members`+w.String(), w.args...)
}

// KeyCount counts the keys that a filter selects, without its paging, and stops at most: what is counted costs no more than that.
func (v *View) KeyCount(f KeyFilter, most int) (int64, error) {
	w := v.keyWhere(f)
	return one(v, scanInt, `SELECT count(*) FROM (SELECT 1 AS one FROM api_keys k`+w.String()+` LIMIT ?) AS bounded`, append(w.args, most)...)
}
