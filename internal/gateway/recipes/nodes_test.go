package recipes_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var nodeLine = regexp.MustCompile(`(upstream keyward \{\n(?: *#[^\n]*\n)*) *server [^ ;]*([^;]*;)\n`)

// Two nodes behind nginx, of which one stays down and the other one restarts: nginx asks it again with the first
// request afterwards.
func TestNginxAsksANodeAgainAsSoonAsItIsBack(t *testing.T) {
	t.Parallel()
	h := open(t, "nginx", func(t *testing.T, dir, listen string) *process {
		path := filepath.Join(dir, "nginx.conf")
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		one := nodeLine.FindSubmatch(content)
		if one == nil {
			t.Fatalf("no line for a node in\n%s", content)
		}
		two := append(append([]byte{}, one[0]...), "        server "+freeAddress(t)+string(one[2])+"\n"...)
		if err := os.WriteFile(path, nodeLine.ReplaceAllLiteral(content, two), 0o644); err != nil {
			t.Fatal(err)
		}
		return nginx(t, dir, listen)
	})
	for range 4 {
		h.want("with one node down", h.get("/v1/calls/42", h.bearer()), 200)
	}
	h.keyward.kill()
	for range 4 {
		h.want("with both down", h.get("/v1/calls/42", h.bearer()), 503)
	}
	h.keyward = spawn(t, h.env, binary, "serve")
	h.keyward.await(t, "readiness on the data listener", func() bool {
		q, err := http.NewRequestWithContext(
			t.Context(), http.MethodGet, "http://"+h.data+"/check?permission=calls:read", nil,
		)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("X-API-Key", h.key)
		res, err := http.DefaultClient.Do(q)
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	for range 20 {
		h.want("with one node back", h.get("/v1/calls/42", h.bearer()), 200)
	}
}
