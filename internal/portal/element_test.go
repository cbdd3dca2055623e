package portal_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/portal"
)

func element(t *testing.T) portal.Module {
	t.Helper()
	m, err := portal.Element()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// mostBytes is what a page loads at most, compressed.
const mostBytes = 30 << 10

func TestTheElementIsOneSmallModule(t *testing.T) {
	t.Parallel()
	m := element(t)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(m.Content)
	_ = w.Close()
	if packed.Len() > mostBytes {
		t.Errorf("%d bytes, want at most %d", packed.Len(), mostBytes)
	}
	t.Logf("%d bytes, %d compressed", len(m.Content), packed.Len())
	if regexp.MustCompile(`(?m)\bimport\s*[({"']|^\s*import\s`).Match(m.Content) {
		t.Error("the module imports another one")
	}
	if bytes.Contains(m.Content, []byte("localStorage")) || bytes.Contains(m.Content, []byte("sessionStorage")) {
		t.Error("the element keeps something in the browser")
	}
}

// The parts are joined in one scope. Two things of one name there are a module that no browser loads.
func TestThePartsOfTheElementShareNoName(t *testing.T) {
	t.Parallel()
	parts, err := filepath.Glob("assets/element/*.js")
	if err != nil {
		t.Fatal(err)
	}
	joined := string(element(t).Content)
	seen := map[string]string{}
	for _, part := range parts {
		text, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`(?m)^(?:export )?(?:const|let|var|class|function|async function) (\w+)`).
			FindAllStringSubmatch(string(text), -1)
		if len(names) == 0 {
			t.Errorf("%s names nothing", part)
		}
		for _, n := range names {
			if other := seen[n[1]]; other != "" {
				t.Errorf("%s stands in %s and in %s", n[1], other, part)
			}
			seen[n[1]] = part
			if !strings.Contains(joined, " "+n[1]+" ") {
				t.Errorf("%s of %s is not in the module", n[1], part)
			}
		}
	}
}

func TestPagesOfEveryOriginLoadTheElement(t *testing.T) {
	t.Parallel()
	m, e := mux(t), element(t)
	ask := func(path string, head ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		for i := 0; i < len(head); i += 2 {
			r.Header.Set(head[i], head[i+1])
		}
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		return w
	}
	for path, keep := range map[string]string{
		"/portal/keyward.js":                "public, max-age=300",
		"/portal/keyward-" + e.Hash + ".js": "public, max-age=31536000, immutable",
	} {
		a := ask(path, "Origin", "https://app.example.com")
		if a.Code != 200 || !bytes.Equal(a.Body.Bytes(), e.Content) {
			t.Errorf("%s: %d, %d bytes", path, a.Code, a.Body.Len())
		}
		for name, want := range map[string]string{
			"Content-Type": "text/javascript; charset=utf-8", "Cache-Control": keep,
			"Access-Control-Allow-Origin": "https://app.example.com", "Cross-Origin-Resource-Policy": "cross-origin",
			"Access-Control-Allow-Credentials": "", "ETag": `"` + e.Hash + `"`,
		} {
			if got := a.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if got := strings.Join(a.Header().Values("Vary"), ","); got != "Accept-Encoding,Origin" {
			t.Errorf("%s varies by %s", path, got)
		}
		if a := ask(path); a.Code != 200 || a.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s without an origin: %d %v", path, a.Code, a.Header())
		}
		if a := ask(path, "If-None-Match", `"`+e.Hash+`"`); a.Code != http.StatusNotModified {
			t.Errorf("%s again: %d", path, a.Code)
		}
	}
	for accepted, packed := range map[string]bool{
		"gzip": true, "br, GZIP;q=0.5": true,
		"gzip;q=0": false, "gzip; q=0.00": false, "x-gzip": false, "br": false, "": false,
	} {
		a := ask("/portal/keyward.js", "Accept-Encoding", accepted)
		got, plain := a.Header().Get("Content-Encoding") == "gzip", bytes.Equal(a.Body.Bytes(), e.Content)
		if got != packed || plain == packed {
			t.Errorf("%q: packed is %v", accepted, got)
		}
		if packed {
			if z, err := gzip.NewReader(a.Body); err != nil {
				t.Error(err)
			} else if plain, err := io.ReadAll(z); err != nil || !bytes.Equal(plain, e.Content) {
				t.Errorf("%q: %d bytes, %v", accepted, len(plain), err)
			}
		}
	}
	for _, path := range []string{
		"/portal/keyward-0123456789abcdef.js", "/portal/keyward-.js", "/portal/words/xx.json",
		"/portal/words/..%2fpage.js", "/portal/keyward-..%2fREADME.js",
	} {
		if a := ask(path); a.Code != 404 {
			t.Errorf("%s: %d", path, a.Code)
		}
	}
}
