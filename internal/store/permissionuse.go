package store

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
)

// PermissionCount says how often a permission was demanded of the keys of a workspace on a day.
type PermissionCount struct {
	Day               time.Time // its start
	Permission        string
	Verified, Refused int64
}

// UsePermissions notes that permissions were demanded of a key that was verified, on a day. A key keeps one row, with
// the last day of each permission. Permissions that the key does not hold, such as the others of which one is enough,
// are passed over, and so is a key that is gone.
func (c *Counting) UsePermissions(k id.Key, day time.Time, demanded perm.Set) error {
	sets, err := all(c.View, scanInt, `SELECT set_id FROM api_keys WHERE id = ?`, k)
	if err != nil || len(sets) == 0 {
		return err
	}
	holds, err := c.set(sets[0])
	if err != nil {
		return err
	}
	days, err := c.permissionDays(k)
	if err != nil {
		return err
	}
	at, changed := millis(day)/dayMillis, false
	for _, name := range c.db.catalogue.Names(demanded.And(holds)) {
		if days[name] < at {
			days[name], changed = at, true
		}
	}
	if !changed {
		return nil
	}
	_, err = c.exec(
		`INSERT INTO permission_uses (key_id, days) VALUES (?, ?) ON CONFLICT (key_id) DO UPDATE SET days = excluded.days`, k,
		joinDays(days),
	)
	if err != nil {
		return fmt.Errorf("note the use of permissions: %w", err)
	}
	return nil
}

// permissionDays gives the last day of each permission of a key, in days since 1970.
func (v *View) permissionDays(k id.Key) (map[string]int64, error) {
	rows, err := all(v, scanText, `SELECT days FROM permission_uses WHERE key_id = ?`, k)
	if err != nil {
		return nil, fmt.Errorf("read the use of permissions: %w", err)
	}
	days := make(map[string]int64)
	for _, text := range rows {
		for _, one := range strings.Fields(text) {
			name, day, _ := strings.Cut(one, "=")
			if n, err := strconv.ParseInt(day, 10, 64); err == nil {
				days[name] = n
			}
		}
	}
	return days, nil
}

// joinDays is how a row has them: "calls:read=20781 calls:write=20779".
func joinDays(days map[string]int64) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(days)) {
		out = append(out, name+"="+strconv.FormatInt(days[name], 10))
	}
	return strings.Join(out, " ")
}

// PermissionUses gives the last day on which each permission of a key was demanded of it with success.
func (v *View) PermissionUses(k id.Key) (map[string]time.Time, error) {
	days, err := v.permissionDays(k)
	out := make(map[string]time.Time, len(days))
	for name, day := range days {
		out[name] = fromMillis(day * dayMillis)
	}
	return out, err
}

// PermissionsSince tells since when the use of permissions is counted; zero is from the beginning on.
func (v *View) PermissionsSince() (time.Time, error) {
	ms, err := one(v, scanInt, `SELECT permissions_since_ms FROM installation WHERE one = 1`)
	return fromMillis(ms), err
}

// AddPermissionCount adds to the count of a permission on a day.
func (c *Counting) AddPermissionCount(ws id.Workspace, n PermissionCount) error {
	_, err := c.exec(`INSERT INTO permission_counts (workspace_id, day_ms, permission, verified, refused) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (workspace_id, day_ms, permission) DO UPDATE SET verified = permission_counts.verified + excluded.verified,
		refused = permission_counts.refused + excluded.refused`, ws, millis(n.Day), n.Permission, n.Verified, n.Refused)
	if err != nil {
		return fmt.Errorf("count permissions: %w", err)
	}
	return nil
}

// PermissionCounts lists the counts of a workspace, those of days that begin within a time.
func (v *View) PermissionCounts(ws id.Workspace, from, to time.Time) ([]PermissionCount, error) {
	return all(v, func(r Rows) (n PermissionCount, err error) {
		var day int64
		err = r.Scan(&day, &n.Permission, &n.Verified, &n.Refused)
		n.Day = fromMillis(day)
		return n, err
	}, `SELECT day_ms, permission, verified, refused FROM permission_counts WHERE workspace_id = ? AND day_ms >= ? AND day_ms < ?
		ORDER BY day_ms, permission`, ws, millis(from), millis(to))
}
