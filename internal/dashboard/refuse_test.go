package dashboard_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestT67AChangeThatDoesNotComeFromOurPagesIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	path, _ := h.make("ada", "report")
	for name, headers := range map[string]map[string]string{
		"another site":           {"Sec-Fetch-Site": "cross-site"},
		"another origin of ours": {"Sec-Fetch-Site": "same-site"},
		"an older browser":       {"Origin": "https://evil.example"},
		"an origin that hides":   {"Origin": "null"},
		"no browser":             {},
	} {
		r := httptest.NewRequest(http.MethodPost, path+"/state", strings.NewReader("active=false"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Test-User", "ada")
		for k, v := range headers {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		h.handler.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	h.get("ada", path).want(200).says("Active")
	h.post("ada", path+"/state", url.Values{"active": {"false"}}).want(303)
	h.get("ada", path).want(200).says("Disabled")
}

func TestT76ThereIsNoWayToAnotherPlace(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, back := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "\t//evil.example",
		"javascript:alert(1)", "///evil.example", "", "keys"} {
		a := h.post("", "/theme", url.Values{"theme": {"dark"}, "back": {back}}).want(303)
		if to := a.Header().Get("Location"); to != "/" {
			t.Errorf("%q leads to %q", back, to)
		}
	}
	if to := h.post("", "/theme", url.Values{"back": {"/keys?q=x"}}).Header().Get("Location"); to != "/keys?q=x" {
		t.Errorf("a page of our own leads to %q", to)
	}
}

func TestAViewerIsOfferedNothingAndRefusedEverything(t *testing.T) {
	t.Parallel()
	h := open(t)
	path, _ := h.make("ada", "report")
	for _, page := range []string{"/", "/keys", "/members", "/roles", "/settings", "/log"} {
		h.get("eve", page).want(200).silent(`class="btn first"`, "Delete…", "Disable…", "Remove…")
	}
	h.get("eve", path).want(403)
	for _, target := range []string{path + "/state", path + "/rotate", path + "/delete"} {
		h.post("eve", target, url.Values{"active": {"false"}, "overlap": {"0"}}).want(403)
	}
	h.post("eve", "/keys/new", url.Values{
		"do": {"make"}, "name": {"x"}, "user": {"eve"}, "seg.calls": {"read"}, "expiry": {"30"}, "environment": {"live"},
	}).
		want(403).
		silent("Store it now")
	h.post("eve", "/settings", url.Values{"name": {"Mine"}, "mode": {"frozen"}}).want(422)
	h.post("eve", "/settings/delete", url.Values{"name": {"Acme"}}).want(403)
	h.get("eve", "/keys").want(200).says("Acme")
}

func TestPeopleAreRefusedInHTMLAndProgramsInJSON(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.get("ada", "/nowhere").
		want(404).
		says("<!doctype html>", "Page not found", `href="/keys"`, "Quote this ID to support")
	h.get("ada", "/keys/00000000-0000-7000-8000-000000000000").want(404).says("Page not found", "Overview")
	h.get("", "/keys").want(303)
	r := httptest.NewRequest(http.MethodGet, "/nowhere", http.NoBody)
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	if w.Code != 404 || !strings.HasPrefix(w.Body.String(), `{"success"`) {
		t.Errorf("a program is told: %s", w.Body)
	}
}

func TestARefusalNamesAPermissionOnceAsItIs(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.get("eve", "/keys/new").want(403).says("This needs the permission api-keys:write.").
		silent("<li>api-keys", "Api-keys:write")
	h.post("bob", "/keys/new", url.Values{
		"do": {"make"}, "name": {"x"}, "user": {"ada"}, "expiry": {"30"}, "environment": {"live"},
	}).silent("Api-keys:manage-others")
}
