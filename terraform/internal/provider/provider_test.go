package provider_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/terraform/internal/realserver"
)

// aKey matches the value of a key.
var aKey = regexp.MustCompile(`kw_(?:live|test|svc)_[0-9A-Za-z]{49}`)

// site is a server with a workspace, and a provider that is configured for both.
type site struct {
	*host
	*realserver.Server
	workspace string
}

func newSite(t *testing.T, settings ...string) *site {
	t.Helper()
	s := realserver.Start(t, root, settings...)
	w, err := s.Client.CreateWorkspace(t.Context(), keyward.CreateWorkspaceRequest{
		Name: "Acme", Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := connect(t, values{"endpoint": s.URL, "token": s.RootKey, "workspace_id": w.ID})
	return &site{host: h, Server: s, workspace: w.ID}
}

// verdict asks the server about a value.
func (s *site) verdict(t *testing.T, value string, permissions ...string) keyward.VerdictCode {
	t.Helper()
	v, err := s.Client.Verify(t.Context(), keyward.VerifyRequest{
		Key: value, Permissions: keyward.Demand{All: permissions},
	})
	if err != nil {
		t.Fatal(err)
	}
	return v.Code
}

// want fails unless a complaint has all the parts.
func want(t *testing.T, diags []*tfprotov6.Diagnostic, parts ...string) {
	t.Helper()
	if !slices.ContainsFunc(complaints(diags), func(c string) bool {
		return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(c, part) })
	}) {
		t.Errorf("no complaint has %q: %q", parts, complaints(diags))
	}
}

func TestT113AnAPIKeyIsMadeByTheDigestOfItsValue(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	made := s.open("keyward_key_value", values{})
	value := made.text(t, "value")
	sum := sha256.Sum256([]byte(value))
	if !aKey.MatchString(value) || made.text(t, "sha256") != hex.EncodeToString(sum[:]) {
		t.Fatal("the value has another form, or another digest")
	}
	config := values{
		"user_id": "ada", "name": "report", "permissions": []string{"calls:read", "calls:write"}, "value_wo": value,
		"value_wo_version": 1, "expires_at": "2100-01-01", "metadata": `{"team": "billing"}`,
		"allowed_ips": []string{"203.0.113.7"},
		"rate_limit":  values{"requests_per_minute": 60},
	}
	key := s.object("keyward_api_key")
	key.apply(config)
	if aKey.MatchString(key.state.String()) {
		t.Error("the value is in the state")
	}
	if got := key.text("key"); got != made.text(t, "masked") {
		t.Errorf("the key is shown as %s, and masked as %s", got, made.text(t, "masked"))
	}
	if got := s.verdict(t, value, "calls:read"); got != keyward.VerdictIPForbidden {
		t.Errorf("from elsewhere the key is %s", got)
	}
	config["value_wo"] = s.open("keyward_key_value", values{}).text(t, "value") // each plan makes another one
	key.settled(config)

	change := config.with(values{
		"name": "nightly report", "allowed_ips": nil, "expires_at": "never", "description": "every night",
		"rate_limit": values{"requests_per_day": 1000}, "metadata": nil,
	})
	key.apply(change)
	key.settled(change)
	if got := s.verdict(t, value, "calls:write"); got != keyward.VerdictValid {
		t.Errorf("after the change the key is %s", got)
	}
	k, err := s.Client.GetKey(t.Context(), key.text("id"))
	if err != nil {
		t.Fatal(err)
	}
	if k.Name != "nightly report" || k.ExpiresAt != nil || k.RateLimit.RequestsPerMinute != nil ||
		*k.RateLimit.RequestsPerDay != 1000 ||
		len(k.AllowedIPs)+len(k.Metadata) != 0 || k.Description != "every night" {
		t.Errorf("the key was changed to %+v", k)
	}
	left := change.with(values{"rate_limit": nil, "expires_at": nil})
	key.settled(left) // what is no longer set stays

	key.apply(nil)
	if got := s.verdict(t, value); got != keyward.VerdictNotFound {
		t.Errorf("after its destruction the key is %s", got)
	}
}

func TestT113OtherPermissionsReplaceTheKeyAndThePlanSaysSo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	config := values{"user_id": "ada", "name": "report", "permissions": []string{"calls:read"}, "value_wo_version": 1}
	fresh := func() values {
		return config.with(values{"value_wo": s.open("keyward_key_value", values{}).text(t, "value")})
	}
	key := s.object("keyward_api_key")
	key.apply(fresh())
	for name, change := range map[string]values{
		"permissions":      {"permissions": []string{"calls:write"}},
		"value_wo_version": {"value_wo_version": 2},
		"user_id":          {"user_id": "bob"},
		"environment": {"environment": "test",
			"value_wo": s.open("keyward_key_value", values{"environment": "test"}).text(t, "value")},
	} {
		p := key.plan(fresh().with(change))
		key.check(nil, p.diags)
		if len(p.replace) != 1 || !strings.Contains(p.replace[0], name) {
			t.Errorf("another %s replaces because of %v", name, p.replace)
		}
		if name == "permissions" {
			want(t, p.diags, "permissions", "frozen", "new value")
		}
	}
}

func TestT113TheEndOfAKeyOutsideIsSeen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	config := values{"user_id": "ada", "name": "report", "permissions": []string{"calls:read"}, "value_wo_version": 1,
		"value_wo": s.open("keyward_key_value", values{}).text(t, "value")}
	key := s.object("keyward_api_key")
	key.apply(config)
	disable := []keyward.KeyUpdate{{ID: key.text("id"), IsActive: keyward.Set(false)}}
	if _, err := s.Client.UpdateKeys(t.Context(), disable); err != nil {
		t.Fatal(err)
	}
	if !key.refresh() {
		t.Fatal("a disabled key is taken for a deleted one")
	}
	p := key.plan(config)
	key.check(nil, p.diags)
	want(t, p.diags, "is_active", "disabled by "+key.text("disabled_by"))
	if !p.state.Equal(key.state) || key.text("disabled_by") == "" {
		t.Error("a key that was disabled outside is to be changed")
	}
	key.apply(config.with(values{"is_active": true}))
	if got := s.verdict(t, config["value_wo"].(string)); got != keyward.VerdictValid {
		t.Errorf("the enabled key is %s", got)
	}
	if _, err := s.Client.DeleteKey(t.Context(), key.text("id")); err != nil {
		t.Fatal(err)
	}
	if key.refresh() {
		t.Fatal("a deleted key stays in the state")
	}
	key.apply(config)
	if got := s.verdict(t, config["value_wo"].(string)); got != keyward.VerdictValid {
		t.Errorf("the key that was made again is %s", got)
	}
}

func TestRefusalsPointAtTheAttribute(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	viewer, diags := s.data("keyward_role", values{"name": "viewer"})
	s.check(nil, diags)
	member := values{"user_id": "bob", "email": "bob@example.com", "role_id": textOf(t, viewer["id"])}
	s.object("keyward_member").apply(member)
	config := values{"user_id": "ada", "name": "report", "permissions": []string{"calls:read"}, "value_wo_version": 1,
		"value_wo": s.open("keyward_key_value", values{}).text(t, "value")}
	refused := func(kind string, v values, parts ...string) {
		t.Helper()
		o := s.object(kind)
		p := o.plan(v)
		if !p.failed() {
			p.diags = o.carryOut(p)
		}
		want(t, p.diags, parts...)
		if !o.state.IsNull() {
			t.Errorf("a refused %s is in the state", kind)
		}
	}
	refused("keyward_api_key", config.with(values{"user_id": "bob", "permissions": []string{"calls:write"}}),
		"permissions", "calls:write may not be granted")
	refused("keyward_api_key", config.with(values{"permissions": []string{"calls:fly"}}), "permissions",
		"not in the catalogue")
	refused("keyward_api_key", config.with(values{"expires_at": "2001-01-01"}), "expires_at", "future")
	refused("keyward_api_key", config.with(values{"expires_at": "soon"}), "expires_at", "2027-01-31")
	refused("keyward_api_key", config.with(values{"rate_limit": values{"requests_per_day": 0}}), "requests_per_day")
	refused("keyward_api_key", config.with(values{"allowed_ips": []string{"10.0.0.1/8"}}), "allowed_ips", "10.0.0.0/8")
	refused("keyward_api_key", config.with(values{"metadata": "[]"}), "metadata", "JSON object")
	refused("keyward_api_key", config.with(values{"value_wo": "kw_live_mistyped"}), "value_wo")
	refused("keyward_api_key", config.with(values{"environment": "test"}), "value_wo", "environment")
	refused("keyward_api_key", config.with(values{"value_wo_version": nil}), "value_wo_version", "missing")
	refused("keyward_api_key", config.with(values{"value_wo": nil}), "value_wo", "missing")
	refused("keyward_api_key", config.with(values{"user_id": "nobody"}), "404")
	s.object("keyward_api_key").apply(config)
	refused("keyward_api_key", config.with(values{"name": "the same value again"}), "value_wo", "is taken", "409")

	role := values{"name": "Support", "permissions": []string{"calls:read"}}
	s.object("keyward_role").apply(role)
	refused("keyward_role", role, "name", "is taken", "409")
	refused("keyward_member", member, "user_id", "member already")
	refused("keyward_member", member.with(values{"user_id": "eve", "keys_on_destroy": "burn"}), "keys_on_destroy")
	refused("keyward_member", member.with(values{"user_id": "eve", "email": "nowhere"}), "email")
	refused("keyward_service_key", values{"name": "x", "scopes": []string{"everything"}}, "scopes")

	weak, err := s.Client.CreateServiceKey(t.Context(), keyward.CreateServiceKeyRequest{
		Name: "weak", Scopes: []keyward.Scope{keyward.ScopeVerify},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := connect(t, values{"endpoint": s.URL, "token": weak.Key.Reveal(), "workspace_id": s.workspace})
	o := h.object("keyward_role")
	want(t, o.carryOut(o.plan(role.with(values{"name": "Other"}))), "403", "lacks a permission", "manage")
}

func TestAWorkspaceWithItsRoleAndMember(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	config := values{
		"name": "Globex", "owner": values{"user_id": "hank", "email": "hank@example.com"}, "max_key_lifetime_seconds": 86400,
		"default_rate_limit": values{"requests_per_minute": 10}, "plan": values{"max_keys": 5, "requests_per_day": 1000},
	}
	w := s.object("keyward_workspace")
	w.apply(config)
	w.settled(config)
	config = config.with(values{
		"name": "Globex Corporation", "max_key_lifetime_seconds": nil, "default_rate_limit": nil, "permission_mode": "capped",
		"plan": values{"max_keys": 7, "ceiling_per_key": values{"requests_per_minute": 100}}, "is_active": false,
	})
	w.apply(config)
	w.settled(config)
	got, err := s.Client.GetWorkspace(t.Context(), w.text("id"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "Globex Corporation" || got.IsActive || got.Settings.MaxKeyLifetimeSeconds != nil ||
		got.Settings.PermissionMode != keyward.PermissionModeCapped ||
		got.Settings.DefaultRateLimit.RequestsPerMinute != nil ||
		*got.Plan.MaxKeys != 7 || got.Plan.RequestsPerDay != nil || *got.Plan.CeilingPerKey.RequestsPerMinute != 100 {
		t.Errorf("the workspace is %+v", got)
	}
	p := w.plan(config.with(values{"is_active": nil}))
	want(t, p.diags, "is_active", "switched off")

	in := values{"workspace_id": w.text("id")}
	role := s.object("keyward_role")
	roleConfig := in.with(values{"name": "Support", "permissions": []string{"calls:read"}})
	role.apply(roleConfig)
	role.settled(roleConfig)
	roleConfig = roleConfig.with(values{"description": "Helps", "permissions": []string{"calls:read", "calls:write"}})
	role.apply(roleConfig)
	role.settled(roleConfig)
	member := s.object("keyward_member")
	memberConfig := in.with(values{"user_id": "peter", "email": "peter@example.com", "role_id": role.text("id")})
	member.apply(memberConfig)
	member.settled(memberConfig)
	viewer, diags := s.data("keyward_role", in.with(values{"name": "Viewer"}))
	s.check(nil, diags)
	memberConfig = memberConfig.with(values{"role_id": textOf(t, viewer["id"]), "display_name": "Peter"})
	member.apply(memberConfig)
	member.settled(memberConfig)

	for kind, id := range map[string]string{
		"keyward_workspace": w.text("id"), "keyward_role": w.text("id") + "/" + role.text("id"),
		"keyward_member": w.text("id") + "/peter",
	} {
		if o := s.imported(kind, id); o.state.IsNull() {
			t.Errorf("%s was not imported", kind)
		}
	}
	s.imported("keyward_role", w.text("id")+"/"+role.text("id")).settled(roleConfig)
	s.imported("keyward_member", w.text("id")+"/peter").settled(memberConfig)
	member.apply(nil)
	role.apply(nil)
	w.apply(nil)
	if w.state = build(w.schema.ValueType(), nil); !w.state.IsNull() {
		t.Error("the workspace is there")
	}
}

func TestAnImportedKeyKeepsItsValue(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	made, err := s.Client.CreateKey(t.Context(), keyward.CreateKeyRequest{
		WorkspaceID: s.workspace, UserID: "ada", Name: "by hand", Permissions: keyward.Permissions("calls:read"),
	})
	if err != nil {
		t.Fatal(err)
	}
	key := s.imported("keyward_api_key", made.APIKey.ID)
	config := values{"user_id": "ada", "name": "by hand", "permissions": []string{"calls:read"}}
	key.settled(config)
	config = config.with(values{"value_wo": s.open("keyward_key_value", values{}).text(t, "value"), "value_wo_version": 1})
	p := key.plan(config)
	want(t, p.diags, "value_wo_version", "keeps its value")
	key.apply(config)
	if got := s.verdict(t, made.Key.Reveal()); got != keyward.VerdictValid {
		t.Errorf("the imported key is %s", got)
	}
	if p := key.plan(config.with(values{"value_wo_version": 2})); len(p.replace) != 1 {
		t.Errorf("the next version replaces because of %v", p.replace)
	}
}

func TestT113AServiceKeyIsHandedOnOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	config := values{
		"name": "verifier", "scopes": []string{"verify"}, "workspace_ids": []string{s.workspace}, "expires_at": "2100-01-01",
	}
	key := s.object("keyward_service_key")
	key.apply(config)
	key.settled(config)
	if aKey.MatchString(key.state.String()) {
		t.Error("the value is in the state")
	}
	value := s.open("keyward_service_key_value", values{"service_key_id": key.text("id")}).text(t, "value")
	caller, err := keyward.New(s.URL, keyward.WithToken(value))
	if err != nil {
		t.Fatal(err)
	}
	if me, err := caller.Me(t.Context(), ""); err != nil || me.Credential.ID != key.text("id") {
		t.Errorf("the value is that of %s (%v)", me.Credential.ID, err)
	}
	later := connect(t, values{"endpoint": s.URL, "token": s.RootKey})
	if got := later.open("keyward_service_key_value",
		values{"service_key_id": key.text("id")}); !got.members["value"].IsNull() {
		t.Error("another process knows the value")
	}
	for name, change := range map[string]values{
		"name": {"name": "other"}, "scopes": {"scopes": []string{"verify", "revoke"}},
		"workspace_ids": {"workspace_ids": nil},
		"expires_at":    {"expires_at": nil}, "environments": {"environments": []string{"live"}},
	} {
		if p := key.plan(config.with(change)); len(p.replace) != 1 || !strings.Contains(p.replace[0], name) {
			t.Errorf("another %s replaces because of %v: %v", name, p.replace, complaints(p.diags))
		}
	}
	s.imported("keyward_service_key", key.text("id")).settled(config)
	key.apply(nil)
	if _, err := caller.Me(t.Context(), ""); err == nil {
		t.Error("the service key is there after its destruction")
	}
}

func TestT113TheProvidersOwnServiceKeyStays(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	own, err := s.Client.CreateServiceKey(t.Context(),
		keyward.CreateServiceKeyRequest{Name: "opentofu", Scopes: []keyward.Scope{keyward.ScopeRoot}})
	if err != nil {
		t.Fatal(err)
	}
	h := connect(t, values{"endpoint": s.URL, "token": own.Key.Reveal()})
	key := h.imported("keyward_service_key", own.ServiceKey.ID)
	want(t, key.carryOut(key.plan(nil)), "calls with this key")
}

func TestT113AnEphemeralKeyLivesAsLongAsTheRun(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	e := s.open("keyward_api_key",
		values{"user_id": "ada", "permissions": []string{"calls:read"}, "expires_in_seconds": 3600})
	value := e.text(t, "value")
	if got := s.verdict(t, value, "calls:read"); got != keyward.VerdictValid {
		t.Errorf("the open key is %s", got)
	}
	k, err := s.Client.GetKey(t.Context(), e.text(t, "id"))
	if err != nil {
		t.Fatal(err)
	}
	if k.ExpiresAt == nil || time.Until(*k.ExpiresAt) > time.Hour {
		t.Errorf("the key lasts until %v", k.ExpiresAt)
	}
	e.close()
	if got := s.verdict(t, value); got != keyward.VerdictNotFound {
		t.Errorf("the closed key is %s", got)
	}
	e.close() // a second time is no error
	resp, err := s.server.ValidateEphemeralResourceConfig(t.Context(), &tfprotov6.ValidateEphemeralResourceConfigRequest{
		TypeName: "keyward_api_key", Config: s.encode(s.schemas.EphemeralResourceSchemas["keyward_api_key"],
			values{"user_id": "ada", "permissions": []string{}, "expires_in_seconds": 3601}),
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, resp.Diagnostics, "expires_in_seconds", "3600")
}

func TestUnknownValuesArePlanned(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.object("keyward_api_key").plan(values{
		"workspace_id": unknown{}, "user_id": unknown{}, "name": unknown{}, "permissions": unknown{}, "expires_at": unknown{},
		"rate_limit": unknown{}, "metadata": unknown{}, "allowed_ips": unknown{}, "value_wo": unknown{},
		"value_wo_version": unknown{},
		"environment":      unknown{}, "is_active": unknown{},
	})
	s.check(nil, p.diags)
	p = s.object("keyward_role").plan(values{"workspace_id": unknown{}, "name": "x", "permissions": unknown{}})
	s.check(nil, p.diags)
	p = s.object("keyward_workspace").plan(
		values{"name": unknown{}, "owner": unknown{}, "plan": unknown{}, "default_rate_limit": unknown{}},
	)
	s.check(nil, p.diags)
	p = s.object("keyward_service_key").plan(
		values{"name": unknown{}, "scopes": unknown{}, "workspace_ids": unknown{}, "expires_at": unknown{}},
	)
	s.check(nil, p.diags)

	key := s.object("keyward_api_key")
	config := values{"user_id": "ada", "name": "x", "permissions": []string{"calls:read"}, "value_wo_version": 1,
		"value_wo": s.open("keyward_key_value", values{}).text(t, "value")}
	key.apply(config)
	p = key.plan(
		config.with(values{"name": unknown{}, "expires_at": unknown{}, "rate_limit": unknown{}, "allowed_ips": unknown{}}),
	)
	s.check(nil, p.diags)

	later := connect(t, values{"endpoint": unknown{}, "token": unknown{}, "workspace_id": unknown{}})
	p = later.object("keyward_role").plan(values{"workspace_id": "w", "name": "x", "permissions": []string{}})
	later.check(nil, p.diags)
	want(t, later.object("keyward_role").carryOut(p), "not configured yet")
}

func TestDataSourcesShowWhatIsThere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	made, err := s.Client.CreateKey(t.Context(), keyward.CreateKeyRequest{
		WorkspaceID: s.workspace, UserID: "ada", Name: "report", Permissions: keyward.Permissions("calls:read"),
	})
	if err != nil {
		t.Fatal(err)
	}
	count := func(kind, list string, config values) int {
		t.Helper()
		got, diags := s.data(kind, config)
		s.check(nil, diags)
		var items []tftypes.Value
		if err := got[list].As(&items); err != nil {
			t.Fatal(err)
		}
		return len(items)
	}
	text := func(kind, name string, config values) string {
		t.Helper()
		got, diags := s.data(kind, config)
		s.check(nil, diags)
		return textOf(t, got[name])
	}
	if id := text("keyward_workspace", "id", values{"name": "acme"}); id != s.workspace {
		t.Errorf("the workspace is %s", id)
	}
	if name := text("keyward_workspace", "name", values{"id": s.workspace}); name != "Acme" {
		t.Errorf("the workspace is named %s", name)
	}
	if n := count("keyward_roles", "roles", values{}); n != 4 {
		t.Errorf("%d roles", n)
	}
	owner := text("keyward_role", "id", values{"name": "Owner"})
	if name := text("keyward_role", "name", values{"id": owner}); name != "Owner" {
		t.Errorf("the role is named %s", name)
	}
	if n := count("keyward_members", "members", values{"role_id": owner}); n != 1 {
		t.Errorf("%d owners", n)
	}
	if role := text("keyward_member", "role_name", values{"user_id": "ada"}); role != "Owner" {
		t.Errorf("Ada's role is %s", role)
	}
	if key := text("keyward_api_key", "key", values{"id": made.APIKey.ID}); key != made.APIKey.Key {
		t.Errorf("the key is shown as %s", key)
	}
	for n, config := range []values{{"status": "disabled"},
		{"user_id": "ada", "permission": "calls:read", "search": "report"}} {
		if got := count("keyward_api_keys", "api_keys", config); got != n {
			t.Errorf("%d keys for %v", got, config)
		}
	}
	if n := count("keyward_permissions", "names", values{"resource": "calls", "action": "read"}); n != 1 {
		t.Errorf("%d permissions", n)
	}
	for kind, config := range map[string]values{
		"keyward_workspace": {"name": "Nowhere"}, "keyward_role": {"name": "None"}, "keyward_member": {"user_id": "nobody"},
		"keyward_api_key": {"id": s.workspace},
	} {
		if _, diags := s.data(kind, config); len(diags) == 0 {
			t.Errorf("%s finds %v", kind, config)
		}
	}
	_, diags := s.data("keyward_role", values{"name": "Owner", "id": owner})
	want(t, diags, "id or name")
}

func TestT113ALostAnswerMakesNoSecondKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(server)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/import") {
			forward.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler) // the server has made the key, and its answer is lost
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	h := connect(t, values{"endpoint": proxy.URL, "token": s.RootKey, "workspace_id": s.workspace})
	value := h.open("keyward_key_value", values{}).text(t, "value")
	key := h.object("keyward_api_key")
	key.apply(values{
		"user_id": "ada", "name": "report", "permissions": []string{"calls:read"}, "value_wo": value, "value_wo_version": 1,
	})
	if got := s.verdict(t, value, "calls:read"); got != keyward.VerdictValid {
		t.Errorf("the key is %s", got)
	}
	n := 0
	for k, err := range s.Client.AllKeys(t.Context(), keyward.ListKeysOptions{WorkspaceID: s.workspace}) {
		if n++; err != nil || k.ID != key.text("id") {
			t.Errorf("the key %s is there (%v)", k.ID, err)
		}
	}
	if n != 1 {
		t.Errorf("%d keys are there", n)
	}
}

func TestAFollowerAsksItsServerAboutSuchAKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	service, err := s.Client.CreateServiceKey(t.Context(), keyward.CreateServiceKeyRequest{
		Name: "follower", Scopes: []keyward.Scope{keyward.ScopeFollow, keyward.ScopeVerify},
	})
	if err != nil {
		t.Fatal(err)
	}
	value := s.open("keyward_key_value", values{}).text(t, "value")
	s.object("keyward_api_key").apply(values{
		"user_id": "ada", "name": "report", "permissions": []string{"calls:read"}, "value_wo": value, "value_wo_version": 1,
	})
	follower := s.Follow(t, service.Key.Reveal())
	v, err := follower.Verify(t.Context(),
		keyward.VerifyRequest{Key: value, Permissions: keyward.Demand{All: []string{"calls:read"}}})
	if err != nil || v.Code != keyward.VerdictValid {
		t.Errorf("the follower says %s (%v)", v.Code, err)
	}
}

func TestAQuotaIsExplained(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one := int64(1)
	if _, err := s.Client.PutPlan(t.Context(), s.workspace, keyward.Plan{MaxKeys: &one, MaxRoles: &one}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		o := s.object("keyward_role")
		p := o.plan(values{"name": time.Now().String(), "permissions": []string{}})
		if diags := o.carryOut(p); len(diags) > 0 {
			want(t, diags, ": Cannot create the role: the plan of the workspace has no room", "409")
			return
		}
	}
	t.Error("the quota holds nothing back")
}
