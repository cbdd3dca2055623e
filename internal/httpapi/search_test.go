package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
)

func TestASearchFindsWhatPeopleSee(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	for i, name := range []string{`say "hi"`, `back\slash`, "Caf\u00e9", "R&D <old>", "alive"} {
		quoted, err := json.Marshal(name)
		must(t, err)
		h.do("POST", "/api/v2/api-keys", h.root,
			fmt.Sprintf(`{"workspaceId":%q,"userId":"u-owner","permissions":[],"name":%s,"metadata":{"n":"\u0065mbedded\/%d"}}`,
				ws, quoted, i)).
			want(201)
	}
	for search, want := range map[string]int{
		`say "hi"`: 1, `"`: 1, `\`: 1, `back\s`: 1, "caf\u00e9": 1, "cafe\u0301": 1, "CAFE\u0301": 1, "<OLD>": 1, "&": 1,
		"live": 1, "kw_live_": 0, "kw_": 0,
	} {
		q := "workspaceId=" + ws + "&search=" + url.QueryEscape(search)
		if got := len(
			h.do("GET", "/api/v2/api-keys?"+q, h.root, "").want(200).at("data.result.apiKeys").([]any),
		); got != want {
			t.Errorf("%d keys for %q, want %d", got, search, want)
		}
		if got := len(h.do(
			"GET", "/api/v2/workspaces/logs?eventType=api_key.created&"+q, h.root, "",
		).want(200).at("data.result.logs").([]any)); got != want &&
			search != `"` {
			t.Errorf("%d events for %q, want %d", got, search, want)
		}
	}
	for search, want := range map[string]int{"embedded/3": 1, "u0065": 0, `"after"`: 0, "null": 0} {
		a := h.do("GET", "/api/v2/workspaces/logs?workspaceId="+ws+"&search="+url.QueryEscape(search), h.root, "").want(200)
		if got := len(a.at("data.result.logs").([]any)); got != want {
			t.Errorf("%d events for %q, want %d", got, search, want)
		}
	}
}
