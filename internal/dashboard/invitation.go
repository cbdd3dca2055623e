package dashboard

import (
	"cmp"
	"net/http"
	"net/url"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/passkey"
)

// invitationBody is a page about how a member is let in: before the link is made, or with it.
type invitationBody struct {
	Name, User, Email string
	SignedIn          bool
	Path              string // where the form of the member goes
	URL               string // the link, shown this once; "" where there is none yet
	Until             moment
	Ended             string // what a reset ended
	Workspace         string
	NoPasskeys        string
	NextID            string // the workspace that was just created; the page says what comes next
}

// invitationPage explains an invitation, or a reset of the sign-in.
func (d *Dashboard) invitationPage(v *request) error {
	b, err := v.invitee(v.r.PathValue("user"))
	if err != nil {
		return err
	}
	return v.show(page{Title: invitationTitle(&b), Section: "members", Body: b})
}

func invitationTitle(b *invitationBody) string {
	if b.SignedIn {
		return "Reset the sign-in of " + b.Name
	}
	return "Invite " + b.Name
}

func (v *request) invitee(user string) (invitationBody, error) {
	m, err := v.d.Control.GetMember(v.r.Context(), v.Caller, v.workspace(), user)
	if err != nil {
		return invitationBody{}, err
	}
	in, err := v.d.Control.SignedIn(v.r.Context(), v.Caller, v.workspace(), m.User, m.User)
	return invitationBody{
		Name: nameOf(m.Member), User: string(m.User), Email: m.Email, SignedIn: in[m.User], Workspace: v.may.Workspace.Name,
		Path: "/members/" + url.PathEscape(string(m.User)), NoPasskeys: v.d.NoPasskeys(v.r),
	}, err
}

func (d *Dashboard) inviteMember(v *request) error {
	return v.showInvitation(v.r.PathValue("user"), false)
}

func (d *Dashboard) resetSignIn(v *request) error {
	return v.showInvitation(v.r.PathValue("user"), true)
}

// showInvitation makes an invitation and shows its link, in this one answer. With reset the member's earlier ways to
// sign in end.
func (v *request) showInvitation(user string, reset bool) error {
	b, err := v.invitee(user)
	if err != nil {
		return err
	}
	var made control.Invited
	var ended control.EndedSignIn
	if reset {
		made, ended, err = v.d.Control.ResetSignIn(v.r.Context(), v.Caller, v.workspace(), user)
		b.Ended = many(ended.Passkeys, "passkey") + " and " + many(ended.Sessions, "session") + " ended."
	} else {
		made, err = v.d.Control.InviteMember(v.r.Context(), v.Caller, v.workspace(), user)
	}
	if fault.Is(err, fault.PermissionEscalation) || fault.Is(err, fault.Conflict) {
		wrong, err := problemOf(err, nil)
		if err != nil {
			return err
		}
		b.Ended = ""
		return v.answer(
			http.StatusUnprocessableEntity, page{Title: invitationTitle(&b), Section: "members", Fault: wrong, Body: b},
		)
	}
	if err != nil {
		return err
	}
	v.showLink(&b, &made)
	return v.answer(
		http.StatusCreated,
		page{Title: "Invitation for " + b.Name, Section: "members", Scripts: []string{"reveal.js"}, Body: b},
	)
}

func (v *request) showLink(b *invitationBody, made *control.Invited) {
	base := v.d.Base(v.r)
	b.URL, b.Until = base+passkey.InvitationPath+made.Code.Reveal(), v.moment(made.ExpiresAt)
	if host, err := url.Parse(base); err == nil && host.Hostname() == "localhost" {
		b.NoPasskeys = "This link opens on this machine alone. For others, the operator sets KEYWARD_PUBLIC_URL to an https:// address."
	}
}

// showOwnersInvitation lets the owner of a new workspace in.
func (v *request) showOwnersInvitation(ws *account.Workspace) error {
	made, err := v.d.Control.InviteMember(v.r.Context(), v.Caller, string(ws.ID), string(ws.OwnerID))
	if err != nil {
		return err
	}
	b := invitationBody{
		Name: cmp.Or(v.form("displayName"), string(ws.OwnerID)), NextID: string(ws.ID), User: string(ws.OwnerID),
		Workspace: ws.Name, NoPasskeys: v.d.NoPasskeys(v.r), Path: "/workspaces",
		Ended: "Workspace “" + ws.Name + "” is created.",
	}
	v.showLink(&b, &made)
	return v.answer(
		http.StatusCreated,
		page{Title: "Invitation for " + b.Name, Section: "workspaces", Scripts: []string{"reveal.js"}, Body: b},
	)
}
