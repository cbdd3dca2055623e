package acceptance_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
)

// doors counts the notices that come to each path.
type doors struct {
	*httptest.Server
	mu   sync.Mutex
	came map[string]int
}

func (d *doors) count(path string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.came[path]
}

// TestT33ARestoredServerSendsNothingToAWebhookThatWasStopped backs a server up, stops webhooks in each way, restores
// the backup with the journal, and makes a change: the webhook that was left alone is told of it, and no other one.
func TestT33ARestoredServerSendsNothingToAWebhookThatWasStopped(t *testing.T) {
	t.Parallel()
	settings := []string{"KEYWARD_LOG_LEVEL=error", "KEYWARD_WEBHOOK_ALLOW_NETWORKS=127.0.0.0/8"}
	d := &doors{came: map[string]int{}}
	d.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.came[r.URL.Path]++
	}))
	t.Cleanup(d.Close)
	p := start(t)
	p.stop(t)
	p = p.again(t, settings...)
	h := newHooked(t, p)
	hooks := map[string]string{}
	for _, path := range []string{"/stays", "/deleted", "/off", "/moved", "/rotated"} {
		hooks[path] = h.hook(d.URL+path, keyward.EventKeyCreated)
	}
	h.key()
	for path := range hooks {
		rig.WaitFor(t, "a notice to "+path, func() error { return d.wants(path, 1) })
	}
	kept := t.TempDir()
	backup, journal := filepath.Join(kept, "backup.db"), filepath.Join(kept, "log.ndjson")
	if _, err := p.keyward(t.Context(), "backup", backup); err != nil {
		t.Fatal(err)
	}
	h.stopHooks(hooks, d.URL+"/moved-to")
	h.export(journal)
	p.stop(t)

	out, err := p.keyward(t.Context(), "restore", backup, "--journal", journal, "--force", "--confirm")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/off", "/moved", "/rotated"} {
		if !strings.Contains(string(out), hooks[path]) {
			t.Errorf("the command does not name the webhook to %s: %s", path, out)
		}
	}
	p = p.again(t, settings...)
	h = &hooked{T: t, ws: h.ws, c: client(t, p)}
	h.key()
	rig.WaitFor(t, "the notice after the restore", func() error { return d.wants("/stays", 2) })
	time.Sleep(time.Second) // two more looks at the log
	for _, path := range []string{"/deleted", "/off", "/moved", "/rotated", "/moved-to"} {
		if n := d.count(path); n > 1 || path == "/moved-to" && n > 0 {
			t.Errorf("%d notices came to %s", n, path)
		}
	}
}

func (d *doors) wants(path string, n int) error {
	if got := d.count(path); got < n {
		return fmt.Errorf("%d notices came", got)
	}
	return nil
}

// hooked is a workspace with webhooks.
type hooked struct {
	*testing.T
	c  *keyward.Client
	ws string
}

func client(t *testing.T, p *process) *keyward.Client {
	t.Helper()
	c, err := keyward.New(p.url, keyward.WithToken(p.root))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newHooked(t *testing.T, p *process) *hooked {
	t.Helper()
	h := &hooked{T: t, c: client(t, p)}
	ws, err := h.c.CreateWorkspace(t.Context(), keyward.CreateWorkspaceRequest{
		Name: "W", Owner: &keyward.Owner{UserID: "ana", Email: "ana@acme.test"},
	})
	h.check(err)
	h.ws = ws.ID
	return h
}

func (h *hooked) check(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// hook makes a webhook that is told of some events.
func (h *hooked) hook(url string, events ...string) string {
	h.Helper()
	w, err := h.c.CreateWebhook(h.Context(), keyward.CreateWebhookRequest{
		WorkspaceID: h.ws, URL: url, Events: events,
	})
	h.check(err)
	return w.Webhook.ID
}

// key makes a key.
func (h *hooked) key() (name string) {
	h.Helper()
	made, err := h.c.CreateKey(h.Context(), keyward.CreateKeyRequest{Name: "k", UserID: "ana", WorkspaceID: h.ws})
	h.check(err)
	return made.APIKey.ID
}

// stopHooks stops each webhook but /stays, in its way.
func (h *hooked) stopHooks(hooks map[string]string, elsewhere string) {
	h.Helper()
	_, err := h.c.DeleteWebhook(h.Context(), hooks["/deleted"])
	h.check(err)
	_, err = h.c.UpdateWebhook(h.Context(), hooks["/off"], keyward.UpdateWebhookRequest{IsActive: keyward.Set(false)})
	h.check(err)
	_, err = h.c.UpdateWebhook(h.Context(), hooks["/moved"], keyward.UpdateWebhookRequest{URL: keyward.Set(elsewhere)})
	h.check(err)
	_, err = h.c.RotateWebhookSecret(h.Context(), hooks["/rotated"], time.Hour)
	h.check(err)
}

// export writes the log to a file.
func (h *hooked) export(path string) {
	h.Helper()
	stream, err := h.c.ExportLogs(h.Context(), keyward.ListLogsOptions{}, keyward.ExportNDJSON)
	h.check(err)
	defer stream.Close()
	text, err := io.ReadAll(stream)
	h.check(err)
	h.check(os.WriteFile(path, text, 0o600))
}
