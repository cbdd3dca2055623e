package httpapi

import (
	"net/http"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/wire"
)

// invitationPath is the page that follows an invitation. What stands behind the # never leaves the browser by itself.
const invitationPath = "/signin/invitation#"

func (a *api) invitationRoutes() []route {
	const member = base + "/workspaces/{workspaceId}/members/{userId}"
	return []route{
		{
			on: "POST " + member + "/invitation", name: "inviteMember", status: http.StatusCreated,
			message: "Invitation created", serve: show(a.inviteMember),
		},
		{on: "POST " + member + "/sign-in-reset", name: "resetSignIn", message: "Sign-in reset", serve: show(a.resetSignIn)},
	}
}

func (a *api) inviteMember(x *exchange) (wire.InvitationResult, error) {
	i, err := a.Control.InviteMember(x.ctx(), x.caller, x.r.PathValue("workspaceId"), x.r.PathValue("userId"))
	if err != nil {
		return wire.InvitationResult{}, err
	}
	return wire.InvitationResult{Invitation: a.invitation(x, i)}, nil
}

func (a *api) resetSignIn(x *exchange) (wire.SignInResetResult, error) {
	i, ended, err := a.Control.ResetSignIn(x.ctx(), x.caller, x.r.PathValue("workspaceId"), x.r.PathValue("userId"))
	if err != nil {
		return wire.SignInResetResult{}, err
	}
	return wire.SignInResetResult{
		Invitation: a.invitation(x, i), Ended: wire.EndedSignIn{Passkeys: ended.Passkeys, Sessions: ended.Sessions},
	}, nil
}

func (a *api) invitation(x *exchange, i control.Invited) wire.Invitation {
	path := invitationPath + i.Code.Reveal()
	return wire.Invitation{WorkspaceID: string(i.Workspace), UserID: string(i.User), URL: a.Base(x.r) + path, Path: path,
		Code: i.Code.Reveal(), ExpiresAt: wire.Time(i.ExpiresAt)}
}
