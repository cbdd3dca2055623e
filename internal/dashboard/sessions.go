package dashboard

import (
	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/session"
)

type sessionRow struct {
	session.Session
	Started, Seen, Ends moment
	This                bool
	Browser             string
}

type sessionsBody struct {
	Sessions []sessionRow
	Others   bool // those of the workspace's members are shown
	MayAll   bool
	Next     string

	Passkeys   []passkeyRow
	Member     bool   // who can have passkeys
	NoPasskeys string // why none can be added here
	Welcome    bool   // right after the first one
}

type passkeyRow struct {
	session.Passkey
	Created, Used moment
}

// ownPasskeys lists a member's passkeys.
func (v *request) ownPasskeys(b *sessionsBody) error {
	if b.Member = v.may.User != "" && v.Session != ""; !b.Member || b.Others {
		return nil
	}
	keys, err := v.d.Control.ListPasskeys(v.r.Context(), v.Caller)
	if err != nil {
		return err
	}
	for _, k := range keys {
		b.Passkeys = append(b.Passkeys, passkeyRow{k, v.moment(k.CreatedAt), v.moment(k.UsedAt)})
	}
	b.NoPasskeys, b.Welcome = v.d.NoPasskeys(v.r), v.query("welcome") != ""
	return nil
}

// removePasskey takes one of the visitor's own passkeys away.
func (d *Dashboard) removePasskey(v *request) error {
	p, err := d.Control.RemovePasskey(v.r.Context(), v.Caller, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return v.tell("/sessions", "Passkey “"+p.Name+"” is removed. It signs in nobody from now on.", nil)
}

// sessions lists the visitor's sessions; or, for visitors who may remove members, those of the members.
func (d *Dashboard) sessions(v *request) error {
	b := sessionsBody{
		Others: v.query("of") == "members", MayAll: v.may.May(account.MembersRemove) && v.may.Workspace.ID != "",
	}
	in := control.ListSessions{Paging: control.Paging{Cursor: v.query("cursor")}}
	if b.Others {
		in.Workspace = v.workspace()
	}
	found, next, err := d.Control.ListSessions(v.r.Context(), v.Caller, in)
	if err != nil {
		return err
	}
	for _, s := range found {
		b.Sessions = append(
			b.Sessions,
			sessionRow{Session: s, Started: v.moment(s.StartedAt), Seen: v.moment(s.SeenAt), Ends: v.moment(s.ExpiresAt),
				This: s.ID == v.Session, Browser: browserName(s.UserAgent)},
		)
	}
	if next.NextCursor != "" {
		b.Next = v.link("cursor", next.NextCursor)
	}
	if err := v.ownPasskeys(&b); err != nil {
		return err
	}
	return v.show(page{Title: "Sessions", Section: "sessions", Wide: true, Scripts: []string{"passkey.js"}, Body: b})
}

func (d *Dashboard) endSession(v *request) error {
	if err := d.Control.EndSession(v.r.Context(), v.Caller, v.r.PathValue("id")); err != nil {
		return err
	}
	if v.r.PathValue("id") == string(v.Session) {
		return v.see("/signin")
	}
	return v.tell("/sessions", "The session has ended: that browser is signed out.", nil)
}
