package dashboard_test

import (
	"net/url"
	"strings"
	"testing"
)

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
