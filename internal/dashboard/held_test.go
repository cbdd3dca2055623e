package dashboard_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/session"
)

var (
	formTag    = regexp.MustCompile(`(?s)<form\b([^>]*)>(.*?)</form>`)
	fieldTag   = regexp.MustCompile(`(?s)<(input|textarea|select|button)\b([^>]*)>`)
	attribute  = regexp.MustCompile(`([a-z-]+)(?:="([^"]*)")?`)
	fieldBlock = regexp.MustCompile(`(?s)<div class="field"[^>]*>(.*?)</div>`)
)

// attributes are those of a tag.
func attributes(tag string) map[string]string {
	all := map[string]string{}
	for _, m := range attribute.FindAllStringSubmatch(tag, -1) {
		all[m[1]] = html.UnescapeString(m[2])
	}
	return all
}

// filledForm is a form of a page, as it stands there.
type filledForm struct {
	page, method, action string
	values               url.Values
	typed                []string // the fields that somebody types into
}

// formsOf are all forms of a page.
func formsOf(page, body string) (all []filledForm) {
	for _, m := range formTag.FindAllStringSubmatch(body, -1) {
		head := attributes(m[1])
		f := filledForm{page: page, method: strings.ToUpper(head["method"]), action: head["action"], values: url.Values{}}
		for _, tag := range fieldTag.FindAllStringSubmatch(m[2], -1) {
			a := attributes(tag[2])
			_, checked := a["checked"]
			switch name := a["name"]; {
			case name == "" || tag[1] == "button":
			case tag[1] == "textarea",
				tag[1] == "input" && slices.Contains([]string{"", "text", "email", "search", "date"}, a["type"]):
				f.values.Set(name, a["value"])
				f.typed = append(f.typed, name)
			case tag[1] == "select", a["type"] == "hidden", checked:
				f.values.Add(name, a["value"])
			}
		}
		all = append(all, f)
	}
	return all
}

// everything is the root's view of the house.
func (h *house) everything() string {
	h.Helper()
	ctx := context.Background()
	var b strings.Builder
	note := func(v any, err error) {
		h.Helper()
		must[any](h)(nil, err)
		fmt.Fprintf(&b, "%+v\n", v)
	}
	all := control.Paging{Limit: 100}
	workspaces, _, err := h.control.ListWorkspaces(ctx, h.root, all)
	note(workspaces, err)
	keys, _, err := h.control.ListKeys(ctx, h.root, control.ListKeys{Workspace: h.ws, Paging: all})
	note(keys, err)
	members, _, err := h.control.ListMembers(ctx, h.root, h.ws, all)
	note(members, err)
	roles, _, err := h.control.ListRoles(ctx, h.root, h.ws, all)
	note(roles, err)
	services, _, err := h.control.ListServiceKeys(ctx, h.root, all)
	note(services, err)
	logs, err := h.control.ListLogs(ctx, h.root, control.ListLogs{Limit: 100})
	note(logs, err)
	return b.String()
}

// pagesWithForms are pages of the dashboard that have every form that there is.
func (h *house) pagesWithForms() []string {
	key, err := h.control.CreateKey(
		context.Background(), h.root, control.CreateKey{Workspace: h.ws, User: "ada", Name: "adas"},
	)
	must[any](h)(nil, err)
	role, err := h.control.CreateRole(
		context.Background(), h.root, h.ws, control.CreateRole{Name: "Mine", Permissions: []string{"calls:read"}},
	)
	must[any](h)(nil, err)
	k := "/keys/" + string(key.Key.ID)
	return []string{
		"/",
		"/keys",
		"/keys/new",
		k,
		k + "/edit",
		k + "/rotate",
		k + "/delete",
		"/members",
		"/members/bob/remove",
		"/roles",
		"/roles/new",
		"/roles/" + string(
			role.ID,
		),
		"/usage",
		"/log",
		"/settings",
		"/catalogue",
		"/sessions",
		"/workspaces",
		"/nodes",
		"/service-keys",
	}
}

// T17, T18: a whole credential in any field of any form of the dashboard is refused. The message stands beside the
// field; the page does not show the credential again, and nothing of the form is done.
func TestT17T18NoFormOfTheDashboardTakesACredential(t *testing.T) {
	t.Parallel()
	h := open(t)
	credentials := map[string]string{
		"a key":           "kw_live_" + strings.Repeat("A", 43) + "2ImIO6",
		"a session token": "keyward_session_" + strings.Repeat("b", 43),
		"a sign-in code":  "see keyward_link_" + strings.Repeat("c", 43),
	}
	pages := h.pagesWithForms()
	before := h.everything()
	typed := map[string]bool{}
	others := 0
	for _, page := range pages {
		body := h.get("root", page).want(http.StatusOK).Body.String()
		for _, f := range formsOf(page, body) {
			for name := range f.values {
				isTyped := slices.Contains(f.typed, name)
				for what, value := range credentials {
					values := url.Values{}
					for n, v := range f.values {
						values[n] = slices.Clone(v)
					}
					values.Set(name, value)
					where := fmt.Sprintf("%s in %s of %s %s", what, name, f.method, f.action)
					if f.method != http.MethodPost {
						a := h.get("root", strings.TrimSuffix(f.action, "?")+"?"+values.Encode())
						if a.Code != http.StatusBadRequest || session.Leaks(a.Body.String()) {
							t.Errorf("%s: %d", where, a.Code)
						}
						continue
					}
					a := h.post("root", f.action, values)
					if f.action == "/theme" { // it asks for no more than a colour, of whoever it may be, and leads back
						values.Set("back", "/keys?q="+url.QueryEscape(value))
						if to := h.post("root", f.action, values).want(http.StatusSeeOther).Header().Get("Location"); to != "/" {
							t.Errorf("%s leads to %s", where, to)
						}
						continue
					}
					if a.Code < 400 || a.Code >= 500 || session.Leaks(a.Body.String()) {
						t.Errorf("%s: %d, shown again: %t", where, a.Code, session.Leaks(a.Body.String()))
					}
					if others++; !isTyped {
						continue
					}
					typed[f.action+" "+name] = true
					if a.Code != http.StatusUnprocessableEntity || !saysBeside(a.Body.String(), f.action, name) {
						t.Errorf("%s: %d, and nothing beside the field", where, a.Code)
					}
				}
			}
		}
	}
	if after := h.everything(); after != before {
		t.Error("something was done")
	}
	if len(typed) < 30 || others < 100 {
		t.Errorf("%d fields that are typed into and %d requests are too few to say anything", len(typed), others)
	}
}

// saysBeside tells whether a page has, in the block of a field, words about a credential.
func saysBeside(body, action, name string) bool {
	const words = "olds a credential"
	for _, f := range formTag.FindAllStringSubmatch(body, -1) {
		if attributes(f[1])["action"] != action {
			continue
		}
		for _, block := range append(fieldBlock.FindAllString(f[2], -1), fieldset.FindAllString(f[2], -1)...) {
			if strings.Contains(block, `name="`+name+`"`) && strings.Contains(block, words) {
				return true
			}
		}
	}
	return false
}

var fieldset = regexp.MustCompile(`(?s)<fieldset.*?</fieldset>`)
