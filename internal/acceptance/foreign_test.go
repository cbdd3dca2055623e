package acceptance_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
	"github.com/keyward/keyward/keyhttp"
)

// foreignForm is one form in which an import takes the digest of a value.
type foreignForm struct {
	name   string
	value  string // what people hold
	digest string // the members of the import's item
}

func foreignForms() []foreignForm {
	plain := func(v string) []byte { s := sha256.Sum256([]byte(v)); return s[:] }
	long := func(v string) []byte { s := sha512.Sum512([]byte(v)); return s[:] }
	keyed := func(v string) []byte {
		m := hmac.New(sha256.New, []byte("the secret of the old system"))
		m.Write([]byte(v))
		return m.Sum(nil)
	}
	digest := func(algorithm, encoding, value, more string) string {
		return fmt.Sprintf(`"digest":{"algorithm":%q,"encoding":%q,"value":%q%s}`, algorithm, encoding, value, more)
	}
	crm := `,"secret":"crm"`
	all := []foreignForm{
		{"sha256", "sk_live_51HxAbCdEfGh", fmt.Sprintf(`"sha256":"%X"`, plain("sk_live_51HxAbCdEfGh"))},
		{"sha256 hex", "0123456789abcdef", digest("sha256", "hex", hex.EncodeToString(plain("0123456789abcdef")), "")},
		{"sha256 base64", "SG.dots.and~punctuation!", digest("sha256", "base64",
			base64.StdEncoding.EncodeToString(plain("SG.dots.and~punctuation!")), "")},
		{"sha256 base64url", strings.Repeat("long", 128), digest("sha256", "base64",
			base64.RawURLEncoding.EncodeToString(plain(strings.Repeat("long", 128))), "")},
		{
			"sha512 hex", `quotes"and\slashes<&>`,
			digest("sha512", "hex", hex.EncodeToString(long(`quotes"and\slashes<&>`)), ""),
		},
		{"sha512 base64", "ey-but-no-token-at-all", digest("sha512", "base64",
			base64.StdEncoding.EncodeToString(long("ey-but-no-token-at-all")), "")},
		{
			"hmac hex", "{acme}:key:0000001", digest("hmac-sha256", "hex", hex.EncodeToString(keyed("{acme}:key:0000001")), crm),
		},
		{"hmac base64", "kw-live-with-hyphens", digest("hmac-sha256", "base64",
			base64.StdEncoding.EncodeToString(keyed("kw-live-with-hyphens")), crm)},
		{
			"sha256 rehashed", "rehash-me-plain-1",
			digest("sha256", "hex", hex.EncodeToString(plain("rehash-me-plain-1")), "") + `,"rehash":true`,
		},
		{
			"sha512 rehashed", "rehash-me-long-22",
			digest("sha512", "hex", hex.EncodeToString(long("rehash-me-long-22")), "") + `,"rehash":true`,
		},
		{
			"hmac rehashed", "rehash-me-keyed-3",
			digest("hmac-sha256", "hex", hex.EncodeToString(keyed("rehash-me-keyed-3")), crm) + `,"rehash":true`,
		},
	}
	ours := "kw_live_" + strings.Repeat("A", 43) + "2ImIO6" // made by another installation of ours
	return append(all, foreignForm{"sha256 of our own form", ours, fmt.Sprintf(`"sha256":"%x"`, plain(ours))})
}

// foreigners is a server with every door, and the keys that were imported into it.
type foreigners struct {
	*testing.T
	p        *process
	ws       string
	settings []string
	data     string
	envoy    authv3.AuthorizationClient
}

func (f *foreigners) call(method, url, token, contentType, body string) (int, string) {
	f.Helper()
	r, err := http.NewRequestWithContext(f.Context(), method, url, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", contentType)
	}
	resp, err := plain.Do(r)
	if err != nil {
		f.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// api calls as the root, and answers the result of a success.
func (f *foreigners) api(method, path, body string) map[string]any {
	f.Helper()
	status, answer := f.call(method, f.p.url+"/api/v2"+path, f.p.root, "application/json", body)
	var got struct {
		Data struct{ Result map[string]any }
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil || status >= 300 {
		f.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	return got.Data.Result
}

// restart starts the server again, with further settings.
func (f *foreigners) restart(more ...string) {
	f.Helper()
	if f.p.command != nil {
		f.p.stop(f.T)
	}
	dataAddr := fmt.Sprintf("127.0.0.1:%d", rig.FreePort(f.T))
	grpcAddr := fmt.Sprintf("127.0.0.1:%d", rig.FreePort(f.T))
	f.p = f.p.again(
		f.T,
		append(append(more, f.settings...), "KEYWARD_DATA_ADDR="+dataAddr, "KEYWARD_GRPC_ADDR="+grpcAddr)...)
	f.data = "http://" + dataAddr
	conn, err := grpc.NewClient(grpcAddr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { conn.Close() })
	f.envoy = authv3.NewAuthorizationClient(conn)
}

// code verifies a value at one door.
func (f *foreigners) code(base, value string) string {
	f.Helper()
	_, answer := f.call(
		"POST", base+"/api/v2/api-keys/verify", f.p.root, "application/json", fmt.Sprintf(`{"key":%s}`, quoted(value)),
	)
	var got struct {
		Data struct{ Result struct{ Code string } }
	}
	_ = json.Unmarshal([]byte(answer), &got)
	return got.Data.Result.Code
}

func quoted(s string) string { b, _ := json.Marshal(s); return string(b) }

// doors says of each door whether it lets a value in.
func (f *foreigners) doors(value string) map[string]bool {
	f.Helper()
	in := map[string]bool{}
	for name, base := range map[string]string{"": f.p.url, "data ": f.data} {
		in[name+"verify"] = f.code(base, value) == "VALID"
		_, batch := f.call(
			"POST", base+"/api/v2/api-keys/verify-batch", f.p.root, "application/json",
			fmt.Sprintf(`{"items":[{"key":%s}]}`, quoted(value)),
		)
		in[name+"batch"] = strings.Contains(batch, `"code":"VALID"`)
		status, _ := f.call("GET", base+"/check", value, "", "")
		in[name+"check"] = status == 200
	}
	form := "application/x-www-form-urlencoded"
	_, answer := f.call("POST", f.p.url+"/api/v2/oauth2/introspect", f.p.root, form, url.Values{"token": {value}}.Encode())
	in["introspect"] = strings.Contains(answer, `"active":true`)
	status, _ := f.call("GET", f.p.url+"/api/v2/api-keys/self", value, "", "")
	in["self"] = status == 200
	in["keyhttp"] = f.guarded(value) == 200
	a, err := f.envoy.Check(
		f.Context(),
		&authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
			Http: &authv3.AttributeContext_HttpRequest{
				Method: "GET", Path: "/", Headers: map[string]string{"authorization": "Bearer " + value},
			}}}},
	)
	in["gRPC"] = err == nil && a.GetStatus().GetCode() == int32(grpccodes.OK)
	return in
}

// guarded asks a service that stands behind keyhttp.
func (f *foreigners) guarded(value string) int {
	f.Helper()
	client, err := keyward.New(f.p.url, keyward.WithToken(f.p.root))
	if err != nil {
		f.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/calls", nil)
	r.Header.Set("Authorization", "Bearer "+value)
	keyhttp.New(client).Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
	return w.Code
}

func (f *foreigners) want(when, what, value string, in bool) {
	f.Helper()
	for door, got := range f.doors(value) {
		if got != in {
			f.Errorf("%s, %s at %s: let in %v, want %v", what, when, door, got, in)
		}
	}
}

func (f *foreigners) wantCode(when, what, value, code string) {
	f.Helper()
	if got := f.code(f.p.url, value); got != code {
		f.Errorf("%s, %s: %s, want %s", what, when, got, code)
	}
}

// imports takes one value in, and answers the key's id.
func (f *foreigners) imports(form foreignForm) string {
	f.Helper()
	r := f.api(
		"POST", "/api-keys/import",
		fmt.Sprintf(`{"workspaceId":%q,"apiKeys":[{"userId":"ada","name":%q,%s}]}`, f.ws, form.name, form.digest),
	)
	imported, _ := r["imported"].([]any)
	if len(imported) != 1 {
		f.Fatalf("%s: %v", form.name, r)
	}
	return imported[0].(map[string]any)["id"].(string)
}

func TestT99WhateverAnImportTakesVerifiesAtEveryDoor(t *testing.T) {
	t.Parallel()
	f := foreigners{T: t, p: start(t)}
	f.run()
}

func TestT99WhateverAnImportTakesVerifiesAtEveryDoorOnPostgreSQLWithAPepper(t *testing.T) {
	t.Parallel()
	p := &process{database: pgtest.Database(t), dir: t.TempDir()}
	p.root = mintedRoot(t)
	f := foreigners{T: t, p: p, settings: []string{"KEYWARD_PEPPER=a pepper of this installation"}}
	f.run()
}

func (f *foreigners) run() {
	crm := "KEYWARD_IMPORT_SECRETS=crm=the secret of the old system"
	f.restart(crm + ",gone=soon")
	ws := f.api("POST", "/workspaces", `{"name":"Acme","owner":{"userId":"ada","email":"ada@example.com"}}`)
	f.ws = ws["workspace"].(map[string]any)["id"].(string)
	f.wantCode("where nothing is foreign", "a stranger", "a-stranger-of-any-form", "MALFORMED")
	f.leavesItsSecret(crm)

	ids := map[string]string{}
	for _, form := range foreignForms() {
		ids[form.name] = f.imports(form)
		f.want("imported", form.name, form.value, true)
	}
	f.want("never imported", "a stranger", "a-stranger-of-any-form", false)
	f.wantCode("never imported", "a stranger", "a-stranger-of-any-form", "NOT_FOUND")
	for _, never := range []string{"kw_live_not-of-our-form", "keyward_session_" + strings.Repeat("a", 43),
		"eyJhbGciOiJub25lIn0.e30.aaaa",
		"fifteen-charact", strings.Repeat("x", 513), "blanks are not visible", "grün-is-not-ascii-at-all"} {
		f.wantCode("never foreign", never, never, "MALFORMED")
	}
	time.Sleep(2500 * time.Millisecond) // for what is rehashed to be written
	f.restart(crm)
	for _, form := range foreignForms() {
		f.want("after a restart", form.name, form.value, true)
		f.lives(form, ids[form.name])
	}
	f.restart(crm)
	for _, form := range foreignForms() {
		f.wantCode(
			"deleted, after a restart", form.name, form.value,
			map[bool]string{true: "NOT_FOUND", false: "MALFORMED"}[strings.HasPrefix(form.value, "kw_")],
		)
	}
}

// leavesItsSecret: a value that was rehashed is good without the secret of its old digest.
func (f *foreigners) leavesItsSecret(rest string) {
	value := "moved-away-from-its-secret"
	m := hmac.New(sha256.New, []byte("soon"))
	m.Write([]byte(value))
	id := f.imports(
		foreignForm{
			"leaving", value,
			fmt.Sprintf(`"rehash":true,"digest":{"algorithm":"hmac-sha256","value":"%x","secret":"gone"}`, m.Sum(nil)),
		},
	)
	f.want("imported", "leaving", value, true)
	time.Sleep(2500 * time.Millisecond)
	f.want("rehashed", "leaving", value, true)
	f.restart(rest)
	f.want("without its secret", "leaving", value, true)
	f.api("DELETE", "/api-keys/"+id, "")
	f.wantCode("deleted", "leaving", value, "MALFORMED")
}

// lives takes a key through limit, disabling, rotation with and without overlap, and the end.
func (f *foreigners) lives(form foreignForm, id string) {
	put := func(change string) {
		f.Helper()
		f.api("PUT", "/api-keys", fmt.Sprintf(`{"apiKeys":[{"id":%q,%s}]}`, id, change))
	}
	put(`"rateLimit":{"requestsPerMinute":1}`)
	f.code(f.p.url, form.value)
	f.wantCode("limited", form.name, form.value, "RATE_LIMITED")
	put(`"rateLimit":null,"isActive":false`)
	f.want("disabled", form.name, form.value, false)
	f.wantCode("disabled", form.name, form.value, "DISABLED")
	put(`"isActive":true`)

	first := f.api("POST", "/api-keys/"+id+"/rotate", `{"overlapSeconds":600}`)["key"].(string)
	if !strings.HasPrefix(first, "kw_live_") {
		f.Errorf("%s: rotated to no value of our own form", form.name)
	}
	f.want("in its overlap", form.name, form.value, true)
	f.want("rotated", form.name, first, true)
	second := f.api("POST", "/api-keys/"+id+"/rotate", `{}`)["key"].(string)
	f.want("rotated away", form.name, form.value, false)
	f.want("rotated again", form.name, second, true)

	body := url.Values{"token": {second}}.Encode()
	if status, answer := f.call("POST", f.p.url+"/api/v2/oauth2/revoke", f.p.root, "application/x-www-form-urlencoded",
		body); status != 200 {
		f.Errorf("%s: revoke: %d %s", form.name, status, answer)
	}
	f.wantCode("revoked", form.name, second, "DISABLED")
	f.api("DELETE", "/api-keys/"+id, "")
}

// TestT99AnImportedValueIsRevokedByItself: the standard's revocation takes a foreign value, and a value that is known
// twice is refused.
func TestT99AnImportedValueIsRevokedByItselfAndKnownOnce(t *testing.T) {
	t.Parallel()
	f := foreigners{T: t, p: start(t)}
	f.restart("KEYWARD_IMPORT_SECRETS=crm=the secret of the old system")
	ws := f.api("POST", "/workspaces", `{"name":"Acme","owner":{"userId":"ada","email":"ada@example.com"}}`)
	f.ws = ws["workspace"].(map[string]any)["id"].(string)
	for _, form := range foreignForms() {
		f.imports(form)
		again := f.api(
			"POST", "/api-keys/import",
			fmt.Sprintf(`{"workspaceId":%q,"apiKeys":[{"userId":"ada","name":"twice",%s}]}`, f.ws, form.digest),
		)
		if b, _ := json.Marshal(again); !bytes.Contains(b, []byte(`"error":"conflict"`)) {
			t.Errorf("%s twice: %s", form.name, b)
		}
		status, answer := f.call(
			"POST", f.p.url+"/api/v2/oauth2/revoke", form.value, "application/x-www-form-urlencoded",
			url.Values{"token": {form.value}}.Encode(),
		)
		if status != 200 {
			t.Errorf("%s: revokes itself: %d %s", form.name, status, answer)
		}
		f.wantCode("revoked by itself", form.name, form.value, "DISABLED")
	}
}
