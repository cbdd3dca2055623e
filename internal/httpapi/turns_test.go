package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
)

// turns takes all turns that a workspace has at reading, and returns the function that ends them.
func (h *house) turns(ctx context.Context, ws string) (leave func(), err error) {
	var all []func()
	leave = func() {
		for _, end := range all {
			end()
		}
	}
	for range h.db.LongReads() {
		end, err := h.config.Control.ReadTurn(ctx, ws)
		if err != nil {
			return leave, err
		}
		all = append(all, end)
	}
	return leave, nil
}

// waits tells whether a request waits for a turn at reading. It is given up then.
func (h *house) waits(method, path, token string) bool {
	ctx, cancel := context.WithCancel(context.Background())
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		h.do(method, path, token, "", func(r *http.Request) { *r = *r.WithContext(ctx) })
	}()
	defer func() {
		cancel()
		<-answered
	}()
	for h.config.Control.ReadsWaiting() == 0 {
		select {
		case <-answered:
			return false
		default:
			runtime.Gosched()
		}
	}
	return true
}

// A workspace whose reads have all the turns that it may have waits for one of its own. Another workspace, changes and
// the operations without a turn do not wait.
func TestReadsOfAWorkspaceHaveTurnsT105(t *testing.T) {
	t.Parallel()
	h := open(t)
	loud, quiet := h.workspace(), h.workspace()
	_, loudKey := h.key(loud, "")
	_, quietKey := h.key(quiet, "")
	reads := []string{
		"/api/v2/api-keys", "/api/v2/workspaces/" + loud, "/api/v2/workspaces/" + loud + "/members",
		"/api/v2/workspaces/" + loud + "/roles", "/api/v2/workspaces/" + loud + "/usage",
	}
	leave, err := h.turns(t.Context(), loud)
	must(t, err)
	for _, path := range reads {
		for _, token := range []string{loudKey, h.root} {
			if path == reads[0] && token == h.root {
				path += "?workspaceId=" + loud
			}
			if !h.waits("GET", path, token) {
				t.Errorf("GET %s had a turn although all are taken", path)
			}
		}
	}
	if h.db.Reads() > h.db.LongReads() {
		h.do("GET", "/api/v2/api-keys", quietKey, "").want(200)
	}
	h.do("POST", "/api/v2/api-keys/verify", h.root, `{"key":"`+loudKey+`"}`).want(200)
	h.do("GET", "/healthz", "", "").want(200)
	h.do("GET", "/api/v2/workspaces/logs?workspaceId="+loud, loudKey, "").want(200) // searches have turns of their own
	h.key(loud, "")
	leave()
	for _, path := range reads {
		h.do("GET", path, loudKey, "").want(200)
	}
	leave, err = h.turns(t.Context(), loud)
	must(t, err)
	leave()
}

// taking takes all turns of a workspace while an answer is written.
type taking struct {
	*httptest.ResponseRecorder
	take func()
}

// WriteHeader takes them.
func (w *taking) WriteHeader(status int) {
	w.take()
	w.ResponseRecorder.WriteHeader(status)
}

// A client that takes its time to read an answer keeps no turn.
func TestATurnEndsBeforeTheAnswerIsWrittenT105(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	_, key := h.key(ws, "")
	r := httptest.NewRequest("GET", "/api/v2/api-keys", nil)
	r.Header.Set("Authorization", "Bearer "+key)
	taken := 0
	h.handler.ServeHTTP(&taking{httptest.NewRecorder(), func() {
		leave, err := h.turns(t.Context(), ws)
		must(t, err)
		leave()
		taken++
	}}, r)
	if taken != 1 {
		t.Errorf("%d answers were written, want 1", taken)
	}
}
