package recipes_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward"
)

// proxy is a real program with its recipe.
type proxy struct {
	name  string
	begin func(t *testing.T, dir, listen string) *process
}

func nginx(t *testing.T, dir, _ string) *process {
	t.Helper()
	path := filepath.Join(dir, "nginx.conf")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Debian's folders are the service's own: the tests take others.
	local := "http {\n    access_log off;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		local += fmt.Sprintf("    %s_temp_path %s/%s;\n", kind, dir, kind)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(content), "http {\n", local, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	global := "daemon off; pid " + dir + "/pid;"
	if os.Getuid() == 0 {
		global += " user root;"
	}
	return spawn(t, nil, program("nginx"), "-p", dir, "-c", path, "-e", "stderr", "-g", global)
}

func haproxy(t *testing.T, dir, _ string) *process {
	return spawn(t, nil, program("haproxy"), "-db", "-f", filepath.Join(dir, "haproxy.cfg"))
}

func caddy(t *testing.T, dir, _ string) *process {
	return spawn(
		t, []string{"HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}, program("caddy"), "run", "--adapter",
		"caddyfile", "--config", filepath.Join(dir, "Caddyfile"),
	)
}

// program finds a command where Debian puts those of services, too.
func program(name string) string {
	for _, dir := range []string{"", "/usr/sbin/", "/usr/bin/"} {
		if path, err := exec.LookPath(dir + name); err == nil {
			return path
		}
	}
	return name
}

var proxies = []proxy{{"nginx", nginx}, {"haproxy", haproxy}, {"caddy", caddy}}

// each runs a test against every proxy, each with a Keyward and an API of its own.
func each(t *testing.T, test func(t *testing.T, h *house, name string)) {
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, p.name, p.begin), p.name)
		})
	}
}

func TestTheProxyLetsPassWhatKeywardLetsPass(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house, name string) {
		bearer := h.bearer()
		if a := h.get("/v1/calls/42?x=1&y=%2F", bearer, "X-Other: kept"); a.status != 200 || a.body != "hello" {
			t.Fatalf("a good key: %+v", a)
		}
		got := h.api.take()[0]
		if got.uri != "/v1/calls/42?x=1&y=%2F" || got.header.Get("X-Keyward-User-Id") != "ada" ||
			got.header.Get("X-Keyward-Key-Id") != h.id ||
			got.header.Get("X-Keyward-Workspace-Id") != h.workspace ||
			got.header.Get("X-Keyward-Permissions") != "calls:read" ||
			got.header.Get("X-Keyward-Environment") != "live" ||
			got.header.Get("X-Other") != "kept" {
			t.Errorf("the API got %v", got)
		}
		if strings.Contains(got.String(), h.key) {
			t.Errorf("the API got the key: %v", got)
		}
		h.want("in X-API-Key", h.get("/v1/calls/42", "X-API-Key: "+h.key), 200)
		h.want("HEAD", h.send("HEAD", "/v1/calls/42", bearer), 200)
		h.want(
			"with a body",
			h.raw("PUT /v1/upload HTTP/1.1\r\nHost: x\r\n"+bearer+"\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"),
			200,
		)
		h.want(
			"with a chunked body",
			h.raw(
				"PUT /v1/upload HTTP/1.1\r\nHost: x\r\n"+bearer+"\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
			),
			200,
		)
		h.want("a public route without a key", h.get("/status"), 200)

		for what, header := range map[string]string{"no key": "X-None: x", "nonsense": "Authorization: Bearer nonsense",
			"an unknown key": "Authorization: Bearer kw_live_" + strings.Repeat("A",
				43) + "2ImIO6", "another scheme": "Authorization: Basic eDp5"} {
			a := h.want(what, h.get("/v1/calls/42", header), 401)
			if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") || a.code() != "unauthenticated" {
				t.Errorf("%s: %v %s", what, a.header, a.body)
			}
		}
		if a := h.want("lacking a permission", h.send("POST", "/v1/calls", bearer), 403); a.code() != "permission_denied" {
			t.Errorf("lacking a permission: %s", a.body)
		}
		h.want("no such route", h.get("/admin", bearer), 403)
		for _, query := range []string{"permission=calls:read", "permission=", "deny_status=403", "x=1",
			"permission=calls:read&deny_status=403"} {
			h.want("a query of the client's is none of the check's", h.get("/admin?"+query, bearer), 403)
			h.want("a query of the client's goes to the API", h.get("/v1/calls/42?"+query, bearer), 200)
		}
		h.want("T52 two keys that differ", h.get("/v1/calls/42", bearer, "X-API-Key: kw_live_other"), 400)
		h.want("T52 twice", h.get("/v1/calls/42", bearer, bearer), 400)
		if a := h.want("in the query string", h.get("/v1/calls/42?api_key="+h.key, bearer),
			400); a.code() != "invalid_request" {
			t.Errorf("in the query string: %s", a.body)
		}

		disabled, id := h.mint(nil)
		h.want("before it is disabled", h.get("/v1/calls/42", "X-API-Key: "+disabled), 200)
		if _, err := h.client.UpdateKeys(t.Context(),
			[]keyward.KeyUpdate{{ID: id, IsActive: keyward.Set(false)}}); err != nil {
			t.Fatal(err)
		}
		h.want("disabled", h.get("/v1/calls/42", "X-API-Key: "+disabled), 401)
		soon := time.Now().Add(time.Second)
		expired, _ := h.mint(func(q *keyward.CreateKeyRequest) { q.ExpiresAt = &soon })
		time.Sleep(time.Until(soon.Add(50 * time.Millisecond)))
		h.want("expired", h.get("/v1/calls/42", "X-API-Key: "+expired), 401)
		bound, _ := h.mint(func(q *keyward.CreateKeyRequest) { q.AllowedIPs = []string{"192.0.2.0/24"} })
		h.want(
			"T62 from elsewhere, whatever it says", h.get("/v1/calls/42", "X-API-Key: "+bound, "X-Forwarded-For: 192.0.2.1"),
			403,
		)
		few, _ := h.mint(func(q *keyward.CreateKeyRequest) {
			q.RateLimit = keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(2)})
		})
		for range 2 {
			if a := h.want("within the limit", h.get("/v1/calls/42", "X-API-Key: "+few), 200); name == "nginx" ||
				name == "haproxy" {
				if !strings.Contains(a.header.Get("RateLimit-Policy"), "q=2;w=60") || a.header.Get("RateLimit") == "" {
					t.Errorf("within the limit: %v", a.header)
				}
			}
		}
		over := h.want("T63 over the limit", h.get("/v1/calls/42", "X-API-Key: "+few), 429)
		if over.header.Get("Retry-After") == "" || !strings.Contains(over.header.Get("RateLimit-Policy"), "q=2;w=60") ||
			over.code() != "rate_limited" {
			t.Errorf("T63 over the limit: %v %s", over.header, over.body)
		}
		near, _ := h.mint(func(q *keyward.CreateKeyRequest) { q.AllowedIPs = []string{"127.0.0.0/8"} })
		h.want("from where it may come", h.get("/v1/calls/42", "X-API-Key: "+near), 200)
	})
}

func TestT59AForgedIdentityNeverReachesTheAPI(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house, _ string) {
		const forged = "forged-by-the-client"
		var variants, stripping [][]string
		for _, name := range []string{"Key-Id", "Workspace-Id", "User-Id", "Environment", "Permissions"} {
			plain := "X-Keyward-" + name
			for _, spelling := range []string{plain, strings.ToLower(plain), strings.ToUpper(plain),
				strings.ReplaceAll(plain, "-", "_"),
				strings.ToLower(strings.ReplaceAll(plain, "-", "_")), strings.Replace(plain, "-", "_", 1), "X-Keyward_" + name} {
				variants = append(
					variants,
					[]string{spelling + ": " + forged},
					[]string{spelling + ": " + forged, spelling + ": " + forged},
					[]string{
						spelling + ":", spelling + ": " + forged,
					},
					[]string{spelling + ": " + forged, spelling + ":"},
					[]string{spelling + ":" + forged + "  "},
				)
			}
			stripping = append(
				stripping, []string{plain + ": " + forged, "Connection: close, " + plain}, []string{"Connection: " + plain},
			)
		}
		for _, lines := range append(variants, stripping...) {
			for _, key := range []string{h.bearer(), "X-None: x"} {
				uri := "/v1/calls/42"
				if key != h.bearer() {
					uri = "/status"
				}
				a := h.get(uri, append([]string{key}, lines...)...)
				for _, got := range h.api.take() {
					if strings.Contains(fmt.Sprint(got.header), forged) {
						t.Errorf("%s with %q (%d): the API got %v", uri, lines, a.status, got)
					}
					if user := got.header.Values("X-Keyward-User-Id"); uri == "/v1/calls/42" && (len(user) != 1 || user[0] != "ada") {
						t.Errorf("%q: the API got the user %q", lines, user)
					}
				}
			}
		}
	})
}

func TestT60AndT62ForgedForwardedHeadersChangeNoDecision(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house, _ string) {
		for _, lines := range [][]string{
			{"X-Forwarded-Uri: /status"}, {"X-Forwarded-Method: GET", "X-Forwarded-Uri: /status"}, {"X-Original-URI: /status"},
			{"X-Original-Method: GET"},
			{"x-forwarded-uri: /status", "X-FORWARDED-URI: /status"}, {"X_Forwarded_Uri: /status"}, {"X_Original_URI: /status"},
			{"X-Forwarded_Uri: /status"},
			{"X-Forwarded-Prefix: /status"}, {"X-Forwarded-Host: x", "X-Forwarded-Proto: https"},
			{"X-Original-URL: /status", "X-Rewrite-URL: /status"},
			{"Connection: close, X-Forwarded-Uri, X-Forwarded-Method"}, {"Connection: close, Authorization"},
			{"Connection: close, X-Forwarded-For"},
		} {
			a := h.get("/admin", append([]string{h.bearer()}, lines...)...)
			if got := h.api.take(); len(got) != 0 || a.status == 200 {
				t.Errorf("/admin with %q: %d, the API got %v", lines, a.status, got)
			}
			a = h.get("/v1/calls/42", lines...)
			if got := h.api.take(); len(got) != 0 || a.status == 200 {
				t.Errorf("without a key, with %q: %d, the API got %v", lines, a.status, got)
			}
		}
	})
}

func TestT51AndT64APathWithASecondReadingReachesNobody(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house, _ string) {
		for _, uri := range []string{
			"/v1/calls/../../admin", "/status/../admin", "/v1/calls/%2e%2e/%2e%2e/admin", "/status/%2e%2e/admin",
			"/status/..%2fadmin", "/status%2f..%2fadmin", "//admin", "//status", "/v1//calls/42",
			"/status//", "/status/.", "/./status", "/status%00", "/status%00/../admin", "/status;/../admin", "/status;x",
			"/v1/calls/%252e%252e", "/v1/calls/a%2Fb", "/v1/calls/a%5cb", `/status\..\admin`,
			"/%73tatus", "/status%20", "/status%0d%0aX-Keyward-User-Id:%20root", "/status#/../admin", "/STATUS", "/status%3fx",
			"http://api.example//status", "http://other/../status",
		} {
			a := h.get(uri, h.bearer())
			if got := h.api.take(); len(got) != 0 || a.err == nil && a.status < 400 {
				t.Errorf("%s: %d, the API got %v", uri, a.status, got)
			}
			if to := a.header.Get("Location"); to != "" {
				t.Errorf("%s: sent to %s", uri, to)
			}
		}
	})
}

// The paths of an ordinary API: the API behind gets the bytes that were judged.
func TestT64APathWithOneReadingPassesUnchanged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house, name string) {
		for _, id := range []string{"My%20Report.pdf", "%20", "a%20b%20c", "a@b", "a%40b", "a=b+c:d,e", "a%2Bb",
			"%22%3C%3E%5B%5D%7B%7D%5E%60%7C", "caf%C3%A9%20noir",
			"%E6%9D%B1%E4%BA%AC", "a%26b%3Dc", "~tilde_-.", "(x)!$&'*", "%7Bid%7D"} {
			uri := "/v1/calls/" + id + "?q=a%20b+c&path=%2Fx%2F..%2Fy"
			a := h.get(uri, h.bearer())
			got := h.api.take()
			if a.status != 200 || len(got) != 1 || got[0].uri != uri {
				t.Errorf("%s through %s: %d %s; the API got %v", uri, name, a.status, a.body, got)
			}
		}
	})
}

// A smuggled request reaches the API as /smuggled, for which there is no rule.
func TestT54NoSmuggledRequestReachesTheAPI(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house, _ string) {
		const inner = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
		head := "PUT /v1/upload HTTP/1.1\r\nHost: x\r\n" + h.bearer() + "\r\n"
		for name, request := range map[string]string{
			"length and chunked": head + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
			"chunked and length": head + fmt.Sprintf("Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n0\r\n\r\n",
				len(inner)+5) + inner,
			"two lengths": head + fmt.Sprintf("Content-Length: 0\r\nContent-Length: %d\r\n\r\n",
				len(inner)) + inner,
			"a list of lengths":       head + fmt.Sprintf("Content-Length: 0, %d\r\n\r\n", len(inner)) + inner,
			"a signed length":         head + "Content-Length: +0\r\n\r\n" + inner,
			"a length in hexadecimal": head + "Content-Length: 0x0\r\n\r\n" + inner,
			"chunked with a tab":      head + "Transfer-Encoding:\tchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
			"chunked, identity":       head + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + inner,
			"xchunked":                head + "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
			"twice chunked":           head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n" + inner,
			"space before the colon":  head + "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
			"folded":                  head + "Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
			"line feeds alone": strings.ReplaceAll(head, "\r\n",
				"\n") + "Content-Length: 5\nTransfer-Encoding: chunked\n\n0\r\n\r\n" + inner,
			"a bare return":            head + "X: a\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
			"a chunk that is too long": head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + inner,
			"a chunk extension":        head + "Transfer-Encoding: chunked\r\n\r\n0;a\n\r\n\r\n" + inner,
			"a body on a GET": "GET /v1/calls/1 HTTP/1.1\r\nHost: x\r\n" + h.bearer() +
				fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n", len(inner)) + inner,
			"HTTP/1.0 chunked": strings.Replace(head, "1.1", "1.0",
				1) + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
			"in a header of identity": head + "Content-Length: 0\r\nX-Keyward-User-Id: a\r\n\r\n" + inner,
			"two requests in a row":   head + "Content-Length: 0\r\n\r\n" + inner,
		} {
			h.pipeline(request)
			for _, got := range h.api.quiet() {
				if strings.Contains(got.uri, "smuggled") {
					t.Errorf("%s: the API got %v", name, got)
				}
			}
		}
		h.want("afterwards", h.get("/v1/calls/42", h.bearer()), 200)
	})
}

// pipeline sends bytes, says that there is no more, and reads all that comes back.
func (h *house) pipeline(request string) {
	h.t.Helper()
	c, err := net.Dial("tcp", h.proxy)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	_, _ = io.WriteString(c, request)
	_ = c.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, c)
}

func TestT65WhenKeywardIsKilledUnderLoadNothingPasses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house, _ string) {
		var dead, stop atomic.Bool
		var passed, refused atomic.Int64
		var load sync.WaitGroup
		bearer := h.bearer()
		for range 4 {
			load.Go(func() {
				for !stop.Load() {
					began := dead.Load()
					a := h.get("/v1/calls/42", bearer)
					switch {
					case began && a.status == 200:
						t.Errorf("a request that began after the kill passed")
					case began:
						refused.Add(1)
					case a.status == 200:
						passed.Add(1)
					}
				}
			})
		}
		h.keyward.await(t, "requests that pass", func() bool { return passed.Load() >= 20 })
		h.keyward.kill()
		dead.Store(true)
		for deadline := time.Now().Add(patience); refused.Load() < 20 && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
		}
		stop.Store(true)
		load.Wait()
		if refused.Load() < 20 {
			t.Errorf("only %d requests were answered after the kill", refused.Load())
		}
		h.api.take()
		a := h.get("/v1/calls/42", bearer)
		if got := h.api.take(); len(got) != 0 || a.status < 500 || a.status > 504 {
			t.Errorf("afterwards: %+v, the API got %v", a, got)
		}
		if a := h.get("/status"); a.status == 200 || len(h.api.take()) != 0 {
			t.Errorf("a public route without Keyward: %+v", a)
		}
	})
}

func TestT56ASlowClientHoldsUpNobody(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house, _ string) {
		for i := range 200 {
			c, err := net.Dial("tcp", h.proxy)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			part := "GET /v1/calls/42 HTTP/1.1\r\nHost: x\r\nX-A"
			if i%2 == 1 {
				part = "PUT /v1/upload HTTP/1.1\r\nHost: x\r\n" + h.bearer() + "\r\nContent-Length: 1000\r\n\r\nabc"
			}
			if _, err := io.WriteString(c, part); err != nil {
				t.Fatal(err)
			}
		}
		h.api.take()
		for range 20 {
			if a := h.get("/v1/calls/42", h.bearer()); a.status != http.StatusOK {
				t.Fatalf("beside slow clients: %+v", a)
			}
		}
	})
}
