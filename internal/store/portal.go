package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/session"
)

// portalRow is a portal session as its row has it.
type portalRow struct {
	session.Portal
	bounds, terms string
}

// portalTerms is the part of a portal session that no statement asks for, as JSON.
type portalTerms struct {
	Capabilities []session.Capability `json:"capabilities"`
	Ceiling      portalCeiling        `json:"ceiling"`
	Origins      []string             `json:"origins"`
	FrameOnly    bool                 `json:"frameOnly,omitzero"`
	Locale       string               `json:"locale,omitzero"`
	Theme        string               `json:"theme,omitzero"`
	ReturnURL    string               `json:"returnUrl,omitzero"`
	Label        string               `json:"label,omitzero"`
}

// portalCeiling is a ceiling as it is kept: a list that bounds nothing is left out, and one that admits nothing empty.
type portalCeiling struct {
	Permissions  []string             `json:"permissions,omitzero"`
	LifetimeMS   int64                `json:"lifetimeMs,omitzero"`
	PerMinute    int64                `json:"perMinute,omitzero"`
	PerDay       int64                `json:"perDay,omitzero"`
	Environments []keyfmt.Environment `json:"environments,omitzero"`
	MaxKeys      int64                `json:"maxKeys,omitzero"`
	RequireIPs   bool                 `json:"requireIps,omitzero"`
}

var portalTable = newTable("portal_sessions", "",
	plain("id", func(p *portalRow) *id.Portal { return &p.ID }).fixed(),
	plain("workspace_id", func(p *portalRow) *id.Workspace { return &p.Workspace }),
	plain("user_id", func(p *portalRow) *id.User { return &p.User }),
	plain("role_id", func(p *portalRow) *id.Role { return &p.Role }),
	instant("since_ms", func(p *portalRow) *time.Time { return &p.Since }),
	plain("service_key_id", func(p *portalRow) *id.ServiceKey { return &p.Maker.ServiceKey }),
	plain("maker_id", func(p *portalRow) *id.User { return &p.Maker.User }),
	plain("session_id", func(p *portalRow) *id.Session { return &p.Maker.Session }),
	plain("bounds", func(p *portalRow) *string { return &p.bounds }),
	plain("terms", func(p *portalRow) *string { return &p.terms }),
	digest("digest", func(p *portalRow) *keyfmt.Digest { return &p.Secret }),
	plain("thumbprint", func(p *portalRow) *string { return &p.Thumbprint }),
	instant("created_ms", func(p *portalRow) *time.Time { return &p.CreatedAt }),
	instant("expires_ms", func(p *portalRow) *time.Time { return &p.ExpiresAt }),
	instant("ended_ms", func(p *portalRow) *time.Time { return &p.EndedAt }),
)

func scanPortal(r Rows) (session.Portal, error) {
	row, err := portalTable.scan(r)
	if err != nil {
		return row.Portal, err
	}
	if row.Bounds, err = decodeBounds(row.bounds); err != nil {
		return row.Portal, err
	}
	return row.Portal, row.readTerms()
}

// readTerms fails for a text that it cannot read: a lost ceiling would open everything.
func (p *portalRow) readTerms() error {
	var t portalTerms
	if err := json.Unmarshal([]byte(p.terms), &t); err != nil {
		return fmt.Errorf("terms of a portal session: %w", err)
	}
	c := t.Ceiling
	p.Capabilities, p.Origins, p.FrameOnly = t.Capabilities, t.Origins, t.FrameOnly
	p.Locale, p.Theme, p.ReturnURL, p.Label = t.Locale, t.Theme, t.ReturnURL, t.Label
	p.Ceiling = session.Ceiling{Permissions: c.Permissions, MaxLifetime: time.Duration(c.LifetimeMS) * time.Millisecond,
		Limits: ratelimit.Limits{PerMinute: c.PerMinute, PerDay: c.PerDay}, Environments: c.Environments, MaxKeys: c.MaxKeys,
		RequireIPs: c.RequireIPs}
	return nil
}

func (p *portalRow) writeTerms() error {
	c := p.Ceiling
	text, err := json.Marshal(
		portalTerms{Capabilities: p.Capabilities, Origins: p.Origins, FrameOnly: p.FrameOnly, Locale: p.Locale,
			Theme: p.Theme, ReturnURL: p.ReturnURL, Label: p.Label,
			Ceiling: portalCeiling{
				Permissions: c.Permissions, LifetimeMS: c.MaxLifetime.Milliseconds(), PerMinute: c.Limits.PerMinute,
				PerDay: c.Limits.PerDay, Environments: c.Environments, MaxKeys: c.MaxKeys, RequireIPs: c.RequireIPs,
			}},
	)
	p.terms = string(text)
	return err
}

// Portal reads a portal session, also one that has ended.
func (v *View) Portal(p id.Portal) (session.Portal, error) {
	return one(v, scanPortal, portalTable.selects+` WHERE id = ?`, p)
}

// PortalOf reads the portal session of a client secret, also one that has ended or whose secret is spent.
func (v *View) PortalOf(secret keyfmt.Digest) (session.Portal, error) {
	return one(v, scanPortal, portalTable.selects+` WHERE digest = ?`, secret[:])
}

// PortalFilter picks portal sessions; an empty field picks all.
type PortalFilter struct {
	Workspace  id.Workspace
	User       id.User
	ServiceKey id.ServiceKey // that made them
	Page
}

// conditions pick those of the filter that neither were ended nor are too old.
func (f *PortalFilter) conditions(now time.Time) (w where) {
	w.and("ended_ms = 0")
	w.and("expires_ms > ?", millis(now))
	w.and("expires_ms <= ?", millis(now.Add(session.MaxPortalLife+leeway))) // beyond: see Portal.Ended
	if f.Workspace != "" {
		w.and("workspace_id = ?", f.Workspace)
	}
	if f.User != "" {
		w.and("user_id = ?", f.User)
	}
	if f.ServiceKey != "" {
		w.and("service_key_id = ?", f.ServiceKey)
	}
	return w
}

// Portals lists those that go on by their own words, the newest first. Whether the member and the maker still stand
// is another question.
func (v *View) Portals(f PortalFilter) ([]session.Portal, error) {
	w := f.conditions(v.now)
	if f.After != "" {
		w.and("id < ?", f.After)
	}
	return all(
		v,
		scanPortal,
		portalTable.selects+w.String()+` ORDER BY id DESC LIMIT ?`,
		append(w.args, limit(f.Limit))...)
}

// PutPortal inserts a portal session. ErrDuplicate says that there is one with its secret.
func (tx *Tx) PutPortal(p session.Portal) error {
	row := portalRow{Portal: p}
	var err error
	if row.bounds, err = encodeBounds(p.Bounds); err == nil {
		err = row.writeTerms()
	}
	if err == nil {
		err = tx.execBeside(portalTable.insert, portalTable.inserted(&row)...)
	}
	if err != nil {
		return fmt.Errorf("put portal session: %w", err)
	}
	return nil
}

// BindPortal gives a portal session the key that exchanged its secret. ErrNotFound says that another key was before.
func (tx *Tx) BindPortal(p id.Portal, thumbprint string) error {
	if err := tx.execBeside(`UPDATE portal_sessions SET thumbprint = ? WHERE id = ? AND thumbprint = '' AND ended_ms = 0`,
		thumbprint, p); err != nil {
		return fmt.Errorf("bind portal session: %w", err)
	}
	return nil
}

// EndPortal ends a portal session. ErrNotFound says that it was ended before.
func (tx *Tx) EndPortal(p id.Portal) error {
	if err := tx.execBeside(`UPDATE portal_sessions SET ended_ms = ? WHERE id = ? AND ended_ms = 0`, millis(tx.now),
		p); err != nil {
		return fmt.Errorf("end portal session: %w", err)
	}
	return nil
}

// EndPortals ends all of a filter and tells how many there were. The page of the filter does not count.
func (tx *Tx) EndPortals(f PortalFilter) (int64, error) {
	w := f.conditions(tx.now)
	n, err := tx.q.Exec(
		tx.ctx,
		`UPDATE portal_sessions SET ended_ms = ?`+w.String(),
		append([]any{millis(tx.now)}, w.args...)...)
	if err != nil {
		return 0, fmt.Errorf("end portal sessions: %w", err)
	}
	tx.touched = tx.touched || n > 0
	return n, nil
}

// ForgetPortals takes away all portal sessions. There may be none.
func (tx *Tx) ForgetPortals() error {
	if _, err := tx.q.Exec(tx.ctx, `DELETE FROM portal_sessions`); err != nil {
		return fmt.Errorf("forget portal sessions: %w", err)
	}
	return nil
}

// SpendProof keeps that a proof of possession was presented, until it is too old to be presented again. It reports
// whether the proof is fresh.
func (c *Counting) SpendProof(proof keyfmt.Digest, until time.Time) (fresh bool, err error) {
	n, err := c.exec(
		`INSERT INTO portal_proofs (digest, expires_ms) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING`, proof[:],
		millis(until),
	)
	if err != nil {
		return false, fmt.Errorf("spend a proof: %w", err)
	}
	return n > 0, nil
}

// Counting lets a transaction count, too.
func (tx *Tx) Counting() *Counting { return &Counting{View: tx.View, tx: tx} }

// portalsKept is how long an ended portal session stays readable, so that its page can be told that it has ended.
const portalsKept = 24 * time.Hour

// portals removes old sessions and proofs.
func (p *purger) portals() {
	p.remove(`DELETE FROM portal_sessions WHERE id IN (SELECT id FROM portal_sessions WHERE expires_ms <= ? LIMIT ?)`,
		millis(p.now.Add(-portalsKept)))
	p.remove(
		`DELETE FROM portal_proofs WHERE digest IN (SELECT digest FROM portal_proofs WHERE expires_ms <= ? LIMIT ?)`,
		millis(p.now),
	)
}

// portalsOf removes the portal sessions of a deleted workspace.
func (p *purger) portalsOf(ws id.Workspace) bool {
	return p.remove(
		`DELETE FROM portal_sessions WHERE id IN (SELECT id FROM portal_sessions WHERE workspace_id = ? LIMIT ?)`, ws,
	)
}
