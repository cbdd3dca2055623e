package dashboard_test

import (
	"context"
	"net/url"
	"slices"
	"testing"
)

// A key gets what its form shows: the segments within what the owner has, and the ticks under Custom alone.
func TestAKeyGetsWhatItsFormShows(t *testing.T) {
	t.Parallel()
	h := open(t)
	cases := map[string]struct {
		user, owner string
		form        url.Values
		want        []string
	}{
		"nothing": {"ada", "ada", url.Values{}, nil},
		"read":    {"ada", "ada", url.Values{"seg.agents": {"read"}}, []string{"agents:read"}},
		"write":   {"ada", "ada", url.Values{"seg.agents": {"write"}}, []string{"agents:read", "agents:write"}},
		"custom": {
			"ada", "ada", url.Values{"seg.agents": {"custom"}, "perm": {"agents:delete"}}, []string{"agents:delete"},
		},
		"a tick out of sight": {"ada", "ada", url.Values{"seg.agents": {"none"}, "perm": {"agents:delete"}}, nil},
		"a tick beside a read": {
			"ada", "ada", url.Values{"seg.agents": {"read"}, "perm": {"agents:delete"}}, []string{"agents:read"},
		},
		"ticks alone": {
			"ada", "ada", url.Values{"perm": {"agents:read", "chat:read"}}, []string{"agents:read", "chat:read"},
		},
		"what the owner has": {
			"ada", "bob", url.Values{"seg.workspace": {"read"}, "seg.members": {"write"}},
			[]string{"members:read", "workspace:logs-read", "workspace:read"},
		},
		"what oneself has": {
			"bob", "bob", url.Values{"seg.workspace": {"write"}}, []string{"workspace:logs-read", "workspace:read"},
		},
		"both are shown": {"ada", "bob", url.Values{"seg.chat": {"read"}, "shown": {"bob"}}, []string{"chat:read"}},
	}
	for name, c := range cases {
		form := url.Values{
			"do": {"make"}, "name": {name}, "environment": {"live"}, "expiry": {"30"},
			"once": {url.QueryEscape(name)}, "user": {c.owner},
		}
		for field, values := range c.form {
			form[field] = values
		}
		path := keyPathIn.FindString(h.post(c.user, "/keys/new", form).want(201).Body.String())
		k, err := h.control.GetKey(context.Background(), h.root, path[len("/keys/"):])
		must[any](t)(nil, err)
		got := h.control.Catalogue().Names(k.Permissions)
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	before := h.everything()
	for name, c := range map[string]url.Values{
		"a segment that there is not":     {"seg.agents": {"everything"}},
		"another owner than is shown":     {"seg.agents": {"read"}, "shown": {"ada"}, "user": {"bob"}},
		"a tick that is not in the list":  {"perm": {"agents:nothing"}},
		"a tick that the owner lacks":     {"perm": {"workspace:delete"}, "user": {"bob"}},
		"a look without scripts":          {"do": {"preview"}},
		"a template":                      {"do": {"fill:read"}},
		"a template that there is not":    {"do": {"fill:more"}},
		"a copy of a key that is nowhere": {"do": {"fill:like"}, "like": {"x"}},
	} {
		form := url.Values{
			"do": {"make"}, "name": {name}, "environment": {"live"}, "expiry": {"30"},
			"once": {url.QueryEscape(name)}, "user": {"ada"},
		}
		for field, values := range c {
			form[field] = values
		}
		if a := h.post("ada", "/keys/new", form); a.Code != 422 && a.Code != 200 {
			t.Errorf("%s: %d", name, a.Code)
		}
	}
	if h.everything() != before {
		t.Error("something was created")
	}
}

// A person without the right to create keys for others sees no other owner, and is refused one.
func TestOnlyThoseWhoManageOthersChooseAnOwner(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.get("bob", "/keys/new").want(200).silent(`name="user"`)
	h.get("ada", "/keys/new").
		want(200).
		says(`name="user"`, `<option value="bob">bob · Member</option>`, ">Ada Lovelace · ada · Owner</option>")
	h.get("ada", "/keys/new?user=bob").want(200).says(`<option value="bob" selected>`, "hidden: bob doesn&#39;t have them")
	h.post("bob", "/keys/new", url.Values{
		"do": {"make"}, "name": {"k"}, "environment": {"live"}, "expiry": {"30"}, "user": {"ada"},
	}).
		want(403)
}
