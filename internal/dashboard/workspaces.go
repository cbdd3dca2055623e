package dashboard

import (
	"net/http"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
)

type workspacesBody struct {
	Workspaces []workspaceRow
	Next       string
	Form       workspaceForm
	Operator   bool
	Creates    bool
	First      bool // there is none yet
}

type workspaceRow struct {
	account.Workspace
	Created moment
	On      bool
}

type workspaceForm struct{ Name, User, Email, DisplayName string }

// workspaces lists those between which the visitor can switch, and makes new ones.
func (d *Dashboard) workspaces(v *request) error {
	return v.showWorkspaces(http.StatusOK, workspaceForm{}, nil)
}

func (v *request) showWorkspaces(status int, f workspaceForm, wrong *problem) error {
	b := workspacesBody{Form: f, Operator: v.may.Manages, Creates: v.may.Creates}
	if v.may.Manages {
		found, next, err := v.d.Control.ListWorkspaces(v.r.Context(), v.Caller, control.Paging{Cursor: v.query("cursor")})
		if err != nil {
			return err
		}
		for _, w := range found {
			b.Workspaces = append(b.Workspaces, workspaceRow{w, v.moment(w.CreatedAt), string(w.ID) == v.workspace()})
		}
		if next.NextCursor != "" {
			b.Next = v.link("cursor", next.NextCursor)
		}
	} else {
		for _, p := range v.Places {
			w := account.Workspace{ID: id.Workspace(p.ID), Name: p.Name, IsActive: true}
			b.Workspaces = append(b.Workspaces, workspaceRow{Workspace: w, On: p.ID == v.workspace()})
		}
	}
	b.First = len(b.Workspaces) == 0
	return v.answer(
		status, page{Title: "Workspaces", Section: "workspaces", Wide: true, Fault: wrong, Body: b},
	)
}

func (v *request) workspaceForm() workspaceForm {
	return workspaceForm{
		Name: v.form("name"), User: v.form("user"), Email: v.form("email"), DisplayName: v.form("displayName"),
	}
}

// makeWorkspace makes one; a calling person becomes its owner, an operator names one.
func (d *Dashboard) makeWorkspace(v *request) error {
	f := v.workspaceForm()
	in := control.CreateWorkspace{Name: f.Name}
	if v.may.Manages {
		in.Owner = control.Some(control.OwnerInput{User: f.User, Email: f.Email, DisplayName: control.Some(f.DisplayName)})
	}
	made, err := d.Control.CreateWorkspace(v.r.Context(), v.Caller, in)
	if err == nil && v.may.Manages {
		return v.showOwnersInvitation(&made)
	}
	if err == nil {
		return v.tell("/workspaces", "Workspace “"+f.Name+"” is created.", nil)
	}
	wrong, err := problemOf(
		err,
		map[string]string{"owner.userId": "user", "owner.email": "email", "owner.displayName": "displayName", "name": "name"},
	)
	if err != nil {
		return err
	}
	return v.showWorkspaces(http.StatusUnprocessableEntity, f, wrong)
}
