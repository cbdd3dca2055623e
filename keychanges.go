package keyward

import (
	"context"
	"net/url"
	"time"
)

// Revocation says since when, and where, a change that takes something from a key is true.
type Revocation struct {
	// Effective is "everywhere" or "pending".
	Effective string          `json:"effective"`
	Nodes     RevocationNodes `json:"nodes"`
	// Deadline is when the last node refuses, at the latest.
	Deadline time.Time `json:"deadline"`
}

// RevocationNodes counts the nodes that have applied a change and those that have not said so yet.
type RevocationNodes struct {
	Confirmed int `json:"confirmed"`
	Pending   int `json:"pending"`
}

// ChangeOption sets how a change that can take something from keys is answered.
type ChangeOption func(url.Values)

// WaitAll holds the answer back until every live node has applied the change, or refuses everything for want of news.
func WaitAll() ChangeOption { return func(q url.Values) { q.Set("wait", "all") } }

func (k call) with(opts []ChangeOption) call {
	if k.query == nil {
		k.query = url.Values{}
	}
	for _, opt := range opts {
		opt(k.query)
	}
	return k
}

// KeyUpdate changes one key. An absent field stays as it is. Permissions are frozen and have no field.
type KeyUpdate struct {
	ID       string        `json:"id"`
	Name     Field[string] `json:"name,omitzero"`
	IsActive Field[bool]   `json:"isActive,omitzero"`
	// ExpiresAt null makes the key last for ever.
	ExpiresAt Field[time.Time] `json:"expiresAt,omitzero"`
	// RateLimit null takes both limits away; a member that is absent stays.
	RateLimit   Field[Limits]         `json:"rateLimit,omitzero"`
	Description Field[string]         `json:"description,omitzero"`
	Metadata    Field[map[string]any] `json:"metadata,omitzero"`
	AllowedIPs  Field[[]string]       `json:"allowedIps,omitzero"`
}

// ItemError says why one item of a request with several was refused; the others stand alone.
type ItemError struct {
	ID string `json:"id"`
	// Code is one of the Code constants.
	Code    ErrorCode `json:"error"`
	Details []Detail  `json:"details"`
}

// UpdatedKeys is the outcome of a change of several keys.
type UpdatedKeys struct {
	Updated    []APIKey    `json:"updated"`
	Errors     []ItemError `json:"errors"`
	Revocation *Revocation `json:"revocation"`
}

// UpdateKeys changes 1 to 100 keys, each by itself: look at Errors even when the error is nil.
func (c *Client) UpdateKeys(ctx context.Context, updates []KeyUpdate, opts ...ChangeOption) (UpdatedKeys, error) {
	body := struct {
		APIKeys []KeyUpdate `json:"apiKeys"`
	}{list(updates)}
	return invoke[UpdatedKeys](ctx, c, put(body, "api-keys").with(opts))
}

// Deletion is the outcome of a deletion. Errors is empty unless several were to be deleted.
type Deletion struct {
	Deleted    []string    `json:"deleted"`
	Errors     []ItemError `json:"errors"`
	Revocation *Revocation `json:"revocation"`
}

// DeleteKeys deletes 1 to 100 keys, each by itself: look at Errors even when the error is nil.
func (c *Client) DeleteKeys(ctx context.Context, ids []string, opts ...ChangeOption) (Deletion, error) {
	k := del("api-keys").with(opts)
	k.body = struct {
		IDs []string `json:"ids"`
	}{list(ids)}
	return invoke[Deletion](ctx, c, k)
}

// DeleteKey deletes one key. A retry after an answer that was lost can find it gone: 404 not_found.
func (c *Client) DeleteKey(ctx context.Context, id string, opts ...ChangeOption) (Deletion, error) {
	return invoke[Deletion](ctx, c, del("api-keys", id).with(opts))
}

// RotateKey gives a key a new value; everything else of it stays. The value before works for overlap more, in whole
// seconds up to seven days; 0 ends it, and all earlier ones, now. A retry does not rotate twice.
func (c *Client) RotateKey(
	ctx context.Context, id string, overlap time.Duration, opts ...ChangeOption,
) (CreatedKey, error) {
	return c.RotateKeyOnce(ctx, id, overlap, "", opts...)
}

// RotateKeyOnce is RotateKey under an idempotency key of the caller's, as CreateKeyRequest has one. A key that rotates
// itself needs an overlap, of 60 seconds at least: otherwise the first call ends the token with which a retry is made.
func (c *Client) RotateKeyOnce(
	ctx context.Context, id string, overlap time.Duration, idempotencyKey string, opts ...ChangeOption,
) (CreatedKey, error) {
	body := struct {
		OverlapSeconds int64 `json:"overlapSeconds"`
	}{int64(overlap / time.Second)}
	return revealed(ctx, c, post(body, "api-keys", id, "rotate").once(idempotencyKey).with(opts))
}

// RotateSelf gives the API key with which the client calls a new value, by its current one. It needs no permission. The
// overlap is 60 seconds at least; the client goes on with the value before.
func (c *Client) RotateSelf(
	ctx context.Context, overlap time.Duration, idempotencyKey string, opts ...ChangeOption,
) (CreatedKey, error) {
	return c.RotateKeyOnce(ctx, "self", max(overlap, time.Minute), idempotencyKey, opts...)
}

// list makes the nil slice an empty list, which the server refuses by name rather than as null.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
