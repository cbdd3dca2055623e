package store

import (
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
)

var memberTable = newTable("members", "",
	plain("workspace_id", func(m *account.Member) *id.Workspace { return &m.Workspace }).fixed(),
	plain("user_id", func(m *account.Member) *id.User { return &m.User }).fixed(),
	plain("email", func(m *account.Member) *string { return &m.Email }),
	plain("display_name", func(m *account.Member) *string { return &m.DisplayName }),
	plain("role_id", func(m *account.Member) *id.Role { return &m.Role }),
	plain("key_count", func(m *account.Member) *int64 { return &m.KeyCount }).fixed(),
	instant("created_ms", func(m *account.Member) *time.Time { return &m.CreatedAt }),
	instant("updated_ms", func(m *account.Member) *time.Time { return &m.UpdatedAt }),
	plain("period", func(m *account.Member) *int64 { return &m.Period }).counted(),
)

var selectMembers = memberTable.selects

func scanMember(r Rows) (account.Member, error) { return memberTable.scan(r) }

// Member reads a current member.
func (v *View) Member(ws id.Workspace, u id.User) (account.Member, error) {
	return cachedOrRead(v, memberID{ws, u}, func() (account.Member, error) {
		if err := v.alive(ws); err != nil {
			return account.Member{}, err
		}
		return one(v, scanMember, selectMembers+` WHERE workspace_id = ? AND user_id = ? AND left_ms = 0`, ws, u)
	})
}

// Members lists them by user id.
func (v *View) Members(ws id.Workspace, p Page) ([]account.Member, error) {
	return inLive(
		v, ws, scanMember, selectMembers+` WHERE workspace_id = ? AND user_id > ? AND left_ms = 0 ORDER BY user_id LIMIT ?`,
		ws, p.After, limit(p.Limit),
	)
}

// MembersWithRole lists up to n holders of a role, the earliest first; 0 lists all.
func (v *View) MembersWithRole(ws id.Workspace, r id.Role, n int) ([]account.Member, error) {
	return inLive(v, ws, scanMember, selectMembers+` WHERE workspace_id = ? AND role_id = ? AND left_ms = 0
		ORDER BY created_ms, user_id LIMIT ?`, ws, r, limit(n))
}

// Creator returns the e-mail and name under which keys of the user are shown, also for a user who has left.
func (v *View) Creator(ws id.Workspace, u id.User) (email, displayName string, err error) {
	if err := v.alive(ws); err != nil {
		return "", "", err
	}
	type names struct{ email, display string }
	n, err := one(v, func(r Rows) (n names, err error) {
		err = r.Scan(&n.email, &n.display)
		return n, err
	}, `SELECT email, display_name FROM members WHERE workspace_id = ? AND user_id = ?`, ws, u)
	return n.email, n.display, err
}

// roleOf is the role of a member, "" for a user who has left; found reports whether there is a row at all.
func (tx *Tx) roleOf(ws id.Workspace, u id.User) (role id.Role, found bool, err error) {
	rows, err := all(tx.View, func(r Rows) (role id.Role, err error) {
		err = r.Scan(&role)
		return role, err
	}, `SELECT coalesce(role_id, '') FROM members WHERE workspace_id = ? AND user_id = ?`, ws, u)
	if err != nil || len(rows) == 0 {
		return "", false, err
	}
	return rows[0], true, nil
}

// countRole moves a role's number of members. ErrNotFound says that the workspace has no such role.
func (tx *Tx) countRole(ws id.Workspace, r id.Role, by int) error {
	return tx.exec(`UPDATE roles SET member_count = member_count + ? WHERE workspace_id = ? AND id = ?`, by, ws, r)
}

// PutMember inserts or replaces, and brings back a user who had left. KeyCount is the store's own. ErrNotFound says
// that the workspace, or the role in it, is not there.
func (tx *Tx) PutMember(m account.Member) error {
	if err := tx.putMember(m); err != nil {
		return fmt.Errorf("put member: %w", err)
	}
	now, err := tx.Member(m.Workspace, m.User)
	if err != nil {
		return fmt.Errorf("put member: %w", err)
	}
	tx.changed(feed.Change{Member: &now})
	return tx.NarrowHeirs(m.Workspace)
}

func (tx *Tx) putMember(m account.Member) error {
	if err := tx.alive(m.Workspace); err != nil {
		return err
	}
	old, found, err := tx.roleOf(m.Workspace, m.User)
	if err != nil {
		return err
	}
	if old != m.Role {
		if err := tx.countRole(m.Workspace, m.Role, +1); err != nil {
			return fmt.Errorf("role: %w", err)
		}
		if old != "" {
			if err := tx.countRole(m.Workspace, old, -1); err != nil {
				return err
			}
		}
	}
	if found && old == "" {
		if err := tx.endRemovals(m.Workspace, m.User); err != nil {
			return err
		}
	}
	if found {
		return tx.exec(memberTable.update+`, left_ms = 0 WHERE workspace_id = ? AND user_id = ?`,
			memberTable.changed(&m, m.Workspace, m.User)...)
	}
	m.KeyCount, err = one(
		tx.View, scanInt, `SELECT count(*) FROM api_keys WHERE workspace_id = ? AND user_id = ?`, m.Workspace, m.User,
	)
	if err != nil {
		return err
	}
	return tx.exec(memberTable.insert, memberTable.inserted(&m)...)
}

// RemoveMember ends the membership. E-mail and name stay for Creator; the keys are not touched.
func (tx *Tx) RemoveMember(ws id.Workspace, u id.User) error {
	if err := tx.removeMember(ws, u); err != nil {
		return fmt.Errorf("remove member: %w", err)
	}
	if err := tx.NarrowHeirs(ws); err != nil {
		return err
	}
	tx.changed(feed.Change{MemberGone: &feed.MemberID{Workspace: ws, User: u}})
	return nil
}

func (tx *Tx) removeMember(ws id.Workspace, u id.User) error {
	if err := tx.alive(ws); err != nil {
		return err
	}
	role, _, err := tx.roleOf(ws, u)
	if err != nil {
		return err
	}
	if role == "" {
		return ErrNotFound
	}
	if err := tx.countRole(ws, role, -1); err != nil {
		return err
	}
	return tx.exec(`UPDATE members SET role_id = NULL, left_ms = ?, updated_ms = ? WHERE workspace_id = ? AND user_id = ?`,
		millis(tx.now), millis(tx.now), ws, u)
}
