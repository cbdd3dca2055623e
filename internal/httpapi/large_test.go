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
