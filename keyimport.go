package keyward

import (
	"context"
	"time"
)

// ImportKey is one key that another system brings along.
type ImportKey struct {
	UserID string `json:"userId"`
	Name   string `json:"name"`
	// Permissions are as in CreateKeyRequest: nil is all that the creator holds.
	Permissions *[]string      `json:"permissions,omitzero"`
	Environment string         `json:"environment,omitzero"`
	ExpiresAt   *time.Time     `json:"expiresAt,omitzero"`
	RateLimit   Field[Limits]  `json:"rateLimit,omitzero"`
	Description string         `json:"description,omitzero"`
	Metadata    map[string]any `json:"metadata,omitzero"`
	AllowedIPs  []string       `json:"allowedIps,omitzero"`
	// IsActive nil is true.
	IsActive *bool `json:"isActive,omitzero"`
	// SHA256 is the digest, in hexadecimal, of the value that people already hold, which goes on working. Without it the
	// server mints a value.
	SHA256 string `json:"sha256,omitzero"`
	// MaskedKey is how a key brought by its digest is shown.
	MaskedKey string `json:"maskedKey,omitzero"`
}

// ImportKeysRequest brings 1 to 1000 keys into a workspace.
type ImportKeysRequest struct {
	WorkspaceID string      `json:"workspaceId"`
	APIKeys     []ImportKey `json:"apiKeys"`
}

// ImportedKey is one key that came in, by its index in the request.
type ImportedKey struct {
	Index int    `json:"index"`
	ID    string `json:"id"`
	// Key is the value, this once, of a key that was minted; zero for one that was brought by its digest.
	Key Secret `json:"key"`
}

// ImportError says why the key at an index did not come in.
type ImportError struct {
	Index int `json:"index"`
	// Code is one of the Code constants.
	Code    string   `json:"error"`
	Details []Detail `json:"details"`
}

// ImportedKeys is the outcome of an import.
type ImportedKeys struct {
	Imported []ImportedKey `json:"imported"`
	Errors   []ImportError `json:"errors"`
}

// ImportKeys brings keys in, by a service key, each by itself: look at Errors even when the error is nil. It is never retried.
func (c *Client) ImportKeys(ctx context.Context, req ImportKeysRequest) (ImportedKeys, error) {
	keys := make([]ImportKey, len(req.APIKeys))
	for i, key := range req.APIKeys {
		key.Permissions = present(key.Permissions)
		keys[i] = key
	}
	req.APIKeys = keys
	return invoke[ImportedKeys](ctx, c, post(req, "api-keys", "import"))
}
