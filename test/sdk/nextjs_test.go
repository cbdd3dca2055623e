package sdk_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
)

// TestNextJS builds one application of Next.js out of docs/quickstart/nextjs.md and the section of docs/portal.md, and
// starts it: the guarded route and the guarded path answer a good key alone, and the route handler makes portal
// sessions. The application stands beside node_modules, because Next.js follows no link out of its folder.
func TestNextJS(t *testing.T) {
	t.Parallel()
	next, err := filepath.Abs("node_modules/.bin/next")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(next); err != nil {
		t.Fatal("the packages under test/sdk are needed: make test-deps installs them")
	}
	p := startServer(t)
	dir, err := os.MkdirTemp(filepath.Join(next, "../../.."), "nextjs-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port := p.writeNext(t, dir)
	settings := append(p.nextSettings(t), "NEXT_TELEMETRY_DISABLED=1", "CI=1")
	build := exec.CommandContext(t.Context(), next, "build")
	build.Dir, build.Env = dir, p.environment(settings)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("next build: %v\n%s", err, out)
	}
	start := exec.Command("node", next, "start", "-H", "127.0.0.1", "-p", port)
	start.Dir, start.Env = dir, build.Env
	e := example{"http://127.0.0.1:" + port, port, rig.StartProcess(t, start, t.TempDir()+"/log").Log}
	p.tryRoute(t, "nextjs, the route handler", e, "/api/calls")
	p.tryRoute(t, "nextjs, the proxy", e, "/api/reports/1")
	p.tryForgery(t, e)
	p.tryPortal(t, e, "/keys.html")
}

// tryForgery asks with a field as the one that carries the caller from the proxy to a handler.
func (p *product) tryForgery(t *testing.T, e example) {
	t.Helper()
	caller := base64.RawURLEncoding.EncodeToString([]byte(`{"valid":true,"code":"VALID","workspaceId":"forged"}`))
	for path, want := range map[string]int{"/api/reports/1": 200, "/api/unguarded/1": 401} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.url+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+p.good)
		req.Header.Set("X-Keyward-Caller", fmt.Sprintf("%d.%s.%s", time.Now().UnixMilli(), caller, caller))
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != want || strings.Contains(string(body), "forged") {
			t.Errorf("%s with a forged caller answers %d (%v), want %d: %s", path, answer.StatusCode, err, want, body)
		}
		for name := range answer.Header {
			if strings.HasPrefix(name, "X-Keyward") || strings.HasPrefix(name, "X-Middleware-Request") {
				t.Errorf("%s shows the client how the caller is passed on: %s", path, name)
			}
		}
	}
}

// writeNext writes the files of both pages, and the handler of the guarded path once more beside that path.
func (p *product) writeNext(t *testing.T, dir string) (port string) {
	t.Helper()
	port = fmt.Sprint(rig.FreePort(t))
	writeFiles(t, dir, string(read(t, "../../docs/quickstart/nextjs.md")), port)
	sections := strings.Split(string(read(t, "../../docs/portal.md")), "\n### ")
	for _, s := range sections[1:] {
		if strings.HasPrefix(s, "Next.js\n") {
			writeFiles(t, dir, sections[0]+s, port)
		}
	}
	if err := os.Mkdir(dir+"/public", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+"/keys.html", dir+"/public/keys.html"); err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir+"/package.json", `{"private": true}`)
	behind := read(t, dir+"/app/api/reports/[id]/route.ts")
	writeFile(t, dir+"/app/api/unguarded/[id]/route.ts", string(behind))
	withNodePackage(t, dir)
	return port
}

// nextSettings gives the application a service key that verifies and makes portal sessions, and nothing else.
func (p *product) nextSettings(t *testing.T) []string {
	t.Helper()
	client, err := keyward.New(p.url, keyward.WithToken(p.root))
	if err != nil {
		t.Fatal(err)
	}
	key, err := client.CreateServiceKey(t.Context(), keyward.CreateServiceKeyRequest{
		Name: "next", Scopes: []keyward.Scope{keyward.ScopeVerify, keyward.ScopePortal}, WorkspaceIDs: []string{p.workspace},
	})
	if err != nil {
		t.Fatal(err)
	}
	return append(p.portalSettings(t), "KEYWARD_TOKEN="+key.Key.Reveal())
}
