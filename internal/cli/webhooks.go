package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/keyward/keyward"
)

type webhooksCmd struct {
	List       webhooksList       `cmd:"" help:"List webhooks."`
	Create     webhooksCreate     `cmd:"" help:"Create a webhook. Its secret is printed once, alone on standard output."`
	Update     webhooksUpdate     `cmd:"" help:"Change a webhook, or switch it off and on."`
	Delete     webhooksDelete     `cmd:"" help:"Delete a webhook."`
	Rotate     webhooksRotate     `cmd:"" help:"Give a webhook a new secret. It is printed once, alone on standard output."`
	Test       webhooksTest       `cmd:"" help:"Send a test notice."`
	Deliveries webhooksDeliveries `cmd:"" help:"List the deliveries of a webhook."`
	Replay     webhooksReplay     `cmd:"" help:"Send the notice of a delivery again."`
}

func (webhooksCmd) Help() string {
	return `A webhook is a URL to which signed notices are sent: keys that are created, changed, rotated, revoked or about to expire, plans that are
nearly used up, removed members, portal sessions. Without --workspace a service key works on the webhooks of the installation.

Examples:
  keyward webhooks create https://example.com/hooks/keyward -w WORKSPACE --event api_key.revoked
  keyward webhooks test ID
  keyward webhooks deliveries ID --status failed`
}

type webhooksList struct {
	remote
	listing
	Workspace string `short:"w" placeholder:"ID" help:"Those of this workspace."`
}

// Run lists webhooks.
func (c *webhooksList) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	return show(a, &c.remote, c.listing, client.AllWebhooks(ctx, keyward.ListWebhooksOptions{WorkspaceID: c.Workspace}),
		[]string{"ID", "URL", "ACTIVE", "EVENTS", "FAILING SINCE", "DELIVERED", "CREATED"}, func(w keyward.Webhook) []string {
			return []string{
				w.ID, w.URL, yesNo(w.IsActive), strings.Join(w.Events, " "), moment(w.FailingSince), moment(w.LastDeliveredAt),
				moment(&w.CreatedAt),
			}
		})
}

type webhooksCreate struct {
	remote
	Target      string   `api:"url" arg:"" help:"Where to send: https://…"`
	Workspace   string   `short:"w" placeholder:"ID" help:"For this workspace."`
	Event       []string `api:"events" sep:"," placeholder:"TYPE" help:"A type of notice, such as api_key.revoked; repeat it, or use commas. Without it all."`
	Description string   `placeholder:"TEXT" help:"What it is for."`
}

// Run creates a webhook.
func (c *webhooksCreate) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	made, err := client.CreateWebhook(ctx, keyward.CreateWebhookRequest{
		WorkspaceID: c.Workspace, URL: c.Target, Events: c.Event, Description: c.Description,
	})
	if err != nil {
		return err
	}
	return printSecret(a, &c.remote, made)
}

// printSecret prints a webhook, and its secret alone on the output.
func printSecret(a *app, r *remote, made keyward.RevealedWebhook) error {
	if r.JSON {
		return printJSON(a.Out, struct {
			Webhook keyward.Webhook `json:"webhook"`
			Secret  string          `json:"secret"`
		}{made.Webhook, made.Secret.Reveal()})
	}
	facts(a.Err, "id", made.Webhook.ID, "url", made.Webhook.URL, "events", strings.Join(made.Webhook.Events, " "))
	fmt.Fprintln(a.Err, "\nThe secret, shown this once:")
	_, err := fmt.Fprintln(a.Out, made.Secret.Reveal())
	return err
}

type webhooksUpdate struct {
	remote
	ID       string   `arg:"" help:"The webhook's id."`
	Target   string   `api:"url" placeholder:"URL" help:"Another URL to send to."`
	Event    []string `api:"events" sep:"," placeholder:"TYPE" help:"The types of notices."`
	Active   bool     `xor:"state" help:"Switch it on."`
	Inactive bool     `xor:"state" help:"Switch it off: nothing is sent, and what waits fails."`
}

// Run changes a webhook.
func (c *webhooksUpdate) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	var req keyward.UpdateWebhookRequest
	if c.Target != "" {
		req.URL = keyward.Set(c.Target)
	}
	if len(c.Event) > 0 {
		req.Events = keyward.Set(c.Event)
	}
	if c.Active || c.Inactive {
		req.IsActive = keyward.Set(c.Active)
	}
	w, err := client.UpdateWebhook(ctx, c.ID, req)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Out, w)
	}
	facts(a.Out, "id", w.ID, "url", w.URL, "active", yesNo(w.IsActive), "events", strings.Join(w.Events, " "))
	return nil
}

type webhooksDelete struct {
	remote
	ID string `arg:"" help:"The webhook's id."`
}

// Run deletes a webhook.
func (c *webhooksDelete) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	gone, err := client.DeleteWebhook(ctx, c.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Out, gone)
	}
	_, err = fmt.Fprintln(a.Out, "deleted")
	return err
}

type webhooksRotate struct {
	remote
	ID      string   `arg:"" help:"The webhook's id."`
	Overlap spanFlag `api:"overlapSeconds" default:"24h" placeholder:"SPAN" help:"For how long the former secret signs, too: up to 7d."`
}

// Run rotates the secret of a webhook.
func (c *webhooksRotate) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	made, err := client.RotateWebhookSecret(ctx, c.ID, c.Overlap.value())
	if err != nil {
		return err
	}
	return printSecret(a, &c.remote, made)
}

type webhooksTest struct {
	remote
	ID string `arg:"" help:"The webhook's id."`
}

// Run queues a test notice.
func (c *webhooksTest) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	d, err := client.TestWebhook(ctx, c.ID)
	if err != nil {
		return err
	}
	return printDelivery(a, &c.remote, d)
}

func printDelivery(a *app, r *remote, d keyward.WebhookDelivery) error {
	if r.JSON {
		return printJSON(a.Out, d)
	}
	facts(a.Out, "delivery", d.ID, "notice", d.EventID, "type", d.EventType, "status", d.Status)
	return nil
}

type webhooksDeliveries struct {
	remote
	listing
	ID     string `arg:"" help:"The webhook's id."`
	Status string `placeholder:"STATUS" help:"Only those: pending, delivered or failed."`
}

// Run lists deliveries.
func (c *webhooksDeliveries) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	all := client.AllWebhookDeliveries(ctx, c.ID, keyward.ListWebhookDeliveriesOptions{Status: c.Status})
	return show(a, &c.remote, c.listing, all,
		[]string{"ID", "TYPE", "STATUS", "ATTEMPTS", "ANSWER", "ERROR", "LAST",
			"NEXT"}, func(d keyward.WebhookDelivery) []string {
			answer := "-"
			if d.ResponseStatus != 0 {
				answer = strconv.Itoa(d.ResponseStatus)
			}
			return []string{
				d.ID, d.EventType, d.Status, strconv.Itoa(d.Attempts), answer, or(d.Error), moment(d.LastAttemptAt),
				moment(d.NextAttemptAt),
			}
		})
}

type webhooksReplay struct {
	remote
	ID       string `arg:"" help:"The webhook's id."`
	Delivery string `arg:"" help:"The delivery's id."`
}

// Run sends the notice of a delivery again.
func (c *webhooksReplay) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	d, err := client.ReplayWebhookDelivery(ctx, c.ID, c.Delivery)
	if err != nil {
		return err
	}
	return printDelivery(a, &c.remote, d)
}
