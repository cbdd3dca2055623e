package keyward

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// The kinds of a KeyRequest.
const (
	KeyRequestCreate = "create"
	KeyRequestRotate = "rotate"
)

// The values of KeyRequest.Status. Others may come.
const (
	KeyRequestPending   = "pending"
	KeyRequestConfirmed = "confirmed"
	KeyRequestDeclined  = "declined"
	KeyRequestExpired   = "expired"
)

// KeyRequest asks for a key, or for a new value of one, that a signed-in member confirms at URL. The value is shown to
// that member alone.
type KeyRequest struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"`
	Status string `json:"status"`
	// URL is the page on which the member confirms. It shows nothing to anybody else, and is no secret.
	URL         string `json:"url"`
	WorkspaceID string `json:"workspaceId"`
	// KeyID is the key to rotate, or the id that the key has once it is confirmed.
	KeyID string       `json:"keyId"`
	Asks  RequestedKey `json:"asks"`
	// OverlapSeconds is of a rotation; nil for a creation.
	OverlapSeconds *int `json:"overlapSeconds"`
	// RequestedBy is the user, or the id of the service key, that asked.
	RequestedBy string    `json:"requestedBy"`
	CreatedAt   time.Time `json:"createdAt"`
	// ExpiresAt is when the request ends, 15 minutes after it was made.
	ExpiresAt time.Time `json:"expiresAt"`
	// EndedAt is when it was confirmed or declined; nil before.
	EndedAt *time.Time `json:"endedAt"`
}

// RequestedKey is the key that a request is about: as it will be, or of a rotation as it is.
type RequestedKey struct {
	UserID      string      `json:"userId"`
	Name        string      `json:"name"`
	Environment Environment `json:"environment"`
	Permissions []string    `json:"permissions"`
	// ExpiresAt is the end of the key; nil for never.
	ExpiresAt   *time.Time     `json:"expiresAt"`
	RateLimit   RateLimit      `json:"rateLimit"`
	AllowedIPs  []string       `json:"allowedIps"`
	Description string         `json:"description"`
	Metadata    map[string]any `json:"metadata"`
}

type keyRequestAnswer struct {
	KeyRequest KeyRequest `json:"keyRequest"`
}

// RequestKey asks for a key that a signed-in member has yet to confirm, within 15 minutes. The rules are those of
// CreateKey; the IdempotencyKey of the request is not used. It is never retried.
func (c *Client) RequestKey(ctx context.Context, req CreateKeyRequest) (KeyRequest, error) {
	body, err := req.body()
	if err != nil {
		return KeyRequest{}, err
	}
	answer, err := invoke[keyRequestAnswer](ctx, c, post(body, "key-requests"))
	return answer.KeyRequest, err
}

// RequestRotation asks for a new value of a key. The old value works for overlap after the confirmation. It is never
// retried.
func (c *Client) RequestRotation(ctx context.Context, id string, overlap time.Duration) (KeyRequest, error) {
	body := struct {
		OverlapSeconds int64 `json:"overlapSeconds"`
	}{int64(overlap / time.Second)}
	answer, err := invoke[keyRequestAnswer](ctx, c, post(body, "api-keys", id, "key-requests"))
	return answer.KeyRequest, err
}

// ListKeyRequestsOptions picks requests; a service key names the workspace.
type ListKeyRequestsOptions struct {
	WorkspaceID string
	ListOptions
}

// KeyRequestPage is a page of requests.
type KeyRequestPage struct {
	KeyRequests []KeyRequest `json:"keyRequests"`
	Pagination  Pagination   `json:"pagination"`
}

// ListKeyRequests gives a page of the requests that wait to be confirmed, newest first: the caller's own, and with
// api-keys:manage-others all of the workspace.
func (c *Client) ListKeyRequests(ctx context.Context, f ListKeyRequestsOptions) (KeyRequestPage, error) {
	q := f.query().text("workspaceId", f.WorkspaceID)
	return invoke[KeyRequestPage](ctx, c, get(url.Values(q), "key-requests"))
}

// AllKeyRequests yields every request that waits from f.Cursor on, page after page, and ends with the first error.
func (c *Client) AllKeyRequests(ctx context.Context, f ListKeyRequestsOptions) iter.Seq2[KeyRequest, error] {
	return walkList(f.ListOptions, func(at ListOptions) ([]KeyRequest, Pagination, error) {
		f.ListOptions = at
		page, err := c.ListKeyRequests(ctx, f)
		return page.KeyRequests, page.Pagination, err
	})
}

// GetKeyRequest gives a request, for an hour after its end, too.
func (c *Client) GetKeyRequest(ctx context.Context, id string) (KeyRequest, error) {
	answer, err := invoke[keyRequestAnswer](ctx, c, get(nil, "key-requests", id))
	return answer.KeyRequest, err
}

// DeclineKeyRequest ends a request without a value: the caller that asked withdraws it, or a member who may
// write such a key refuses.
func (c *Client) DeclineKeyRequest(ctx context.Context, id string) (Deletion, error) {
	return invoke[Deletion](ctx, c, del("key-requests", id))
}
