package dashboard

import (
	"net/http"
	"unicode/utf8"

	"github.com/a-h/templ"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/signin"
)

// page is what a page is made of: its frame, and a main part of its own.
type page struct {
	*request
	Title   string
	Section string // which entry of the navigation it belongs to
	Said    said   // what was just done
	Fault   *problem
	Wide    bool
	theme   string   // of a page without a visit
	Scripts []string // beside the one that every page has
	Styles  []string // likewise
	Body    body
}

// body is the main part of a page: each page has a type of its own, with its data.
type body interface {
	main(p *page) templ.Component
}

// problem is why something was refused, as a form shows it: beside the fields where it belongs, else above.
type problem struct {
	Message string
	Fields  map[string]string
	Details []string
}

// Of is the error of a field, "" for none.
func (p *problem) Of(field string) string {
	if p == nil {
		return ""
	}
	return p.Fields[field]
}

// entry is a line of the navigation.
type entry struct {
	ID, Name, Path string
}

// Nav lists where the visitor can go: nothing that would be refused stands in it.
func (p *page) Nav() [][]entry {
	if p.request == nil {
		return nil
	}
	may := p.may.May
	var here, people, house []entry
	add := func(to *[]entry, ok bool, id, name, path string) {
		if ok {
			*to = append(*to, entry{id, name, path})
		}
	}
	inside := p.may.Workspace.ID != ""
	add(&here, inside, "overview", "Overview", "/")
	add(&here, inside && may(account.APIKeysRead), "keys", "Keys", "/keys")
	add(&here, inside && (may(account.AnalyticsRead) || may(account.APIKeysRead)), "usage", "Usage", "/usage")
	add(&people, inside && may(account.MembersRead), "members", "Members", "/members")
	add(&people, inside && may(account.RolesRead), "roles", "Roles", "/roles")
	add(&people, inside && may(account.WorkspaceLogsRead), "log", "Log", "/log")
	add(&people, inside && may(account.IntegrationsRead), "webhooks", "Webhooks", webhooksPath)
	add(&people, inside && may(account.WorkspaceRead), "settings", "Settings", "/settings")
	add(&house, p.may.Installation, "installation", "Installation", "/installation")
	add(&house, p.may.Manages || len(p.Places) > 1, "workspaces", "Workspaces", "/workspaces")
	add(&house, p.may.Manages, "nodes", "Nodes", "/nodes")
	add(&house, p.may.Root, "service-keys", "Service keys", "/service-keys")
	add(&house, true, "catalogue", "Catalogue", "/catalogue")
	add(&house, true, "docs", "API reference", "/docs")
	add(&house, p.Session != "", "sessions", "Sessions", "/sessions")
	return filled(here, people, house)
}

func filled(groups ...[]entry) [][]entry {
	var out [][]entry
	for _, g := range groups {
		if len(g) > 0 {
			out = append(out, g)
		}
	}
	return out
}

// Switch is a workspace to go to.
type Switch struct {
	Place
	On bool
}

// Switches lists the workspaces that the visitor can go to.
func (p *page) Switches() []Switch {
	var out []Switch
	for _, one := range p.Places {
		out = append(out, Switch{one, one.ID == p.workspace()})
	}
	return out
}

// Me is the visitor's user id, "" for an operator.
func (p *page) Me() string {
	if p.request == nil {
		return ""
	}
	return string(p.may.User)
}

// Mode is the workspace's permission mode.
func (p *page) Mode() string {
	if p.request == nil {
		return ""
	}
	return string(p.may.Workspace.Settings.PermissionMode)
}

// Initial stands for the visitor in a small place.
func (p *page) Initial() string {
	r, _ := utf8.DecodeRuneInString(p.Who())
	return string(r)
}

// Theme is the visitor's choice, "" for the system's preference.
func (p *page) Theme() string {
	if p.request == nil {
		return p.theme
	}
	return themeOf(p.r)
}

func themeOf(r *http.Request) string {
	c, err := r.Cookie(themeCookie)
	if err != nil || c.Value != "dark" && c.Value != "light" {
		return ""
	}
	return c.Value
}

// Place is where the visitor is.
func (p *page) Place() string {
	if p.request == nil {
		return ""
	}
	return p.may.Workspace.Name
}

// Who is the visitor's name.
func (p *page) Who() string {
	switch {
	case p.request == nil:
		return ""
	case p.may.DisplayName != "":
		return p.may.DisplayName
	case p.may.User != "":
		return string(p.may.User)
	}
	return "Operator"
}

// RoleName is the visitor's role.
func (p *page) RoleName() string {
	switch {
	case p.request == nil:
		return ""
	case p.may.Root:
		return "Root"
	case p.may.Manages:
		return "Service key"
	}
	return p.may.Role
}

// May reports whether an operation with the permission would be admitted: a button that would be refused is not
// shown.
func (p *page) May(permission string) bool { return p.request != nil && p.may.May(permission) }

// Finds tells whether the palette can look for keys.
func (p *page) Finds() bool {
	return p.request != nil && p.may.Workspace.ID != "" && p.may.May(account.APIKeysRead)
}

// Here is the page's own path and query, to come back to; "/" where it holds a credential.
func (p *page) Here() string {
	if p.request == nil {
		return "/"
	}
	return signin.LocalPath(p.r.URL.RequestURI())
}
