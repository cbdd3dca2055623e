package store

import (
	"time"

	"github.com/keyward/keyward/internal/id"
)

// MemberTotal counts the members of a workspace.
func (v *View) MemberTotal(ws id.Workspace) (int64, error) {
	return one(v, scanInt, `SELECT count(*) FROM members WHERE workspace_id = ? AND left_ms = 0`, ws)
}

// RoleTotal counts the roles of a workspace that are no system roles.
func (v *View) RoleTotal(ws id.Workspace) (int64, error) {
	return one(v, scanInt, `SELECT count(*) FROM roles WHERE workspace_id = ? AND system = ''`, ws)
}

// EventsToday counts the events of a workspace in the UTC day of the transaction. It reads a counter for each type of
// event, never the log.
func (tx *Tx) EventsToday(ws id.Workspace) (int64, error) {
	day := dayOf(tx.now)
	n, err := cachedOrRead(tx.View, eventsOfDay{ws, day}, func() (int64, error) {
		return one(
			tx.View, scanInt,
			`SELECT CAST(coalesce(sum(day_events), 0) AS BIGINT) FROM event_types WHERE workspace_id = ? AND day = ?`, ws, day,
		)
	})
	for _, t := range tx.group.types { // they are counted at the end of the group
		if t.workspace == ws && t.day == day {
			n++
		}
	}
	return n, err
}

// eventsOfDay is the key of a number of events in the cache of a group.
type eventsOfDay struct {
	workspace id.Workspace
	day       int64
}

// dayOf is the number of the UTC day of a time since 1970.
func dayOf(t time.Time) int64 { return t.Unix() / 86_400 }
