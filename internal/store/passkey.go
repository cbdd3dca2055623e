package store

import (
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/session"
)

const selectPasskeys = `SELECT id, workspace_id, user_id, since_ms, name, credential, public_key, handle, counter, backup, bounds,
	created_ms, used_ms FROM passkeys`

func scanPasskey(r Rows) (p session.Passkey, err error) {
	var bounds string
	var since, counter, backup, created, used int64
	err = r.Scan(
		&p.ID, &p.Workspace, &p.User, &since, &p.Name, &p.Credential, &p.PublicKey, &p.Handle, &counter, &backup, &bounds,
		&created, &used,
	)
	if err != nil {
		return p, err
	}
	p.Counter, p.Backup = uint32(counter), backup != 0
	p.Since, p.CreatedAt, p.UsedAt = fromMillis(since), fromMillis(created), fromMillis(used)
	p.Bounds, err = decodeBounds(bounds)
	return p, err
}

// Passkey reads a passkey.
func (v *View) Passkey(p id.Passkey) (session.Passkey, error) {
	return one(v, scanPasskey, selectPasskeys+` WHERE id = ?`, p)
}

// PasskeyOf reads the passkey with a credential's id.
func (v *View) PasskeyOf(credential []byte) (session.Passkey, error) {
	return one(v, scanPasskey, selectPasskeys+` WHERE credential = ?`, credential)
}

// Passkeys lists those of a member, the oldest first.
func (v *View) Passkeys(ws id.Workspace, u id.User) ([]session.Passkey, error) {
	return all(v, scanPasskey, selectPasskeys+` WHERE workspace_id = ? AND user_id = ? ORDER BY id`, ws, u)
}

// PutPasskey inserts a passkey. ErrDuplicate says that there is one with its credential.
func (tx *Tx) PutPasskey(p session.Passkey) error {
	bounds, err := encodeBounds(p.Bounds)
	if err != nil {
		return fmt.Errorf("put passkey: %w", err)
	}
	backup := 0
	if p.Backup {
		backup = 1
	}
	err = tx.exec(
		`INSERT INTO passkeys (id, workspace_id, user_id, since_ms, name, credential, public_key, handle, counter, backup, bounds,
			created_ms, used_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		p.ID,
		p.Workspace,
		p.User,
		millis(p.Since),
		p.Name,
		p.Credential,
		p.PublicKey,
		p.Handle,
		int64(p.Counter),
		backup,
		bounds,
		millis(p.CreatedAt),
		millis(p.UsedAt),
	)
	if err != nil {
		return fmt.Errorf("put passkey: %w", err)
	}
	return nil
}

// UsePasskey notes that a passkey signed somebody in now, and its counter.
func (tx *Tx) UsePasskey(p id.Passkey, counter uint32) error {
	if err := tx.exec(`UPDATE passkeys SET counter = ?, used_ms = ? WHERE id = ?`, int64(counter), millis(tx.now),
		p); err != nil {
		return fmt.Errorf("use passkey: %w", err)
	}
	return nil
}

// DeletePasskey takes a passkey away.
func (tx *Tx) DeletePasskey(p id.Passkey) error {
	if err := tx.exec(`DELETE FROM passkeys WHERE id = ?`, p); err != nil {
		return fmt.Errorf("delete passkey: %w", err)
	}
	return nil
}

const selectInvitations = `SELECT digest, workspace_id, user_id, since_ms, service_key_id, api_key_id, inviter_id, bounds, expires_ms
	FROM invitations`

func scanInvitation(r Rows) (i session.Invitation, err error) {
	var digest []byte
	var bounds string
	var since, expires int64
	err = r.Scan(
		&digest, &i.Workspace, &i.User, &since, &i.Inviter.ServiceKey, &i.Inviter.APIKey, &i.Inviter.User, &bounds, &expires,
	)
	if err != nil {
		return i, err
	}
	copy(i.Digest[:], digest)
	i.Since, i.ExpiresAt = fromMillis(since), fromMillis(expires)
	i.Bounds, err = decodeBounds(bounds)
	return i, err
}

// Invitation reads an invitation that is not followed yet, also one that is too old.
func (v *View) Invitation(code keyfmt.Digest) (session.Invitation, error) {
	return one(v, scanInvitation, selectInvitations+` WHERE digest = ?`, code[:])
}

// Invitations lists those of a member.
func (v *View) Invitations(ws id.Workspace, u id.User) ([]session.Invitation, error) {
	return all(v, scanInvitation, selectInvitations+` WHERE workspace_id = ? AND user_id = ? ORDER BY digest`, ws, u)
}

// PutInvitation inserts an invitation in the place of every other one of the member.
func (tx *Tx) PutInvitation(i session.Invitation) error {
	bounds, err := encodeBounds(i.Bounds)
	if err != nil {
		return fmt.Errorf("put invitation: %w", err)
	}
	if err := tx.DeleteInvitationsOf(i.Workspace, i.User); err != nil {
		return err
	}
	err = tx.exec(
		`INSERT INTO invitations (digest, workspace_id, user_id, since_ms, service_key_id, api_key_id, inviter_id, bounds, expires_ms)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		i.Digest[:],
		i.Workspace,
		i.User,
		millis(i.Since),
		i.Inviter.ServiceKey,
		i.Inviter.APIKey,
		i.Inviter.User,
		bounds,
		millis(i.ExpiresAt),
	)
	if err != nil {
		return fmt.Errorf("put invitation: %w", err)
	}
	return nil
}

// DeleteInvitation takes an invitation away; ErrNotFound says that it was followed before.
func (tx *Tx) DeleteInvitation(code keyfmt.Digest) error {
	if err := tx.exec(`DELETE FROM invitations WHERE digest = ?`, code[:]); err != nil {
		return fmt.Errorf("delete invitation: %w", err)
	}
	return nil
}

// DeleteInvitationsOf takes away a member's invitations. There may be none.
func (tx *Tx) DeleteInvitationsOf(ws id.Workspace, u id.User) error {
	if _, err := tx.q.Exec(tx.ctx, `DELETE FROM invitations WHERE workspace_id = ? AND user_id = ?`, ws, u); err != nil {
		return fmt.Errorf("delete invitations: %w", err)
	}
	return nil
}

// DeleteInvitations takes away all invitations. There may be none.
func (tx *Tx) DeleteInvitations() error {
	if _, err := tx.q.Exec(tx.ctx, `DELETE FROM invitations`); err != nil {
		return fmt.Errorf("delete invitations: %w", err)
	}
	return nil
}

// AnswerChallenge keeps that a challenge was answered, until it is too old to be answered again. ErrDuplicate says that
// it was before.
func (tx *Tx) AnswerChallenge(challenge keyfmt.Digest, until time.Time) error {
	if err := tx.exec(`INSERT INTO answered_challenges (digest, expires_ms) VALUES (?, ?)`, challenge[:],
		millis(until)); err != nil {
		return fmt.Errorf("answer a challenge: %w", err)
	}
	return nil
}

// SignedIn tells whether a member has ever signed in to the workspace, in this membership.
func (v *View) SignedIn(ws id.Workspace, u id.User) (bool, error) {
	n, err := one(v, scanInt, `SELECT count(*) FROM signed_in WHERE workspace_id = ? AND user_id = ?`, ws, u)
	return n > 0, err
}

// SignedInOf lists those of a workspace's members, between two user ids, who have ever signed in to it.
func (v *View) SignedInOf(ws id.Workspace, first, last id.User) ([]id.User, error) {
	return all(v, func(r Rows) (u id.User, err error) { return u, r.Scan(&u) },
		`SELECT user_id FROM signed_in WHERE workspace_id = ? AND user_id >= ? AND user_id <= ?`, ws, first, last)
}

// NoteSignIn keeps that a member signs in now.
func (tx *Tx) NoteSignIn(ws id.Workspace, u id.User) error {
	_, err := tx.q.Exec(tx.ctx, `INSERT INTO signed_in (workspace_id, user_id, first_ms) VALUES (?, ?, ?)
		ON CONFLICT (workspace_id, user_id) DO NOTHING`, ws, u, millis(tx.now))
	if err != nil {
		return fmt.Errorf("note a sign-in: %w", err)
	}
	return nil
}

// ForgetSignIn forgets that a member has signed in. There may be nothing to forget.
func (tx *Tx) ForgetSignIn(ws id.Workspace, u id.User) error {
	if _, err := tx.q.Exec(tx.ctx, `DELETE FROM signed_in WHERE workspace_id = ? AND user_id = ?`, ws, u); err != nil {
		return fmt.Errorf("forget a sign-in: %w", err)
	}
	return nil
}

// passkeys removes what is past its end.
func (p *purger) passkeys() {
	now := millis(p.now)
	p.remove(`DELETE FROM invitations WHERE digest IN (SELECT digest FROM invitations WHERE expires_ms <= ? LIMIT ?)`, now)
	p.remove(
		`DELETE FROM answered_challenges WHERE digest IN (SELECT digest FROM answered_challenges WHERE expires_ms <= ? LIMIT ?)`,
		now,
	)
}

// signIns removes what a deleted workspace had of members who sign in.
func (p *purger) signIns(ws id.Workspace) bool {
	return p.remove(`DELETE FROM passkeys WHERE id IN (SELECT id FROM passkeys WHERE workspace_id = ? LIMIT ?)`, ws) &&
		p.remove(
			`DELETE FROM invitations WHERE digest IN (SELECT digest FROM invitations WHERE workspace_id = ? LIMIT ?)`, ws,
		) &&
		p.remove(`DELETE FROM signed_in WHERE workspace_id = ? AND user_id IN
			(SELECT user_id FROM signed_in WHERE workspace_id = ? ORDER BY user_id LIMIT ?)`, ws, ws)
}
