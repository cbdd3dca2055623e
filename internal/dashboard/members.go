package dashboard

import (
	"cmp"
	"net/http"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
)

type memberRow struct {
	control.Member
	Seen      moment
	Since     moment
	MayChange bool // the role
	MayRemove bool
	MayInvite bool // to sign in, for the first time or after a reset
	SignedIn  bool // has ever signed in to the workspace
	Me        bool
}

type membersBody struct {
	Members  []memberRow
	Roles    []control.Role // that the visitor can give
	FindRole finder         // of roles
	Next     string
	SeesSeen bool
	Invite   inviteForm
	Removed  []removedRow
}

// removedRow is a user whose removal can still be undone.
type removedRow struct {
	control.RestorableMember
	When      moment
	UntilTime string
}

type inviteForm struct{ User, Email, DisplayName, Role string }

// members lists the members of the workspace.
func (d *Dashboard) members(v *request) error {
	return v.showMembers(http.StatusOK, inviteForm{}, nil)
}

func (v *request) showMembers(status int, f inviteForm, wrong *problem) error {
	ctx := v.r.Context()
	found, next, err := v.d.Control.ListMembers(ctx, v.Caller, v.workspace(), control.Paging{Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	b := membersBody{Invite: f, SeesSeen: v.may.May(account.MembersRemove) && (v.may.User != "" || v.may.Root)}
	if next.NextCursor != "" {
		b.Next = v.link("cursor", next.NextCursor)
	}
	if v.may.May(account.RolesRead) && v.may.May(account.MembersInvite) {
		if b.Roles, b.FindRole, err = v.givable(f.Role); err != nil {
			return err
		}
	}
	removed, err := v.d.Control.Restorable(ctx, v.Caller, v.workspace())
	if err != nil {
		return err
	}
	for _, r := range removed {
		b.Removed = append(b.Removed, removedRow{r, v.moment(r.At), r.Until.UTC().Format("15:04 UTC")})
	}
	signedIn := map[id.User]bool{}
	if len(found) > 0 {
		if signedIn, err = v.d.Control.SignedIn(ctx, v.Caller, v.workspace(), found[0].User,
			found[len(found)-1].User); err != nil {
			return err
		}
	}
	for _, m := range found {
		row := memberRow{Member: m, Since: v.moment(m.CreatedAt), Me: m.User == v.may.User}
		row.MayChange = v.may.May(account.MembersRoleChange) && (v.may.Owner || v.may.Manages || !m.IsOwner)
		row.MayRemove = v.may.May(account.MembersRemove) && (v.may.Owner || v.may.Manages || !m.IsOwner)
		row.SignedIn = signedIn[m.User]
		row.MayInvite = (v.may.Owner || v.may.Manages || !m.IsOwner) &&
			(!row.SignedIn && v.may.May(account.MembersInvite) || row.SignedIn && v.may.May(account.MembersMFAReset))
		if b.SeesSeen {
			if row.Seen, err = v.seen(string(m.User)); err != nil {
				return err
			}
		}
		b.Members = append(b.Members, row)
	}
	return v.answer(
		status, page{Title: "Members", Section: "members", Wide: true, Fault: wrong, Styles: []string{"people.css"}, Body: b},
	)
}

// seen is the last use of the dashboard or the API by a person, as far as their present sessions tell.
func (v *request) seen(user string) (moment, error) {
	sessions, _, err := v.d.Control.ListSessions(v.r.Context(), v.Caller,
		control.ListSessions{Workspace: v.workspace(), User: user, Paging: control.Paging{Limit: 10}})
	if err != nil {
		return moment{}, err
	}
	if len(sessions) == 0 {
		return moment{Rel: "not lately", Zero: true}, nil
	}
	last := sessions[0].SeenAt
	for _, s := range sessions {
		if s.SeenAt.After(last) {
			last = s.SeenAt
		}
	}
	return v.moment(last), nil
}

func (v *request) inviteForm() inviteForm {
	return inviteForm{
		User: v.form("user"), Email: v.form("email"), DisplayName: v.form("displayName"), Role: v.form("role"),
	}
}

// invite adds a member.
func (d *Dashboard) invite(v *request) error {
	f := v.inviteForm()
	if v.finds(findRole) {
		return v.showMembers(http.StatusOK, f, nil)
	}
	in := control.PutMember{Email: f.Email, Role: f.Role}
	if f.DisplayName != "" {
		in.DisplayName = control.Some(f.DisplayName)
	}
	_, err := d.Control.GetMember(v.r.Context(), v.Caller, v.workspace(), f.User)
	if err == nil {
		err = fault.New(
			fault.Conflict, f.User+" is a member already", fault.Detail{Field: "userId", Message: "is a member already"},
		)
	} else if fault.Is(err, fault.NotFound) || fault.Is(err, fault.PermissionDenied) ||
		fault.Is(err, fault.InvalidRequest) {
		if ok, shown := d.reviewed(v, f); !ok {
			return shown
		}
		_, _, err = d.Control.PutMember(v.r.Context(), v.Caller, v.workspace(), f.User, in)
	}
	if err == nil {
		if v.form("invite") == "yes" {
			return v.showInvitation(f.User, false)
		}
		return v.tell("/members", cmp.Or(f.DisplayName, f.User)+" was added to the workspace.", nil)
	}
	wrong, err := problemOf(
		err, map[string]string{"userId": "user", "roleId": "role", "email": "email", "displayName": "displayName"},
	)
	if err != nil {
		return err
	}
	return v.showMembers(http.StatusUnprocessableEntity, f, wrong)
}
