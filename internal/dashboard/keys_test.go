package dashboard_test

import (
	"context"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/verify"
)

var noAddress netip.Addr

var keyPathIn = regexp.MustCompile(`/keys/[0-9a-f-]{36}`)

var keyValue = regexp.MustCompile(`kw_(live|test)_[0-9A-Za-z]{49}`)

// make makes a key by the form, and gives its page's path and its value.
func (h *house) make(user, name string, more ...string) (path, value string) {
	h.Helper()
	form := url.Values{"do": {"make"}, "name": {name}, "environment": {"live"}, "perm": {"calls:read", "calls:write"},
		"expiry": {"90"}, "once": {"once-" + url.QueryEscape(name)}}
	if user != "root" {
		form.Set("user", user)
	}
	for i := 0; i+1 < len(more); i += 2 {
		form[more[i]] = strings.Fields(more[i+1])
	}
	a := h.post(user, "/keys/new", form).want(201)
	value = keyValue.FindString(a.Body.String())
	path = keyPathIn.FindString(a.Body.String())
	if value == "" || path == "" {
		h.Fatalf("no value is shown:\n%s", a.Body)
	}
	return path, value
}

func TestT29AValueIsShownOnceAndAFormThatIsSentAgainShowsNone(t *testing.T) {
	t.Parallel()
	h := open(t)
	form := url.Values{
		"do": {"make"}, "name": {"report"}, "environment": {"live"}, "seg.calls": {"read"},
		"expiry": {"30"}, "once": {"n-1"}, "user": {"ada"},
	}
	first := h.post("ada", "/keys/new", form).want(201)
	value := keyValue.FindString(first.Body.String())
	if value == "" || first.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("no value, or it may be kept: %v", first.Header())
	}
	h.post("ada", "/keys/new", form).want(200).silent(value).says("shown already")
	list := h.get("ada", "/keys").want(200).silent(value)
	if n := strings.Count(list.Body.String(), `name="id"`); n != 1 {
		t.Errorf("%d keys, want 1", n)
	}
}

func TestEveryPageOfAKeyIsShown(t *testing.T) {
	t.Parallel()
	h := open(t)
	path, value := h.make("ada", "report")
	for _, page := range []string{"/", "/keys", "/keys/new", "/keys?view=expiring", "/keys?view=unused",
		"/keys?view=disabled", "/keys?sort=used&q=rep",
		"/keys?sort=lastTriedAt+desc&env=live&permission=calls:read&expiring=2100-01-01&unused=2100-01-01",
		path, "/keys/" + strings.ToUpper(strings.TrimPrefix(path, "/keys/")), path + "/edit", path + "/rotate",
		path + "/delete", path + "?permission=calls:read&ip=203.0.113.7", path + "?permission=nope:read"} {
		a := h.get("ada", page).want(200).silent(value)
		if a.Body.Len() > 100<<10 {
			t.Errorf("%s is %d bytes", page, a.Body.Len())
		}
	}
}

func TestAKeysPageTellsWhetherItsOldValueIsStillInUse(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx := context.Background()
	made, err := h.control.CreateKey(ctx, h.root, control.CreateKey{Workspace: h.ws, User: "ada", Name: "k"})
	must[any](t)(nil, err)
	old := made.Secret.Reveal()
	rotated, err := h.control.RotateKey(ctx, h.root, string(made.Key.ID), 3600)
	must[any](t)(nil, err)
	check := func(value string) {
		var v verify.Verdict
		if h.engine.Check(&verify.Question{Key: value}, &v); v.Code != verify.Valid {
			t.Fatal(v.Code)
		}
	}
	page := "/keys/" + string(made.Key.ID)
	check(rotated.Secret.Reveal())
	h.get("ada", page).want(200).says("Nobody has used it since it was replaced").silent("still in use")
	check(old)
	h.get("ada", page).want(200).says("It is still in use: last", "just now").silent("Nobody has used it")
}

// A list of keys names the people whose keys they are; their ids stand beside the names, quietly.
func TestAListOfKeysNamesThePeople(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.make("ada", "report")
	h.get("amy", "/keys").want(200).says(
		`<span class="strong">Ada Lovelace</span><span class="sub quiet small">ada</span>`, `href="/keys?user=ada"`,
	)
}
