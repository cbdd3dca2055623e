package verifier_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// raw asks any path, as a program does that knows the OpenAPI document alone.
func (h *house) raw(token, path string, query url.Values) (status int, text string) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.URL+path+"?"+query.Encode(), nil)
	h.must(err)
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	h.must(err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	h.must(err)
	return resp.StatusCode, string(body)
}

// A follower that is bound to nothing has null workspaces: an empty list would say that it knows of none.
func TestAFollowerThatIsNotBoundHasNoListOfWorkspaces(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, all := h.service("follow")
	_, manager := h.service("manage")
	bound := h.bound(h.workspace)
	for token, want := range map[string]string{
		all: `"workspaceIds":null`, bound: `"workspaceIds":["` + h.workspace + `"]`,
	} {
		h.feed(token, "/snapshot", url.Values{"incarnation": {token[len(token)-6:]}, "count": {"1"}})
		if status, text := h.raw(manager, "/api/v2/nodes", nil); status != 200 || !strings.Contains(text, want) {
			t.Errorf("%d %s, want %s", status, text, want)
		}
	}
}
