package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/keyward/keyward/internal/httpapi"
)

func TestEveryAnswerCarriesTheHeadersThatAllHave(t *testing.T) {
	t.Parallel()
	h := open(t)
	for on, status := range map[string]int{
		"GET /": 200, "GET /healthz": 200, "GET /readyz": 200, "GET /metrics": 404, "GET /openapi.json": 200,
		"GET /docs": 200, "GET /docs/style.css": 200,
		"GET /docs/docs.js": 200, "GET /docs/roles": 200, "GET /docs/nothing": 404,
		"GET /nowhere": 404, "GET //": 400, "POST /healthz": 405, "GET /api/v2/permissions": 401, "GET /?token=x": 400,
		"HEAD /healthz": 200,
	} {
		method, path, _ := strings.Cut(on, " ")
		a := h.do(method, path, "", "").want(status)
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		} {
			if got := a.Header().Get(name); got != want {
				t.Errorf("%s: %s: %q", on, name, got)
			}
		}
		if id := a.Header().Get("X-Request-Id"); !uuid.MatchString(id) {
			t.Errorf("%s: X-Request-Id %q", on, id)
		}
	}
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestAnotherMethodIsToldWhichOnesThereAre(t *testing.T) {
	t.Parallel()
	h := open(t)
	for on, allow := range map[string]string{
		"PATCH /api/v2/api-keys": "DELETE, GET, HEAD, POST, PUT", "GET /api/v2/api-keys/verify": "POST",
		"OPTIONS /api/v2/workspaces/logs": "GET, HEAD", "BREW /healthz": "GET, HEAD", "TRACE /": "GET, HEAD",
	} {
		method, path, _ := strings.Cut(on, " ")
		a := h.do(method, path, "", "")
		a.refused(405, "method_not_allowed", "")
		if got := a.Header().Get("Allow"); got != allow {
			t.Errorf("%s: Allow: %s", on, got)
		}
	}
}

func TestARequestIdIsTakenOverWhereItCanStandInALog(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, good := range []string{"a", "A-b_c.9", strings.Repeat("x", 128)} {
		if got := h.do("GET", "/healthz", "", "", header("X-Request-Id", good)).Header().Get("X-Request-Id"); got != good {
			t.Errorf("%s became %s", good, got)
		}
	}
	for _, bad := range []string{"", "a b", "a\tb", "é", strings.Repeat("x", 129), "{}", wellFormedKey} {
		if got := h.do("GET", "/healthz", "", "",
			header("X-Request-Id", bad)).Header().Get("X-Request-Id"); !uuid.MatchString(
			got,
		) {
			t.Errorf("%q became %s", bad, got)
		}
	}
	if got := h.do("GET", "/healthz", "", "", header("X-Request-Id", "a"),
		header("X-Request-Id", "b")).Header().Get("X-Request-Id"); !uuid.MatchString(
		got,
	) {
		t.Errorf("two became %s", got)
	}
}

// lines reads the log as JSON, one event per line.
func (h *house) lines() (out []map[string]any) {
	h.t.Helper()
	for line := range strings.Lines(h.log.String()) {
		var m map[string]any
		must(h.t, json.Unmarshal([]byte(line), &m))
		out = append(out, m)
	}
	return out
}

func TestAPanicIsAnsweredAndLoggedOnce(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *httpapi.Config) {
		c.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("the wheel came off") })
	})
	a := h.do("GET", "/metrics", "", "")
	a.refused(500, "internal_error", "")
	if strings.Contains(a.Body.String(), "wheel") {
		t.Error("the caller is told the cause")
	}
	lines := h.lines()
	if len(lines) != 1 || !strings.Contains(lines[0]["error"].(string), "wheel") ||
		lines[0]["request_id"] != a.Header().Get("X-Request-Id") ||
		lines[0]["level"] != "ERROR" ||
		!strings.Contains(lines[0]["stack"].(string), "middleware_test") {
		t.Errorf("the log says %v", lines)
	}
}

func TestAnAnswerUnderWayIsBrokenOff(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *httpapi.Config) {
		c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half"))
			panic("then nothing")
		})
	})
	defer func() {
		if recover() != http.ErrAbortHandler { //nolint:errorlint // the value of a panic
			t.Error("the connection goes on as if the answer were whole")
		}
		if len(h.lines()) != 1 {
			t.Error(h.log.String())
		}
	}()
	h.do("GET", "/metrics", "", "")
}

func TestT72OneLinePerRequestWhateverItHolds(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	_, value := h.key(ws, "")
	before := len(h.lines())
	nasty := []string{"\r\nlevel=ERROR", "\x1b[2J", "\u2028x", "\u202e", "\"}\n{", "a\x00b"}
	for _, s := range nasty {
		quoted, err := json.Marshal(s)
		must(t, err)
		h.do("POST", "/api/v2/api-keys", value, `{"userId":`+string(quoted)+`,"name":`+string(quoted)+`}`,
			func(r *http.Request) { r.Header.Set("X-Request-Id", s); r.Header.Set("User-Agent", s) })
		h.do("POST", "/api/v2/api-keys", "x"+s, "{}")
	}
	lines := h.lines()
	if len(lines)-before != 2*len(nasty) {
		t.Errorf("%d lines for %d requests", len(lines)-before, 2*len(nasty))
	}
	if strings.ContainsAny(h.log.String(), "\x1b\u2028\u202e") || strings.Contains(h.log.String(), value) ||
		strings.Contains(h.log.String(), h.root) {
		t.Error("the log holds what it must not")
	}
}

func TestTheLineOfARequestSaysWhoAskedForWhat(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	name, value := h.key(ws, "")
	h.do("GET", "/api/v2/api-keys/"+name+"?", value, "", from("203.0.113.9:4711")).want(200)
	lines := h.lines()
	last := lines[len(lines)-1]
	for attr, want := range map[string]any{
		"msg": "request", "method": "GET", "route": "/api/v2/api-keys/{id}", "operation": "getApiKey", "status": 200.0,
		"caller":    "api_key",
		"caller_id": name, "workspace": ws, "remote": "203.0.113.9",
	} {
		if last[attr] != want {
			t.Errorf("%s = %v, want %v", attr, last[attr], want)
		}
	}
}

// counts is an Observer that remembers.
type counts struct {
	mu   sync.Mutex
	seen []string
}

func (c *counts) ObserveRequest(operation, method string, status int, _ float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, operation+" "+method+" "+http.StatusText(status))
}

func (c *counts) ObserveVerdict(code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, code)
}

func TestMetricsAreToldNothingThatAClientCanInvent(t *testing.T) {
	t.Parallel()
	seen := &counts{}
	h := open(t, func(c *httpapi.Config) { c.Observer = seen })
	h.do("BREW", "/coffee", "", "")
	h.do("POST", "/api/v2/api-keys/verify", h.root, `{"key":"x"}`).want(200)
	if want := []string{"other other Not Found", "MALFORMED", "verifyApiKey POST OK"}; !slices.Equal(seen.seen, want) {
		t.Errorf("told %v", seen.seen)
	}
}

func TestReadinessIsAnsweredAsItIs(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *httpapi.Config) {
		c.Ready = func(context.Context) (bool, any) { return false, map[string]string{"status": "loading"} }
	})
	a := h.do("GET", "/readyz", "", "")
	a.refused(503, "unavailable", "status")
	if a.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestAForwardedAddressIsBelievedFromATrustedProxyOnly(t *testing.T) {
	t.Parallel()
	h := open(t, trust("10.0.0.0/8", "2001:db8::/32"))
	_, value := h.key(h.workspace(), `,"allowedIps":["203.0.113.0/24","2001:db9::/64"]`)
	ask := func(peer string, forwarded ...string) int {
		edits := []edit{from(peer)}
		for _, f := range forwarded {
			edits = append(edits, header("X-Forwarded-For", f))
		}
		return h.do("GET", "/api/v2/api-keys/self", value, "", edits...).Code
	}
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      int
	}{
		{"203.0.113.5:1", nil, 200},
		{"[::ffff:203.0.113.5]:1", nil, 200},
		{"[2001:db9::1]:1", nil, 200},
		{"198.51.100.1:1", nil, 403},
		{"198.51.100.1:1", []string{"203.0.113.5"}, 403},
		{"10.1.1.1:1", []string{"203.0.113.5"}, 200},
		{"10.1.1.1:1", []string{"203.0.113.5:4711"}, 200},
		{"10.1.1.1:1", []string{"203.0.113.5, 10.2.2.2"}, 200},
		{"10.1.1.1:1", []string{"203.0.113.5", "10.2.2.2"}, 200},
		{"10.1.1.1:1", []string{"203.0.113.5, 198.51.100.1"}, 403},
		{"10.1.1.1:1", []string{"198.51.100.1, 203.0.113.5"}, 200},
		{"10.1.1.1:1", []string{"203.0.113.5, unknown"}, 403},
		{"10.1.1.1:1", []string{"203.0.113.5,"}, 403},
		{"10.1.1.1:1", nil, 403},
		{"[2001:db8::1]:1", []string{"[2001:db9::7]:99"}, 200},
	} {
		if got := ask(c.peer, c.forwarded...); got != c.want {
			t.Errorf("%s %v: status %d, want %d", c.peer, c.forwarded, got, c.want)
		}
	}
}
