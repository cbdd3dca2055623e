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

// NthEventSince tells whether a workspace has had n events since a time. It walks over n entries of an index.
func (v *View) NthEventSince(ws id.Workspace, n int64, since time.Time) (bool, error) {
	found, err := all(
		v, scanInt, `SELECT created_ms FROM events WHERE workspace_id = ? ORDER BY seq DESC LIMIT 1 OFFSET ?`, ws, n-1,
	)
	return len(found) == 1 && found[0] >= millis(since), err
}
