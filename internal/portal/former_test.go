package portal

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
)

// A page that names the element of the release before keeps working after an upgrade.
func TestTheElementOfTheFormerReleaseIsServed(t *testing.T) {
	t.Parallel()
	h, err := New(Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	before := moduleOf([]byte("export const KeywardKeys = 1;\n"))
	h.former = fstest.MapFS{"keyward-" + before.Hash + ".js": {Data: before.Content}}
	mux := http.NewServeMux()
	h.Routes(mux)
	for hash, want := range map[string]string{
		before.Hash: string(before.Content), h.element.Hash: string(h.element.Content),
		"0000000000000000": "404 page not found\n",
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/portal/keyward-"+hash+".js", http.NoBody))
		if w.Body.String() != want {
			t.Errorf("%s: %d, %d bytes", hash, w.Code, w.Body.Len())
		}
	}
}

// Every file of a former release has the hash of its content in its name: a page holds it against that.
func TestFormerElementsHaveTheirHashInTheirName(t *testing.T) {
	t.Parallel()
	files, err := former.ReadDir("former")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() == "README.md" {
			continue
		}
		content, err := former.ReadFile("former/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if want := "keyward-" + moduleOf(content).Hash + ".js"; f.Name() != want {
			t.Errorf("%s is %s", f.Name(), want)
		}
	}
}
