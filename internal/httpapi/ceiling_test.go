package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// T1, T111: a ceiling holds at every door by which a key may come to do more: creation, update, rotation, enabling.
func TestT1T111ACeilingHoldsAtEveryDoor(t *testing.T) {
	t.Parallel()
	p := aPage(t)
	soon := p.now().Add(time.Hour).UTC().Format(time.RFC3339)
	late := p.now().Add(3 * time.Hour).UTC().Format(time.RFC3339)
	const within = `,"permissions":["calls:read"],"rateLimit":{"requestsPerMinute":5,"requestsPerDay":50},"allowedIps":["10.0.0.0/8"],"environment":"test"`
	const ceiling = `{"permissions":["calls:read"],"maxLifetimeSeconds":7200,"rateLimit":{"requestsPerMinute":10,"requestsPerDay":100},` +
		`"environments":["test"],"requireAllowedIps":true}`
	in := within + `,"expiresAt":"` + soon + `"`
	beyond := map[string]struct{ member, field string }{ // of a key that is otherwise within
		"permissions":      {strings.Replace(in, `["calls:read"]`, `["calls:read","calls:write"]`, 1), "permissions"},
		"every permission": {strings.Replace(in, `"permissions":["calls:read"],`, ``, 1), "permissions"},
		"a later end":      {strings.Replace(in, soon, late, 1), "expiresAt"},
		"no end":           {strings.Replace(in, `"`+soon+`"`, `null`, 1), "expiresAt"},
		"a higher limit": {
			strings.Replace(in, `"requestsPerMinute":5`, `"requestsPerMinute":11`, 1), "rateLimit.requestsPerMinute",
		},
		"no limit": {
			strings.Replace(in, `"requestsPerDay":50`, `"requestsPerDay":null`, 1), "rateLimit.requestsPerDay",
		},
		"no networks":       {strings.Replace(in, `["10.0.0.0/8"]`, `[]`, 1), "allowedIps"},
		"other environment": {strings.Replace(in, `"test"`, `"live"`, 1), "environment"},
	}
	outside := map[string]string{} // such keys, made by the root
	for name, b := range beyond {
		outside[name], _ = p.house.key(p.ws, b.member)
	}
	p.begin(`,"ceiling":` + ceiling)
	for name, b := range beyond {
		p.make("beyond", b.member).refused(403, "permission_escalation", fieldOf(b.field))
		key := outside[name]
		if a := p.call("POST", "/api-keys/"+key+"/rotate", ""); name == "a later end" ||
			name == "no end" { // the new value ends in time
			if end := a.want(200).text("data.result.apiKey.expiresAt"); end > p.now().
				Add(2*time.Hour+time.Minute).
				UTC().
				Format(time.RFC3339) {
				t.Errorf("%s: rotated, until %s", name, end)
			}
		} else {
			a.refused(403, "permission_escalation", b.field)
		}
		p.call("PUT", "/api-keys", `{"apiKeys":[{"id":"`+key+`","isActive":false}]}`).want(200) // narrowing is free
		enabled := p.call("PUT", "/api-keys", `{"apiKeys":[{"id":"`+key+`","isActive":true}]}`).want(200)
		if ok := len(enabled.at("data.result.errors").([]any)) == 0; ok != (name == "a later end" || name == "no end") {
			t.Errorf("%s: enabled: %s", name, enabled.Body)
		}
	}
	made := p.make("within", in).want(201)
	key := made.text("data.result.apiKey.id")
	for _, wider := range []string{`"expiresAt":"` + late + `"`, `"expiresAt":null`,
		`"rateLimit":{"requestsPerMinute":11}`, `"rateLimit":null`, `"allowedIps":null`} {
		a := p.call("PUT", "/api-keys", `{"apiKeys":[{"id":"`+key+`",`+wider+`}]}`).want(200)
		if len(a.at("data.result.errors").([]any)) != 1 {
			t.Errorf("%s: %s", wider, a.Body)
		}
	}
	a := p.call(
		"PUT", "/api-keys", `{"apiKeys":[{"id":"`+key+`","rateLimit":{"requestsPerMinute":10},"name":"still within"}]}`,
	).
		want(200)
	if len(a.at("data.result.errors").([]any)) != 0 {
		t.Errorf("within the ceiling: %s", a.Body)
	}
	defaults := p.make("defaults", `,"permissions":[],"allowedIps":["10.0.0.0/8"],"environment":"test"`).want(201)
	if defaults.text("data.result.apiKey.expiresAt") > p.now().Add(2*time.Hour+time.Minute).UTC().Format(time.RFC3339) ||
		defaults.at(
			"data.result.apiKey.rateLimit.requestsPerMinute",
		) != 10.0 || defaults.at("data.result.apiKey.rateLimit.requestsPerDay") != 100.0 {
		t.Errorf("what is left out comes to %s", defaults.Body)
	}
	me := p.call("GET", "/me", "").want(200)
	if got := fmt.Sprint(me.at("data.result.grantable")); got != "[calls:read]" {
		t.Errorf("grantable: %s", got)
	}
}

// fieldOf is how a creation names a field: a permission by its place, where it was given.
func fieldOf(field string) string {
	if field == "permissions" {
		return ""
	}
	return field
}

// T1, T111: a key that was made below a ceiling does not lead out of it: by its own value it manages keys of its own
// environment alone.
func TestT1T111AKeyOfASessionConfinedToAnEnvironmentIsConfinedToo(t *testing.T) {
	t.Parallel()
	p := aPage(t).begin(`,"ceiling":{"environments":["test"]}`)
	value := p.make("derived", `,"permissions":["api-keys:write"],"environment":"test"`).want(201).text("data.result.key")
	p.do("POST", "/api/v2/api-keys", value, `{"userId":"u-owner","name":"out","permissions":[],"environment":"live"}`).
		want(404)
}

func TestT111ACeilingCountsTheKeysOfItsMember(t *testing.T) {
	t.Parallel()
	p := aPage(t)
	p.house.key(p.ws, "")
	p.begin(`,"ceiling":{"maxKeys":2}`)
	key := p.make("second", `,"permissions":[]`).want(201).text("data.result.apiKey.id")
	p.make("third", `,"permissions":[]`).refused(409, "limit_reached", "ceiling.maxKeys")
	p.call("PUT", "/api-keys", `{"apiKeys":[{"id":"`+key+`","isActive":false}]}`).want(200)
	p.make("third", `,"permissions":[]`).refused(409, "limit_reached", "ceiling.maxKeys")
	p.make("somebody else's", `,"permissions":[],"userId":"mia"`).refused(403, "permission_denied", "userId")
	p.call("DELETE", "/api-keys/"+key, "").want(200)
	p.make("third", `,"permissions":[]`).want(201)
}

// T6, T111: a service key with portal alone gives no role that governs the workspace.
func TestT6T111NewMembersComeWithRolesThatGovernNothing(t *testing.T) {
	t.Parallel()
	p := aPage(t)
	roles := map[string]string{}
	at := "/api/v2/workspaces/" + p.ws
	for _, r := range p.do("GET", at+"/roles", p.root, "").want(200).at("data.result.roles").([]any) {
		roles[r.(map[string]any)["name"].(string)] = r.(map[string]any)["id"].(string)
	}
	for _, more := range []string{"api-keys:manage-others", "members:invite", "members:mfa-reset", "members:remove",
		"members:role-change", "roles:write",
		"roles:delete", "workspace:settings-write", "workspace:delete", "billing:manage"} {
		roles[more] = p.do("POST", at+"/roles", p.root, `{"name":"`+more+`","permissions":["api-keys:read","`+more+`"]}`).
			want(201).
			text("data.result.role.id")
	}
	roles["Caller"] = p.do(
		"POST", at+"/roles", p.root, `{"name":"Caller","permissions":["api-keys:read","calls:read","calls:write"]}`,
	).
		want(201).
		text("data.result.role.id")
	p.caps = `["keys:read"]`
	add := func(user, role string) answer {
		return p.ask(`,"userId":"` + user + `","createMember":{"email":"n@example.com","roleId":"` + roles[role] + `"}`)
	}
	for name := range roles {
		switch a := add("new-"+roles[name], name); name {
		case "Member", "Viewer", "Caller":
			a.want(201)
		default:
			a.refused(403, "permission_escalation", "createMember.roleId")
			p.do("GET", at+"/members/new-"+roles[name], p.root, "").want(404)
		}
	}
	p.do("PUT", at+"/members/mia", p.root, `{"email":"mia@example.com","roleId":"`+roles["Viewer"]+`"}`).want(201)
	add("mia", "Caller").want(201)
	if m := p.do("GET", at+"/members/mia", p.root, "").want(200); m.text("data.result.member.roleName") != "Viewer" ||
		m.text("data.result.member.email") != "mia@example.com" {
		t.Errorf("a member who was there: %s", m.Body)
	}
	p.caps = `["keys:read","keys:create","keys:delete"]`
	a := p.ask(`,"userId":"mia"`)
	a.refused(403, "permission_escalation", "capabilities[1]")
	if details := a.at("error.details").([]any); len(details) != 2 {
		t.Errorf("each capability is named: %s", a.Body)
	}
	p.ask(`,"userId":"stranger"`).want(404)
	p.ask(`,"userId":"new2","createMember":{"email":"x@example.com","roleId":"`+roles["Viewer"]+`"}`).
		refused(403, "permission_escalation", "capabilities[1]")
	p.do("GET", at+"/members/new2", p.root, "").want(404) // refused whole
}

// T7, T111: a service key makes portal sessions within its reach, and sees those of it.
func TestT7T111AServiceKeyMakesPortalSessionsWithinItsReach(t *testing.T) {
	t.Parallel()
	p := aPage(t)
	p.begin("")
	other := *p
	other.ws = p.workspace()
	other.host = p.serviceKey(`,"workspaceIds":["` + other.ws + `"]`)
	other.begin("")
	elsewhere := *p
	elsewhere.ws = other.ws
	elsewhere.ask("").want(404)
	for _, method := range []string{"GET", "DELETE"} {
		p.do(method, "/api/v2/portal-sessions/"+other.session, p.host, "").want(404)
	}
	if ended := p.do("DELETE", "/api/v2/portal-sessions?userId=u-owner", p.host,
		"").want(200).at("data.result.deleted").([]any); len(
		ended,
	) != 1 {
		t.Errorf("ended %v", ended)
	}
	other.call("GET", "/api-keys", "").want(200)
	p.do("GET", "/api/v2/portal-sessions", p.host, "").refused(400, "invalid_request", "workspaceId")
	all := other.do("GET", "/api/v2/portal-sessions?workspaceId="+other.ws, other.host,
		"").want(200).at("data.result.portalSessions").([]any)
	if len(all) != 1 || all[0].(map[string]any)["id"] != other.session {
		t.Errorf("listed %v", all)
	}
	verify := p.do("POST", "/api/v2/service-keys", p.root, `{"name":"v","scopes":["verify"]}`).
		want(201).
		text("data.result.key")
	_, key := p.house.key(p.ws, "")
	for _, caller := range []string{verify, key} {
		p.do(
			"POST", "/api/v2/portal-sessions", caller,
			`{"workspaceId":"`+p.ws+`","userId":"u-owner","capabilities":["keys:read"],"allowedOrigins":[]}`,
		).
			want(403)
		p.do("GET", "/api/v2/portal-sessions/"+other.session, caller, "").want(403)
		p.do("DELETE", "/api/v2/portal-sessions?userId=u-owner", caller, "").want(403)
	}
	test := p.serviceKey(`,"environments":["test"]`)
	p.host = test
	p.begin("")
	p.make("live", `,"permissions":[]`).refused(404, "not_found", "environment")
	p.make("test", `,"permissions":[],"environment":"test"`).want(201)
}

// T69: a person makes portal sessions for themselves, and they end as the person signs out.
func TestT69APersonsPortalSessionEndsWithTheirOwn(t *testing.T) {
	t.Parallel()
	p := aPage(t)
	s := &stage{house: p.house, ws: p.ws}
	id, token := s.signIn(`"userId":"u-owner"`)
	p.host = token
	p.begin("")
	p.make("mine", `,"permissions":[]`).want(201)
	p.ask(`,"userId":"mia"`).refused(403, "permission_denied", "userId")
	p.ask(`,"createMember":{"email":"x@example.com","roleId":"`+p.ws+`"}`).
		refused(403, "permission_denied", "createMember")
	p.do("GET", "/api/v2/portal-sessions", token, "").want(200)
	p.do("DELETE", "/api/v2/sessions/"+id, token, "").want(200)
	p.call("GET", "/api-keys", "").want(401)
}

// leadingAway are return addresses that lead, or could be read to lead, to a page of another origin, or are none.
func leadingAway() (all []string) {
	for _, to := range []string{
		`https://evil.example/`, `//evil.example/`, `//app.example.com`, `/\\\\evil.example`, `\\\\evil.example`,
		`https:evil.example`,
		`https:/evil.example`, `https:///evil.example`, `https:\\\\evil.example`, `https:/\\evil.example`, `/`, `/keys`,
		`keys`, `?x`, `#x`,
		`javascript:alert(1)`, `JavaScript:alert(1)`, `javascript://app.example.com/%0aalert(1)`, `java\tscript:alert(1)`,
		`data:text/html,x`, `blob:https://app.example.com/x`, `vbscript:x`, `file:///x`, `ftp://app.example.com/`,
		`view-source:https://app.example.com/`, `https://app.example.com\\@evil.example/`,
		`https://app.example.com@evil.example/`,
		`https://evil.example\\app.example.com/`, `https://evil.example#@app.example.com/`,
		`https://evil.example?@app.example.com/`,
		`https://evil.example/https://app.example.com/`, `https://app.example.com.evil.example/`,
		`https://evilapp.example.com/`,
		`https://app.example.com%2eevil.example/`, `https://app.example.com%40evil.example/`,
		`https://app.example.com:80@evil.example/`,
		`https://app.example.com:8443/`, `http://app.example.com/`, `https://app.example.com\u3002evil.example/`,
		`https://app.example.com\uff0fevil.example/`, `https://\u0430pp.example.com/`, `https://APP.EXAMPLE.COM/`,
		`https://app.example.com./`,
		` https://app.example.com/`, `https://app.example.com/\n`,
		`https://app.example.com/\r\nLocation: https://evil.example`,
		`https://app\t.example.com/`, `https://app.example.com/\u0000`, `https://[::1]/`, `https://127.0.0.1/`, ``,
		app + `/?k=keyward_portal_` + strings.Repeat("A", 43),
	} {
		all = append(all, `,"returnUrl":"`+to+`"`)
	}
	return all
}

func TestAPortalSessionIsReadToTheLetter(t *testing.T) {
	t.Parallel()
	p := aPage(t)
	for field, bad := range map[string][]string{
		"expiresInSeconds":                    {`,"expiresInSeconds":59`, `,"expiresInSeconds":3601`},
		"reveal":                              {`,"reveal":"everywhere"`},
		"theme":                               {`,"theme":"pink"`},
		"locale":                              {`,"locale":"e"`, `,"locale":"en_US"`},
		"returnUrl":                           leadingAway(),
		"ceiling.permissions[0]":              {`,"ceiling":{"permissions":["*"]}`},
		"ceiling.maxLifetimeSeconds":          {`,"ceiling":{"maxLifetimeSeconds":0}`},
		"ceiling.maxKeys":                     {`,"ceiling":{"maxKeys":-1}`},
		"ceiling.environments":                {`,"ceiling":{"environments":[]}`},
		"ceiling.environments[0]":             {`,"ceiling":{"environments":["svc"]}`},
		"ceiling.rateLimit.requestsPerMinute": {`,"ceiling":{"rateLimit":{"requestsPerMinute":0}}`},
		"ceiling.permision":                   {`,"ceiling":{"permision":[]}`},
		"capability":                          {`,"capability":[]`},
	} {
		for _, more := range bad {
			a := p.ask(more)
			if a.Code != 400 || !strings.Contains(a.Body.String(), `"field":"`+field) {
				t.Errorf("%s: %d %s", more, a.Code, a.Body)
			}
		}
	}
	for _, origins := range []string{`"*"`, `"https://*.example.com"`, `"https://app.example.com/"`,
		`"https://app.example.com/x"`, `"http://app.example.com"`,
		`"https://app.example.com:443"`, `"https://APP.example.com"`, `"https://a b.example.com"`, `"null"`, `""`,
		`"https://"`, `"https://u@app.example.com"`,
		`"file:///x"`, `"https://app.example.com?x"`, `"https://app.example.com#x"`, `"data:text/html,x"`,
		`"https://app.example.com; script-src *"`,
		`"https://app.example.com:"`, `"https://[::1"`} {
		a := p.do(
			"POST", "/api/v2/portal-sessions", p.host,
			`{"workspaceId":"`+p.ws+`","userId":"u-owner","capabilities":["keys:read"],"allowedOrigins":[`+origins+`]}`,
		)
		a.refused(400, "invalid_request", "allowedOrigins[0]")
	}
	for _, origins := range []string{`"http://localhost:3000"`, `"http://127.0.0.1:8080"`, `"http://[::1]:3000"`,
		`"https://app.example.com:8443"`, ``} {
		p.do(
			"POST", "/api/v2/portal-sessions", p.host,
			`{"workspaceId":"`+p.ws+`","userId":"u-owner","capabilities":["keys:read"],"allowedOrigins":[`+origins+`]}`,
		).
			want(201)
	}
	for _, caps := range []string{`[]`, `["keys:*"]`, `["keys:read","api-keys:read"]`, `null`} {
		p.caps = caps
		if a := p.ask(""); a.Code != 400 {
			t.Errorf("%s: %d %s", caps, a.Code, a.Body)
		}
	}
}
