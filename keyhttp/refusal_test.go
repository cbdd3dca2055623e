package keyhttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/verdict"
	"github.com/keyward/keyward/keyhttp"
)

// A service behind keyhttp and one behind a gateway refuse a key in the same words.
func TestARefusalIsThatOfTheServer(t *testing.T) {
	t.Parallel()
	for _, code := range verdict.Codes() {
		if code == verdict.Valid {
			continue
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"success": true, "data": {"result": {"valid": false, "code": %q}}}`, code)
		}))
		t.Cleanup(server.Close)
		guard := keyhttp.New(client(t, server.URL, "token"))
		a := get(t, guard.Require(), "/", "X-API-Key", "kw_live_"+fmt.Sprintf("%049d", 7))
		want := code.Refusal()
		var details []keyward.Detail
		for _, d := range want.Details {
			details = append(details, keyward.Detail{Field: d.Field, Message: d.Message})
		}
		got := a.error()
		if a.Code != want.Code.Status() || got.Code != string(want.Code) || got.Message != want.Message {
			t.Errorf(
				"%s: %d %s %q, want %d %s %q", code, a.Code, got.Code, got.Message, want.Code.Status(), want.Code, want.Message,
			)
		}
		if d := cmp.Diff(append([]keyward.Detail{}, details...), got.Details); d != "" {
			t.Errorf("%s: %s", code, d)
		}
	}
}
