package httpapi_test

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// raw sends bytes as they are and answers the status and the header.
func raw(t *testing.T, address, text string) *http.Response {
	t.Helper()
	c, err := net.Dial("tcp", address)
	must(t, err)
	defer func() { _ = c.Close() }()
	must(t, c.SetDeadline(time.Now().Add(5*time.Second)))
	_, err = c.Write([]byte(text))
	must(t, err)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	must(t, err)
	return res
}

func serve(t *testing.T, h *house) string {
	t.Helper()
	s := httptest.NewServer(h.handler)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestT51APathWithASecondReadingIsRefusedAndNeverRedirected(t *testing.T) {
	t.Parallel()
	h := open(t)
	address := serve(t, h)
	ws := h.workspace()
	for _, path := range []string{
		"//api/v2/permissions", "/api//v2/permissions", "/api/v2/permissions/", "/api/v2/permissions//",
		"/api/v2/./permissions", "/api/v2/../v2/permissions",
		"/api/v2/%2e/permissions", "/api/v2/%2e%2e/v2/permissions", "/api/v2/.%2e/v2/permissions", "/api%2fv2%2fpermissions",
		"/api%2Fv2/permissions",
		"/api/v2/permissions%00", "/api/v2/permissions%20", "/api/v2/permissions%0d%0a", "/api/v2/permissions;a=b",
		"/api/v2;a/permissions",
		"/api/v2/permissions%3b", "/api/v2/permissions.", "/api/v2/permissions%2e", "/api/v2/%70ermissions",
		"/api/v2/%2570ermissions",
		"/api/v2/permissions%25", "/api/v2/permissions%252f", "/api\\v2\\permissions", "/api%5cv2%5cpermissions",
		"/API/v2/permissions", "/api/V2/permissions",
		"/api/v2/permissions%e2%80%ae", "/api/v2/permissions\xff", "/api/v2/permissions%ff", "/api/v2/permissions%",
		"/api/v2/permissions%zz", "/api/v2/permissions%2",
		"http://x//api/v2/permissions", "http://x/api/v2/../v2/permissions", "*", "api/v2/permissions", "", "/api", "/api/v2",
		"/api/v2/", "/docs/", "/docs/../docs",
		"/api/v2/workspaces/" + ws + "/members/..", "/api/v2/workspaces/" + ws + "/members/%2e%2e",
		"/api/v2/workspaces/" + ws + "/members/a%2fb",
	} {
		res := raw(
			t, address, "GET "+path+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+h.root+"\r\nConnection: close\r\n\r\n",
		)
		if res.StatusCode != 400 && res.StatusCode != 404 {
			t.Errorf("GET %s: status %d", path, res.StatusCode)
		}
		if to := res.Header.Get("Location"); to != "" {
			t.Errorf("GET %s: redirected to %s", path, to)
		}
	}
	for _, path := range []string{"/api/v2/permissions", "http://x/api/v2/permissions", "/api/v2/permissions?"} {
		if res := raw(t, address,
			"GET "+path+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+h.root+"\r\n\r\n"); res.StatusCode != 200 {
			t.Errorf("GET %s: status %d", path, res.StatusCode)
		}
	}
}

func TestAUserIdKeepsItsCharactersInAPath(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	role := h.do("GET", "/api/v2/workspaces/"+ws+"/roles", h.root, "").want(200).text("data.result.roles.2.id")
	for inPath, user := range map[string]string{
		"a%7Cb%40c": "a|b@c", "auth0%7c1": "auth0|1", "a+b=c:d": "a+b=c:d", "alice.": "alice.", "a%2Bb": "a+b", "...": "...",
		"self": "self",
	} {
		made := h.do(
			"PUT", "/api/v2/workspaces/"+ws+"/members/"+inPath, h.root, `{"email":"a@example.com","roleId":"`+role+`"}`,
		).
			want(201)
		if got := made.text("data.result.member.userId"); got != user {
			t.Errorf("%s was taken for %s", inPath, got)
		}
		h.do("PUT", "/api/v2/workspaces/"+ws+"/members/"+inPath, h.root, `{"email":"b@example.com","roleId":"`+role+`"}`).
			want(200)
	}
}

func TestT53BadBytesAndTooManyHeadersAreRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	address := serve(t, h)
	for name, text := range map[string]string{
		"line feed in a header name": "GET /healthz HTTP/1.1\r\nHost: x\r\nA\nB: c\r\n\r\n",
		"NUL in a header":            "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
		"space before a colon":       "GET /healthz HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
		"no host":                    "GET /healthz HTTP/1.1\r\n\r\n",
		"two hosts":                  "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"two lengths":                "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"a bad length":               "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na",
		"an unknown coding":          "POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
		"2 MiB of header":            "GET /healthz HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 2<<20) + "\r\n\r\n",
	} {
		res := raw(t, address, text)
		if res.StatusCode != 400 && res.StatusCode != 431 && res.StatusCode != 501 {
			t.Errorf("%s: status %d", name, res.StatusCode)
		}
	}
}
