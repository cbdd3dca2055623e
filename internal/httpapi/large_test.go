package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/keyward/keyward/internal/httpapi"
)

// However many bodies of 1 MiB come at once, few are decoded at once, for each kind of caller, and all are answered.
func TestFewLargeBodiesAreDecodedAtOnceT105(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	_, key := h.key(ws, "")
	api := httpapi.New(h.config)
	item := `{"id":"00000000-0000-7000-8000-000000000001","description":"` + strings.Repeat("x", 10_000) + `"}`
	keys := `{"apiKeys":[` + strings.Repeat(item+",", 99) + item + `]}`
	one := `{"key":"` + strings.Repeat("x", 1000) + `"}`
	batch := `{"items":[` + strings.Repeat(one+",", 999) + one + `]}`
	var all sync.WaitGroup
	const callers = 24
	for range callers {
		for token, body := range map[string]string{key: keys, h.root: batch} {
			all.Go(func() {
				method, path := http.MethodPut, "/api/v2/api-keys"
				if token == h.root {
					method, path = http.MethodPost, "/api/v2/api-keys/verify-batch"
				}
				r := httptest.NewRequest(method, path, strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Authorization", "Bearer "+token)
				theLongWay(r) // the quick one keeps no more than a thousand questions, which are used again
				w := httptest.NewRecorder()
				api.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					t.Errorf("%s %s: %d %.200s", method, path, w.Code, w.Body)
				}
			})
		}
	}
	all.Wait()
	most := max(1, min(runtime.GOMAXPROCS(0)-1, 4))
	services, others := api.MostDecoded()
	if services < 1 || others < 1 || services > most || others > most {
		t.Errorf("%d and %d large bodies were decoded at once, want 1 to %d", services, others, most)
	}
	small := h.do("POST", "/api/v2/api-keys/verify-batch", h.root, fmt.Sprintf(`{"items":[{"key":%q}]}`, key), theLongWay)
	small.want(200)
}

// However many large batches come at once, the quick way answers fewer at once than there are processors, and all in
// the end. A large body of a caller who may not ask waits for no place.
func TestFewLargeBatchesAreAnsweredAtOnceT105(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	_, key := h.key(ws, "")
	api := httpapi.New(h.config)
	one := `{"key":"` + key + `","permissions":["calls:read"]}`
	batch := `{"items":[` + strings.Repeat(one+",", 999) + one + `]}`
	ask := func(token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/api/v2/api-keys/verify-batch", strings.NewReader(batch))
		r.RequestURI = "/api/v2/api-keys/verify-batch"
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		return w
	}
	ask(key)
	if n := api.MostBatches(); n != 0 {
		t.Errorf("%d batches of a key that may not verify were answered", n)
	}
	var all sync.WaitGroup
	for range 24 {
		all.Go(func() {
			if w := ask(h.root); w.Code != http.StatusOK || strings.Count(w.Body.String(), `"VALID"`) != 1000 {
				t.Errorf("a batch: %d %.200s", w.Code, w.Body)
			}
		})
	}
	all.Wait()
	if n := api.MostBatches(); n < 1 || n > max(1, runtime.GOMAXPROCS(0)-1) {
		t.Errorf("%d large batches were answered at once", n)
	}
}
