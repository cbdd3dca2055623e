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
	Environment Environment    `json:"environment,omitzero"`
	ExpiresAt   *time.Time     `json:"expiresAt,omitzero"`
	RateLimit   Field[Limits]  `json:"rateLimit,omitzero"`
	Description string         `json:"description,omitzero"`
	Metadata    map[string]any `json:"metadata,omitzero"`
	AllowedIPs  []string       `json:"allowedIps,omitzero"`
	// IsActive nil is true.
	IsActive *bool `json:"isActive,omitzero"`
	// SHA256 is the digest, in hexadecimal, of the value that people already hold, which goes on working. It is the
	// short form of Digest.
	SHA256 string `json:"sha256,omitzero"`
	// Digest is the digest of that value as another system keeps it. Digests need a service key with manage.
	Digest *ImportDigest `json:"digest,omitzero"`
	// Generate makes a new value. One of SHA256, Digest and Generate must be set.
	Generate bool `json:"generate,omitzero"`
	// MaskedKey is how a key brought by its digest is shown: at most 8 characters, an ellipsis and 4 more.
	MaskedKey string `json:"maskedKey,omitzero"`
	// WorkspaceID may repeat the request's, and must then be the same.
	WorkspaceID string `json:"workspaceId,omitzero"`
	// Rehash puts our own digest in the place of a brought one soon after the value is first used.
	Rehash bool `json:"rehash,omitzero"`
}

// ImportDigest is the digest of a whole value.
type ImportDigest struct {
	// Algorithm is sha256, sha512 or hmac-sha256.
	Algorithm string `json:"algorithm"`
	Value     string `json:"value"`
	// Encoding is hex or base64; "" is hex.
	Encoding string `json:"encoding,omitzero"`
	// Secret is the name of the key of an hmac-sha256, as KEYWARD_IMPORT_SECRETS has it.
	Secret string `json:"secret,omitzero"`
}

// ImportKeysRequest brings 1 to 1000 keys into a workspace. A service key must name it.
type ImportKeysRequest struct {
	WorkspaceID string      `json:"workspaceId,omitzero"`
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
	Code    ErrorCode `json:"error"`
	Details []Detail  `json:"details"`
}

// ImportedKeys is the outcome of an import.
type ImportedKeys struct {
	Imported []ImportedKey `json:"imported"`
	Errors   []ImportError `json:"errors"`
}

// ImportKeys brings keys in, each by itself: look at Errors even when the error is nil. It is never retried.
func (c *Client) ImportKeys(ctx context.Context, req ImportKeysRequest) (ImportedKeys, error) {
	keys := make([]ImportKey, len(req.APIKeys))
	for i, key := range req.APIKeys {
		key.Permissions = present(key.Permissions)
		keys[i] = key
	}
	req.APIKeys = keys
	return invoke[ImportedKeys](ctx, c, post(req, "api-keys", "import"))
}
