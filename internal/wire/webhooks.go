package wire

import "github.com/keyward/keyward/internal/strictjson"

// CreateWebhook is the body of POST /webhooks.
type CreateWebhook struct {
	WorkspaceID Place                         `json:"workspaceId"`
	URL         string                        `json:"url"`
	Events      strictjson.Optional[[]string] `json:"events"`
	Description strictjson.Nullable[string]   `json:"description"`
}

// UpdateWebhook is the body of PATCH /webhooks/{id}.
type UpdateWebhook struct {
	URL         strictjson.Optional[string]   `json:"url"`
	Events      strictjson.Optional[[]string] `json:"events"`
	Description strictjson.Nullable[string]   `json:"description"`
	IsActive    strictjson.Optional[bool]     `json:"isActive"`
}

// RotateWebhookSecret is the body of POST /webhooks/{id}/rotate-secret.
type RotateWebhookSecret struct {
	OverlapSeconds strictjson.Optional[int64] `json:"overlapSeconds"`
}

// Webhook is a URL to which signed notices are sent. Its secrets are not shown.
type Webhook struct {
	ID                  string   `json:"id"`
	WorkspaceID         *string  `json:"workspaceId"` // null for the installation
	URL                 string   `json:"url"`
	Events              []string `json:"events"`
	Description         *string  `json:"description"`
	IsActive            bool     `json:"isActive"`
	DisabledReason      *string  `json:"disabledReason"`
	PreviousSecretUntil *Time    `json:"previousSecretUntil"`
	FailingSince        *Time    `json:"failingSince"`
	LastDeliveredAt     *Time    `json:"lastDeliveredAt"`
	CreatedBy           string   `json:"createdBy"`
	CreatedAt           Time     `json:"createdAt"`
	UpdatedAt           Time     `json:"updatedAt"`
}

// WebhookResult answers with one webhook.
type WebhookResult struct {
	Webhook Webhook `json:"webhook"`
}

// UpdatedWebhook answers a change with a Webhook, or with an UnseenWebhook.
type UpdatedWebhook struct {
	Webhook any `json:"webhook"`
}

// UnseenWebhook is a webhook for a caller who may not read it.
type UnseenWebhook struct {
	ID          string  `json:"id"`
	WorkspaceID *string `json:"workspaceId"`
	IsActive    bool    `json:"isActive"`
	UpdatedAt   Time    `json:"updatedAt"`
}

// RevealedWebhook answers a creation and a rotation: here alone the secret stands.
type RevealedWebhook struct {
	Webhook Webhook `json:"webhook"`
	Secret  string  `json:"secret"`
}

// WebhookList is a page of webhooks.
type WebhookList struct {
	Webhooks   []Webhook  `json:"webhooks"`
	Pagination Pagination `json:"pagination"`
}

// Delivery is a notice on its way to a webhook, or one that has ended.
type Delivery struct {
	ID             string  `json:"id"`
	WebhookID      string  `json:"webhookId"`
	EventID        string  `json:"eventId"` // the webhook-id
	EventType      string  `json:"eventType"`
	WorkspaceID    *string `json:"workspaceId"`
	Status         string  `json:"status"`
	Attempts       int64   `json:"attempts"`
	ResponseStatus *int64  `json:"responseStatus"`
	Error          *string `json:"error"`
	IsReplay       bool    `json:"isReplay"`
	CreatedAt      Time    `json:"createdAt"`
	LastAttemptAt  *Time   `json:"lastAttemptAt"`
	NextAttemptAt  *Time   `json:"nextAttemptAt"`
}

// DeliveryResult answers with one delivery.
type DeliveryResult struct {
	Delivery Delivery `json:"delivery"`
}

// DeliveryList is a page of deliveries.
type DeliveryList struct {
	Deliveries []Delivery `json:"deliveries"`
	Pagination Pagination `json:"pagination"`
}
