package dashboard_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/keyward/keyward/internal/control"
)

// pieces counts the parts in which an answer is sent.
type pieces struct {
	*httptest.ResponseRecorder
	bytes []int // when it was flushed
}

func (p *pieces) Flush() { p.bytes = append(p.bytes, p.Body.Len()) }

// An export of a search that finds nothing for long begins at once: the browser shows it before the log is read
// through.
func TestAnExportBeginsBeforeTheLogIsReadThrough(t *testing.T) {
	t.Parallel()
	h := open(t)
	for i := range 600 { // more than a page of an export
		_, err := h.control.UpdateWorkspace(t.Context(), h.root, h.ws,
			control.UpdateWorkspace{Name: control.Some("W" + string(rune('a'+i%2)))})
		must[any](t)(nil, err)
	}
	for query, least := range map[string]int{"format=csv": 2, "format=csv&q=nowhere": 1} {
		w := &pieces{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequest(http.MethodGet, "/log/export?"+query, http.NoBody)
		r.Header.Set("Test-User", "ada")
		h.handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK || len(w.bytes) < least || w.bytes[0] == 0 {
			t.Errorf("%s: %d, flushed at %v bytes", query, w.Code, w.bytes)
		}
	}
}
