package httpapi_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const elsewhere = "00000000-0000-7000-8000-00000000000c"

const wellFormedKey = "kw_live_" + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" + "2ImIO6"

func TestT17AKeyInTheURLIsRefusedOnEveryRouteAndNeverLookedUp(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	_, value := h.key(ws, "")
	for _, path := range []string{"/", "/healthz", "/readyz", "/openapi.json", "/docs", "/nowhere", "/api/v2/permissions",
		"/api/v2/api-keys",
		"/api/v2/workspaces/logs", "/api/v2/workspaces/" + ws + "/members"} {
		for _, query := range []string{"api_key=x", "apikey=x", "API-Key=x", "x-api-key=", "access_token=x", "key=x",
			"token=x", "search=" + value, "search=" + wellFormedKey, value, "search=a&search=" + value} {
			h.do("GET", path+"?"+query, h.root, "").refused(400, "invalid_request", "")
			h.do("GET", path+"?"+query, "", "").refused(400, "invalid_request", "")
		}
	}
	h.do("DELETE", "/api/v2/api-keys/"+value, h.root, "").refused(400, "invalid_request", "path")
	h.do("GET", "/api/v2/api-keys?search=kw_live_&workspaceId="+ws, h.root, "").want(200)
	if strings.Contains(h.log.String(), value[8:20]) || strings.Contains(h.log.String(), "search") {
		t.Error("a query string is in the log")
	}
}

// endless is a body without an end.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	e.read += len(b)
	return len(b), nil
}

func TestT46ABodyOverOneMebibyteIsRefusedAndNotReadOn(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, length := range []int64{-1, 1 << 30} {
		body := &endless{}
		r := httptest.NewRequest("POST", "/api/v2/api-keys/verify", body)
		r.ContentLength = length
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+h.root)
		w := httptest.NewRecorder()
		h.handler.ServeHTTP(w, r)
		a := answer{w, t}
		a.refused(413, "body_too_large", "body")
		if a.Header().Get("Connection") != "close" || body.read > 6<<20 {
			t.Errorf("read %d bytes, Connection %q", body.read, a.Header().Get("Connection"))
		}
	}
	exact := `{"key":"` + strings.Repeat("a", 1<<20-10) + `"}`
	h.do("POST", "/api/v2/api-keys/verify", h.root, exact).want(200)
	h.do("POST", "/api/v2/api-keys/verify", h.root, exact+" ").refused(413, "body_too_large", "body")
}

// A client that writes all of its body before it reads sees why it was refused.
func TestT46WhoWritesTooMuchReadsTheRefusal(t *testing.T) {
	t.Parallel()
	h := open(t)
	server := httptest.NewServer(h.handler)
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	must(t, err)
	defer conn.Close()
	const size = 4 << 20 // more than the buffers on the way hold
	_, err = fmt.Fprintf(conn, "POST /api/v2/api-keys/verify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", h.root, size)
	must(t, err)
	_, err = conn.Write(bytes.Repeat([]byte(" "), size))
	must(t, err)
	a, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	defer a.Body.Close()
	if a.StatusCode != 413 || !a.Close {
		t.Errorf("%d, close %v", a.StatusCode, a.Close)
	}
}

func TestT47ACompressedBodyIsNotUnpacked(t *testing.T) {
	t.Parallel()
	h := open(t)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := io.WriteString(z, `{"key":"x"}`)
	must(t, err)
	must(t, z.Close())
	for _, coding := range []string{"gzip", "br", "identity, gzip", "x"} {
		h.do("POST", "/api/v2/api-keys/verify", h.root, packed.String(), header("Content-Encoding", coding)).
			refused(415, "unsupported_media_type", "Content-Encoding")
	}
	h.do("POST", "/api/v2/api-keys/verify", h.root, `{"key":"x"}`, header("Content-Encoding", "identity")).want(200)
}

func TestT48ABodyOfAnotherTypeIsRefusedOnEveryWriteRoute(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	in := "/api/v2/workspaces/" + ws
	for _, on := range []string{"POST /api/v2/api-keys", "PUT /api/v2/api-keys", "DELETE /api/v2/api-keys",
		"POST /api/v2/api-keys/x/rotate",
		"DELETE /api/v2/api-keys/x", "POST /api/v2/api-keys/import", "POST /api/v2/api-keys/verify",
		"POST /api/v2/api-keys/verify-batch",
		"POST /api/v2/oauth2/introspect", "POST /api/v2/oauth2/revoke", "POST /api/v2/workspaces", "PATCH " + in,
		"DELETE " + in,
		"PUT " + in + "/members/u", "PATCH " + in + "/members/u", "DELETE " + in + "/members/u", "POST " + in + "/roles",
		"PATCH " + in + "/roles/x", "DELETE " + in + "/roles/x", "POST /api/v2/service-keys",
		"DELETE /api/v2/service-keys/x"} {
		method, path, _ := strings.Cut(on, " ")
		for _, kind := range []string{"text/plain", "", "application/json; charset=latin1", "application/jsonp",
			"multipart/form-data"} {
			a := h.do(method, path, h.root, "{}", func(r *http.Request) { r.Header.Set("Content-Type", kind) })
			a.refused(415, "unsupported_media_type", "Content-Type")
		}
	}
	h.do("POST", "/api/v2/api-keys/verify", h.root, `{"key":"x"}`, func(r *http.Request) {
		r.Header.Set("Content-Type", "Application/JSON; Charset=UTF-8")
	}).want(200)
}

func TestT45AMistypedMemberMintsNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	start := `{"workspaceId":"` + ws + `","userId":"u-owner","name":"n"`
	for field, rest := range map[string]string{
		"permisions":                  `,"permisions":["calls:read"]}`,
		"Permissions":                 `,"Permissions":["calls:read"]}`,
		"permissions":                 `,"permissions":null}`,
		"permissions[1]":              `,"permissions":["calls:read",1]}`,
		"name":                        `,"name":"m"}`,
		"rateLimit.requestsPerMinute": `,"rateLimit":{"requestsPerMinute":1.0}}`,
		"id":                          `,"id":"x"}`,
		"isRoot":                      `,"isRoot":true}`,
		"metadata":                    `,"metadata":null}`,
		"allowedIps":                  `,"allowedIps":null}`,
		"body":                        `}}`,
	} {
		h.do("POST", "/api/v2/api-keys", h.root, start+rest).refused(400, "invalid_request", field)
	}
	if keys := h.do("GET", "/api/v2/api-keys?workspaceId="+ws, h.root, "").want(200).at("data.result.apiKeys"); len(
		keys.([]any),
	) != 0 {
		t.Error("a refused creation left a key behind")
	}
}

func TestT52TwoCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	get := func(edits ...edit) answer { return h.do("GET", "/api/v2/permissions", "", "", edits...) }
	bearer := header("Authorization", "Bearer "+h.root)
	get(bearer, bearer).refused(400, "invalid_request", "Authorization")
	get(bearer, header("Authorization", "Basic eDp5")).refused(400, "invalid_request", "Authorization")
	get(bearer, header("X-API-Key", wellFormedKey)).refused(400, "invalid_request", "X-API-Key")
	get(
		bearer, header("X-API-Key", h.root), header("X-API-Key", wellFormedKey),
	).refused(400, "invalid_request", "X-API-Key")
	get(bearer, header("X-API-Key", h.root)).want(200)
	get(header("Authorization", "bearer "+h.root)).want(200)

	none := get(header("X-API-Key", h.root))
	none.refused(401, "unauthenticated", "")
	if got := none.Header().Get("WWW-Authenticate"); got != "Bearer" {
		t.Errorf("WWW-Authenticate: %s", got)
	}
	for _, wrong := range []string{"Bearer x", "Bearer " + wellFormedKey, "Bearer " + h.root + "x", "Bearer a b"} {
		a := get(header("Authorization", wrong))
		a.refused(401, "unauthenticated", "")
		if got := a.Header().Get("WWW-Authenticate"); got != `Bearer error="invalid_token"` {
			t.Errorf("WWW-Authenticate: %s", got)
		}
	}
	get(header("Authorization", "Basic eDp5")).refused(401, "unauthenticated", "")
}

func TestAParameterThatIsNotUnderstoodIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := "workspaceId=" + h.workspace()
	for _, c := range []struct{ path, field string }{
		{"/api/v2/api-keys?" + ws + "&limit=0", "limit"},
		{"/api/v2/api-keys?" + ws + "&limit=101", "limit"},
		{"/api/v2/api-keys?" + ws + "&limit=", "limit"},
		{"/api/v2/api-keys?" + ws + "&limit=1e1", "limit"},
		{"/api/v2/api-keys?" + ws + "&limit=%2B5", "limit"},
		{"/api/v2/api-keys?" + ws + "&limit=05", "limit"},
		{"/api/v2/api-keys?" + ws + "&limit=5&limit=6", "limit"},
		{"/api/v2/api-keys?" + ws + "&isActive=yes", "isActive"},
		{"/api/v2/api-keys?" + ws + "&isActive=True", "isActive"},
		{"/api/v2/api-keys?" + ws + "&userId=", "userId"},
		{"/api/v2/api-keys?" + ws + "&cursor=abc", "cursor"},
		{"/api/v2/api-keys?" + ws + "&cursor=", "cursor"},
		{"/api/v2/api-keys?" + ws + "&search=%00", "search"},
		{"/api/v2/api-keys?" + ws + "&search=%ff", "search"},
		{"/api/v2/api-keys?" + ws + "&search=" + strings.Repeat("a", 256), "search"},
		{"/api/v2/api-keys?" + ws + "&user=x", "user"},
		{"/api/v2/api-keys?" + ws + "&status=on", "status"},
		{"/api/v2/api-keys?" + ws + "&status=", "status"},
		{"/api/v2/api-keys?" + ws + "&environment=prod", "environment"},
		{"/api/v2/api-keys?" + ws + "&environment=svc", "environment"},
		{"/api/v2/api-keys?" + ws + "&permission=", "permission"},
		{"/api/v2/api-keys?" + ws + "&permission=calls:raed", "permission"},
		{"/api/v2/api-keys?" + ws + "&permission=Calls:read", "permission"},
		{"/api/v2/api-keys?" + ws + "&permission=calls:read&permission=bots:read", "permission"},
		{"/api/v2/api-keys?" + ws + "&expiringBefore=soon", "expiringBefore"},
		{"/api/v2/api-keys?" + ws + "&expiringBefore=", "expiringBefore"},
		{"/api/v2/api-keys?" + ws + "&unusedSince=90d", "unusedSince"},
		{"/api/v2/api-keys?" + ws + "&triedSince=2026-13-01", "triedSince"},
		{"/api/v2/api-keys?" + ws + "&sortBy=name", "sortBy"},
		{"/api/v2/api-keys?" + ws + "&sortOrder=up", "sortOrder"},
		{"/api/v2/api-keys?" + ws + "&counts=1", "counts"},
		{"/api/v2/api-keys?" + ws + "&%00=x", "query"},
		{"/api/v2/api-keys?" + ws + ";limit=5", "query"},
		{"/api/v2/api-keys?" + ws + "&x=%zz", "query"},
		{"/api/v2/workspaces?search=x", "search"},
		{"/api/v2/workspaces/logs?from=yesterday", "from"},
		{"/api/v2/workspaces/logs?to=2026-11-23T08:33:00", "to"},
		{"/api/v2/workspaces/logs?from=2026-13-01", "from"},
		{"/api/v2/workspaces/logs?from=2026-11-23T08:33:00+02:00", "from"},
		{"/api/v2/workspaces/logs?sortOrder=up", "sortOrder"},
		{"/api/v2/workspaces/logs?format=xml", "format"},
		{"/api/v2/workspaces/logs?eventType=x", "eventType"},
		{"/api/v2/workspaces/logs?offset=-1", "offset"},
		{"/healthz?x=1", "x"},
	} {
		t.Run(c.path, func(t *testing.T) { h.do("GET", c.path, h.root, "").refused(400, "invalid_request", c.field) })
	}
	h.do("DELETE", "/api/v2/api-keys/x?wait=some", h.root, "").refused(400, "invalid_request", "wait")
	h.do(
		"GET", "/api/v2/workspaces/logs?from=2026-11-23T08:33:00%2B02:00&to=2100-01-01&sortOrder=asc&limit=1", h.root, "",
	).
		want(200)
}

func TestAnOperationWithoutABodyTakesNoneInSilence(t *testing.T) {
	t.Parallel()
	h := open(t)
	name, _ := h.key(h.workspace(), "")
	h.do("DELETE", "/api/v2/api-keys/"+name, h.root, `{"ids":["x"]}`).refused(400, "invalid_request", "ids")
	h.do("POST", "/api/v2/api-keys/"+name+"/rotate", h.root, `{"overlap":5}`).refused(400, "invalid_request", "overlap")
	h.do("DELETE", "/api/v2/api-keys/"+name, h.root, `{}`).want(200)
	h.do("POST", "/api/v2/api-keys", h.root, "", header("Content-Type", "application/json")).
		refused(400, "invalid_request", "body")
}
