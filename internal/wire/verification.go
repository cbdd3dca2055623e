package wire

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyward/keyward/internal/strictjson"
)

// Verify is the question of POST /api-keys/verify, and one item of a batch.
type Verify struct {
	Key         strictjson.Optional[string] `json:"key"`
	Permissions Demand                      `json:"permissions"`
	Cost        strictjson.Optional[int64]  `json:"cost"`
	IP          strictjson.Optional[string] `json:"ip"`
	Environment strictjson.Optional[string] `json:"environment"`
	WorkspaceID OneOf                       `json:"workspaceId"`
}

// OneOf is a name, or a list of them of which any will do.
type OneOf struct {
	Set   bool // given at all
	List  bool // given as a list
	Names []ID
}

// UnmarshalJSONFrom reads either form.
func (o *OneOf) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	o.Set = true
	switch d.PeekKind() {
	case '[':
		o.List = true
		return json.UnmarshalDecode(d, &o.Names)
	case '"':
		o.Names = make([]ID, 1)
		return json.UnmarshalDecode(d, &o.Names[0])
	}
	return strictjson.Mismatch("must be a string, or a list of strings")
}

// Demand is the requirement of a verification. A plain list stands for All.
type Demand struct {
	List bool     // it was given as a list
	All  []string // empty demands nothing
	Any  []string // nil where it was left out; given and empty it cannot be met
}

type demandMembers struct {
	All strictjson.Optional[[]string] `json:"all"`
	Any strictjson.Optional[[]string] `json:"any"`
}

// UnmarshalJSONFrom reads either form.
func (q *Demand) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	switch d.PeekKind() {
	case '[':
		q.List = true
		return json.UnmarshalDecode(d, &q.All)
	case '{':
		var m demandMembers
		if err := json.UnmarshalDecode(d, &m); err != nil {
			return err
		}
		q.All, q.Any = m.All.Value, m.Any.Value
		return nil
	}
	return strictjson.Mismatch(`must be a list of permissions, or an object with "all" and "any"`)
}

// VerifyBatch is the body of POST /api-keys/verify-batch.
type VerifyBatch struct {
	Items []Verify `json:"items"`
}

// Verdict says whether a key is good. For one that is malformed or unknown it says nothing else.
type Verdict struct {
	Valid       bool     `json:"valid"`
	Code        string   `json:"code"`
	KeyID       string   `json:"keyId,omitzero"`
	WorkspaceID string   `json:"workspaceId,omitzero"`
	UserID      string   `json:"userId,omitzero"`
	Name        string   `json:"name,omitzero"`
	Environment string   `json:"environment,omitzero"`
	Permissions []string `json:"permissions,omitzero"`
	ExpiresAt   *Time    `json:"expiresAt,omitzero"`
	// PreviousKeyExpiresAt is when an earlier value ends that was presented in its overlap; nil for the current one.
	PreviousKeyExpiresAt *Time    `json:"previousKeyExpiresAt,omitzero"`
	Metadata             *Object  `json:"metadata,omitzero"`
	MissingPermissions   []string `json:"missingPermissions,omitzero"`
	RateLimit            *Limits  `json:"rateLimit,omitzero"`
}

// Limits says how the limits of a key, and those that it shares with all keys of its workspace, stand after a
// verification that reached them. A limit that there is not is left out.
type Limits struct {
	Minute          *Window `json:"minute,omitzero"`
	Day             *Window `json:"day,omitzero"`
	WorkspaceMinute *Window `json:"workspaceMinute,omitzero"`
	WorkspaceDay    *Window `json:"workspaceDay,omitzero"`
}

// KeyLimits says what is left of the limits of a key, and of those that it shares with all keys of its workspace.
type KeyLimits struct {
	Limits Limits `json:"limits"`
	// RetryAt is when the next request can be admitted, where none can now.
	RetryAt  *Time  `json:"retryAt"`
	Counting string `json:"counting"` // exact, leased or local
}

// Window is one limit.
type Window struct {
	Limit     int64 `json:"limit"`
	Remaining int64 `json:"remaining"`
	ResetAt   Time  `json:"resetAt"`
}

// Verdicts answers a batch, in the order of the questions.
type Verdicts struct {
	Results []Verdict `json:"results"`
}

// Introspection is the answer of RFC 7662, section 2.2. Exp and Iat are seconds since 1970.
type Introspection struct {
	Active      bool    `json:"active"`
	Scope       *string `json:"scope,omitzero"` // names with a space between them
	ClientID    string  `json:"client_id,omitzero"`
	Subject     string  `json:"sub,omitzero"`
	ExpiresAt   int64   `json:"exp,omitzero"`
	IssuedAt    int64   `json:"iat,omitzero"`
	TokenType   string  `json:"token_type,omitzero"`
	WorkspaceID string  `json:"workspace_id,omitzero"`
	Environment string  `json:"environment,omitzero"`
}

// OAuthError is the refusal of RFC 6749, section 5.2.
type OAuthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}
