package store

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
)

// candidates are the conditions of a list while settlements are open: every key that a filter may select. Fields that
// a settlement changes are checked on the key afterwards, by admits.
func (v *View) candidates(f KeyFilter) (where, error) {
	open, err := v.settling(f.Workspace)
	if err != nil || !open {
		w := v.keyWhere(f)
		if f.enabledAlone() {
			w.and(f.active() + " = 1")
		}
		return w, err
	}
	w, moving := v.fixed(f), where{}
	v.movable(&moving, f)
	if f.enabledAlone() {
		moving.and("k.is_active = 1")
	}
	if len(moving.conditions) == 0 {
		return w, nil
	}
	either := "(" + strings.Join(moving.conditions, " AND ") + " OR " + covered(f) + ")"
	args := moving.args
	if f.User != "" {
		args = append(args, f.User, f.User)
	}
	w.and(either, args...)
	return w, nil
}

// covered is the condition that an open settlement covers the row, and that the key may be one of the filter's user. A
// key that is stopped is enabled in no case, unless it went to an heir before.
func covered(f KeyFilter) string {
	one := `EXISTS (SELECT 1 FROM settlements s WHERE s.workspace_id = k.workspace_id AND s.user_id = k.user_id AND s.period >= k.period
		AND s.done_ms = 0`
	all := one + ")"
	if f.User != "" {
		all = one + " AND (s.user_id = ? OR s.heir = ?))"
	}
	if f.enabled() {
		all += " AND (" + one + " AND s.kind = 'transfer') OR NOT " + one + " AND s.kind = 'stop'))"
	}
	return all
}

// enabled tells whether the filter selects enabled keys alone.
func (f KeyFilter) enabled() bool {
	return f.enabledAlone() || f.Standing != apikey.AnyStanding || f.Active != nil && *f.Active
}

// admits tells whether the filter selects a key that settlements have changed.
func (f KeyFilter) admits(k *apikey.Key, now time.Time) bool {
	switch {
	case f.User != "" && k.User != f.User, f.Active != nil && k.IsActive != *f.Active, f.enabled() && !k.IsActive:
		return false
	}
	long := now.Add(-apikey.UnusedFor)
	stands := true
	switch f.Standing {
	case apikey.Working:
		stands = !k.Expired(now)
	case apikey.Expiring:
		stands = !k.ExpiresAt.IsZero() && !k.Expired(now) && !k.ExpiresAt.After(now.Add(apikey.ExpiringSoon))
	case apikey.Expired:
		stands = k.Expired(now)
	case apikey.Unused:
		stands = k.LastUsedAt.Before(long) && k.CreatedAt.Before(long)
	case apikey.Orphaned:
		stands = k.Orphan
	}
	return stands && (f.Search == "" || found(k, strings.ToLower(f.Search)))
}

// found tells whether a key is one that a search finds: see movable.
func found(k *apikey.Key, wanted string) bool {
	masked := []rune(k.Value.Masked)
	head := "_" + string(k.Environment) + "_"
	if at := strings.Index(k.Value.Masked, head); at >= 0 {
		before := utf8.RuneCountInString(k.Value.Masked[:at]) + len(head) + 1 - utf8.RuneCountInString(wanted)
		masked = masked[min(max(before, 0), len(masked)):]
	}
	text := strings.Join([]string{k.Name, k.Description, string(k.User), string(masked), string(k.ID)}, separator)
	return strings.Contains(strings.ToLower(text), wanted)
}

// settledPage is how many candidates are read at once.
const settledPage = 256

// settledKeys is Keys while settlements are open. It walks over candidates until the page is full.
func (v *View) settledKeys(f KeyFilter) (out []apikey.Key, err error) {
	walk := f
	for {
		keys, err := v.settledStretch(walk)
		if err != nil {
			return nil, err
		}
		for i := range keys {
			if keys[i].Unsettled && !f.admits(&keys[i], v.now) {
				continue
			}
			if out = append(out, keys[i]); len(out) == f.Limit {
				return out, nil
			}
		}
		if len(keys) < settledPage {
			return out, nil
		}
		walk.After = f.Position(&keys[len(keys)-1])
	}
}

// settledStretch reads candidates, as the settlements have them.
func (v *View) settledStretch(f KeyFilter) ([]apikey.Key, error) {
	w, err := v.candidates(f)
	if err != nil {
		return nil, err
	}
	order, err := f.page(&w)
	if err != nil {
		return nil, err
	}
	rows, err := inLive(v, f.Workspace, v.scanKey, selectKeys+w.String()+order+` LIMIT ?`, append(w.args, settledPage)...)
	if err != nil {
		return nil, err
	}
	keys, err := v.complete(rows)
	if err != nil {
		return nil, err
	}
	all := make([]*apikey.Key, len(keys))
	for i := range keys {
		all[i] = &keys[i]
	}
	return keys, v.settle(all...)
}

// settledCount is KeyCount while settlements are open.
func (v *View) settledCount(f KeyFilter, most int) (n int64, err error) {
	walk := f
	for {
		keys, err := v.settledStretch(walk)
		if err != nil {
			return n, err
		}
		for i := range keys {
			if !keys[i].Unsettled || f.admits(&keys[i], v.now) {
				n++
			}
			if n == int64(most) {
				return n, nil
			}
		}
		if len(keys) < settledPage {
			return n, nil
		}
		walk.After = f.Position(&keys[len(keys)-1])
	}
}

// KeyKind holds the fields that keys settled alike have in common, and their number: the fields that a settlement
// reads and changes.
type KeyKind struct {
	apikey.Key
	Count int
}

// KeyKinds counts a user's keys by kind, as open settlements have them: a key that goes to an heir is the heir's
// already. It reads a few columns of each, and no key as a whole. With bounded, kinds also differ by the fields that
// a caller's own bounds apply to.
func (v *View) KeyKinds(ws id.Workspace, u id.User, bounded bool) ([]KeyKind, error) {
	open, err := v.OpenSettlements(ws, u)
	if err != nil {
		return nil, err
	}
	for i := range open {
		bounded = bounded || open[i].Bound != nil
	}
	columns := "set_id, is_active, is_revoked, is_orphan, period"
	if bounded {
		columns += ", expires_ms, per_minute, per_day, allowed_ips"
	}
	kinds, err := all(v, func(r Rows) (k KeyKind, err error) {
		var set, expires int64
		var networks string
		into := []any{&set, &k.IsActive, &k.Revoked, &k.Orphan, &k.Period}
		if bounded {
			into = append(into, &expires, &k.Limits.PerMinute, &k.Limits.PerDay, &networks)
		}
		if err = r.Scan(append(into, &k.Count)...); err != nil {
			return k, err
		}
		k.Workspace, k.User, k.ExpiresAt = ws, u, fromMillis(expires)
		if k.AllowedIPs, err = parsePrefixes(networks); err == nil {
			k.Permissions, err = v.set(set)
		}
		return k, err
	}, `SELECT `+columns+`, count(*) FROM api_keys WHERE workspace_id = ? AND user_id = ? GROUP BY `+columns, ws, u)
	for i := range kinds {
		for j := range open {
			if open[j].Period >= kinds[i].Period {
				open[j].Apply(&kinds[i].Key)
			}
		}
	}
	return kinds, err
}

// keysChangedSince finds what the change log tells of a user's keys. A change that is no longer in the log counts.
const keysChangedSince = `SELECT 1 FROM cluster WHERE pruned_to > ?
	UNION ALL SELECT 1 FROM changes c JOIN api_keys k ON k.id = c.object_id
		WHERE c.revision > ? AND c.workspace_id = ? AND c.kind = '` + kindKey + `' AND k.user_id = ?
	UNION ALL SELECT 1 FROM changes c JOIN settlements s ON s.id = c.object_id
		WHERE c.revision > ? AND c.workspace_id = ? AND c.kind = '` + kindSettlement + `' AND s.user_id = ? LIMIT 1`

// KeysChangedSince tells whether a user's keys, or the settlements that cover them, have changed after an event. It
// does not tell of deleted keys: Member.KeyCount does. Its cost grows with the changes of the workspace since, and not
// with the keys.
func (v *View) KeysChangedSince(ws id.Workspace, u id.User, seq int64) (bool, error) {
	if v.group != nil && slices.ContainsFunc(v.group.changes, func(c feed.Change) bool {
		return c.Key != nil && c.Key.Workspace == ws && c.Key.User == u ||
			c.Settlement != nil && c.Settlement.Workspace == ws && c.Settlement.User == u
	}) {
		return true, nil // by a transaction of the same commit
	}
	found, err := all(v, scanInt, keysChangedSince, seq, seq, ws, u, seq, ws, u)
	return len(found) > 0, err
}
