package sdk_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
)

// TestWebhookPrograms runs each program of docs/webhooks.md: it takes a notice of the server, once, and refuses one
// that is not signed.
func TestWebhookPrograms(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	text, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	client, err := keyward.New(server.url, keyward.WithToken(server.root))
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(text), "\n### ")
	for title, prepare := range map[string]func(t *testing.T, dir string) []string{
		"Node": withNodePackage, "Python": withPythonPackage, "Go": withGoModule,
	} {
		t.Run("T75 "+title, func(t *testing.T) {
			t.Parallel()
			for _, s := range sections[1:] {
				if strings.HasPrefix(s, title) {
					server.tryWebhook(t, client, title, s, prepare)
					return
				}
			}
			t.Error("docs/webhooks.md has no such section")
		})
	}
}

func (p *product) tryWebhook(
	t *testing.T, client *keyward.Client, title, text string, prepare func(*testing.T, string) []string,
) {
	t.Helper()
	hook, err := client.CreateWebhook(
		t.Context(), keyward.CreateWebhookRequest{WorkspaceID: p.workspace, URL: "https://hooks.invalid/"},
	)
	if err != nil {
		t.Fatal(err)
	}
	e := p.start(t, title, text, prepare, "WEBHOOK_SECRET="+hook.Secret.Reveal())
	rig.WaitFor(t, title, func() error {
		r, err := http.Post(e.url, "application/json", strings.NewReader("{}"))
		if err != nil {
			return fmt.Errorf("%w\n%s", err, e.log())
		}
		defer r.Body.Close()
		if r.StatusCode != http.StatusBadRequest {
			return fmt.Errorf("a notice without a signature is answered %d", r.StatusCode)
		}
		return nil
	})
	_, err = client.UpdateWebhook(t.Context(), hook.Webhook.ID, keyward.UpdateWebhookRequest{URL: keyward.Set(e.url)})
	if err != nil {
		t.Fatal(err)
	}
	test, err := client.TestWebhook(t.Context(), hook.Webhook.ID)
	if err != nil {
		t.Fatal(err)
	}
	delivered := func(id string) func() error {
		return func() error {
			page, err := client.ListWebhookDeliveries(t.Context(), hook.Webhook.ID, keyward.ListWebhookDeliveriesOptions{})
			for _, d := range page.Deliveries {
				if d.ID == id && d.Status == "delivered" {
					return nil
				}
			}
			return fmt.Errorf("%+v (%v)\n%s", page.Deliveries, err, e.log())
		}
	}
	rig.WaitFor(t, "the delivery", delivered(test.ID))
	again, err := client.ReplayWebhookDelivery(t.Context(), hook.Webhook.ID, test.ID)
	if err != nil {
		t.Fatal(err)
	}
	rig.WaitFor(t, "the replay", delivered(again.ID))
	time.Sleep(100 * time.Millisecond) // what a program writes comes a moment later
	if n := strings.Count(e.log(), "webhook.test"); n != 1 {
		t.Errorf("the program has taken the notice %d times:\n%s", n, e.log())
	}
}
