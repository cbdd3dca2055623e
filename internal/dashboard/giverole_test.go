package dashboard_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/control"
)

var previewField = regexp.MustCompile(`name="preview" value="([0-9a-f]+)"`)

func (a answer) preview() string {
	a.t.Helper()
	found := previewField.FindStringSubmatch(a.Body.String())
	if found == nil {
		a.t.Fatalf("no preview on the page:\n%s", a.Body)
	}
	return found[1]
}

func (h *house) roleOf(user string) string {
	h.Helper()
	m, err := h.control.GetMember(context.Background(), h.root, h.ws, user)
	must[any](h)(nil, err)
	return m.RoleName
}

// T108: a role is given to a person after its difference was shown, and only as it was shown.
func TestT108ARoleIsGivenAsItsReviewShowedIt(t *testing.T) {
	t.Parallel()
	h := open(t)
	give := func(role string, more ...string) url.Values {
		form := url.Values{"role": {h.roles[role]}}
		if len(more) > 0 {
			form.Set("preview", more[0])
		}
		return form
	}
	admin := h.post("ada", "/members/eve/role", give("Admin")).
		want(200).
		says("Make eve Admin", "+", "can administer", "eve@example.com").
		preview()
	if got := h.roleOf("eve"); got != "Viewer" {
		t.Fatalf("eve is %s after a look", got)
	}
	for name, form := range map[string]url.Values{
		"another role":   give("Member", admin),
		"another person": give("Admin", h.post("ada", "/members/bob/role", give("Admin")).want(200).preview()),
		"an invention":   give("Admin", "0011"),
	} {
		h.post("ada", "/members/eve/role", form).want(422).says("Nothing is done yet")
		if got := h.roleOf("eve"); got != "Viewer" {
			t.Fatalf("%s: eve is %s", name, got)
		}
	}
	h.post("ada", "/members/eve/role", give("Admin", admin)).want(303)
	if got := h.roleOf("eve"); got != "Admin" {
		t.Fatalf("eve is %s after the change was confirmed", got)
	}
	h.post("ada", "/members/eve/role", give("Viewer")).want(200).says("−", "may no longer").silent("can administer")
	h.post("ada", "/members/eve/role", url.Values{"role": {""}}).want(422).says("Choose a role for eve")
}

// T108: a role that changes while its review is looked at is reviewed again.
func TestT108AReviewEndsWithTheRoleThatItShowed(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx := context.Background()
	r, err := h.control.CreateRole(
		ctx, h.root, h.ws, control.CreateRole{Name: "Listener", Permissions: []string{"calls:read"}},
	)
	must[any](t)(nil, err)
	shown := h.post("ada", "/members/bob/role", url.Values{"role": {string(r.ID)}}).want(200).preview()
	_, err = h.control.UpdateRole(
		ctx, h.root, h.ws, string(r.ID),
		control.UpdateRole{Permissions: control.Some([]string{"calls:read", "members:remove"})},
	)
	must[any](t)(nil, err)
	h.post("ada", "/members/bob/role", url.Values{"role": {string(r.ID)}, "preview": {shown}}).
		want(422).
		says("Nothing is done yet", "can administer")
	if got := h.roleOf("bob"); got != "Member" {
		t.Fatalf("bob is %s", got)
	}
}

// A new member who could administer is shown before they are added; others are added at once.
func TestAnAdminIsAddedAfterAReview(t *testing.T) {
	t.Parallel()
	h := open(t)
	form := url.Values{
		"user": {"nia"}, "email": {"nia@example.com"}, "displayName": {"Nia Wills"},
		"role": {h.roles["Admin"]},
	}
	form.Set(
		"preview", h.post("ada", "/members", form).want(200).says("Add Nia Wills as Admin", "can administer").preview(),
	)
	h.get("ada", "/members").want(200).silent("Nia Wills")
	form.Set("user", "mia")
	h.post("ada", "/members", form).want(422).says("Nothing is done yet")
	form.Set("user", "nia")
	h.post("ada", "/members", form).want(303)
	h.get("ada", "/members").want(200).says("Nia Wills")
	h.post("ada", "/members", url.Values{"user": {"max"}, "email": {"max@example.com"}, "role": {h.roles["Viewer"]}}).
		want(303)
}

// A figure names the keys it is about, and a list says what it leaves out.
func TestAViewerIsToldWhatTheyDoNotSee(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, name := range []string{"one", "two", "three"} {
		h.make("ada", name)
	}
	const others = "You see your own keys. 3 keys of others exist in Acme; you need api-keys:manage-others to see them."
	h.get("eve", "/keys").want(200).says(others, "You have no key of your own").silent("No keys yet")
	h.get("eve", "/keys?q=zzz").want(200).says(others, "No key of yours matches")
	h.get("eve", "/").
		want(200).
		says(others, "Your keys", "All keys of Acme", "You have no key of your own").
		silent("No keys yet")
	h.get("eve", "/usage").want(200).says("Your busiest keys")
	h.get("eve", "/settings").want(200).says("<dt>Keys</dt><dd>3")
	h.get("eve", "/members").want(200).silent(`href="/keys?user=ada"`)
	h.get("ada", "/keys").want(200).says("Every key of Acme").silent("You see your own keys")
	h.get("ada", "/").want(200).silent("Your keys", "All keys of Acme")
	_, err := h.control.CreateKey(
		context.Background(), h.root, control.CreateKey{Workspace: h.ws, User: "bob", Name: "bobs"},
	)
	must[any](t)(nil, err)
	h.get("bob", "/keys").want(200).says("3 keys of others exist")
	h.get("eve", "/keys").want(200).says("4 keys of others exist")
}

// Everything that is wrong with a form stands beside its field at once, in the words of the page.
func TestAFormSaysAllThatIsWrongBesideItsFields(t *testing.T) {
	t.Parallel()
	h := open(t)
	form := url.Values{
		"do":          {"make"},
		"name":        {""},
		"environment": {"live"},
		"expiry":      {"on"},
		"expiresOn":   {"2001-01-01"},
		"perMinute": {
			"many",
		},
		"perDay":      {"0"},
		"ips":         {"300.1.1.1"},
		"metadata":    {"{"},
		"description": {strings.Repeat("x", 501)},
	}
	page := h.post("ada", "/keys/new", form).
		want(422).
		says("7 fields need another look").
		silent("rateLimit", "allowedIps", "expiresAt", "requestsPer")
	for _, field := range []string{"name", "expiry", "perMinute", "perDay", "ips", "metadata", "description"} {
		if !regexp.MustCompile(`data-error="` + field + `">[^<]+<`).MatchString(page.Body.String()) {
			t.Errorf("nothing stands beside %s", field)
		}
	}
}

// The result of a change is shown once, on the next page, by the server alone.
func TestWhatWasDoneIsSaidOnceAndByTheServerAlone(t *testing.T) {
	t.Parallel()
	h := open(t)
	path, _ := h.make("ada", "report")
	a := h.post("ada", path+"/state", url.Values{"active": {"false"}}).want(303)
	if to := a.Header().Get("Location"); to != path {
		t.Fatalf("leads to %q", to)
	}
	cookies := a.Result().Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || !cookies[0].Secure || !strings.HasPrefix(cookies[0].Name, "__Host-") {
		t.Fatalf("cookies: %v", cookies)
	}
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Test-User", "ada")
	r.AddCookie(cookies[0])
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	answer{w, t}.want(200).says("“report” is disabled. Verifications refuse it from now on.", ">Undo</button>")
	if after := w.Result().Cookies(); len(after) != 1 || after[0].MaxAge >= 0 {
		t.Errorf("the sentence stays: %v", after)
	}
	h.get("ada", path+"?done=deleted").want(200).silent("refused from now on")
}

// However many roles there are, a page lists some of them once, and a search finds the others and keeps the filled-in
// fields.
func TestARoleIsFoundAmongManyRoles(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx := context.Background()
	roles := map[string]string{}
	for i := range 320 {
		name := fmt.Sprintf("%s %d", strings.Repeat("w", 50), i)
		if i == 319 {
			name = "Night Shift"
		}
		r, err := h.control.CreateRole(ctx, h.root, h.ws, control.CreateRole{Name: name, Permissions: []string{"calls:read"}})
		must[any](t)(nil, err)
		roles[name] = string(r.ID)
	}
	for i := range 60 {
		user := fmt.Sprintf("m%d", i)
		_, _, err := h.control.PutMember(ctx, h.root, h.ws, user,
			control.PutMember{Email: user + "@example.com", Role: h.roles["Viewer"]})
		must[any](t)(nil, err)
	}
	night := roles["Night Shift"]
	for _, path := range []string{"/members", "/members/eve/role"} {
		body := h.get("ada", path).want(200).
			says("The list holds the first 100 roles. Search by name, description or id for others.").
			says(`aria-hidden="true" formnovalidate>`). // Enter in the search: fields that are empty still do not stop it
			Body.String()
		if n := strings.Count(body, "<select"); n != 1 || len(body) > 100_000 || strings.Contains(body, night) {
			t.Errorf("%s: %d lists and %d bytes", path, n, len(body))
		}
	}
	h.get("ada", "/members").says(`href="/members/eve/role"`)
	h.get("eve", "/members").silent("/role\"")
	h.get("ada", "/members/nobody/role").want(404)

	// Enter in the search sends the form by its first button.
	search := url.Values{"role": {h.roles["Viewer"]}, "findRole": {"NIGHT"}}
	h.post("ada", "/members/eve/role", search).want(200).says("1 role matches “NIGHT”", `value="`+night+`"`).
		silent("Make eve")
	h.post("ada", "/members/eve/role", url.Values{"findRole": {"nowhere"}, "do": {"find"}}).want(200).
		says("Nothing matches “nowhere”")
	h.post("ada", "/members/eve/role", url.Values{"role": {night}, "findRole": {"night"}, "findRoleWas": {"night"}}).
		want(200).says("Make eve Night Shift")
	form := url.Values{
		"user": {"nia"}, "email": {"nia@example.com"}, "displayName": {"Nia"}, "findRole": {"night"}, "do": {"find"},
	}
	h.post("ada", "/members", form).want(200).says(`value="nia@example.com"`, `value="`+night+`"`)
	if _, err := h.control.GetMember(ctx, h.root, h.ws, "nia"); err == nil {
		t.Fatal("a search adds a member")
	}
	form = url.Values{
		"user": {"nia"}, "email": {"nia@example.com"}, "findRole": {"night"}, "findRoleWas": {"night"}, "role": {night},
	}
	h.post("ada", "/members", form).want(303)
	if got := h.roleOf("nia"); got != "Night Shift" {
		t.Errorf("nia is %s", got)
	}
	// A role that goes beyond the visitor is not offered by a search either.
	h.post("bob", "/members/eve/role", search).silent(`value="` + h.roles["Owner"] + `"`)
}
