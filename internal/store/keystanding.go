package store

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
)

// standing adds the conditions of a standing. Each has an index, so that a page or a bounded count costs the same for
// any number of keys.
func (v *View) standing(w *where, f KeyFilter) {
	now, active := millis(v.now), f.active()+" = 1"
	switch f.Standing {
	case apikey.Working:
		w.and(active+" AND (k.expires_ms = 0 OR k.expires_ms > ?)", now)
	case apikey.Expiring:
		w.and(
			active+" AND k.expires_ms > 0 AND k.expires_ms > ? AND k.expires_ms <= ?", now,
			millis(v.now.Add(apikey.ExpiringSoon)),
		)
	case apikey.Expired:
		w.and(active+" AND k.expires_ms > 0 AND k.expires_ms <= ?", now)
	case apikey.Unused:
		long := millis(v.now.Add(-apikey.UnusedFor))
		w.and(active+" AND "+f.beside("k.last_used_ms")+" < ? AND k.created_ms < ?", long, long)
	case apikey.Orphaned:
		w.and(active + " AND k.is_orphan = 1")
	}
}

// active names the column. For one person's keys the walk is to be through those alone: the '+' keeps SQLite away
// from the indexes of the standings, which hold all keys. So it is for a walk along the order alone.
func (f KeyFilter) active() string {
	if f.User != "" || f.Along {
		return "+k.is_active"
	}
	return "k.is_active"
}

// follow adds where a page begins, and answers how it is ordered.
func (f KeyFilter) follow(w *where) (order string, err error) {
	if f.enabledAlone() {
		w.and(f.active() + " = 1")
	}
	return f.page(w)
}

// enabledAlone tells whether the order is one of enabled keys alone.
func (f KeyFilter) enabledAlone() bool {
	_, all := walks[f.Order]
	return !all
}

// page adds where a page begins, but for whether a key is enabled.
func (f KeyFilter) page(w *where) (order string, err error) {
	column, compare, down := f.ordered(walks[f.Order].column), ">", ""
	if walks[f.Order].down {
		compare, down = "<", " DESC"
	}
	order = " ORDER BY k.id" + down
	if column != "" {
		order = " ORDER BY " + column + down + ", k.id" + down
	}
	switch f.Order {
	case apikey.ByExpiry:
		w.and("k.expires_ms > 0")
		column, compare = f.ordered("k.expires_ms"), ">"
		order = " ORDER BY " + column + ", k.id"
	case apikey.ByLastUse:
		column, compare = f.ordered("k.last_used_ms"), "<"
		order = " ORDER BY " + column + " DESC, k.id DESC"
	case apikey.ByLeastUse:
		column, compare = f.ordered("k.last_used_ms"), ">"
		order = " ORDER BY " + column + ", k.id"
	}
	back := map[string]string{"<": ">=", ">": "<="}[compare]
	for _, bound := range []struct{ compare, position string }{{compare, f.After}, {back, f.UpTo}} {
		if err := f.bound(w, column, bound.compare, bound.position); err != nil {
			return "", err
		}
	}
	return order, nil
}

// bound adds on which side of a position a page lies; "" is no position.
func (f KeyFilter) bound(w *where, column, compare, position string) error {
	if position == "" {
		return nil
	}
	if column == "" {
		w.and("k.id "+compare+" ?", position)
		return nil
	}
	ms, last, ok := strings.Cut(position, " ")
	at, err := strconv.ParseInt(ms, 10, 64)
	if err != nil || !ok {
		return fmt.Errorf("a position of another list: %q", position)
	}
	w.and("("+column+", k.id) "+compare+" (?, ?)", at, id.Key(last))
	return nil
}

// KeyStretch is the Position of the last of n keys from f.After on, of those among which a search with f looks, or
// ErrNotFound where there are fewer. So a search can be made over so many keys and no more.
func (v *View) KeyStretch(f KeyFilter, n int) (string, error) {
	base := f.way()
	var order string
	w, err := v.candidates(base)
	if err == nil {
		order, err = base.page(&w)
	}
	if err != nil {
		return "", err
	}
	row, err := one(v, v.scanKey, selectKeys+w.String()+order+` LIMIT 1 OFFSET ?`, append(w.args, n-1)...)
	return f.Position(&row.Key), err
}

// Position is where a page that ends with the key goes on: Page.After of the next.
func (f KeyFilter) Position(k *apikey.Key) string {
	switch f.Order {
	case apikey.ByExpiry:
		return fmt.Sprintf("%d %s", millis(k.ExpiresAt), k.ID)
	case apikey.ExpiresUp, apikey.ExpiresDown:
		return fmt.Sprintf("%d %s", expiryOf(k), k.ID)
	case apikey.TriedUp, apikey.TriedDown:
		return fmt.Sprintf("%d %s", millis(k.LastTriedAt), k.ID)
	case apikey.ByLastUse, apikey.ByLeastUse, apikey.UsedUp, apikey.UsedDown:
		return fmt.Sprintf("%d %s", millis(k.LastUsedAt), k.ID)
	}
	return string(k.ID)
}

// KeyTotal is the number of a workspace's keys, or of those of one user. It reads the counters of members, never the
// keys.
func (v *View) KeyTotal(ws id.Workspace, u id.User) (int64, error) {
	var w where
	w.and("workspace_id = ?", ws)
	if u != "" {
		w.and("user_id = ?", u)
	}
	read := func() (int64, error) {
		return one(v, scanInt, `SELECT CAST(coalesce(sum(key_count), 0) AS BIGINT) FROM members`+w.String(), w.args...)
	}
	if u == "" && v.group != nil {
		return cachedOrRead(v, keysOf(ws), read)
	}
	return read()
}

// keysOf is the key of a workspace's number of keys in the cache of a group.
type keysOf id.Workspace

// KeyCount counts the keys that a filter selects, without its paging, and stops at most: the cost is in proportion to
// the count.
func (v *View) KeyCount(f KeyFilter, most int) (int64, error) {
	switch open, err := v.settling(f.Workspace); {
	case err != nil:
		return 0, err
	case open:
		return v.settledCount(f, most)
	}
	w := v.keyWhere(f)
	return one(
		v,
		scanInt,
		`SELECT count(*) FROM (SELECT 1 AS one FROM api_keys k`+w.String()+` LIMIT ?) AS bounded`,
		append(w.args, most)...)
}
