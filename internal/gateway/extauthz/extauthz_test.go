package extauthz_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/keywardtest"
)

const table = `routes:
  - {method: GET, path: '/v1/calls/{id}', permissions: [calls:read]}
  - {method: POST, path: /v1/calls, permissions: [calls:write]}
  - {method: GET, path: /status, public: true}
`

// house is a server with a route table, a client of its gRPC, and a key that may read calls.
type house struct {
	t         *testing.T
	server    *keywardtest.Server
	envoy     authv3.AuthorizationClient
	wire      *grpc.ClientConn
	workspace string
	key       string
}

func open(t *testing.T, options ...keywardtest.Option) *house {
	t.Helper()
	path := filepath.Join(t.TempDir(), "routes.yaml")
	if err := os.WriteFile(path, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	s := keywardtest.New(t, append([]keywardtest.Option{keywardtest.WithEnvoy(), keywardtest.WithRoutes(path),
		keywardtest.WithTrustedProxies(netip.MustParsePrefix("10.1.1.0/24"))}, options...)...)
	wire, err := grpc.NewClient(s.GRPCAddr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = wire.Close() })
	h := &house{
		t: t, server: s, wire: wire, envoy: authv3.NewAuthorizationClient(wire), workspace: s.Workspace(t, "Acme", "ada"),
	}
	h.key = s.Key(t, h.workspace, "ada", "calls:read")
	return h
}

// question is a question as Envoy asks it; each change alters it.
func (h *house) question(
	method, path string, headers map[string]string, changes ...func(*authv3.AttributeContext),
) *authv3.CheckRequest {
	a := &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{
				Address: "203.0.113.9", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 40000},
			}}}},
		Request: &authv3.AttributeContext_Request{
			Http: &authv3.AttributeContext_HttpRequest{Method: method, Path: path, Headers: headers},
		},
	}
	for _, change := range changes {
		change(a)
	}
	return &authv3.CheckRequest{Attributes: a}
}

func (h *house) ask(q *authv3.CheckRequest) *authv3.CheckResponse {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 30*time.Second)
	defer cancel()
	r, err := h.envoy.Check(ctx, q)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func bearer(key string) map[string]string { return map[string]string{"authorization": "Bearer " + key} }

func values(options []*corev3.HeaderValueOption) map[string]string {
	all := map[string]string{}
	for _, o := range options {
		if o.GetAppendAction() != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
			all["appended: "+o.GetHeader().GetKey()] = o.GetHeader().GetValue()
			continue
		}
		all[o.GetHeader().GetKey()] = o.GetHeader().GetValue()
	}
	return all
}

// refused fails unless it is this denial, with the envelope as its body.
func (h *house) refused(r *authv3.CheckResponse, code codes.Code, httpStatus int, word string) map[string]string {
	h.t.Helper()
	denied := r.GetDeniedResponse()
	var body struct {
		Success bool
		Error   struct{ Code, RequestID string }
	}
	if err := json.Unmarshal([]byte(denied.GetBody()), &body); err != nil {
		h.t.Fatalf("%v: %v", r, err)
	}
	head := values(denied.GetHeaders())
	if codes.Code(r.GetStatus().GetCode()) != code || int(denied.GetStatus().GetCode()) != httpStatus ||
		body.Error.Code != word ||
		body.Success {
		h.t.Errorf("want %s, %d, %s, got %v", code, httpStatus, word, r)
	}
	if head["x-request-id"] == "" || head["x-request-id"] != body.Error.RequestID ||
		!strings.HasPrefix(head["content-type"], "application/json") {
		h.t.Errorf("the headers are %v", head)
	}
	return head
}

func TestARequestThatMayPassSaysWhoseItIs(t *testing.T) {
	t.Parallel()
	h := open(t)
	head := bearer(h.key)
	head["x-keyward-user-id"], head["x-keyward-status"] = "root", "200"
	head[":path"], head["x-api-key"] = "/v1/calls/42", h.key
	r := h.ask(h.question("GET", "/v1/calls/42?x=1", head))
	ok := r.GetOkResponse()
	if codes.Code(r.GetStatus().GetCode()) != codes.OK || ok == nil {
		t.Fatalf("%v", r)
	}
	got := values(ok.GetHeaders())
	if got["x-keyward-user-id"] != "ada" || got["x-keyward-workspace-id"] != h.workspace ||
		got["x-keyward-key-id"] == "" ||
		got["x-keyward-permissions"] != "calls:read" ||
		got["x-keyward-environment"] != "live" ||
		len(got) != 5 {
		t.Errorf("T59: the identity is %v", got)
	}
	gone := ok.GetHeadersToRemove()
	slices.Sort(gone)
	if !slices.Equal(gone, []string{"authorization", "x-api-key", "x-keyward-status"}) {
		t.Errorf("to remove: %v", gone)
	}
	data := r.GetDynamicMetadata().AsMap()["keyward"].(map[string]any)
	if data["key"] != got["x-keyward-key-id"] || data["workspace"] != h.workspace || data["user"] != "ada" ||
		data["permissions"].([]any)[0] != "calls:read" {
		t.Errorf("the metadata is %v", data)
	}
}

func TestT59APublicRouteSaysNothingAndSaysItAloud(t *testing.T) {
	t.Parallel()
	h := open(t)
	r := h.ask(h.question("GET", "/status", map[string]string{"x-keyward-user-id": "root", "authorization": "Basic eDp5"}))
	got := values(r.GetOkResponse().GetHeaders())
	for _, name := range []string{"x-keyward-key-id", "x-keyward-workspace-id", "x-keyward-user-id",
		"x-keyward-environment", "x-keyward-permissions"} {
		if value, there := got[name]; !there || value != "" {
			t.Errorf("%s is %q, %v; want it there and empty", name, value, there)
		}
	}
	if gone := r.GetOkResponse().GetHeadersToRemove(); len(gone) != 0 {
		t.Errorf("a credential that is not ours is taken away: %v", gone)
	}
}

func TestARefusalCarriesStatusHeadersAndBody(t *testing.T) {
	t.Parallel()
	h := open(t)
	client := h.server.Client()
	active := func(key string) {
		self, err := h.server.As(t, key).SelfKey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.UpdateKeys(t.Context(),
			[]keyward.KeyUpdate{{ID: self.ID, IsActive: keyward.Set(false)}}); err != nil {
			t.Fatal(err)
		}
	}
	disabled := h.server.Key(t, h.workspace, "ada", "calls:read")
	active(disabled)

	if got := h.refused(h.ask(h.question("GET", "/v1/calls/1", nil)), codes.Unauthenticated, 401,
		"unauthenticated"); got["www-authenticate"] != "Bearer" {
		t.Errorf("without a key: %v", got)
	}
	for _, bad := range []string{"nonsense", "kw_live_" + strings.Repeat("A", 43) + "2ImIO6", disabled, h.server.RootKey} {
		got := h.refused(h.ask(h.question("GET", "/v1/calls/1", bearer(bad))), codes.Unauthenticated, 401, "unauthenticated")
		if got["www-authenticate"] != `Bearer error="invalid_token"` {
			t.Errorf("%v", got)
		}
	}
	h.refused(h.ask(h.question("POST", "/v1/calls", bearer(h.key))), codes.PermissionDenied, 403, "permission_denied")
	h.refused(h.ask(h.question("GET", "/nowhere", bearer(h.key))), codes.PermissionDenied, 403, "permission_denied")
	h.refused(h.ask(&authv3.CheckRequest{}), codes.PermissionDenied, 403, "permission_denied")
}

func TestTheLimitIsOneThroughEveryDoor(t *testing.T) {
	t.Parallel()
	h := open(t)
	few, err := h.server.Client().
		CreateKey(t.Context(), keyward.CreateKeyRequest{WorkspaceID: h.workspace, UserID: "ada", Name: "few",
			Permissions: keyward.Permissions("calls:read"),
			RateLimit:   keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(3)})})
	if err != nil {
		t.Fatal(err)
	}
	key := few.Key.Reveal()
	r := h.ask(h.question("GET", "/v1/calls/1", bearer(key)))
	if got := values(r.GetOkResponse().GetResponseHeadersToAdd()); !strings.Contains(
		got["ratelimit-policy"], "q=3;w=60",
	) ||
		!strings.Contains(got["ratelimit"], "r=2") {
		t.Errorf("the client is told %v", got)
	}
	if v, err := h.server.Client().Verify(t.Context(), keyward.VerifyRequest{Key: key}); err != nil || !v.Valid {
		t.Fatalf("%+v, %v", v, err)
	}
	ask, err := http.NewRequestWithContext(t.Context(), "GET", h.server.URL+"/check?permission=calls:read", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	ask.Header.Set("X-API-Key", key)
	for _, want := range []int{200, 429} {
		res, err := http.DefaultClient.Do(ask)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want || !strings.Contains(res.Header.Get("RateLimit-Policy"), "q=3;w=60") ||
			(res.Header.Get("Retry-After") != "") != (want == 429) {
			t.Errorf("/check: %d, %v", res.StatusCode, res.Header)
		}
	}
	got := h.refused(h.ask(h.question("GET", "/v1/calls/1", bearer(key))), codes.ResourceExhausted, 429, "rate_limited")
	if got["retry-after"] == "" || !strings.Contains(got["ratelimit"], "r=0") {
		t.Errorf("the client is told %v", got)
	}
}

func TestT64AndT60WhatHasASecondReadingIsRefusedHereToo(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, path := range []string{"/v1/calls/../calls/1", "//v1/calls/1", "/v1/calls/%2e%2e/1", "/v1/calls/a%2Fb",
		"/v1/calls/1%00", "/v1/calls/1;a", "v1", "/v1/calls/1?api_key=" + h.key} {
		h.refused(h.ask(h.question("GET", path, bearer(h.key))), codes.InvalidArgument, 400, "invalid_request")
	}
	for name, value := range map[string]string{"x_keyward_user_id": "root", "x_forwarded_for": "10.0.0.1",
		"x-api-key": "kw_live_other"} {
		head := bearer(h.key)
		head[name] = value
		h.refused(h.ask(h.question("GET", "/v1/calls/1", head)), codes.InvalidArgument, 400, "invalid_request")
	}
	raw := func(a *authv3.AttributeContext) {
		a.Request.Http.HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
			{
				Key: "authorization", RawValue: []byte("Bearer " + h.key),
			}, {Key: "authorization", RawValue: []byte("Bearer " + h.key)}}}
	}
	h.refused(h.ask(h.question("GET", "/v1/calls/1", nil, raw)), codes.InvalidArgument, 400, "invalid_request")
	head := bearer(h.key)
	head["x-forwarded-uri"], head["x-forwarded-method"] = "/status", "GET"
	h.refused(h.ask(h.question("POST", "/v1/calls", head)), codes.PermissionDenied, 403, "permission_denied")
}

// The paths of an ordinary API pass here as they do at /check, and the same ones are refused.
func TestT64APathWithOneReadingPassesHereAsAtCheck(t *testing.T) {
	t.Parallel()
	h := open(t, keywardtest.WithTrustedProxies(netip.MustParsePrefix("127.0.0.0/8")))
	atCheck := func(path string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.server.URL+"/check", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+h.key)
		r.Header.Set("X-Forwarded-Method", "GET")
		r.Header.Set("X-Forwarded-Uri", path)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	for id, passes := range map[string]bool{
		"My%20Report.pdf": true, "%20": true, "a%20b%20c": true, "a@b": true, "a%40b": true, "a=b+c:d,e": true, "a%2Bb": true,
		"%22%3C%3E%5B%5D%7B%7D%5E%60%7C": true, "caf%C3%A9%20noir": true, "%E6%9D%B1%E4%BA%AC": true, "a%26b%3Dc": true,
		"~tilde_-.": true, "(x)!$&'*": true,
		"a%2Fb": false, "a%5Cb": false, "a%25b": false, "a%23b": false, "a%3Fb": false, "a%3Bb": false, "a%0Ab": false,
		"a%09b": false, "%2E": false, "%61": false, "%ff": false, "%C0%AF": false, "..%20": false, "%20..": false,
		"a;b": false,
	} {
		for _, path := range []string{"/v1/calls/" + id, "/v1/calls/" + id + "?q=a%20b+c&path=%2Fx%2F..%2Fy"} {
			r := h.ask(h.question("GET", path, bearer(h.key)))
			if got := r.GetOkResponse() != nil; got != passes {
				t.Errorf("%s passes here: %v: %v", path, got, r)
			}
			if got := atCheck(path); (got == http.StatusOK) != passes {
				t.Errorf("%s at /check: %d", path, got)
			}
		}
	}
}

func TestT62TheAddressIsThatOfWhoeverCameToEnvoy(t *testing.T) {
	t.Parallel()
	h := open(t)
	bound, err := h.server.Client().
		CreateKey(t.Context(), keyward.CreateKeyRequest{WorkspaceID: h.workspace, UserID: "ada", Name: "bound",
			Permissions: keyward.Permissions("calls:read"), AllowedIPs: []string{"203.0.113.0/24", "10.1.1.0/24"}})
	if err != nil {
		t.Fatal(err)
	}
	from := func(address string) func(*authv3.AttributeContext) {
		return func(a *authv3.AttributeContext) { a.Source.Address.GetSocketAddress().Address = address }
	}
	for _, c := range []struct {
		source, forwarded string
		passes            bool
	}{
		{"203.0.113.9", "", true}, {"198.51.100.1", "", false}, {"198.51.100.1", "203.0.113.9", false},
		{"10.1.1.5", "203.0.113.9", true},
		{"10.1.1.5", "203.0.113.9, 198.51.100.1", false}, {"10.1.1.5", "", false}, {"", "203.0.113.9", false},
	} {
		head := bearer(bound.Key.Reveal())
		if c.forwarded != "" {
			head["x-forwarded-for"] = c.forwarded
		}
		if got := h.ask(h.question("GET", "/v1/calls/1", head, from(c.source))).GetOkResponse() != nil; got != c.passes {
			t.Errorf("from %q, forwarded for %q: passes %v", c.source, c.forwarded, got)
		}
	}
}

// T17, T18: Envoy tells the path with its query, and its configuration the demand. A credential in either is refused,
// and not repeated.
func TestT17T18ACredentialInThePathThatEnvoyTellsIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	for what, value := range map[string]string{
		"an API key":        h.key,
		"a service key":     h.server.RootKey,
		"a session's token": "keyward_session_" + strings.Repeat("b", 43),
		"a sign-in code":    "keyward_link_" + strings.Repeat("c", 43),
	} {
		for _, in := range []string{value, strings.ReplaceAll(value, "_", "%5F")} {
			for _, path := range []string{"/v1/calls/1?next=" + in, "/v1/calls/1?" + in, "/v1/calls/" + in, "/status?a=" + in} {
				r := h.ask(h.question("GET", path, bearer(h.key)))
				h.refused(r, codes.InvalidArgument, http.StatusBadRequest, "invalid_request")
				if body := value[len(value)-20:]; strings.Contains(r.String(), body) {
					t.Errorf("%s is repeated: %s", what, r)
				}
			}
			r := h.ask(h.question("GET", "/v1/calls/1", bearer(h.key), func(a *authv3.AttributeContext) {
				a.ContextExtensions = map[string]string{"permission": in}
			}))
			if body := value[len(value)-20:]; r.GetStatus().GetCode() == 0 || strings.Contains(r.String(), body) {
				t.Errorf("%s in the configuration: %s", what, r)
			}
		}
	}
}

func TestEnvoysConfigurationMayNameThePermissions(t *testing.T) {
	t.Parallel()
	h := open(t)
	extended := func(pairs map[string]string) *authv3.CheckResponse {
		return h.ask(
			h.question("GET", "/v1/calls/1", bearer(h.key), func(a *authv3.AttributeContext) { a.ContextExtensions = pairs }),
		)
	}
	if extended(map[string]string{"permission": "calls:read"}).GetOkResponse() == nil {
		t.Error("a permission that the key holds is refused")
	}
	h.refused(
		extended(map[string]string{"permission": "calls:read,calls:write"}), codes.PermissionDenied, 403, "permission_denied",
	)
	for _, wrong := range []map[string]string{{"permision": "calls:read"}, {"permission": "calls:read", "x": "y"},
		{"permission": ""}, {"permission": "a&deny_status=403"}} {
		if r := extended(wrong); r.GetDeniedResponse() == nil {
			t.Errorf("%v lets pass", wrong)
		}
	}
	h.refused(extended(map[string]string{"permission": "calls:raed"}), codes.InvalidArgument, 400, "invalid_request")
}

func TestHealthAndReflectionAreThere(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, name := range []string{"", "envoy.service.auth.v3.Authorization"} {
		r, err := healthv1.NewHealthClient(h.wire).Check(t.Context(), &healthv1.HealthCheckRequest{Service: name})
		if err != nil || r.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("health of %q: %v, %v", name, r, err)
		}
	}
	stream, err := reflectionv1.NewServerReflectionClient(h.wire).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(
		&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}},
	); err != nil {
		t.Fatal(err)
	}
	r, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(r.String(), "envoy.service.auth.v3.Authorization") {
		t.Errorf("reflection lists %v", r)
	}
	_ = stream.CloseSend()
}

// Every answer is a decision, for questions of any size; a failed call is decided by Envoy's failure_mode_allow.
func TestABigQuestionIsJudgedUpToTheHardLimitAndTheDoorStaysOpen(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, size := range []int{1 << 20, 16<<20 - 4096} {
		big := map[string]string{"x-big": strings.Repeat("a", size)}
		if h.ask(h.question("GET", "/v1/calls/1", big)).GetDeniedResponse().GetStatus().GetCode() != 401 {
			t.Errorf("%d bytes without a key are not denied with 401", size)
		}
		for name, value := range bearer(h.key) {
			big[name] = value
		}
		if h.ask(h.question("GET", "/v1/calls/1", big)).GetOkResponse() == nil {
			t.Errorf("%d bytes with a good key do not pass", size)
		}
	}
	_, err := h.envoy.Check(
		t.Context(), h.question("GET", "/v1/calls/1", map[string]string{"x-big": strings.Repeat("a", 16<<20)}),
	)
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("beyond the hard limit: %v", err)
	}
	if h.ask(h.question("GET", "/v1/calls/1", bearer(h.key))).GetOkResponse() == nil {
		t.Error("afterwards a good key is refused")
	}
}

func TestTheSameKeyIsGoodAndRevokedThroughEveryDoorAtOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	self, err := h.server.As(t, h.key).SelfKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				if r, err := h.envoy.Check(t.Context(), h.question("GET", "/v1/calls/1", bearer(h.key))); err != nil ||
					r.GetOkResponse() == nil {
					t.Errorf("%v, %v", r, err)
				}
			}
		})
	}
	all.Wait()
	if _, err := h.server.Client().DeleteKey(t.Context(), self.ID); err != nil {
		t.Fatal(err)
	}
	h.refused(h.ask(h.question("GET", "/v1/calls/1", bearer(h.key))), codes.Unauthenticated, 401, "unauthenticated")
}

// T107: Envoy's configuration demands an environment and workspaces; a key of another is refused as an unknown one is.
func TestT107ADemandInEnvoysConfigurationIsForAnEnvironmentAndWorkspaces(t *testing.T) {
	t.Parallel()
	h := open(t)
	const other = "00000000-0000-7000-8000-00000000000c"
	ask := func(extensions map[string]string) *authv3.CheckResponse {
		q := h.question("GET", "/v1/calls/1", bearer(h.key))
		q.Attributes.ContextExtensions = extensions
		return h.ask(q)
	}
	for _, good := range []map[string]string{
		{"environment": "live"}, {"workspaceId": h.workspace},
		{"workspaceId": other + "," + h.workspace, "environment": "live", "permission": "calls:read"},
	} {
		for range 2 { // the second time what was written before is given out
			got := values(ask(good).GetOkResponse().GetHeaders())
			if got["x-keyward-environment"] != "live" || got["x-keyward-user-id"] != "ada" {
				t.Errorf("%v: %v", good, got)
			}
		}
	}
	for _, elsewhere := range []map[string]string{{"environment": "test"}, {"workspaceId": other},
		{"environment": "live", "workspaceId": other}} {
		h.refused(ask(elsewhere), codes.Unauthenticated, 401, "unauthenticated")
	}
	for _, wrong := range []map[string]string{{"environment": ""}, {"environment": "live&x=y"}, {"workspaceId": ""},
		{"enviroment": "live"}} {
		if got := ask(wrong).GetDeniedResponse(); got.GetStatus().GetCode() != 403 ||
			!strings.Contains(got.GetBody(), "permission_denied") {
			t.Errorf("%v: %v", wrong, got)
		}
	}
	for _, wrong := range []map[string]string{{"environment": "prod"}, {"environment": "live,test"},
		{"workspaceId": "acme"}, {"workspaceId": h.workspace + ","}} {
		h.refused(ask(wrong), codes.InvalidArgument, 400, "invalid_request")
	}
}
