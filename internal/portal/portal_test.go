package portal_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/portal"
)

const (
	live  = "019a5c62-4d10-7b3e-9a27-0f6c8e1d5b42"
	ended = "019a5c62-4d10-7b3e-9a27-0f6c8e1d5b43"
	lost  = "019a5c62-4d10-7b3e-9a27-0f6c8e1d5b44"
)

// sessions knows one session that goes on, one that has ended, and one that cannot be read.
type sessions struct{}

func (sessions) LookAtPortal(_ context.Context, p id.Portal) (control.PortalPage, error) {
	origins := []string{"https://app.example.com", "http://localhost:3000"}
	switch p {
	case live:
		return control.PortalPage{Origins: origins, Live: true}, nil
	case ended:
		return control.PortalPage{Origins: origins}, nil
	case lost:
		return control.PortalPage{}, errors.New("the database is away")
	}
	return control.PortalPage{}, nil
}

func mux(t *testing.T) *http.ServeMux {
	t.Helper()
	h, err := portal.New(portal.Config{Sessions: sessions{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	out := http.NewServeMux()
	h.Routes(out)
	return out
}

func get(m *http.ServeMux, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
	return w
}

// T68, T111: the origins of a session that goes on may frame its page, and no other page may. The document is the same
// for every session, so it does not tell which there are.
func TestT68T111OnlyTheOriginsOfALiveSessionFrameItsPage(t *testing.T) {
	t.Parallel()
	m := mux(t)
	want := get(m, "/portal/"+live).Body.String()
	for session, frames := range map[string]string{
		live:                  "https://app.example.com http://localhost:3000",
		strings.ToUpper(live): "https://app.example.com http://localhost:3000",
		ended:                 "'none'", lost: "'none'", "019a5c62-4d10-7b3e-9a27-0f6c8e1d5b45": "'none'", "x": "'none'",
	} {
		a := get(m, "/portal/"+session)
		csp := a.Header().Get("Content-Security-Policy")
		if a.Code != 200 || a.Body.String() != want || !strings.HasSuffix(csp, "frame-ancestors "+frames) {
			t.Errorf("%s: %d, %s", session, a.Code, csp)
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") || !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("the policy is %s", csp)
		}
	}
	if strings.Contains(want, "<script>") || strings.Contains(want, "style=") ||
		regexp.MustCompile(`https?://`).MatchString(want) {
		t.Errorf("the document holds a script, a style or an address: %s", want)
	}
}

func TestThePartsOfThePageAreKeptForEver(t *testing.T) {
	t.Parallel()
	m := mux(t)
	parts := regexp.MustCompile(`/portal/parts/[0-9a-f]{16}/[a-z]+\.(js|css)`).
		FindAllString(get(m, "/portal/"+live).Body.String(), -1)
	if len(parts) != 4 {
		t.Fatalf("parts %v", parts)
	}
	base := parts[0][:strings.LastIndex(parts[0], "/")+1]
	for _, name := range []string{"page.js", "keyward.js", "session.js", "page.css"} {
		a := get(m, base+name)
		if a.Code != 200 || !strings.Contains(a.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", name, a.Code, a.Header())
		}
		if regexp.MustCompile(`innerHTML|insertAdjacentHTML|document\.write|eval\(`).MatchString(a.Body.String()) {
			t.Errorf("%s makes elements out of text", name)
		}
	}
	for _, path := range []string{
		base + "page.html", base + "x.js", base + "element/keys.js",
		strings.Replace(base, "parts/", "parts/0", 1) + "page.js",
	} {
		if a := get(m, path); a.Code != 404 {
			t.Errorf("%s: %d", path, a.Code)
		}
	}
}
