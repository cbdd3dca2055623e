package keyward

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"time"
)

// Environment is the environment of a key.
type Environment string

// The environments of a key.
const (
	EnvironmentLive Environment = "live"
	EnvironmentTest Environment = "test"
)

// APIKey is a key as the server shows it: never its value, which is in CreatedKey alone.
type APIKey struct {
	ID string `json:"id"`
	// Key is masked: kw_live_AbCd…wxyz.
	Key         string `json:"key"`
	WorkspaceID string `json:"workspaceId"`
	// UserID is the creator's, in the platform's own words.
	UserID    string    `json:"userId"`
	Name      string    `json:"name"`
	IsActive  bool      `json:"isActive"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
	// LastUsedAt is nil for a key that was never used.
	LastUsedAt *time.Time `json:"lastUsedAt"`
	// LastTriedAt is when it was last asked about, whatever the outcome; nil for never.
	LastTriedAt *time.Time `json:"lastTriedAt,omitzero"`
	// ExpiresAt is nil for a key that never expires.
	ExpiresAt *time.Time `json:"expiresAt"`
	RateLimit RateLimit  `json:"rateLimit"`
	// Permissions are frozen since creation, in the catalogue's order.
	Permissions []string    `json:"permissions"`
	Creator     Creator     `json:"creator"`
	Environment Environment `json:"environment"`
	// Description is empty when there is none.
	Description string         `json:"description"`
	Metadata    map[string]any `json:"metadata"`
	// AllowedIPs are CIDRs; none means from anywhere.
	AllowedIPs []string `json:"allowedIps"`
	// PreviousKeys are the values from before a rotation that still work.
	PreviousKeys []PreviousKey `json:"previousKeys"`
	// DisabledBy is the user, or the id of the service key, that disabled the key, and DisabledAt the time. Empty and
	// nil for a key that is not disabled, and if they are unknown, as for keys that were disabled before this was
	// recorded.
	DisabledBy string     `json:"disabledBy"`
	DisabledAt *time.Time `json:"disabledAt"`
	// WorkspaceName is the name of its workspace. Only SelfKey sets it.
	WorkspaceName string `json:"workspaceName,omitzero"`
}

// Creator is the member whose key it is.
type Creator struct {
	ID          string `json:"id"`
	Email       string `json:"email"`
	DisplayName string `json:"displayName"`
}

// PreviousKey is a value that a rotation replaced, masked, and the end of its overlap. LastUsedAt is its last use
// since then; nil if it was not used, except for the last seconds, because usage is written with a delay.
type PreviousKey struct {
	Key        string     `json:"key"`
	ExpiresAt  time.Time  `json:"expiresAt"`
	LastUsedAt *time.Time `json:"lastUsedAt"`
	// LastUsedFrom is the network of that use, /24 of IPv4 or /48 of IPv6; "" where no address was told.
	LastUsedFrom string `json:"lastUsedFrom"`
}

// RateLimit holds a key's limits per minute and per UTC day; nil is unlimited.
type RateLimit struct {
	RequestsPerMinute *int `json:"requestsPerMinute"`
	RequestsPerDay    *int `json:"requestsPerDay"`
}

// Limits is a wanted RateLimit: each member 1 to 1,000,000,000, null for unlimited, or absent for the default (at
// creation) or for no change (in an update).
type Limits struct {
	RequestsPerMinute Field[int] `json:"requestsPerMinute,omitzero"`
	RequestsPerDay    Field[int] `json:"requestsPerDay,omitzero"`
}

// Permissions names a wanted set of permissions; Permissions() is the empty set, of a key that only identifies.
func Permissions(names ...string) *[]string {
	return present(&names)
}

// present makes the nil slice an empty one, so that a set which was computed and came out empty is not taken for null.
func present(set *[]string) *[]string {
	if set != nil && *set == nil {
		return &[]string{}
	}
	return set
}

// CreateKeyRequest asks for a key.
type CreateKeyRequest struct {
	// WorkspaceID is for a service key, which has no workspace of its own.
	WorkspaceID string `json:"workspaceId,omitzero"`
	// UserID is the owner of the new key, its creator. Required; another user's needs api-keys:manage-others.
	UserID string `json:"userId"`
	// Name is the key's name for people. Required.
	Name string `json:"name"`
	// Permissions are the key's permissions, within those of creator and caller. nil asks for all of the creator's; a
	// pointer to an empty slice for none. See the function Permissions.
	Permissions *[]string `json:"permissions,omitzero"`
	// ExpiresAt lies in the future; nil takes the workspace's, or the calling key's, default.
	ExpiresAt *time.Time `json:"expiresAt,omitzero"`
	// NoExpiry asks for a key that never expires, also where the default is another. It is refused where an expiry is
	// required.
	NoExpiry bool `json:"-"`
	// RateLimit absent takes the default; null is unlimited.
	RateLimit Field[Limits] `json:"rateLimit,omitzero"`
	// Environment is live, the default, or test.
	Environment Environment    `json:"environment,omitzero"`
	Description string         `json:"description,omitzero"`
	Metadata    map[string]any `json:"metadata,omitzero"`
	// AllowedIPs are CIDRs from which the key works, at most 64.
	AllowedIPs []string `json:"allowedIps,omitzero"`

	// IdempotencyKey, 1 to 255 visible ASCII characters that the caller chose for this one creation, makes a repetition
	// within 24 hours answer the first one's key instead of making a second. The same token gets the same value again
	// for 10 minutes, unless the server says otherwise; everything else is a ReplayError. Where it is empty each call
	// makes one of its own, so that its retries make no second key.
	IdempotencyKey string `json:"-"`
}

// CreatedKey is a key and, this once, its value.
type CreatedKey struct {
	APIKey APIKey `json:"apiKey"`
	// Key is the whole value.
	Key Secret `json:"key"`
	// Revocation says since when the value before a rotation is refused; nil at creation.
	Revocation *Revocation `json:"revocation"`
}

// hide masks the second copy of the value, which the server puts into the object itself.
func (k CreatedKey) hide() CreatedKey {
	k.APIKey.Key = masked(k.APIKey.Key, k.Key)
	return k
}

// revealed is a key with its value, or a ReplayError where an earlier call has had it.
func revealed(ctx context.Context, c *Client, k call) (CreatedKey, error) {
	created, err := invoke[CreatedKey](ctx, c, k)
	if err != nil {
		return CreatedKey{}, err
	}
	if created = created.hide(); created.Key.IsZero() {
		return created, &ReplayError{APIKey: created.APIKey}
	}
	return created, nil
}

// once makes a call repeatable under an idempotency key; for "" it makes one.
func (k call) once(idempotencyKey string) call {
	if idempotencyKey == "" {
		idempotencyKey = rand.Text()
	}
	k.header = http.Header{"Idempotency-Key": {idempotencyKey}}
	k.repeatable, k.harmless = true, true
	return k
}

// CreateKey makes a key. 403 permission_escalation names the permissions that caller or creator do not hold. A
// ReplayError comes together with the key.
func (c *Client) CreateKey(ctx context.Context, req CreateKeyRequest) (CreatedKey, error) {
	body, err := req.body()
	if err != nil {
		return CreatedKey{}, err
	}
	return revealed(ctx, c, post(body, "api-keys").once(req.IdempotencyKey))
}

// body is the request as it is sent.
func (r CreateKeyRequest) body() (any, error) {
	r.Permissions = present(r.Permissions)
	switch {
	case !r.NoExpiry:
		return r, nil
	case r.ExpiresAt != nil:
		return nil, errors.New("keyward: the request has an expiry, and asks for none")
	}
	return struct {
		CreateKeyRequest
		ExpiresAt *time.Time `json:"expiresAt"`
	}{CreateKeyRequest: r}, nil
}

type keyAnswer struct {
	APIKey APIKey `json:"apiKey"`
}

// GetKey gives one key.
func (c *Client) GetKey(ctx context.Context, id string) (APIKey, error) {
	answer, err := invoke[keyAnswer](ctx, c, get(nil, "api-keys", id))
	return answer.APIKey, err
}

// SelfKey gives the API key that calls. It costs the key nothing of its limits.
func (c *Client) SelfKey(ctx context.Context) (APIKey, error) {
	answer, err := invoke[keyAnswer](ctx, c, get(nil, "api-keys", "self"))
	return answer.APIKey, err
}

// Permission is one entry of the server's catalogue.
type Permission struct {
	// Name is resource:action.
	Name        string `json:"name"`
	Resource    string `json:"resource"`
	Action      string `json:"action"`
	Description string `json:"description"`
}

// ListPermissions gives the whole catalogue, in its order.
func (c *Client) ListPermissions(ctx context.Context) ([]Permission, error) {
	answer, err := invoke[struct {
		Permissions []Permission `json:"permissions"`
	}](ctx, c, get(nil, "permissions"))
	return answer.Permissions, err
}

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
