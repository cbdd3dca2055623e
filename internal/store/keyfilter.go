package store

import (
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
)

// expiry is when a key expires as a list is ordered by it: one that never expires is beyond every other. An index has
// exactly this expression.
const expiry = "CASE WHEN k.expires_ms = 0 THEN 9223372036854775807 ELSE k.expires_ms END"

// never is expiry of a key that never expires.
const never = 1<<63 - 1

// walk is the index along which a list of all keys goes.
type walk struct {
	column string // "" for the id alone
	down   bool
}

var walks = map[apikey.Order]walk{
	apikey.NewestFirst: {"", true}, apikey.OldestFirst: {"", false},
	apikey.ExpiresUp: {expiry, false}, apikey.ExpiresDown: {expiry, true},
	apikey.UsedUp: {"k.last_used_ms", false}, apikey.UsedDown: {"k.last_used_ms", true},
	apikey.TriedUp: {"k.last_tried_ms", false}, apikey.TriedDown: {"k.last_tried_ms", true},
}

// fixed are the conditions on columns that no settlement changes.
func (v *View) fixed(f KeyFilter) (w where) {
	w.and("k.workspace_id = ?", f.Workspace)
	switch len(f.Of) {
	case 0:
		if f.Of != nil {
			w.and("1 = 0")
		}
	case 1:
		w.and("k.environment = ?", f.Of[0])
	}
	if !f.ExpiringBefore.IsZero() {
		w.and(f.beside(expiry)+" < ?", millis(f.ExpiringBefore))
	}
	if !f.UnusedSince.IsZero() {
		f.usedBefore = f.UnusedSince
		w.and("k.created_ms < ?", millis(f.UnusedSince))
	}
	if !f.usedBefore.IsZero() {
		w.and(f.beside("k.last_used_ms")+" < ?", millis(f.usedBefore))
	}
	if !f.TriedSince.IsZero() {
		w.and(f.beside("k.last_tried_ms")+" >= ?", millis(f.TriedSince))
	}
	if f.Permission != "" {
		w.and(
			"EXISTS (SELECT 1 FROM permission_sets s WHERE s.id = +k.set_id AND "+v.db.driver.Position(
				"?", "' ' || s.names || ' '",
			)+" > 0)",
			" "+f.Permission+" ",
		)
	}
	return w
}

// beside is a column of a condition. Where the list goes along another index, the '+' keeps the database from going
// along that of the column, which would have to be sorted as a whole.
func (f KeyFilter) beside(column string) string {
	if !f.Own && (walks[f.Order].column == column || !f.Along) {
		return column
	}
	return "+(" + column + ")"
}

// userColumn is the user's column of a condition. Only a list by id has an index of one user's keys.
func (f KeyFilter) userColumn() string {
	if walks[f.Order].column != "" && !f.Own {
		return "k.user_id || ''"
	}
	return "k.user_id"
}

// way is the filter of all keys that a walk along the order's index meets: the conditions that the index itself serves.
func (f KeyFilter) way() KeyFilter {
	out := KeyFilter{Workspace: f.Workspace, Order: f.Order, Along: f.Along, Page: Page{After: f.After}}
	switch walks[f.Order].column {
	case "":
		out.User = f.User
	case expiry:
		out.ExpiringBefore = f.ExpiringBefore
	case "k.last_used_ms":
		out.usedBefore = f.UnusedSince
	case "k.last_tried_ms":
		out.TriedSince = f.TriedSince
	}
	return out
}

// expiryOf is the key's expiry in the order of a list.
func expiryOf(k *apikey.Key) int64 {
	if k.ExpiresAt.IsZero() {
		return never
	}
	return millis(k.ExpiresAt)
}

// Unchanged reports whether a key whose last use is younger than its row is still one that the filter selects.
func (f KeyFilter) Unchanged(lastUsed time.Time) bool {
	return f.UnusedSince.IsZero() || lastUsed.Before(f.UnusedSince)
}

// ordered is the column that a list is ordered by. Where one user's keys are sorted, it is an expression without an
// index, so that the database does not walk along the keys of all.
func (f KeyFilter) ordered(column string) string {
	if f.Own && column != "" {
		return column + " + 0"
	}
	return column
}

// FewKeys tells whether a user has n keys at most, so that reading them all costs no more than that many rows. While a
// settlement is open it is not known which keys are the user's.
func (v *View) FewKeys(ws id.Workspace, u id.User, n int64) (bool, error) {
	if open, err := v.settling(ws); err != nil || open {
		return false, err
	}
	has, err := v.KeyTotal(ws, u)
	return has <= n, err
}
