package dataplane_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/fastpath"
)

// A connection remembers the digest of its caller's credential and none of its rights.
func TestAServiceKeyThatIsDeletedIsRefusedOnTheConnectionThatUsesIt(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, addr := range []string{h.main, h.data} {
		made := h.post("/api/v2/service-keys", `{"name":"platform","scopes":["verify"]}`, "key")
		c, err := dial(addr, "127.0.0.1")
		must(t, err)
		defer c.Close()
		ask := func(token string, want int) {
			t.Helper()
			answer, body, err := c.ask(strings.ReplaceAll(h.verify(fastpath.VerifyPath, `{"key":"`+h.value+`"}`), h.root, token))
			must(t, err)
			if answer.StatusCode != want {
				t.Errorf("%s: %d, want %d: %s", addr, answer.StatusCode, want, body)
			}
		}
		ask(made, http.StatusOK)
		ask(made, http.StatusOK)
		ask(h.root, http.StatusOK)
		ask(made, http.StatusOK)
		h.removeServiceKeys()
		ask(made, http.StatusUnauthorized)
		ask(h.root, http.StatusOK)
	}
}

// removeServiceKeys deletes every service key but the root's.
func (h *house) removeServiceKeys() {
	h.t.Helper()
	call := func(method, path string) *http.Response {
		r, err := http.NewRequest(method, "http://"+h.main+path, http.NoBody)
		must(h.t, err)
		r.Header.Set("Authorization", "Bearer "+h.root)
		r.Close = true
		answer, err := http.DefaultTransport.RoundTrip(r)
		must(h.t, err)
		return answer
	}
	answer := call("GET", "/api/v2/service-keys")
	defer answer.Body.Close()
	var list struct {
		Data struct {
			Result struct{ ServiceKeys []struct{ ID, Name string } }
		}
	}
	must(h.t, json.NewDecoder(answer.Body).Decode(&list))
	for _, one := range list.Data.Result.ServiceKeys {
		if one.Name != "platform" {
			continue
		}
		gone := call("DELETE", "/api/v2/service-keys/"+one.ID)
		gone.Body.Close()
		if gone.StatusCode != http.StatusOK {
			h.t.Fatalf("delete a service key: %s", gone.Status)
		}
	}
}
