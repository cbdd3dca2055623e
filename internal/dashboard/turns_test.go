package dashboard_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
)

// turns takes all turns that the workspace has at reading, and returns the function that ends them.
func (h *house) turns(ctx context.Context) (leave func(), err error) {
	var all []func()
	leave = func() {
		for _, end := range all {
			end()
		}
	}
	for range h.db.LongReads() {
		end, err := h.control.ReadTurn(ctx, h.ws)
		if err != nil {
			return leave, err
		}
		all = append(all, end)
	}
	return leave, nil
}

// A page waits for a turn of its workspace, and the turn ends before the page is sent. A change waits for none.
func TestPagesTakeTurnsAtReadingT105(t *testing.T) {
	t.Parallel()
	h := open(t)
	take := func() (leave func()) {
		leave, err := h.turns(t.Context())
		if err != nil {
			t.Error("the turns are not free: ", err)
		}
		return leave
	}
	key, _ := h.make("ada", "one")
	pages := []string{
		"/", "/keys", key, "/keys/new", "/members", "/roles", "/usage", "/usage/export", "/settings", "/sessions",
		"/members/bob/remove", "/webhooks", "/catalogue", "/workspaces", "/log", "/find?q=one", "/keys?q=one",
	}
	for _, page := range pages {
		if t.Failed() {
			return // every other page would wait for as long
		}
		leave := take()
		answered := make(chan int, 1)
		go func() {
			w := &sending{ResponseRecorder: httptest.NewRecorder(), at: func() { take()() }}
			r := httptest.NewRequest(http.MethodGet, page, http.NoBody)
			r.Header.Set("Test-User", "ada")
			h.handler.ServeHTTP(w, r)
			answered <- w.Code
		}()
		for h.control.ReadsWaiting() == 0 && len(answered) == 0 {
			runtime.Gosched()
		}
		if len(answered) > 0 {
			t.Errorf("GET %s waited for no turn: %d", page, <-answered)
			leave()
			continue
		}
		leave()
		if code := <-answered; code != http.StatusOK {
			t.Errorf("GET %s: %d", page, code)
		}
	}
	leave := take()
	h.post("ada", key+"/state", nil).want(http.StatusSeeOther)
	leave()
	take()() // none is left behind
}

// sending takes all turns and ends them while an answer is sent.
type sending struct {
	*httptest.ResponseRecorder
	at func()
}

// WriteHeader does it.
func (w *sending) WriteHeader(status int) {
	w.at()
	w.ResponseRecorder.WriteHeader(status)
}
