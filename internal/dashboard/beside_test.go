package dashboard_test

import (
	"context"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/control"
)

// inAPIWords finds a name of the API or of the program where a page's words belong.
var inAPIWords = regexp.MustCompile(
	`[a-z]+\.[a-z]+[A-Z][A-Za-z]*|RateLimit|requestsPer|maxKeyLifetime|permissionMode|allowedIps|expiresAt|workspaceIds|roleId|userId|displayName\b`,
)

// Each form says all that is wrong with it at once, each error beside its field, in the page's words.
func TestEveryFormSaysAllThatIsWrongBesideItsFields(t *testing.T) {
	t.Parallel()
	h := open(t)
	made, err := h.control.CreateKey(
		context.Background(), h.root, control.CreateKey{Workspace: h.ws, User: "ada", Name: "adas"},
	)
	must[any](t)(nil, err)
	role, err := h.control.CreateRole(
		context.Background(), h.root, h.ws, control.CreateRole{Name: "Mine", Permissions: []string{"calls:read"}},
	)
	must[any](t)(nil, err)
	long := strings.Repeat("x", 600)
	key := "/keys/" + string(made.Key.ID)
	for _, c := range []struct {
		user, action string
		form         url.Values
		fields       []string
	}{
		{"ada", "/keys/new",
			url.Values{"do": {"make"}, "name": {""}, "environment": {"live"}, "expiry": {"on"}, "expiresOn": {"2001-01-01"},
				"perMinute": {"many"},
				"perDay":    {"0"}, "ips": {"300.1.1.1"}, "metadata": {"{"}, "description": {long}},
			[]string{"name", "expiry", "perMinute", "perDay", "ips", "metadata", "description"}},
		{"ada", key + "/edit",
			url.Values{"name": {""}, "expiry": {"on"}, "expiresOn": {"2001-01-01"}, "perMinute": {"-1"}, "perDay": {"0"},
				"ips":      {"300.1.1.1"},
				"metadata": {"["}, "description": {long}}, []string{"name", "expiry", "perMinute", "perDay", "ips", "metadata",
				"description"}},
		{"ada", "/roles", url.Values{"name": {""}, "description": {long}}, []string{"name", "description"}},
		{"ada", "/roles/" + string(role.ID), url.Values{"name": {""}, "description": {long}, "confirm": {"yes"}},
			[]string{"name", "description"}},
		{"ada", "/roles/" + string(role.ID), url.Values{"name": {""}, "description": {long}},
			[]string{"name", "description"}},
		{"ada", "/members", url.Values{"user": {"no good"}, "email": {"nowhere"}, "displayName": {long}, "role": {""}},
			[]string{"user", "email", "displayName", "role"}},
		{"ada", "/settings",
			url.Values{"name": {""}, "mode": {"liquid"}, "perMinute": {"-1"}, "perDay": {"many"}, "lifetime": {"never"}},
			[]string{"name", "mode", "perMinute", "perDay", "lifetime"}},
		{"root", "/workspaces", url.Values{"name": {""}, "user": {"no good"}, "email": {"nowhere"}},
			[]string{"name", "user", "email"}},
		{"root", "/service-keys", url.Values{
			"name": {""}, "scope": {"all"}, "expiry": {"2001-01-01"}, "workspaces": {"x"}, "environment": {"both"},
			"networks": {"300.1.1.1"},
		},
			[]string{"name", "scope", "expiry", "workspaces", "environment", "networks"}},
		{"root", "/service-keys", url.Values{"name": {"f"}, "scope": {"verify"}, "mode": {"local"}}, []string{"mode"}},
		{"root", "/service-keys", url.Values{"name": {"f"}, "scope": {"follow"}, "mode": {"exact"}}, []string{"mode"}},
	} {
		a := h.post(c.user, c.action, c.form)
		if a.Code != 422 {
			t.Errorf("%s: %d", c.action, a.Code)
			continue
		}
		body := a.Body.String()
		said := errorsBeside(body, c.action)
		for _, field := range c.fields {
			if said[field] == "" {
				t.Errorf("%s: nothing stands beside %s", c.action, field)
			} else if inAPIWords.MatchString(said[field]) {
				t.Errorf("%s, %s: %q", c.action, field, said[field])
			}
		}
		for _, above := range regexp.MustCompile(`(?s)id="problem".*?</strong>`).FindAllString(body, -1) {
			if inAPIWords.MatchString(above) {
				t.Errorf("%s, above: %q", c.action, above)
			}
		}
	}
}

var errorTag = regexp.MustCompile(`(?s)<p class="error"[^>]*>([^<]+)</p>`)

// errorsBeside are the errors of a form by the field in whose block they stand.
func errorsBeside(body, action string) map[string]string {
	out := map[string]string{}
	for _, f := range formTag.FindAllStringSubmatch(body, -1) {
		if attributes(f[1])["action"] != action {
			continue
		}
		for _, block := range append(fieldBlock.FindAllString(f[2], -1), fieldset.FindAllString(f[2], -1)...) {
			m := errorTag.FindStringSubmatch(block)
			if m == nil {
				continue
			}
			for _, tag := range fieldTag.FindAllStringSubmatch(block, -1) {
				out[attributes(tag[2])["name"]] = m[1]
			}
		}
	}
	return out
}
