package dashboard

import (
	"net/http"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

// serviceKeyRow is a service key in the list, which shows its masked value in the place of its id.
type serviceKeyRow struct {
	account.ServiceKey
	Scope   string
	Modes   string // that its followers have leave for; "" for none
	Bound   string // to what; "" for nothing
	Created moment
	Expires moment
	Self    bool
	Late    bool // expired
}

func (k *serviceKeyRow) person() person { return person{string(k.ID), k.Name, "service key"} }

type serviceKeysBody struct {
	Keys []serviceKeyRow
	Next string
	Form serviceKeyForm
}

type serviceKeyForm struct {
	Name, Expiry, Workspaces, Environment, Networks string

	Scopes []string
	Modes  []string // of followers
}

// boundTo lists the bounds of a service key; "" for none.
func boundTo(b *account.Bounds) string {
	var parts []string
	for _, e := range b.Environments {
		parts = append(parts, string(e))
	}
	for _, w := range b.Workspaces {
		parts = append(parts, string(w))
	}
	for _, n := range b.AllowedIPs {
		parts = append(parts, n.String())
	}
	return strings.Join(parts, ", ")
}

// joinedNames is names with commas between them.
func joinedNames[Name ~string](names []Name) string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = string(n)
	}
	return strings.Join(all, ", ")
}

// serviceKeys lists the operator's credentials.
func (d *Dashboard) serviceKeys(v *request) error {
	return v.showServiceKeys(http.StatusOK, serviceKeyForm{Scopes: []string{string(account.ScopeVerify)}}, nil)
}

func (v *request) showServiceKeys(status int, f serviceKeyForm, wrong *problem) error {
	found, next, err := v.d.Control.ListServiceKeys(v.r.Context(), v.Caller, control.Paging{Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	b := serviceKeysBody{Form: f}
	for _, k := range found {
		b.Keys = append(
			b.Keys,
			serviceKeyRow{k, joinedNames(k.Scopes), joinedNames(k.FollowerModes), boundTo(&k.Bounds),
				v.moment(k.CreatedAt), v.moment(k.ExpiresAt), k.ID == v.Caller.ServiceKey, k.Expired(v.now)},
		)
	}
	if next.NextCursor != "" {
		b.Next = v.link("cursor", next.NextCursor)
	}
	return v.answer(
		status, page{Title: "Service keys", Section: "service-keys", Wide: true, Fault: wrong, Body: b},
	)
}

func (v *request) serviceKeyForm() serviceKeyForm {
	return serviceKeyForm{
		Name: v.form("name"), Expiry: v.form("expiry"), Workspaces: v.form("workspaces"),
		Environment: v.form("environment"), Networks: v.form("networks"),
		Scopes: v.r.PostForm["scope"], Modes: v.r.PostForm["mode"],
	}
}

// makeServiceKey makes one and shows its value, once. A name that is taken is refused, so that a form that is sent
// twice makes one.
func (d *Dashboard) makeServiceKey(v *request) error {
	f := v.serviceKeyForm()
	made, err := d.createServiceKey(v, f)
	if err == nil {
		return v.answer(
			http.StatusCreated, page{Title: "A new service key", Section: "service-keys", Scripts: []string{"reveal.js"},
				Body: serviceReveal{
					Name: made.ServiceKey.Name, Scopes: joinedNames(made.ServiceKey.Scopes), Several: len(made.ServiceKey.Scopes) > 1,
					Value: made.Secret.Reveal(),
				}},
		)
	}
	wrong, err := problemOf(
		err,
		map[string]string{"name": "name", "scopes": "scope", "expiresAt": "expiry", "workspaceIds": "workspaces",
			"environments": "environment", "allowedIps": "networks", "followerModes": "mode"},
	)
	if err != nil {
		return err
	}
	return v.showServiceKeys(http.StatusUnprocessableEntity, f, wrong)
}

type serviceReveal struct {
	Name, Scopes, Value string
	Several             bool // scopes
}

func (d *Dashboard) createServiceKey(v *request, f serviceKeyForm) (control.RevealedServiceKey, error) {
	for cursor := ""; ; {
		found, next, err := d.Control.ListServiceKeys(v.r.Context(), v.Caller, control.Paging{Limit: 100, Cursor: cursor})
		if err != nil {
			return control.RevealedServiceKey{}, err
		}
		for _, k := range found {
			if k.Name == f.Name {
				return control.RevealedServiceKey{}, fault.New(
					fault.Conflict, "there is a service key of this name, and its value was shown when it was made",
					fault.Detail{Field: "name", Message: "is taken"},
				)
			}
		}
		if cursor = next.NextCursor; cursor == "" {
			break
		}
	}
	in := control.CreateServiceKey{Name: f.Name, Scopes: f.Scopes, FollowerModes: f.Modes}
	if f.Expiry != "" {
		in.ExpiresAt = control.Some(f.Expiry)
	}
	in.Workspaces, in.Environments, in.AllowedIPs = names(f.Workspaces), names(f.Environment), names(f.Networks)
	return d.Control.CreateServiceKey(v.r.Context(), v.Caller, in)
}

// names reads a list with blanks or commas between its names. A field that is left alone is no list; one without a name
// is an empty list, which is refused.
func names(field string) control.Optional[[]string] {
	if field == "" {
		return control.Optional[[]string]{}
	}
	return control.Some(strings.Fields(strings.ReplaceAll(field, ",", " ")))
}

func (d *Dashboard) deleteServiceKey(v *request) error {
	if err := d.Control.DeleteServiceKey(v.r.Context(), v.Caller, v.r.PathValue("id")); err != nil {
		return err
	}
	return v.tell("/service-keys", "The service key is deleted. Its value is refused from now on.", nil)
}
