package store

import (
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/session"
)

// sessionRow is a session as its row has it.
type sessionRow struct {
	session.Session
	bounds string
}

var sessionTable = newTable("sessions", "",
	plain("id", func(s *sessionRow) *id.Session { return &s.ID }).fixed(),
	plain("service_key_id", func(s *sessionRow) *id.ServiceKey { return &s.ServiceKey }),
	plain("workspace_id", func(s *sessionRow) *id.Workspace { return &s.Workspace }),
	plain("user_id", func(s *sessionRow) *id.User { return &s.User }),
	plain("method", func(s *sessionRow) *session.Method { return &s.Method }),
	plain("address", func(s *sessionRow) *string { return &s.Address }),
	plain("user_agent", func(s *sessionRow) *string { return &s.UserAgent }),
	digest("digest", func(s *sessionRow) *keyfmt.Digest { return &s.Digest }),
	instant("started_ms", func(s *sessionRow) *time.Time { return &s.StartedAt }),
	instant("seen_ms", func(s *sessionRow) *time.Time { return &s.SeenAt }),
	instant("expires_ms", func(s *sessionRow) *time.Time { return &s.ExpiresAt }),
	plain("bounds", func(s *sessionRow) *string { return &s.bounds }),
)

var selectSessions = sessionTable.selects

func scanSession(r Rows) (session.Session, error) {
	row, err := sessionTable.scan(r)
	if err == nil {
		row.Bounds, err = decodeBounds(row.bounds)
	}
	return row.Session, err
}

// Session reads a session, also one that is past its ends.
func (v *View) Session(s id.Session) (session.Session, error) {
	return one(v, scanSession, selectSessions+` WHERE id = ?`, s)
}

// SessionOf reads the session of a token, also one that is past its ends.
func (v *View) SessionOf(token keyfmt.Digest) (session.Session, error) {
	return one(v, scanSession, selectSessions+` WHERE digest = ?`, token[:])
}

// SessionFilter picks sessions; an empty field picks all.
type SessionFilter struct {
	Workspace  id.Workspace
	User       id.User
	ServiceKey id.ServiceKey
	Members    bool // none that act as a service key
	Page
}

// leeway is how far the times of two transactions may lie apart where their nodes' clocks do.
const leeway = time.Minute

// Sessions lists those that are not past their ends, the newest first.
func (v *View) Sessions(f SessionFilter) ([]session.Session, error) {
	var w where
	w.and("expires_ms > ?", millis(v.now))
	w.and("expires_ms <= ?", millis(v.now.Add(session.Life+leeway))) // beyond: see Session.Ended
	w.and("seen_ms > ?", millis(v.now.Add(-session.IdleLife)))
	if f.Workspace != "" {
		w.and("workspace_id = ?", f.Workspace)
	}
	if f.User != "" {
		w.and("user_id = ?", f.User)
	}
	if f.ServiceKey != "" {
		w.and("service_key_id = ?", f.ServiceKey)
	}
	if f.Members {
		w.and("service_key_id = ''")
	}
	if f.After != "" {
		w.and("id < ?", f.After)
	}
	return all(v, scanSession, selectSessions+w.String()+` ORDER BY id DESC LIMIT ?`, append(w.args, limit(f.Limit))...)
}

// PutSession inserts a session. ErrDuplicate says that there is one with its digest.
func (tx *Tx) PutSession(s session.Session) error {
	row := sessionRow{Session: s}
	var err error
	if row.bounds, err = encodeBounds(s.Bounds); err == nil {
		err = tx.exec(sessionTable.insert, sessionTable.inserted(&row)...)
	}
	if err != nil {
		return fmt.Errorf("put session: %w", err)
	}
	return nil
}

// DeleteSession ends a session.
func (tx *Tx) DeleteSession(s id.Session) error {
	if err := tx.exec(`DELETE FROM sessions WHERE id = ?`, s); err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}

// TouchSession notes that a session is used now. It records no event: a use is none.
func (c *Counting) TouchSession(s id.Session) error {
	now := millis(c.now)
	if _, err := c.exec(`UPDATE sessions SET seen_ms = ? WHERE id = ? AND (seen_ms < ? OR seen_ms > ?)`, now, s, now,
		now+session.SeenEvery.Milliseconds()); err != nil {
		return fmt.Errorf("touch session: %w", err)
	}
	return nil
}

// linkRow is a sign-in link as its row has it.
type linkRow struct {
	session.Link
	bounds string
}

var linkTable = newTable("sign_in_links", "",
	digest("digest", func(l *linkRow) *keyfmt.Digest { return &l.Digest }).fixed(),
	plain("service_key_id", func(l *linkRow) *id.ServiceKey { return &l.ServiceKey }),
	plain("workspace_id", func(l *linkRow) *id.Workspace { return &l.Workspace }),
	plain("user_id", func(l *linkRow) *id.User { return &l.User }),
	instant("expires_ms", func(l *linkRow) *time.Time { return &l.ExpiresAt }),
	plain("bounds", func(l *linkRow) *string { return &l.bounds }),
)

func scanLink(r Rows) (session.Link, error) {
	row, err := linkTable.scan(r)
	if err == nil {
		row.Bounds, err = decodeBounds(row.bounds)
	}
	return row.Link, err
}

// SignInLink reads an unused link, also one that is too old.
func (v *View) SignInLink(code keyfmt.Digest) (session.Link, error) {
	return one(v, scanLink, linkTable.selects+` WHERE digest = ?`, code[:])
}

// PutSignInLink inserts a link.
func (tx *Tx) PutSignInLink(l session.Link) error {
	row := linkRow{Link: l}
	var err error
	if row.bounds, err = encodeBounds(l.Bounds); err == nil {
		err = tx.exec(linkTable.insert, linkTable.inserted(&row)...)
	}
	if err != nil {
		return fmt.Errorf("put sign-in link: %w", err)
	}
	return nil
}

// DeleteSignInLink takes a link away; ErrNotFound says that it was used before.
func (tx *Tx) DeleteSignInLink(code keyfmt.Digest) error {
	if err := tx.exec(`DELETE FROM sign_in_links WHERE digest = ?`, code[:]); err != nil {
		return fmt.Errorf("delete sign-in link: %w", err)
	}
	return nil
}

// DeleteSignInLinksOf takes away a member's links. There may be none.
func (tx *Tx) DeleteSignInLinksOf(ws id.Workspace, u id.User) error {
	if _, err := tx.q.Exec(tx.ctx, `DELETE FROM sign_in_links WHERE workspace_id = ? AND user_id = ?`, ws, u); err != nil {
		return fmt.Errorf("delete sign-in links: %w", err)
	}
	return nil
}

// Memberships lists a person's places in the workspaces that there are, those of the oldest workspaces first.
func (v *View) Memberships(u id.User) ([]account.Member, error) {
	return all(v, scanMember, selectMembers+` WHERE user_id = ? AND left_ms = 0
		AND workspace_id IN (SELECT id FROM workspaces WHERE deleted_ms = 0) ORDER BY workspace_id`, u)
}

// sessions removes sessions that are past their end.
func (p *purger) sessions() {
	now := millis(p.now)
	p.remove(
		`DELETE FROM sign_in_links WHERE digest IN (SELECT digest FROM sign_in_links WHERE expires_ms <= ? LIMIT ?)`, now,
	)
	p.remove(`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_ms <= ? LIMIT ?)`, now)
	p.remove(`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE seen_ms <= ? LIMIT ?)`,
		millis(p.now.Add(-session.IdleLife)))
}
