package dashboard

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/perm"
)

// grantBody is the review of a role that is given to a person: the difference, the person, then the change.
type grantBody struct {
	Name    string // of the person, as people call them
	User    string
	Email   string
	Role    account.Role
	From    string // the role before; "" for a new member
	Change  string // "+92 permissions, can administer"
	Added   []branch
	Removed []branch
	Strong  bool // the person can administer from then on, and could not before
	Capped  bool
	Mine    bool
	Path    string     // where the form goes
	Fields  [][]string // what it sends beside Preview
	Preview string
}

// differ describes the difference for a person between two sets of permissions.
func (d *Dashboard) differ(b *grantBody, was, will perm.Set) {
	added, removed := will.Without(was), was.Without(will)
	b.Added, b.Removed = d.held(added), d.held(removed)
	var parts []string
	if n := added.Len(); n > 0 {
		parts = append(parts, "+"+many(n, "permission"))
	}
	if n := removed.Len(); n > 0 {
		parts = append(parts, "−"+many(n, "permission"))
	}
	if len(parts) == 0 {
		parts = append(parts, "the same permissions")
	}
	if b.Strong = d.risk(added).Level == administers; b.Strong {
		parts = append(parts, "can administer")
	}
	b.Change = strings.Join(parts, ", ")
}

// seal binds a review to the facts it showed: the person, both roles, and the permissions of each.
func (d *Dashboard) seal(b *grantBody, was, will perm.Set) {
	shown := fmt.Sprint(
		b.User, "\x00", b.From, "\x00", b.Role.ID, "\x00", d.catalogue.Names(was), "\x00", d.catalogue.Names(will),
	)
	sum := sha256.Sum256([]byte(shown))
	b.Preview = hex.EncodeToString(sum[:16])
}

const changedMeanwhile = "Nothing is done yet: this is not what the page showed. This is what the change comes to now."

// roleChoiceBody is the page on which another role is chosen for a member.
type roleChoiceBody struct {
	Member control.Member
	Name   string
	Roles  []control.Role // that the visitor can give
	Chosen string
	Find   finder // of roles
}

// rolePage offers the roles for a member.
func (d *Dashboard) rolePage(v *request) error {
	m, err := d.Control.GetMember(v.r.Context(), v.Caller, v.workspace(), v.r.PathValue("user"))
	if err != nil {
		return err
	}
	return v.showRoles(http.StatusOK, m, string(m.Role), nil)
}

func (v *request) showRoles(status int, m control.Member, chosen string, wrong *problem) (err error) {
	b := roleChoiceBody{Member: m, Name: nameOf(m.Member), Chosen: chosen}
	if b.Roles, b.Find, err = v.givable(chosen); err != nil {
		return err
	}
	return v.answer(status, page{Title: "Role of " + b.Name, Section: "members", Fault: wrong, Body: b})
}

// giveRole changes a member's role, once its review was confirmed.
func (d *Dashboard) giveRole(v *request) error {
	ctx, user := v.r.Context(), v.r.PathValue("user")
	m, err := d.Control.GetMember(ctx, v.Caller, v.workspace(), user)
	if err != nil {
		return err
	}
	if v.finds(findRole) {
		return v.showRoles(http.StatusOK, m, v.form("role"), nil)
	}
	was, err := d.Control.GetRole(ctx, v.Caller, v.workspace(), string(m.Role))
	if err != nil {
		return err
	}
	will, err := d.Control.GetRole(ctx, v.Caller, v.workspace(), v.form("role"))
	if fault.Is(err, fault.NotFound) {
		return v.showRoles(
			http.StatusUnprocessableEntity, m, "", &problem{Message: "Choose a role for " + nameOf(m.Member) + "."},
		)
	}
	if err != nil {
		return err
	}
	b := grantBody{
		Name:   nameOf(m.Member),
		User:   user,
		Email:  m.Email,
		Role:   will.Role,
		From:   was.Name,
		Mine:   m.User == v.may.User,
		Capped: v.may.Workspace.Settings.PermissionMode == account.Capped,
		Path:   "/members/" + url.PathEscape(user) + "/role",
		Fields: [][]string{{"role", string(will.ID)}},
	}
	d.differ(&b, was.Permissions, will.Permissions)
	d.seal(&b, was.Permissions, will.Permissions)
	title := "Make " + b.Name + " " + will.Name
	switch shown := v.form("preview"); {
	case shown == "":
		return v.showGrant(http.StatusOK, title, &b, nil)
	case shown != b.Preview:
		return v.showGrant(http.StatusUnprocessableEntity, title, &b, &problem{Message: changedMeanwhile})
	}
	_, err = d.Control.UpdateMember(
		ctx, v.Caller, v.workspace(), user, control.UpdateMember{Role: control.Some(string(will.ID))},
	)
	if err == nil {
		return v.tell("/members", b.Name+" is "+will.Name+" now, and was "+was.Name+": "+b.Change+".", nil)
	}
	wrong, err := problemOf(err, nil)
	if err != nil {
		return err
	}
	return v.showGrant(http.StatusUnprocessableEntity, title, &b, wrong)
}

func (v *request) showGrant(status int, title string, b *grantBody, wrong *problem) error {
	return v.answer(status, page{Title: title, Section: "members", Fault: wrong, Body: b})
}

// reviewed tells whether a new member may be added now. A role that administers is reviewed first; then the answer has
// been given.
func (d *Dashboard) reviewed(v *request, f inviteForm) (bool, error) {
	will, err := d.Control.GetRole(v.r.Context(), v.Caller, v.workspace(), f.Role)
	if err != nil || d.risk(will.Permissions).Level < administers {
		return true, nil // control says what is wrong with the role, if anything is
	}
	b := grantBody{
		Name:  f.User,
		User:  f.User,
		Email: f.Email,
		Role:  will.Role,
		Path:  "/members",
		Fields: [][]string{{"user", f.User},
			{"email", f.Email}, {"displayName", f.DisplayName}, {"role", f.Role}, {"invite", v.form("invite")}},
	}
	if f.DisplayName != "" {
		b.Name = f.DisplayName
	}
	d.differ(&b, perm.Set{}, will.Permissions)
	d.seal(&b, perm.Set{}, will.Permissions)
	title := "Add " + b.Name + " as " + will.Name
	switch shown := v.form("preview"); shown {
	case b.Preview:
		return true, nil
	case "":
		return false, v.showGrant(http.StatusOK, title, &b, nil)
	}
	return false, v.showGrant(http.StatusUnprocessableEntity, title, &b, &problem{Message: changedMeanwhile})
}
