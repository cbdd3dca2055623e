package dashboard_test

import (
	"context"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/installation"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/verify"
)

// TestTheOperatorsHome shows all workspaces together and the pressing conditions, to an operator alone.
func TestTheOperatorsHome(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.nodes = []cluster.Member{
		member("http://10.0.0.1", 40, func(m *cluster.Member) { m.Self = true }),
		member("http://10.0.0.2", 20, func(m *cluster.Member) { m.Fenced = true }),
	}
	h.machine = installation.Machine{
		Version: "v9.8", Database: "sqlite", Bytes: 3 << 20, Free: 1 << 20, FreeKnown: true, BackupsOwn: true,
		Certificate: time.Now().Add(3*24*time.Hour + time.Hour),
	}
	other, err := h.control.CreateWorkspace(context.Background(), h.root, control.CreateWorkspace{Name: "Other & Sons",
		Owner: control.Some(control.OwnerInput{User: "zoe", Email: "zoe@example.com"})})
	must[any](t)(nil, err)
	h.ask(string(other.ID), "zoe", verify.Valid)
	h.ask(string(other.ID), "zoe", verify.InsufficientPermissions)
	h.get("root", "/installation").want(200).says(
		"The node http://10.0.0.2 has fallen silent", "The TLS certificate ends in 3 days", "has 1.0 MiB left",
		"No backup is known of",
		"keyward backup FILE", "v9.8", "Other &amp; Sons", `href="/nodes"`, "1 refused", `value="`+string(other.ID)+`"`,
		"of asked in Other &amp; Sons",
	)
	for _, user := range []string{"ada", "bob"} {
		h.get(user, "/installation").want(403).silent("10.0.0.2", "Sons")
		h.get(user, "/").want(200).silent(`href="/installation"`)
	}
	h.get("root", "/").want(200).says(`href="/installation"`)
	h.ws = ""
	if a := h.get("root", "/").want(303); a.Header().Get("Location") != "/installation" {
		t.Errorf("an operator without a workspace is led to %s", a.Header().Get("Location"))
	}
}

// ask makes a key of the user and has it verified with one outcome.
func (h *house) ask(ws, user string, want verify.Code) (key string) {
	h.Helper()
	made, err := h.control.CreateKey(context.Background(), h.root, control.CreateKey{
		Workspace: ws, User: user, Name: "asked", Permissions: control.Some([]string{"calls:read", "members:read"}),
	})
	must[any](h)(nil, err)
	demand := "calls:read"
	if want != verify.Valid {
		demand = "roles:read"
	}
	var v verify.Verdict
	h.engine.Check(&verify.Question{
		Key: made.Secret.Reveal(), Cost: 1, Demand: perm.Demand{All: perm.Builtin().Known([]string{demand})},
	}, &v)
	if v.Code != want {
		h.Fatalf("%s, want %s", v.Code, want)
	}
	return string(made.Key.ID)
}

// TestABarLeadsToItsRefusals follows the links of the chart: a bar lists the refusals of its time, a part of it those
// with its outcome, and another time none.
func TestABarLeadsToItsRefusals(t *testing.T) {
	t.Parallel()
	h := open(t)
	key := h.ask(h.ws, "ada", verify.InsufficientPermissions)
	link := regexp.MustCompile(`href="([^"]*\bat=[^"]*#refusals)"`)
	for _, from := range []string{"/usage?by=hour", "/usage?by=day", "/keys/" + key + "?by=hour", "/?by=hour"} {
		page := h.get("ada", from).want(200).Body.String()
		found := link.FindAllStringSubmatch(page, -1)
		if len(found) != 3 { // the bar, its one part, and the row of the table
			t.Fatalf("%s: %d links to lists", from, len(found))
		}
		for _, one := range found {
			target := html.UnescapeString(one[1])
			if strings.HasPrefix(target, "?") {
				t.Fatalf("%s leads to %s", from, target)
			}
			listed := h.get("ada", strings.TrimSuffix(target, "#refusals")).want(200)
			listed.says("insufficient permissions", "Show all")
			u := must[*url.URL](t)(url.Parse(target))
			q := u.Query()
			q.Set("show", "EXPIRED")
			h.get("ada", u.Path+"?"+q.Encode()).want(200).says("None of that time is listed").silent("the key lacks")
			q.Del("show")
			q.Set("at", "2020-01-01T00:00")
			h.get("ada", u.Path+"?"+q.Encode()).want(200).says("None of that time is listed").silent("the key lacks")
		}
	}
}

// TestGrantedStandsBesideUsed: a key's page says which of its permissions are used, and leads to the form of a key
// with those alone.
func TestGrantedStandsBesideUsed(t *testing.T) {
	t.Parallel()
	h := open(t)
	unused := h.ask(h.ws, "ada", verify.InsufficientPermissions)
	h.get("ada",
		"/keys/"+unused+"?tab=permissions").want(200).says("<strong>0 of 2</strong>").silent("Create a narrower key")
	key := h.ask(h.ws, "bob", verify.Valid)
	link := regexp.MustCompile(`href="([^"]*)">Create a narrower key`)
	page := h.get("ada", "/keys/"+key+"?tab=permissions").want(200).says("<strong>1 of 2</strong>")
	found := link.FindStringSubmatch(page.Body.String())
	if found == nil {
		t.Fatal("no way to a narrower key")
	}
	form := h.get("ada", html.UnescapeString(found[1])).want(200).Body.String()
	ticked := regexp.MustCompile(`name="perm" value="([^"]*)"[^>]* checked`).FindAllStringSubmatch(form, -1)
	if len(ticked) != 1 || ticked[0][1] != "calls:read" || !strings.Contains(form, `value="bob" selected`) {
		t.Errorf("the form has %v chosen", ticked)
	}
	h.get("ada", "/usage").want(200).says("By permission", "<code>calls:read</code>", "<code>roles:read</code>")
	h.get("ada", "/usage/export?of=permissions").want(200).says(`"permission","verified","refused"`,
		`"calls:read","1","0"`, `"roles:read","0","1"`)
	h.get("eve", "/keys/"+key+"?tab=permissions").want(403)
}
