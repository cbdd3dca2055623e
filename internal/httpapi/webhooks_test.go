package httpapi_test

import (
	"strings"
	"testing"
)

// What reading a webhook does not show, no answer to a change of it shows.
func TestAnAnswerToAChangeOfAWebhookShowsNoMoreThanReadingDoes(t *testing.T) {
	t.Parallel()
	s := onStage(t)
	s.prepare("session")
	role := s.call("POST", s.at("/roles"),
		`{"name":"Switch","permissions":["integrations:webhook","workspace:logs-read"]}`).text("data.result.role.id")
	s.call("PUT", s.at("/members/sam"), `{"email":"sam@example.com","roleId":"`+role+`"}`)
	sam, hook := s.signed("sam"), s.hook()
	path := "/api/v2/webhooks/" + hook
	s.do("GET", path, sam, "").refused(403, "permission_denied", "permissions")
	for on, body := range map[string]string{
		"PATCH " + path: `{"description":"mine"}`, "POST " + path + "/rotate-secret": `{}`,
	} {
		method, at, _ := strings.Cut(on, " ")
		s.do(method, at, sam, body).refused(403, "permission_denied", "permissions")
	}
	for range 2 { // the second time nothing changes
		a := s.do("PATCH", path, sam, `{"isActive":false}`).want(200)
		if a.text("data.result.webhook.id") != hook || a.at("data.result.webhook.isActive") != false {
			t.Errorf("switched off: %s", a.Body)
		}
		if strings.Contains(a.Body.String(), "example.com") || strings.Contains(a.Body.String(), "api_key.") {
			t.Errorf("the answer shows what reading does not: %s", a.Body)
		}
	}
	if a := s.do("POST", path+"/test", sam, ""); strings.Contains(a.Body.String(), "example.com") {
		t.Errorf("a test shows the URL: %s", a.Body)
	}
	if a := s.call("PATCH", path, `{"isActive":true}`); a.text("data.result.webhook.url") != "https://example.com" {
		t.Errorf("to a caller who may read it: %s", a.Body)
	}
	s.do("DELETE", path, sam, "").want(200)
}
