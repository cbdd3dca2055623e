package httpapi_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/fastpath"
	"github.com/keyward/keyward/internal/httpapi"
	"github.com/keyward/keyward/internal/keyfmt"
)

// stage is a workspace with an object of every kind that an operation may be about, and a caller with a credential of
// one kind.
type stage struct {
	*house
	issuer *issuer
	server string
	began  chan struct{} // one for each body that the server begins to read

	ws, role                 string
	target, value            string // a key of the owner and its value
	member, service, session string
	credential, credentialID string // of who calls
	credentialKind           string
}

// at is a path below the workspace.
func (s *stage) at(rest string) string { return "/api/v2/workspaces/" + s.ws + rest }

// call is a request by the root that has to go through.
func (s *stage) call(method, path, body string) answer {
	s.t.Helper()
	a := s.do(method, path, s.root, body)
	if a.Code >= 300 {
		s.t.Fatalf("%s %s: %d %s", method, path, a.Code, a.Body)
	}
	return a
}

// prepare makes a workspace in which "boss" is an owner beside u-owner, and calls with a credential of the kind.
func (s *stage) prepare(kind string) {
	s.ws = s.workspace()
	owner := ""
	for _, r := range s.call("GET", s.at("/roles"), "").at("data.result.roles").([]any) {
		if o := r.(map[string]any); o["name"] == "Owner" {
			owner = o["id"].(string)
		}
	}
	member := func(user, role string) {
		s.call("PUT", s.at("/members/"+user), `{"email":"a@example.com","roleId":"`+role+`"}`)
	}
	s.role = s.call("POST", s.at("/roles"), `{"name":"Reader","permissions":["calls:read"]}`).text("data.result.role.id")
	member("boss", owner)
	s.member = "mia"
	member(s.member, s.role)
	s.target, s.value = s.key(s.ws, "")
	s.service, s.credentialKind = s.serviceKey("verify"), kind
	s.session, _ = s.signIn(`"userId":"mia"`)
	switch kind {
	case "API key":
		a := s.call("POST", "/api/v2/api-keys", `{"workspaceId":"`+s.ws+`","userId":"boss","name":"calls"}`)
		s.credentialID, s.credential = a.text("data.result.apiKey.id"), a.text("data.result.key")
	case "service key":
		a := s.call("POST", "/api/v2/service-keys", `{"name":"calls","scopes":["root"]}`)
		s.credentialID, s.credential = a.text("data.result.serviceKey.id"), a.text("data.result.key")
	case "root key of the environment":
		s.credential = s.mint()
		s.setRoot(s.credential)
	case "session":
		s.credentialID, s.credential = s.signIn(`"userId":"boss"`)
	case "session of a root":
		a := s.call("POST", "/api/v2/service-keys", `{"name":"acts","scopes":["root"]}`)
		code := s.do("POST", "/api/v2/sign-in-links", a.text("data.result.key"), `{"root":true}`).
			want(201).
			text("data.result.signInLink.code")
		s.credentialID = a.text("data.result.serviceKey.id")
		s.credential = s.do("POST", "/api/v2/sessions", "", `{"code":"`+code+`"}`).want(201).text("data.result.token")
	case "token of the provider":
		s.credential = s.issuer.token(s.t, "boss", s.now().Add(time.Hour))
	}
}

func (s *stage) serviceKey(scope string) string {
	return s.call("POST", "/api/v2/service-keys", `{"name":"s","scopes":["`+scope+`"]}`).text("data.result.serviceKey.id")
}

func (s *stage) signIn(who string) (id, token string) {
	code := s.call("POST", "/api/v2/sign-in-links", `{"workspaceId":"`+s.ws+`",`+who+`}`).
		text("data.result.signInLink.code")
	a := s.do("POST", "/api/v2/sessions", "", `{"code":"`+code+`"}`).want(201)
	return a.text("data.result.session.id"), a.text("data.result.token")
}

func (s *stage) mint() string {
	secret, err := s.config.Format.Mint(rand.Reader, keyfmt.Service)
	must(s.t, err)
	return secret.Reveal()
}

func (s *stage) setRoot(value string) {
	_, err := s.config.Control.EnsureRoot(context.Background(), keyfmt.NewSecret(value))
	must(s.t, err)
}

func (s *stage) update(more string) {
	a := s.call("PUT", "/api/v2/api-keys", `{"apiKeys":[{"id":"`+s.credentialID+`",`+more+`}]}`)
	if len(a.at("data.result.errors").([]any)) > 0 {
		s.t.Fatal(a.Body)
	}
}

func (s *stage) rotate(seconds int) {
	s.call("POST", "/api/v2/api-keys/"+s.credentialID+"/rotate", fmt.Sprintf(`{"overlapSeconds":%d}`, seconds))
}

func (s *stage) later(d time.Duration) { s.ahead.Add(int64(d)) }

// takings are the ways in which a credential is taken back: before runs ahead of the request, take runs while its
// body is open. The answer is 401, or with lesser, where the credential stays and its authority is taken, only
// changes happen that every caller may make for themselves.
var takings = map[string]map[string]struct {
	before, take func(s *stage)
	lesser       bool
}{
	"API key": {
		"rotated away": {take: func(s *stage) { s.rotate(0) }},
		"the end of its overlap": {before: func(s *stage) { s.rotate(60) },
			take: func(s *stage) { s.later(time.Minute) }},
		"rotated away in its overlap": {before: func(s *stage) { s.rotate(3600) }, take: func(s *stage) { s.rotate(0) }},
		"disabled":                    {take: func(s *stage) { s.update(`"isActive":false`) }},
		"deleted":                     {take: func(s *stage) { s.call("DELETE", "/api/v2/api-keys/"+s.credentialID, "") }},
		"revoked": {take: func(s *stage) {
			r := httptest.NewRequest("POST", "/api/v2/oauth2/revoke", strings.NewReader("token="+s.credential))
			r.Header.Set("Authorization", "Bearer "+s.root)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			s.handler.ServeHTTP(httptest.NewRecorder(), r)
		}},
		"expired": {
			before: func(s *stage) { s.update(`"expiresAt":"` + s.now().Add(time.Hour).UTC().Format(time.RFC3339) + `"`) },
			take:   func(s *stage) { s.later(time.Hour) },
		},
		"kept from its address": {take: func(s *stage) { s.update(`"allowedIps":["203.0.113.0/24"]`) }, lesser: true},
		"its creator removed":   {take: func(s *stage) { s.call("DELETE", s.at("/members/boss"), "") }},
		"its creator's keys passed on, then removed with their owner": {take: func(s *stage) {
			s.call("DELETE", s.at("/members/boss?keys=transfer:u-owner"), "")
			s.update(`"isActive":false`)
		}},
		"its creator's role lowered, in a capped workspace": {
			before: func(s *stage) { s.call("PATCH", s.at(""), `{"settings":{"permissionMode":"capped"}}`) },
			take:   func(s *stage) { s.call("PATCH", s.at("/members/boss"), `{"roleId":"`+s.role+`"}`) }, lesser: true},
		"the workspace switched off": {take: func(s *stage) { s.call("PATCH", s.at(""), `{"isActive":false}`) }},
		"the workspace deleted":      {take: func(s *stage) { s.call("DELETE", s.at(""), "") }},
	},
	"service key": {
		"deleted": {take: func(s *stage) { s.call("DELETE", "/api/v2/service-keys/"+s.credentialID, "") }},
		"expired": {
			before: func(s *stage) {
				a := s.call("POST", "/api/v2/service-keys", `{"name":"calls","scopes":["root"],"expiresAt":"`+
					s.now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}`)
				s.credential = a.text("data.result.key")
			},
			take: func(s *stage) { s.later(time.Hour) }},
	},
	"root key of the environment": {
		"replaced": {take: func(s *stage) { s.setRoot(s.mint()) }},
	},
	"session": {
		"ended": {take: func(s *stage) { s.call("DELETE", "/api/v2/sessions/"+s.credentialID, "") }},
		"signed out": {
			take: func(s *stage) { s.do("DELETE", "/api/v2/sessions/"+s.credentialID, s.credential, "").want(200) },
		},
		"ended everywhere":   {take: func(s *stage) { s.call("DELETE", "/api/v2/sessions?userId=boss", "") }},
		"idle":               {take: func(s *stage) { s.later(8 * time.Hour) }},
		"its absolute end":   {take: func(s *stage) { s.later(7 * 24 * time.Hour) }},
		"its person gone":    {take: func(s *stage) { s.call("DELETE", s.at("/members/boss"), "") }},
		"the workspace gone": {take: func(s *stage) { s.call("DELETE", s.at(""), "") }},
		"its person's role lowered": {
			take: func(s *stage) { s.call("PATCH", s.at("/members/boss"), `{"roleId":"`+s.role+`"}`) }, lesser: true,
		},
	},
	"session of a root": {
		"its key deleted":  {take: func(s *stage) { s.call("DELETE", "/api/v2/service-keys/"+s.credentialID, "") }},
		"ended everywhere": {take: func(s *stage) { s.do("DELETE", "/api/v2/sessions", s.credential, "").want(200) }},
	},
	"token of the provider": {
		"its own end":        {take: func(s *stage) { s.later(time.Hour) }},
		"its person removed": {take: func(s *stage) { s.call("DELETE", s.at("/members/boss"), "") }, lesser: true},
	},
}

// everybodys are the operations that a caller may do in their own name, with any role.
var everybodys = []string{"POST /api/v2/api-keys/self/rotate", "POST /api/v2/workspaces", "DELETE /api/v2/sessions",
	"DELETE /api/v2/portal-sessions", "DELETE /api/v2/portal-sessions/{id}"}

// late are the requests of the operations, each one that goes through for a caller with the right.
var late = map[string]func(s *stage) (path, body string){
	"POST /api/v2/api-keys": func(s *stage) (string, string) {
		return "/api/v2/api-keys", `{"workspaceId":"` + s.ws + `","userId":"boss","name":"late","expiresAt":"` +
			s.now().Add(20*time.Second).UTC().Format(time.RFC3339) + `"}`
	},
	"PUT /api/v2/api-keys": func(s *stage) (string, string) {
		return "/api/v2/api-keys", `{"apiKeys":[{"id":"` + s.target + `","isActive":false}]}`
	},
	"DELETE /api/v2/api-keys": func(s *stage) (string, string) {
		return "/api/v2/api-keys",
			`{"ids":["` + s.target + `"]}`
	},
	"DELETE /api/v2/api-keys/{id}": func(s *stage) (string, string) { return "/api/v2/api-keys/" + s.target, `{}   ` },
	"POST /api/v2/api-keys/import": func(s *stage) (string, string) {
		return "/api/v2/api-keys/import", `{"workspaceId":"` + s.ws + `","apiKeys":[{"name":"late","userId":"boss"}]}`
	},
	"POST /api/v2/api-keys/self/rotate": func(*stage) (string, string) {
		return "/api/v2/api-keys/self/rotate", `{"overlapSeconds":0}`
	},
	"POST /api/v2/api-keys/{id}/rotate": func(s *stage) (string, string) {
		return "/api/v2/api-keys/" + s.target + "/rotate", `{"overlapSeconds":0}`
	},
	"POST /api/v2/api-keys/verify": func(s *stage) (string, string) {
		return fastpath.VerifyPath,
			`{"key":"` + s.value + `"}`
	},
	"POST /api/v2/api-keys/verify-batch": func(s *stage) (string, string) {
		return fastpath.VerifyBatchPath, `{"items":[{"key":"` + s.value + `"}]}`
	},
	"POST /api/v2/oauth2/introspect": func(s *stage) (string, string) {
		return "/api/v2/oauth2/introspect",
			"token=" + s.value
	},
	"POST /api/v2/oauth2/revoke": func(s *stage) (string, string) { return "/api/v2/oauth2/revoke", "token=" + s.value },
	"POST /api/v2/workspaces": func(*stage) (string, string) {
		return "/api/v2/workspaces", `{"name":"Late","owner":{"userId":"boss","email":"a@example.com"}}`
	},
	"PATCH /api/v2/workspaces/{workspaceId}":    func(s *stage) (string, string) { return s.at(""), `{"name":"Late"}` },
	"PUT /api/v2/workspaces/{workspaceId}/plan": func(s *stage) (string, string) { return s.at("/plan"), `{"maxKeys":9}` },
	"DELETE /api/v2/workspaces/{workspaceId}":   func(s *stage) (string, string) { return s.at(""), `{}   ` },
	"PUT /api/v2/workspaces/{workspaceId}/members/{userId}": func(s *stage) (string, string) {
		return s.at("/members/late"), `{"email":"late@example.com","roleId":"` + s.role + `"}`
	},
	"PATCH /api/v2/workspaces/{workspaceId}/members/{userId}": func(s *stage) (string, string) {
		return s.at("/members/mia"), `{"email":"late@example.com"}`
	},
	"DELETE /api/v2/workspaces/{workspaceId}/members/{userId}": func(s *stage) (string, string) {
		return s.at("/members/mia"), `{}   `
	},
	"POST /api/v2/workspaces/{workspaceId}/members/{userId}/invitation": func(s *stage) (string, string) {
		return s.at("/members/u-owner/invitation"), `{}   `
	},
	"POST /api/v2/workspaces/{workspaceId}/members/{userId}/sign-in-reset": func(s *stage) (string, string) {
		return s.at("/members/mia/sign-in-reset"), `{}   `
	},
	"POST /api/v2/workspaces/{workspaceId}/members/{userId}/restore": func(s *stage) (string, string) {
		return s.at("/members/left/restore"), `{"removalId":"` + s.removed() + `"}`
	},
	"POST /api/v2/workspaces/{workspaceId}/roles": func(s *stage) (string, string) {
		return s.at("/roles"), `{"name":"Late","permissions":[]}`
	},
	"PATCH /api/v2/workspaces/{workspaceId}/roles/{roleId}": func(s *stage) (string, string) {
		return s.at("/roles/" +
			s.role), `{"name":"Late"}`
	},
	"DELETE /api/v2/workspaces/{workspaceId}/roles/{roleId}": func(s *stage) (string, string) {
		return s.at("/roles/" +
			s.unheld()), `{}   `
	},
	"POST /api/v2/service-keys": func(*stage) (string, string) {
		return "/api/v2/service-keys",
			`{"name":"late","scopes":["verify"]}`
	},
	"DELETE /api/v2/service-keys/{id}": func(s *stage) (string, string) {
		return "/api/v2/service-keys/" + s.service,
			`{}   `
	},
	"POST /api/v2/feed/leases": func(s *stage) (string, string) {
		return "/api/v2/feed/leases", `{"incarnation":"i","leases":[{"number":1,"keyId":"` + s.target + `","minute":{}}]}`
	},
	"POST /api/v2/feed/days": func(s *stage) (string, string) {
		return "/api/v2/feed/days", `{"incarnation":"i","number":1,"claims":[{"accountId":"` + s.target +
			`","day":"2026-01-01"}]}`
	},
	"POST /api/v2/feed/usage": func(*stage) (string, string) {
		return "/api/v2/feed/usage", `{"incarnation":"i","number":1}`
	},
	"POST /api/v2/sign-in-links": func(s *stage) (string, string) {
		return "/api/v2/sign-in-links", `{"workspaceId":"` + s.ws + `","userId":"mia"}`
	},
	"POST /api/v2/key-requests": func(s *stage) (string, string) {
		return "/api/v2/key-requests", `{"workspaceId":"` + s.ws + `","userId":"boss","name":"late","expiresAt":"` +
			s.now().Add(20*time.Second).UTC().Format(time.RFC3339) + `"}`
	},
	"POST /api/v2/api-keys/{id}/key-requests": func(s *stage) (string, string) {
		return "/api/v2/api-keys/" + s.target + "/key-requests", `{"overlapSeconds":0}`
	},
	"DELETE /api/v2/key-requests/{id}": func(s *stage) (string, string) {
		return "/api/v2/key-requests/" + s.request(),
			`{}   `
	},
	"POST /api/v2/webhooks": func(s *stage) (string, string) {
		return "/api/v2/webhooks", `{"workspaceId":"` + s.ws + `","url":"https://example.com"}`
	},
	"PATCH /api/v2/webhooks/{id}": func(s *stage) (string, string) {
		return "/api/v2/webhooks/" + s.hook(),
			`{"description":"late"}`
	},
	"DELETE /api/v2/webhooks/{id}": func(s *stage) (string, string) { return "/api/v2/webhooks/" + s.hook(), `{}   ` },
	"POST /api/v2/webhooks/{id}/rotate-secret": func(s *stage) (string, string) {
		return "/api/v2/webhooks/" + s.hook() + "/rotate-secret", `{"overlapSeconds":1}`
	},
	"POST /api/v2/webhooks/{id}/test": func(s *stage) (string, string) {
		return "/api/v2/webhooks/" + s.hook() + "/test",
			`{}   `
	},
	"POST /api/v2/webhooks/{id}/deliveries/{deliveryId}/replay": func(s *stage) (string, string) {
		hook := s.hook()
		return "/api/v2/webhooks/" + hook + "/deliveries/" + s.failed(hook) + "/replay", `{}   `
	},
	"POST /api/v2/portal-sessions": func(s *stage) (string, string) {
		return "/api/v2/portal-sessions", `{"workspaceId":"` + s.ws +
			`","userId":"boss","capabilities":["keys:read"],"allowedOrigins":[]}`
	},
	"DELETE /api/v2/portal-sessions": func(*stage) (string, string) {
		return "/api/v2/portal-sessions?userId=boss",
			`{}   `
	},
	"DELETE /api/v2/portal-sessions/{id}": func(s *stage) (string, string) {
		return "/api/v2/portal-sessions/" +
			s.portal(), `{}   `
	},

	"DELETE /api/v2/sessions":      func(*stage) (string, string) { return "/api/v2/sessions", `{}   ` },
	"DELETE /api/v2/sessions/{id}": func(s *stage) (string, string) { return "/api/v2/sessions/" + s.session, `{}   ` },
}

// removed makes a member and removes them.
func (s *stage) removed() (removal string) {
	s.call("PUT", s.at("/members/left"), `{"email":"left@example.com","roleId":"`+s.role+`"}`)
	return s.call("DELETE", s.at("/members/left"), "").text("data.result.removalId")
}

// portal makes a portal session of a member.
func (s *stage) portal() string {
	return s.call(
		"POST", "/api/v2/portal-sessions",
		`{"workspaceId":"`+s.ws+`","userId":"boss","capabilities":["keys:read"],"allowedOrigins":[]}`,
	).
		text("data.result.portalSession.id")
}

// hook makes a webhook.
func (s *stage) hook() string {
	return s.call("POST", "/api/v2/webhooks", `{"workspaceId":"`+s.ws+`","url":"https://example.com"}`).
		text("data.result.webhook.id")
}

// failed makes a delivery of a webhook that has failed.
func (s *stage) failed(hook string) string {
	delivery := s.call("POST", "/api/v2/webhooks/"+hook+"/test", "").text("data.result.delivery.id")
	s.call("PATCH", "/api/v2/webhooks/"+hook, `{"isActive":false}`)
	s.call("PATCH", "/api/v2/webhooks/"+hook, `{"isActive":true}`)
	return delivery
}

// request makes a request for a key of a member.
func (s *stage) request() string {
	return s.call(
		"POST", "/api/v2/key-requests", `{"workspaceId":"`+s.ws+`","userId":"boss","name":"asked","permissions":[]}`,
	).
		text("data.result.keyRequest.id")
}

// unheld makes a role that no member holds.
func (s *stage) unheld() string {
	return s.call("POST", s.at("/roles"), `{"name":"Unheld","permissions":[]}`).text("data.result.role.id")
}

// held sends the head of a request and three bytes of its body, has take done once the server reads the body, and then
// sends the rest.
func (s *stage) held(on string, take func()) (status int, body string) {
	s.t.Helper()
	make, ok := late[on]
	if !ok {
		s.t.Fatalf("%s has no request here", on)
	}
	path, rest := make(s)
	conn, err := net.Dial("tcp", s.server)
	must(s.t, err)
	defer conn.Close()
	must(s.t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	method, _, _ := strings.Cut(on, " ")
	media := "application/json"
	if strings.Contains(on, "/oauth2/") {
		media = "application/x-www-form-urlencoded"
	}
	_, err = fmt.Fprintf(
		conn, "%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		method, path, s.credential, media, len(rest), rest[:3],
	)
	must(s.t, err)
	<-s.began
	take()
	_, err = io.WriteString(conn, rest[3:])
	must(s.t, err)
	a, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(s.t, err)
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	must(s.t, err)
	return a.StatusCode, string(text)
}

// events counts the events of the whole installation. It tries again where a search has no turn on a busy machine.
func (s *stage) events() float64 {
	const count = "/api/v2/workspaces/logs?limit=1"
	for tries := 0; tries < 20; tries++ {
		if a := s.do("GET", count, s.root, ""); a.Code != http.StatusServiceUnavailable {
			return a.want(200).at("data.result.pagination.total").(float64)
		}
	}
	return s.call("GET", count, "").at("data.result.pagination.total").(float64)
}

// slow tells when a body is being read.
type slow struct {
	io.ReadCloser
	began chan struct{}
	told  bool
}

func (b *slow) Read(p []byte) (int, error) {
	if !b.told {
		b.told = true
		b.began <- struct{}{}
	}
	return b.ReadCloser.Read(p)
}

func onStage(t *testing.T) *stage {
	issuer := newIssuer(t)
	s := &stage{issuer: issuer, began: make(chan struct{}, 1)}
	s.house = open(t, issuer.admitted)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > 0 {
			r.Body = &slow{ReadCloser: r.Body, began: s.began}
		}
		s.handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.server = server.Listener.Addr().String()
	return s
}

// T9, T96: whatever takes a credential back while the body of a request is open, the request does nothing, and its
// answer says that the credential is not valid any more; for every operation that changes something.
func TestT9T96WhatWasTakenBackWhileTheBodyWasOpenDoesNothing(t *testing.T) {
	t.Parallel()
	writes := httpapi.Writes()
	for on := range late {
		if !slices.Contains(writes, on) {
			t.Errorf("%s is no operation", on)
		}
	}
	for kind, ways := range takings {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := onStage(t)
			passed := map[string]bool{}
			for _, on := range writes {
				s.prepare(kind)
				status, _ := s.held(on, func() {})
				passed[on] = status < 300
			}
			if n := len(slices.DeleteFunc(slices.Clone(writes), func(on string) bool { return !passed[on] })); n < 10 {
				t.Errorf("only %d of %d operations go through", n, len(writes))
			}
			for way, how := range ways {
				for _, on := range writes {
					if how.lesser && slices.Contains(everybodys, on) {
						continue
					}
					s.prepare(kind)
					if how.before != nil {
						how.before(s)
					}
					before := 0.0
					status, body := s.held(on, func() {
						how.take(s)
						before = s.events()
					})
					if after := s.events(); after != before {
						t.Errorf("%s, %s: %.0f events (%d %s)", way, on, after-before, status, body)
					}
					if passed[on] && !how.lesser && status != http.StatusUnauthorized {
						t.Errorf("%s, %s: %d %s", way, on, status, body)
					}
				}
			}
		})
	}
}
