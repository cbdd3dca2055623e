package httpapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// self is the part of /me that a test looks at.
func (s *stage) self(query string) map[string]any {
	s.t.Helper()
	return s.do("GET", "/api/v2/me"+query, s.credential, "").want(200).at("data.result").(map[string]any)
}

// inside walks into an answer.
func inside(v any, path ...string) any {
	for _, name := range path {
		o, _ := v.(map[string]any)
		v = o[name]
	}
	return v
}

// Callers of every kind learn their identity by the credential that they present.
func TestMeTellsCallersOfEveryKindWhoTheyAre(t *testing.T) {
	t.Parallel()
	s := onStage(t)
	all := len(s.do("GET", "/api/v2/permissions", s.root, "").want(200).at("data.result.permissions").([]any))
	for kind, want := range map[string]struct {
		credential, user, role string
		places                 int
	}{
		"API key":                     {credential: "api_key", user: "boss", places: 1},
		"service key":                 {credential: "service_key"},
		"root key of the environment": {credential: "service_key"},
		"session":                     {credential: "session", user: "boss", role: "Owner", places: 1},
		"session of a root":           {credential: "session"},
		"token of the provider":       {credential: "oidc_token", user: "boss", role: "Owner", places: 1},
	} {
		s.credentialID = ""
		s.prepare(kind)
		query := "" // "boss" is in the workspaces of other kinds, too
		if want.places > 0 {
			query = "?workspaceId=" + s.ws
		}
		got := s.self(query)
		user, _ := inside(got, "user", "id").(string)
		role, _ := inside(got, "role", "name").(string)
		credential, _ := inside(got, "credential", "type").(string)
		if user != want.user || role != want.role || credential != want.credential {
			t.Errorf("%s: user %q, role %q, credential %q, want %+v", kind, user, role, credential, want)
		}
		if granted := got["grantable"].([]any); len(granted) != all || len(got["permissions"].([]any)) != all {
			t.Errorf("%s: %d of %d may be granted", kind, len(granted), all)
		}
		current := slices.DeleteFunc(got["workspaces"].([]any), func(w any) bool { return inside(w, "isCurrent") != true })
		if len(current) != want.places || want.places == 1 && inside(current[0], "id") != s.ws {
			t.Errorf("%s: works in %v, want %s", kind, current, s.ws)
		}
		if name, _ := inside(got, "credential", "id").(string); s.credentialID != "" && kind != "session of a root" &&
			name != s.credentialID {
			t.Errorf("%s: the credential is %q, want %q", kind, name, s.credentialID)
		}
	}
}

// A role that holds nothing of Keyward's own still lets a person read themselves, their role and their workspace, and
// nothing of others.
func TestALeanRoleReadsItselfItsRoleAndItsWorkspace(t *testing.T) {
	t.Parallel()
	s := onStage(t)
	s.prepare("session")
	boss := s.call("GET", s.at("/members/boss"), "").text("data.result.member.roleId")
	for name, credential := range map[string]string{
		"session":               s.signed("mia"),
		"token of the provider": s.issuer.token(t, "mia", s.now().Add(time.Hour)),
	} {
		s.credential = credential
		got := s.self("?workspaceId=" + s.ws)
		if inside(got, "role", "id") != s.role || len(got["grantable"].([]any)) != 0 || len(got["permissions"].([]any)) != 1 {
			t.Errorf("%s: %v", name, got)
		}
		for _, path := range []string{"", "/members/mia", "/roles/" + s.role} {
			if a := s.do("GET", s.at(path), credential, ""); a.Code != 200 {
				t.Errorf("%s: GET %s: %d %s", name, path, a.Code, a.Body)
			}
		}
		for _, path := range []string{"/members", "/members/boss", "/members/nobody", "/roles", "/roles/" + boss, "/usage"} {
			s.do("GET", s.at(path), credential, "").refused(403, "permission_denied", "permissions")
		}
		s.do("PATCH", s.at(""), credential, `{"name":"Mine"}`).refused(403, "permission_denied", "permissions")
		s.do("PATCH", s.at("/members/mia"), credential, `{"displayName":"Queen"}`).
			refused(403, "permission_denied", "permissions")
		s.do("PATCH", s.at("/roles/"+s.role), credential, `{"permissions":["calls:write"]}`).
			refused(403, "permission_denied", "permissions")
	}
	elsewhere := s.workspace()
	s.do("GET", "/api/v2/workspaces/"+elsewhere, s.credential, "").refused(404, "not_found", "")
	s.do("GET", "/api/v2/me?workspaceId="+elsewhere, s.credential, "").refused(404, "not_found", "")
}

func (s *stage) signed(user string) string {
	_, token := s.signIn(`"userId":"` + user + `"`)
	return token
}

// A key is no person: without the permissions it reads only /me and /api-keys/self of the workspace.
func TestALeanKeyReadsItselfAlone(t *testing.T) {
	t.Parallel()
	s := onStage(t)
	s.prepare("session")
	s.credential = s.call("POST", "/api/v2/api-keys", `{"workspaceId":"`+s.ws+`","userId":"mia","name":"lean"}`).
		text("data.result.key")
	got := s.self("")
	if inside(got, "user", "id") != "mia" || got["role"] != nil || inside(got, "credential", "value") != "current" ||
		inside(got["workspaces"].([]any)[0], "name") == nil {
		t.Errorf("%v", got)
	}
	for _, path := range []string{"", "/members/mia", "/roles/" + s.role} {
		s.do("GET", s.at(path), s.credential, "").refused(403, "permission_denied", "permissions")
	}
}

// The grantable permissions are those that the doors let through: a probe at each door agrees with the list.
func TestWhatIsGrantableIsWhatTheDoorsLetThrough(t *testing.T) {
	t.Parallel()
	s := onStage(t)
	s.prepare("session")
	for i, held := range [][]string{
		{"calls:read"},
		{"calls:read", "api-keys:write"},
		{"calls:read", "api-keys:write", "api-keys:manage-others"},
		{"calls:read", "roles:write"},
		{"calls:read", "members:invite"},
		{"calls:read", "api-keys:read", "roles:read"},
	} {
		user := fmt.Sprintf("u%d", i)
		role := s.call("POST", s.at("/roles"), `{"name":"`+user+`","permissions":["`+strings.Join(held, `","`)+`"]}`).
			text("data.result.role.id")
		s.call("PUT", s.at("/members/"+user), `{"email":"a@example.com","roleId":"`+role+`"}`)
		s.credential = s.signed(user)
		got := s.self("")["grantable"].([]any)
		key := s.do(
			"POST", "/api/v2/api-keys", s.credential, `{"userId":"`+user+`","name":"k","permissions":["calls:read"]}`,
		).Code == 201
		made := s.do("POST", s.at("/roles"), s.credential, `{"name":"by `+user+`","permissions":["calls:read"]}`).Code == 201
		gave := s.do(
			"PUT", s.at("/members/new"+user), s.credential, `{"email":"a@example.com","roleId":"`+s.role+`"}`,
		).Code == 201
		if through := key || made || gave; through != slices.Contains(got, any("calls:read")) {
			t.Errorf("with %v: grantable says %v, the doors let through: key %t, role %t, member %t", held, got, key, made, gave)
		}
	}
}

func TestAPersonWithoutAWorkspaceIsToldSo(t *testing.T) {
	t.Parallel()
	s := onStage(t)
	s.prepare("session")
	s.credential = s.issuer.token(t, "new", s.now().Add(time.Hour))
	got := s.self("")
	if inside(got, "user", "id") != "new" || got["role"] != nil || len(got["workspaces"].([]any)) != 0 ||
		len(got["permissions"].([]any)) != 0 {
		t.Errorf("%v", got)
	}
	s.do("GET", "/api/v2/me?workspaceId="+s.ws, s.credential, "").refused(404, "not_found", "")
	s.ahead.Add(int64(2 * time.Hour))
	s.do("GET", "/api/v2/me", s.credential, "").refused(401, "unauthenticated", "")
}
