package dashboard_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/account"
)

// A service key holds the scopes that are chosen, one or several. The form wants one at least.
func TestTheOperatorChoosesSeveralScopesOfAServiceKey(t *testing.T) {
	t.Parallel()
	h := open(t)
	form := h.get("root", "/service-keys").Body.String()
	for _, scope := range account.Scopes() {
		box := `<input type="checkbox" name="scope" value="` + string(scope) + `"`
		if !strings.Contains(form, box) || strings.Contains(form, box+" checked") != (scope == account.ScopeVerify) {
			t.Errorf("the form has no box for %s, or another one than verify is chosen before: %s", scope, form)
		}
	}
	a := h.post("root", "/service-keys", url.Values{"name": {"both"}, "scope": {"follow", "verify"}})
	if body := a.Body.String(); a.Code != 201 || !strings.Contains(body, "with the scopes follow, verify.") {
		t.Errorf("%d %s", a.Code, body)
	}
	a = h.post("root", "/service-keys", url.Values{"name": {"one"}, "scope": {"revoke"}})
	if body := a.Body.String(); a.Code != 201 || !strings.Contains(body, "with the scope revoke.") {
		t.Errorf("%d %s", a.Code, body)
	}
	for _, row := range strings.Split(h.get("root", "/service-keys").Body.String(), "<tr>") {
		if strings.Contains(row, ">both<") && !strings.Contains(row, "follow, verify") {
			t.Errorf("the list shows %s", row)
		}
	}
	a = h.post("root", "/service-keys", url.Values{"name": {"none"}})
	if body := a.Body.String(); a.Code != 422 || !strings.Contains(body, "at least one scope") {
		t.Errorf("without a scope: %d %s", a.Code, body)
	}
	a = h.post("root", "/service-keys", url.Values{"name": {""}, "scope": {"follow", "portal"}})
	body := a.Body.String()
	for _, scope := range account.Scopes() {
		chosen := scope == account.ScopeFollow || scope == account.ScopePortal
		if strings.Contains(body, `name="scope" value="`+string(scope)+`" checked`) != chosen {
			t.Errorf("after a refusal the form does not keep the choice of %s: %d %s", scope, a.Code, body)
		}
	}
}

// The operator gives followers leave to admit more than the server, and sees which service keys have it.
func TestTheOperatorGivesFollowersLeave(t *testing.T) {
	t.Parallel()
	h := open(t)
	form := h.get("root", "/service-keys").Body.String()
	for _, mode := range []string{"local", "open"} {
		if !strings.Contains(form, `<input type="checkbox" name="mode" value="`+mode+`"`) {
			t.Errorf("the form has no box for %s", mode)
		}
	}
	for name, modes := range map[string][]string{"strict": nil, "edge": {"local", "open"}} {
		a := h.post("root", "/service-keys", url.Values{"name": {name}, "scope": {"follow"}, "mode": modes})
		if a.Code != 201 {
			t.Errorf("%s: %d %s", name, a.Code, a.Body)
		}
	}
	for _, row := range strings.Split(h.get("root", "/service-keys").Body.String(), "<tr>") {
		switch {
		case strings.Contains(row, ">edge<") && !strings.Contains(row, "Followers: local, open"):
			t.Errorf("no leave is shown: %s", row)
		case strings.Contains(row, ">strict<") && strings.Contains(row, "Followers:"):
			t.Errorf("leave is shown that was not given: %s", row)
		}
	}
	a := h.post("root", "/service-keys", url.Values{"name": {"other"}, "scope": {"verify"}, "mode": {"open"}})
	if body := a.Body.String(); a.Code != 422 || !strings.Contains(body, `value="open" checked`) {
		t.Errorf("%d, and the form does not keep the choice: %s", a.Code, body)
	}
}
