package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
)

// A removal of a member is kept with the state of the keys before it, so that it can be undone. Each later change of
// such a key is noted in the statement that makes it: the undoing then knows what was taken back since.

// removalsKept is for how long a removal is kept after its end, to answer why it cannot be undone any more.
const removalsKept = 24 * time.Hour

// RemovalState says whether a removal can still be undone, and why not.
type RemovalState string

// The states.
const (
	RemovalOpen     RemovalState = ""
	RemovalRestored RemovalState = "restored" // it was undone
	RemovalReturned RemovalState = "returned" // the user became a member again in another way
	RemovalNarrowed RemovalState = "narrowed" // the heir lost permissions while the keys were handed over
)

// Removal is a removal of a member that can be undone. Its id is that of the settlement of the member's keys.
type Removal struct {
	ID          id.Settlement
	Workspace   id.Workspace
	User        id.User
	Role        id.Role
	Permissions perm.Set // of the role
	Mode        account.PermissionMode
	By          string // the kind and the id of the caller
	At          time.Time
	Until       time.Time
	State       RemovalState
}

// KeySince says what has happened to a key since a removal.
type KeySince int64

// The possibilities.
const (
	KeyAsLeft KeySince = iota
	KeyChanged
	KeyDeleted
)

// RemovedKey is a key that a removal has settled.
type RemovedKey struct {
	ID       id.Key
	Key      apikey.Key // as it is now; zero where it was deleted
	IsActive bool       // before the removal, as Disabled
	Disabled apikey.Mark
	Since    KeySince
}

var removalTable = newTable("removals", "",
	plain("id", func(r *removalRow) *id.Settlement { return &r.ID }),
	plain("workspace_id", func(r *removalRow) *id.Workspace { return &r.Workspace }),
	plain("user_id", func(r *removalRow) *id.User { return &r.User }),
	plain("role_id", func(r *removalRow) *id.Role { return &r.Role }),
	plain("role_permissions", func(r *removalRow) *string { return &r.permissions }),
	plain("permission_mode", func(r *removalRow) *account.PermissionMode { return &r.Mode }),
	plain("removed_by", func(r *removalRow) *string { return &r.By }),
	instant("removed_ms", func(r *removalRow) *time.Time { return &r.At }),
	instant("until_ms", func(r *removalRow) *time.Time { return &r.Until }),
	plain("state", func(r *removalRow) *RemovalState { return &r.State }),
)

type removalRow struct {
	Removal
	permissions string
}

// KeepRemoval keeps a removal, and the member's keys as their rows have them. It follows Settle and precedes every
// write of a row.
func (tx *Tx) KeepRemoval(r Removal) error {
	row := removalRow{Removal: r, permissions: joinNames(tx.db.catalogue, r.Permissions)}
	err := tx.execBeside(removalTable.insert, removalTable.inserted(&row)...)
	if err == nil {
		_, err = tx.q.Exec(
			tx.ctx,
			`INSERT INTO removal_keys (removal_id, key_id, is_active, disabled_by, disabled_ms, disabled_by_right, state)
			SELECT ?, id, is_active, disabled_by, disabled_ms, disabled_by_right, 0 FROM api_keys WHERE workspace_id = ? AND user_id = ?`,
			r.ID,
			r.Workspace,
			r.User,
		)
	}
	if err != nil {
		return fmt.Errorf("keep a removal: %w", err)
	}
	return nil
}

// Removal reads a removal of a user.
func (v *View) Removal(ws id.Workspace, u id.User, r id.Settlement) (Removal, error) {
	row, err := one(
		v, removalTable.scan, removalTable.selects+` WHERE id = ? AND workspace_id = ? AND user_id = ?`, r, ws, u,
	)
	if err != nil {
		return Removal{}, err
	}
	row.Removal.Permissions = v.db.catalogue.Known(strings.Fields(row.permissions))
	return row.Removal, nil
}

// OpenRemovals lists those of a workspace that can still be undone, the latest first.
func (v *View) OpenRemovals(ws id.Workspace) ([]Removal, error) {
	rows, err := all(v, removalTable.scan, removalTable.selects+` WHERE workspace_id = ? AND state = '' AND until_ms > ?
		ORDER BY removed_ms DESC, id DESC LIMIT 20`, ws, millis(v.now))
	out := make([]Removal, len(rows))
	for i := range rows {
		out[i] = rows[i].Removal
	}
	return out, err
}

// RemovedKeys lists the keys of a removal by their ids.
func (v *View) RemovedKeys(r id.Settlement) ([]RemovedKey, error) {
	list, err := all(v, func(rows Rows) (k RemovedKey, err error) {
		var at int64
		err = rows.Scan(&k.ID, &k.IsActive, &k.Disabled.By, &at, &k.Disabled.Right, &k.Since)
		k.Disabled.At = fromMillis(at)
		return k, err
	}, `SELECT key_id, is_active, disabled_by, disabled_ms, disabled_by_right, state FROM removal_keys WHERE removal_id = ? ORDER BY key_id`, r)
	if err != nil {
		return nil, err
	}
	rows, err := all(v, v.scanKey, selectKeys+` WHERE k.id IN (SELECT key_id FROM removal_keys WHERE removal_id = ?)`, r)
	if err != nil {
		return nil, err
	}
	keys, err := v.complete(rows)
	if err != nil {
		return nil, err
	}
	now := make(map[id.Key]*apikey.Key, len(keys))
	for i := range keys {
		if err := v.settle(&keys[i]); err != nil {
			return nil, err
		}
		now[keys[i].ID] = &keys[i]
	}
	for i := range list {
		if k := now[list[i].ID]; k != nil {
			list[i].Key = *k
		} else {
			list[i].Since = KeyDeleted
		}
	}
	return list, nil
}

// LeftMember reads a user who was a member, without a role.
func (v *View) LeftMember(ws id.Workspace, u id.User) (account.Member, error) {
	m := account.Member{Workspace: ws, User: u}
	created, err := one(v, func(r Rows) (created int64, err error) {
		err = r.Scan(&m.Email, &m.DisplayName, &created)
		return created, err
	}, `SELECT email, display_name, created_ms FROM members WHERE workspace_id = ? AND user_id = ? AND left_ms <> 0`, ws, u)
	m.CreatedAt = fromMillis(created)
	return m, err
}

// EndRemoval says that a removal cannot be undone any more, and why.
func (tx *Tx) EndRemoval(r id.Settlement, why RemovalState) error {
	return tx.q.ExecDeferred(tx.ctx, `UPDATE removals SET state = ? WHERE id = ? AND state = ''`, why, r)
}

// DeleteRemovals makes every removal final.
func (tx *Tx) DeleteRemovals() error {
	for _, table := range []string{"removal_keys", "removals"} {
		n, err := tx.q.Exec(tx.ctx, `DELETE FROM `+table)
		if err != nil {
			return fmt.Errorf("delete the removals: %w", err)
		}
		tx.counted = tx.counted || n > 0
	}
	return nil
}

// endRemovals ends the removals of a user who is a member again.
func (tx *Tx) endRemovals(ws id.Workspace, u id.User) error {
	return tx.q.ExecDeferred(
		tx.ctx, `UPDATE removals SET state = ? WHERE workspace_id = ? AND user_id = ? AND state = ''`, RemovalReturned, ws, u,
	)
}

// TakeKeyBack notes that a caller disabled a key that a removal had stopped before: the undoing must not enable it.
// It records no event, because the key stays as it is.
func (tx *Tx) TakeKeyBack(k id.Key) error {
	n, err := tx.q.Exec(tx.ctx, `UPDATE removal_keys SET state = ? WHERE key_id = ? AND state = 0`, KeyChanged, k)
	tx.counted = tx.counted || n > 0
	return err
}

// keyChanged notes a change of a key in the removals that have settled it.
func (tx *Tx) keyChanged(k id.Key, since KeySince) error {
	return tx.q.ExecDeferred(tx.ctx, `UPDATE removal_keys SET state = ? WHERE key_id = ? AND state < ?`, since, k, since)
}

// Two ways to the keys of a user that removals have settled: from the user's keys, and from the removals.
const (
	fromKeys = `SELECT id FROM api_keys WHERE workspace_id = ? AND user_id = ?`

	fromRemovals = `SELECT k.id FROM removals r JOIN removal_keys b ON b.removal_id = r.id JOIN api_keys k ON k.id = b.key_id
		WHERE r.workspace_id = ? AND r.state = '' AND k.user_id = ?`

	// walkedKeys is how many keys a user has at most where fromKeys is taken: many members may have been removed within
	// the time in which that can be undone.
	walkedKeys = 1000
)

// userSettled notes that all keys of a user are about to change: those that an earlier removal has handed to them.
func (tx *Tx) userSettled(ws id.Workspace, u id.User) error {
	keys, err := all(tx.View, scanInt, `SELECT key_count FROM members WHERE workspace_id = ? AND user_id = ?`, ws, u)
	if err != nil {
		return err
	}
	way := fromKeys
	if first(keys) > walkedKeys {
		way = fromRemovals
	}
	return tx.q.ExecDeferred(
		tx.ctx, `UPDATE removal_keys SET state = ? WHERE state = 0 AND key_id IN (`+way+`) AND EXISTS
			(SELECT 1 FROM removals r WHERE r.id = removal_keys.removal_id AND r.state = '')`,
		KeyChanged, ws, u,
	)
}

// removals removes those that are past their end; keys go first.
func (p *purger) removals(query string, args ...any) (empty bool) {
	return p.remove(`DELETE FROM removal_keys WHERE (removal_id, key_id) IN (SELECT b.removal_id, b.key_id FROM removals r
			JOIN removal_keys b ON b.removal_id = r.id WHERE `+query+` LIMIT ?)`, args...) &&
		p.remove(`DELETE FROM removals WHERE id IN (SELECT r.id FROM removals r WHERE `+query+` LIMIT ?)`, args...)
}
