package httpapi_test

import (
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/wire"
)

// capitals finds an id in upper case.
var capitals = regexp.MustCompile(`[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]*[A-F][0-9A-F]*`)

func TestAnIDIsReadInEitherCaseAndAnsweredInLowerCase(t *testing.T) {
	t.Parallel()
	h := open(t)
	low := h.workspace()
	ws := strings.ToUpper(low)
	at := "/api/v2/workspaces/" + ws
	up := func(a answer, path string) string { return strings.ToUpper(a.text(path)) }
	role := up(
		h.do("POST", at+"/roles", h.root, `{"name":"Caller","permissions":["calls:read"]}`).want(201), "data.result.role.id",
	)
	made := func() (name, value string) {
		a := h.do("POST", "/api/v2/api-keys", h.root, `{"workspaceId":"`+ws+`","userId":"u-owner","name":"k"}`).want(201)
		return up(a, "data.result.apiKey.id"), a.text("data.result.key")
	}
	key, value := made()
	other, _ := made()
	service := up(
		h.do("POST", "/api/v2/service-keys", h.root, `{"name":"s","scopes":["verify"],"workspaceIds":["`+ws+`"]}`).want(201),
		"data.result.serviceKey.id",
	)
	link := h.do("POST", "/api/v2/sign-in-links", h.root, `{"workspaceId":"`+ws+`","userId":"u-owner"}`).
		want(201).
		text("data.result.signInLink.code")
	session := up(h.do("POST", "/api/v2/sessions", "", `{"code":"`+link+`"}`).want(201), "data.result.session.id")
	item := `{"name":"i","userId":"u-owner","workspaceId":"` + ws + `","sha256":"` + strings.Repeat("ab", 32) + `"}`

	h.do("GET", "/check?workspaceId="+ws, value, "").want(200)
	form := func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }
	if told := h.do("POST", "/api/v2/oauth2/introspect", h.root, "token="+value+"&workspaceId="+ws,
		form).want(200); told.at(
		"active",
	) != true {
		t.Error(told.Body)
	}
	for _, c := range []struct{ method, target, body string }{
		{"GET", at, ""},
		{"PATCH", at, `{"name":"New"}`},
		{"GET", at + "/usage", ""},
		{"PUT", at + "/plan", `{"maxKeys":100}`},
		{"GET", at + "/roles/" + role, ""},
		{"PATCH", at + "/roles/" + role, `{"description":"d"}`},
		{"PUT", at + "/members/u2", `{"email":"u2@example.com","roleId":"` + role + `"}`},
		{"PATCH", at + "/members/u2", `{"roleId":"` + role + `"}`},
		{"DELETE", at + "/members/u2", ""},
		{"DELETE", at + "/roles/" + role, ""},
		{"GET", "/api/v2/api-keys?workspaceId=" + ws, ""},
		{"GET", "/api/v2/api-keys/" + key + "?workspaceId=" + ws, ""},
		{"GET", "/api/v2/api-keys/" + key + "/usage?workspaceId=" + low, ""},
		{"GET", "/api/v2/workspaces/logs?workspaceId=" + ws, ""},
		{"GET", "/api/v2/sessions?workspaceId=" + ws, ""},
		{"PUT", "/api/v2/api-keys", `{"apiKeys":[{"id":"` + key + `","name":"n"}]}`},
		{"POST", "/api/v2/api-keys/" + key + "/rotate", `{"overlapSeconds":60}`},
		{"POST", "/api/v2/api-keys/import", `{"workspaceId":"` + ws + `","apiKeys":[` + item + `]}`},
		{"POST", "/api/v2/api-keys/verify", `{"key":"` + value + `","workspaceId":"` + ws + `"}`},
		{"POST", "/api/v2/api-keys/verify", `{"key":"` + value + `","workspaceId":["` + ws + `"]}`},
		{"POST", "/api/v2/api-keys/verify-batch", `{"items":[{"key":"` + value + `","workspaceId":"` + ws + `"}]}`},
		{"DELETE", "/api/v2/api-keys", `{"ids":["` + other + `"]}`},
		{"DELETE", "/api/v2/api-keys/" + key, ""},
		{"DELETE", "/api/v2/sessions/" + session, ""},
		{"DELETE", "/api/v2/service-keys/" + service, ""},
		{"DELETE", at, ""},
	} {
		a := h.do(c.method, c.target, h.root, c.body)
		body := a.Body.String()
		if a.Code/100 != 2 || strings.Contains(body, `"errors":[{`) || strings.Contains(body, `"valid":false`) {
			t.Errorf("%s %s: %d %s", c.method, c.target, a.Code, body)
		}
		if found := capitals.FindString(body); found != "" {
			t.Errorf("%s %s answers %s", c.method, c.target, found)
		}
	}
	if logged := capitals.FindString(
		regexp.MustCompile(`"(path|target|url)":"[^"]*"`).ReplaceAllString(h.log.String(), ""),
	); logged != "" {
		t.Errorf("the log names %s", logged)
	}
}

func TestAUserIDKeepsItsCapitals(t *testing.T) {
	t.Parallel()
	h := open(t)
	at := "/api/v2/workspaces/" + h.workspace()
	role := h.do("GET", at+"/roles", h.root, "").want(200).text("data.result.roles.0.id")
	const user = "019A5C3E-7B10-7A44-9C1D-2F6B8E0D4A11"
	h.do("PUT", at+"/members/"+user, h.root, `{"email":"u@example.com","roleId":"`+role+`"}`).want(201)
	if got := h.do("GET", at+"/members/"+user, h.root, "").want(200).text("data.result.member.userId"); got != user {
		t.Error(got)
	}
	h.do("GET", at+"/members/"+strings.ToLower(user), h.root, "").refused(404, "not_found", "")
}

// bodies are the bodies of the operations.
var bodies = []any{
	wire.Nothing{}, wire.CreateAPIKey{}, wire.UpdateAPIKeys{}, wire.DeleteAPIKeys{}, wire.RotateAPIKey{},
	wire.ImportAPIKeys{}, wire.Verify{}, wire.VerifyBatch{},
	wire.CreateWorkspace{}, wire.UpdateWorkspace{}, wire.PutPlan{}, wire.PutMember{}, wire.UpdateMember{},
	wire.RemoveMember{}, wire.RestoreMember{}, wire.CreateRole{}, wire.UpdateRole{},
	wire.CreateServiceKey{}, wire.CreateSignInLink{}, wire.StartSession{}, wire.CreatePortalSession{},
	wire.ExchangePortalSession{},
	wire.CreateWebhook{}, wire.UpdateWebhook{}, wire.RotateWebhookSecret{},
	wire.FollowerLeases{}, wire.FollowerDays{}, wire.FollowerUses{},
}

var idName = regexp.MustCompile(`^(id|ids|.*I(d|ds))$`)

func TestEveryBodyReadsIDsInEitherCase(t *testing.T) {
	t.Parallel()
	listed := map[string]bool{}
	for _, in := range bodies {
		of := reflect.TypeOf(in)
		listed[of.String()] = true
		idsOf(t, of.Name(), of)
	}
	files, err := filepath.Glob("*.go")
	must(t, err)
	taken := regexp.MustCompile(`\(\w+ \*exchange, \w+ (wire\.\w+)\)`)
	for _, file := range files {
		source, err := os.ReadFile(file)
		must(t, err)
		for _, m := range taken.FindAllSubmatch(source, -1) {
			if name := string(m[1]); !listed[name] {
				t.Errorf("%s: the body %s is not in the list of this test", file, name)
			}
		}
	}
}

// idsOf fails where a member that is named as an id is not read as one.
func idsOf(t *testing.T, path string, of reflect.Type) {
	t.Helper()
	for of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct {
		if _, name := filepath.Split(path); idName.MatchString(name) && name != "userId" &&
			of != reflect.TypeFor[wire.ID]() &&
			of != reflect.TypeFor[wire.Place]() {
			t.Errorf("%s is of type %s: want wire.ID or wire.Place, which are read in either case", path, of)
		}
		return
	}
	for _, inner := range []string{"Value", "Names"} {
		if f, ok := of.FieldByName(inner); ok && f.Tag == "" {
			idsOf(t, path, f.Type)
			return
		}
	}
	for i := range of.NumField() {
		if name := of.Field(i).Tag.Get("json"); name != "" {
			idsOf(t, path+"/"+name, of.Field(i).Type)
		}
	}
}
