package dashboard

import (
	"net/http"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/perm"
)

type roleRow struct {
	control.Role
	Permissions int
	Risk        risk
}

type rolesBody struct {
	Roles []roleRow
	Next  string
}

// roles lists a workspace's roles, the system roles first.
func (d *Dashboard) roles(v *request) error {
	found, next, err := d.Control.ListRoles(
		v.r.Context(), v.Caller, v.workspace(), control.Paging{Cursor: v.query("cursor")},
	)
	if err != nil {
		return err
	}
	var b rolesBody
	for _, r := range found {
		b.Roles = append(b.Roles, roleRow{r, r.Permissions.Len(), d.risk(r.Permissions)})
	}
	if next.NextCursor != "" {
		b.Next = v.link("cursor", next.NextCursor)
	}
	return v.show(page{Title: "Roles", Section: "roles", Wide: true, Body: b})
}

// roleForm is a role as it is, or as the visitor would have it.
type roleForm struct {
	ID, Name, Description string
	System                string
	Tree                  []branch
	Chosen                int
	Risk                  risk
	MayWrite, MayDelete   bool
	Holders               []account.Member
	HolderCount           int64

	// Of a review: the changes.
	Added, Removed []branch
	Names          []string // of the wanted permissions
	Renamed        string   // the name before, where it changes
	Capped         bool
	Refused        []string // what the visitor cannot pass on
}

// roleReview is the change of a role, before it is made.
type roleReview struct{ roleForm }

// maxHolders is how many holders of a role are named.
const maxHolders = 50

// role shows one role, as a form where it can be changed.
func (d *Dashboard) role(v *request) error {
	r, err := d.Control.GetRole(v.r.Context(), v.Caller, v.workspace(), v.r.PathValue("id"))
	if err != nil {
		return err
	}
	f := roleForm{ID: string(r.ID), Name: r.Name, Description: r.Description, System: string(r.System)}
	return v.showRole(http.StatusOK, &f, r.Permissions, nil)
}

func (d *Dashboard) newRole(v *request) error {
	f := roleForm{}
	var set perm.Set
	if like := v.query("like"); like != "" {
		r, err := d.Control.GetRole(v.r.Context(), v.Caller, v.workspace(), like)
		if err != nil {
			return err
		}
		set, f.Description = r.Permissions.And(v.may.Holds), r.Description
	}
	return v.showRole(http.StatusOK, &f, set, nil)
}

func (v *request) showRole(status int, f *roleForm, set perm.Set, wrong *problem) error {
	f.Tree, f.Chosen, f.Risk = v.d.tree(set, func(e perm.Entry) string {
		if !v.d.catalogue.Holds(v.may.Holds, e.Name()) {
			return "You do not hold this, so you cannot pass it on."
		}
		return ""
	}), set.Len(), v.d.risk(set)
	f.MayWrite = v.may.May(account.RolesWrite) && f.System == ""
	title := "Create role"
	if f.ID != "" {
		title = f.Name
		if err := v.holders(f); err != nil {
			return err
		}
		f.MayDelete = v.may.May(account.RolesDelete) && f.System == "" && f.HolderCount == 0
	}
	return v.answer(
		status, page{Title: title, Section: "roles", Wide: true, Fault: wrong, Scripts: []string{"role.js"}, Body: f},
	)
}

// holders names the members with the role, as far as the visitor sees members.
func (v *request) holders(f *roleForm) error {
	r, err := v.d.Control.GetRole(v.r.Context(), v.Caller, v.workspace(), f.ID)
	if err != nil {
		return err
	}
	f.HolderCount = r.MemberCount
	if v.may.May(account.MembersRead) {
		f.Holders, err = v.d.Control.RoleHolders(v.r.Context(), v.Caller, v.workspace(), f.ID, maxHolders)
	}
	return err
}

func (v *request) roleForm() (f roleForm, set perm.Set, err error) {
	f = roleForm{ID: v.r.PathValue("id"), Name: v.form("name"), Description: v.form("description")}
	names := v.r.PostForm["perm"]
	set, at, ok := v.d.catalogue.Set(names)
	if !ok {
		err = fault.Invalid("permissions", "%q is not in the catalogue", clipped(names[at]))
	}
	return f, set, err
}

// saveRole shows the changes and the affected people first, and saves once that is confirmed. A new role affects no
// member yet.
func (d *Dashboard) saveRole(v *request) error {
	f, set, err := v.roleForm()
	if err != nil {
		return err
	}
	switch {
	case f.ID == "":
		_, err = d.Control.CreateRole(v.r.Context(), v.Caller, v.workspace(),
			control.CreateRole{Name: f.Name, Description: control.Some(f.Description), Permissions: d.catalogue.Names(set)})
	case v.form("confirm") == "":
		if err = d.Control.DraftRole(v.r.Context(), v.Caller, v.workspace(), f.ID, f.update(d.catalogue.Names(set))); !beside(
			err,
		) {
			return v.review(&f, set)
		}
	default:
		_, err = d.Control.UpdateRole(v.r.Context(), v.Caller, v.workspace(), f.ID, f.update(d.catalogue.Names(set)))
	}
	if err == nil {
		text := "Role “" + f.Name + "” is created with " + many(set.Len(), "permission") + "."
		if f.ID != "" {
			text = "Role “" + f.Name + "” is changed: it has " + many(set.Len(), "permission") + " now."
		}
		return v.tell("/roles", text, nil)
	}
	wrong, err := problemOf(
		err, map[string]string{"name": "name", "description": "description", "permissions": "permissions"},
	)
	if err != nil {
		return err
	}
	return v.showRole(http.StatusUnprocessableEntity, &f, set, wrong)
}

func (f *roleForm) update(permissions []string) control.UpdateRole {
	return control.UpdateRole{
		Name: control.Some(f.Name), Description: control.Some(f.Description), Permissions: control.Some(permissions),
	}
}

// beside tells whether an error belongs beside fields of the form. Others stand in the review.
func beside(err error) bool {
	return (fault.Is(err, fault.InvalidRequest) || fault.Is(err, fault.Conflict)) && len(fault.From(err).Details) > 0
}

// review shows the difference, and the affected people.
func (v *request) review(f *roleForm, set perm.Set) error {
	was, err := v.d.Control.GetRole(v.r.Context(), v.Caller, v.workspace(), f.ID)
	if err != nil {
		return err
	}
	if err := v.holders(f); err != nil {
		return err
	}
	f.Added, f.Removed, f.Names = v.d.held(set.Without(was.Permissions)), v.d.held(was.Permissions.Without(set)),
		v.d.catalogue.Names(
			set,
		)
	if was.Name != f.Name {
		f.Renamed = was.Name
	}
	f.Capped = v.may.Workspace.Settings.PermissionMode == account.Capped
	f.Refused = v.d.catalogue.Names(set.Without(v.may.Holds))
	return v.show(page{Title: "Change " + was.Name, Section: "roles", Body: roleReview{*f}})
}

func (d *Dashboard) deleteRole(v *request) error {
	if err := d.Control.DeleteRole(v.r.Context(), v.Caller, v.workspace(), v.r.PathValue("id")); err != nil {
		return err
	}
	return v.tell("/roles", "The role is deleted.", nil)
}
