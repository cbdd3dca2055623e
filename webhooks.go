package keyward

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// The types of notices that a webhook can choose.
const (
	EventKeyCreated           = "api_key.created"
	EventKeyUpdated           = "api_key.updated"
	EventKeyRotated           = "api_key.rotated"
	EventKeyRevoked           = "api_key.revoked" // also deleted: data.reason says which
	EventKeyExpiring          = "api_key.expiring"
	EventKeyExpired           = "api_key.expired"
	EventPlanNearLimit        = "plan.near_limit"
	EventMemberRemoved        = "member.removed"
	EventPortalSessionCreated = "portal_session.created"
)

// Webhook is a URL to which signed notices are sent.
type Webhook struct {
	ID string `json:"id"`
	// WorkspaceID is "" for a webhook of the whole installation.
	WorkspaceID string   `json:"workspaceId"`
	URL         string   `json:"url"`
	Events      []string `json:"events"`
	Description string   `json:"description"`
	IsActive    bool     `json:"isActive"`
	// DisabledReason is why Keyward switched it off: "failing" or "gone".
	DisabledReason string `json:"disabledReason"`
	// PreviousSecretUntil is until when the former secret signs, too.
	PreviousSecretUntil *time.Time `json:"previousSecretUntil"`
	// FailingSince is since when a notice is tried again.
	FailingSince    *time.Time `json:"failingSince"`
	LastDeliveredAt *time.Time `json:"lastDeliveredAt"`
	// CreatedBy is the user, or the id of the service key.
	CreatedBy string    `json:"createdBy"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// RevealedWebhook is a webhook and, this once, its secret.
type RevealedWebhook struct {
	Webhook Webhook `json:"webhook"`
	// Secret is the first argument of VerifyWebhook.
	Secret Secret `json:"secret"`
}

// CreateWebhookRequest asks for a webhook.
type CreateWebhookRequest struct {
	// WorkspaceID is "" for the caller's own, and for a service key for the installation.
	WorkspaceID string `json:"workspaceId,omitzero"`
	URL         string `json:"url"`
	// Events are the types of notices; none is all.
	Events      []string `json:"events,omitempty"`
	Description string   `json:"description,omitzero"`
}

// UpdateWebhookRequest changes the given fields.
type UpdateWebhookRequest struct {
	URL         Field[string]   `json:"url,omitzero"`
	Events      Field[[]string] `json:"events,omitzero"`
	Description Field[string]   `json:"description,omitzero"`
	IsActive    Field[bool]     `json:"isActive,omitzero"`
}

// WebhookDelivery is a notice on its way to a webhook, or one that has ended.
type WebhookDelivery struct {
	ID        string `json:"id"`
	WebhookID string `json:"webhookId"`
	// EventID is the webhook-id: the same at each attempt and each replay.
	EventID     string `json:"eventId"`
	EventType   string `json:"eventType"`
	WorkspaceID string `json:"workspaceId"`
	// Status is "pending", "delivered" or "failed".
	Status   string `json:"status"`
	Attempts int    `json:"attempts"`
	// ResponseStatus is that of the last answer, 0 where there was none.
	ResponseStatus int `json:"responseStatus"`
	// Error is why the last attempt failed, in a word.
	Error         string     `json:"error"`
	IsReplay      bool       `json:"isReplay"`
	CreatedAt     time.Time  `json:"createdAt"`
	LastAttemptAt *time.Time `json:"lastAttemptAt"`
	NextAttemptAt *time.Time `json:"nextAttemptAt"`
}

// WebhookPage is a page of webhooks.
type WebhookPage struct {
	Webhooks   []Webhook  `json:"webhooks"`
	Pagination Pagination `json:"pagination"`
}

// WebhookDeliveryPage is a page of deliveries.
type WebhookDeliveryPage struct {
	Deliveries []WebhookDelivery `json:"deliveries"`
	Pagination Pagination        `json:"pagination"`
}

// ListWebhooksOptions picks webhooks: of a workspace, or with "" of the caller's own, and for a service key of the
// installation.
type ListWebhooksOptions struct {
	WorkspaceID string
	ListOptions
}

// ListWebhookDeliveriesOptions picks deliveries of one status; "" picks all.
type ListWebhookDeliveriesOptions struct {
	Status string
	ListOptions
}

type webhookAnswer struct {
	Webhook Webhook `json:"webhook"`
}

type deliveryAnswer struct {
	Delivery WebhookDelivery `json:"delivery"`
}

// CreateWebhook makes a webhook. Its secret is in this answer alone. It is never retried.
func (c *Client) CreateWebhook(ctx context.Context, req CreateWebhookRequest) (RevealedWebhook, error) {
	return invoke[RevealedWebhook](ctx, c, post(req, "webhooks"))
}

// ListWebhooks gives a page of webhooks, newest first.
func (c *Client) ListWebhooks(ctx context.Context, f ListWebhooksOptions) (WebhookPage, error) {
	return invoke[WebhookPage](ctx, c, get(url.Values(f.query().text("workspaceId", f.WorkspaceID)), "webhooks"))
}

// AllWebhooks yields every webhook from f.Cursor on, page after page, and ends with the first error.
func (c *Client) AllWebhooks(ctx context.Context, f ListWebhooksOptions) iter.Seq2[Webhook, error] {
	return walkList(f.ListOptions, func(at ListOptions) ([]Webhook, Pagination, error) {
		f.ListOptions = at
		page, err := c.ListWebhooks(ctx, f)
		return page.Webhooks, page.Pagination, err
	})
}

// GetWebhook gives a webhook, without its secret.
func (c *Client) GetWebhook(ctx context.Context, id string) (Webhook, error) {
	answer, err := invoke[webhookAnswer](ctx, c, get(nil, "webhooks", id))
	return answer.Webhook, err
}

// UpdateWebhook changes a webhook. One that is switched on again is told of what happens from then on.
func (c *Client) UpdateWebhook(ctx context.Context, id string, req UpdateWebhookRequest) (Webhook, error) {
	answer, err := invoke[webhookAnswer](ctx, c, patch(req, "webhooks", id))
	return answer.Webhook, err
}

// DeleteWebhook takes a webhook away, with its waiting deliveries.
func (c *Client) DeleteWebhook(ctx context.Context, id string) (Deletion, error) {
	return invoke[Deletion](ctx, c, del("webhooks", id))
}

// RotateWebhookSecret gives a webhook a new secret, which is in this answer alone. The former one signs, too, for the
// overlap. It is never retried.
func (c *Client) RotateWebhookSecret(ctx context.Context, id string, overlap time.Duration) (RevealedWebhook, error) {
	body := struct {
		OverlapSeconds int64 `json:"overlapSeconds"`
	}{int64(overlap / time.Second)}
	return invoke[RevealedWebhook](ctx, c, post(body, "webhooks", id, "rotate-secret"))
}

// TestWebhook queues a notice of the type webhook.test. It is never retried.
func (c *Client) TestWebhook(ctx context.Context, id string) (WebhookDelivery, error) {
	answer, err := invoke[deliveryAnswer](ctx, c, post(nil, "webhooks", id, "test"))
	return answer.Delivery, err
}

// ListWebhookDeliveries gives a page of the deliveries of a webhook, newest first.
func (c *Client) ListWebhookDeliveries(
	ctx context.Context, id string, f ListWebhookDeliveriesOptions,
) (WebhookDeliveryPage, error) {
	return invoke[WebhookDeliveryPage](
		ctx, c, get(url.Values(f.query().text("status", f.Status)), "webhooks", id, "deliveries"),
	)
}

// AllWebhookDeliveries yields every delivery from f.Cursor on, page after page, and ends with the first error.
func (c *Client) AllWebhookDeliveries(
	ctx context.Context, id string, f ListWebhookDeliveriesOptions,
) iter.Seq2[WebhookDelivery, error] {
	return walkList(f.ListOptions, func(at ListOptions) ([]WebhookDelivery, Pagination, error) {
		f.ListOptions = at
		page, err := c.ListWebhookDeliveries(ctx, id, f)
		return page.Deliveries, page.Pagination, err
	})
}

// ReplayWebhookDelivery queues the notice of a delivery that has ended once more, with the same id and body. It is
// never retried.
func (c *Client) ReplayWebhookDelivery(ctx context.Context, webhookID, deliveryID string) (WebhookDelivery, error) {
	answer, err := invoke[deliveryAnswer](ctx, c, post(nil, "webhooks", webhookID, "deliveries", deliveryID, "replay"))
	return answer.Delivery, err
}
