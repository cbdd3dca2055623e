package keyward

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"
)

// VerdictCode says why a key is good or is not.
type VerdictCode string

// The verdicts, in the order in which they are found.
const (
	VerdictMalformed               VerdictCode = "MALFORMED"
	VerdictNotFound                VerdictCode = "NOT_FOUND"
	VerdictDisabled                VerdictCode = "DISABLED"
	VerdictExpired                 VerdictCode = "EXPIRED"
	VerdictIPForbidden             VerdictCode = "IP_FORBIDDEN"
	VerdictInsufficientPermissions VerdictCode = "INSUFFICIENT_PERMISSIONS"
	VerdictRateLimited             VerdictCode = "RATE_LIMITED"
	VerdictQuotaExceeded           VerdictCode = "QUOTA_EXCEEDED"
	VerdictValid                   VerdictCode = "VALID"
	// VerdictUnavailable stands in a batch alone: nothing is known of this item now, and it has cost nothing.
	VerdictUnavailable VerdictCode = "UNAVAILABLE"
)

// refusalErrors has the error with which a request is refused, by the verdict on its key. Unknown, disabled and expired
// keys get the same one, so that a stranger learns nothing of them.
var refusalErrors = map[VerdictCode]Error{
	VerdictMalformed: badCredential,
	VerdictNotFound:  badCredential,
	VerdictDisabled:  badCredential,
	VerdictExpired:   badCredential,
	VerdictIPForbidden: {Status: 403, Code: CodePermissionDenied, Message: "this key may not be used from this address",
		Details: []Detail{{Field: "allowedIps", Message: "do not hold the address of the request"}}},
	VerdictInsufficientPermissions: {Status: 403, Code: CodePermissionDenied, Message: "the key lacks a permission"},
	VerdictRateLimited:             {Status: 429, Code: CodeRateLimited, Message: "the limit per minute is used up"},
	VerdictQuotaExceeded:           {Status: 429, Code: CodeRateLimited, Message: "the limit per day is used up"},
}

var badCredential = Error{Status: 401, Code: CodeUnauthenticated, Message: "the credential is not valid"}

// Refusal is the error with which a service refuses a request whose key got this verdict, as the server and the
// gateways word it: status, code, message and details. It is nil for VerdictValid. VerdictUnavailable, and a code of a
// later release, are 503.
func (c VerdictCode) Refusal() *Error {
	if c == VerdictValid {
		return nil
	}
	e, ok := refusalErrors[c]
	if !ok {
		e = Error{Status: 503, Code: CodeUnavailable, Message: "this cannot be answered now; ask again shortly",
			RetryAfter: time.Second}
	}
	e.Details = slices.Clone(e.Details)
	return &e
}

// Demand is the requirement on a key: all of All and, if Any is not nil, at least one of Any. The zero value demands
// nothing. An Any that is empty but not nil cannot be met; it is refused before it is sent, because it is a list that
// went wrong.
type Demand struct {
	All []string `json:"all,omitzero"`
	Any []string `json:"any,omitzero"`
}

// UnmarshalJSON reads either form in which the server writes a demand: a list of which all are wanted, or all and any.
func (d *Demand) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		*d = Demand{}
		return json.Unmarshal(data, &d.All)
	}
	type members Demand
	return json.Unmarshal(data, (*members)(d))
}

func (d Demand) check() error {
	if d.Any != nil && len(d.Any) == 0 {
		return errors.New("keyward: the demand wants one permission out of none")
	}
	return nil
}

// VerifyRequest asks whether a key is good. It hides the key when it is printed or logged by itself, in a slice or in
// an exported field; package fmt looks into unexported fields without asking, so do not print a struct that keeps one
// there.
type VerifyRequest struct {
	// Key is the presented value.
	Key         string `json:"key"`
	Permissions Demand `json:"permissions,omitzero"`
	// Cost is how much of the limits a valid answer takes, 0 to 1000; nil is 1.
	Cost *int `json:"cost,omitzero"`
	// IP is the address that the key was presented from. A key that is bound to addresses is refused without.
	IP string `json:"ip,omitzero"`
	// Environment is "live" or "test": a key of the other is VerdictNotFound. Demand "live" in production, where a test
	// key opens everything otherwise.
	Environment Environment `json:"environment,omitzero"`
	// WorkspaceIDs are the workspaces of which the key must be in one; any other key is VerdictNotFound. Nil demands
	// none. A list that is empty but not nil cannot be met; it is refused before it is sent, because it is a list that
	// went wrong.
	WorkspaceIDs []string `json:"workspaceId,omitzero"`
}

func (r VerifyRequest) check() error {
	if r.WorkspaceIDs != nil && len(r.WorkspaceIDs) == 0 {
		return errors.New("keyward: the request wants one workspace out of none")
	}
	return r.Permissions.check()
}

// Format prints the request without the key, by every verb.
func (r VerifyRequest) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "{Key:%s Permissions:%v IP:%s Environment:%s WorkspaceIDs:%v}",
		redacted, r.Permissions, r.IP, r.Environment, r.WorkspaceIDs)
}

// LogValue logs the request without the key.
func (r VerifyRequest) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("key", redacted), slog.Any("permissions", r.Permissions), slog.String("ip", r.IP),
		slog.String("environment", string(r.Environment)), slog.Any("workspace_ids", r.WorkspaceIDs))
}

// Verdict is the answer. Of a malformed or unknown key it says nothing but the code.
type Verdict struct {
	// Valid is true with the code VALID and with no other.
	Valid       bool        `json:"valid"`
	Code        VerdictCode `json:"code"`
	KeyID       string      `json:"keyId"`
	WorkspaceID string      `json:"workspaceId"`
	UserID      string      `json:"userId"`
	Name        string      `json:"name"`
	Environment Environment `json:"environment"`
	Permissions []string    `json:"permissions"`
	// ExpiresAt is nil for a key that never expires.
	ExpiresAt *time.Time `json:"expiresAt"`
	// PreviousKeyExpiresAt is the end of the overlap of a value that was rotated and is still in use: its owner has a
	// newer value. It is nil for the current value.
	PreviousKeyExpiresAt *time.Time     `json:"previousKeyExpiresAt"`
	Metadata             map[string]any `json:"metadata"`
	// MissingPermissions comes with INSUFFICIENT_PERMISSIONS: the missing ones of All, or the whole of Any.
	MissingPermissions []string `json:"missingPermissions"`
	// RateLimit is nil when the server does not say.
	RateLimit *VerdictLimits `json:"rateLimit"`
}

// ValueExpiresAt is when the presented value ends: at the end of its overlap or with the key, whichever is first. It is
// nil for a value that never ends.
func (v Verdict) ValueExpiresAt() *time.Time {
	ends, overlap := v.ExpiresAt, v.PreviousKeyExpiresAt
	if ends == nil || overlap != nil && overlap.Before(*ends) {
		return overlap
	}
	return ends
}

// VerdictLimits is the rest of a key's limits, and of those that all keys of its workspace share; nil if there is no
// limit.
type VerdictLimits struct {
	Minute          *Window `json:"minute"`
	Day             *Window `json:"day"`
	WorkspaceMinute *Window `json:"workspaceMinute"`
	WorkspaceDay    *Window `json:"workspaceDay"`
}

// Window is one limit and its rest until it resets.
type Window struct {
	Limit     int       `json:"limit"`
	Remaining int       `json:"remaining"`
	ResetAt   time.Time `json:"resetAt"`
}

// Verifier answers whether keys are good: a Client, which asks the server each time, or one of package verifier, which
// follows the server and answers within the process.
type Verifier interface {
	Verify(ctx context.Context, req VerifyRequest) (Verdict, error)
	VerifyBatch(ctx context.Context, items []VerifyRequest) ([]Verdict, error)
}

var _ Verifier = (*Client)(nil)

var errContradiction = errors.New("keyward: a verdict without a code, or one that contradicts it")

// sound refuses a verdict whose two words differ, because a reader of one of them must not be misled.
func (v Verdict) sound() error {
	if v.Code == "" || v.Valid != (v.Code == VerdictValid) {
		return errContradiction
	}
	return nil
}

// Verify asks whether a key is good, by a service key with the scope verify. A refused key is a Verdict, not an error;
// an error says that there is no answer, which must never be taken for a yes.
func (c *Client) Verify(ctx context.Context, req VerifyRequest) (Verdict, error) {
	req, err := c.question(req)
	if err != nil {
		return Verdict{}, err
	}
	k := post(req, "api-keys", "verify")
	k.repeatable = true
	k.demands = true
	verdict, err := invoke[Verdict](ctx, c, k)
	if err == nil {
		err = verdict.sound()
	}
	if err != nil {
		return Verdict{}, err
	}
	return verdict, nil
}

// VerifyBatch asks 1 to 1000 questions at once; the verdicts are in their order. Each stands alone: an item that cannot
// be judged now is VerdictUnavailable and has cost nothing, so it may be asked again without the others.
func (c *Client) VerifyBatch(ctx context.Context, items []VerifyRequest) ([]Verdict, error) {
	questions := make([]VerifyRequest, len(items))
	for i, item := range items {
		var err error
		if questions[i], err = c.question(item); err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	k := post(struct {
		Items []VerifyRequest `json:"items"`
	}{questions}, "api-keys", "verify-batch")
	k.repeatable = true
	k.demands = true
	answer, err := invoke[struct {
		Results []Verdict `json:"results"`
	}](ctx, c, k)
	if err != nil {
		return nil, err
	}
	if len(answer.Results) != len(items) {
		return nil, fmt.Errorf("keyward: %d verdicts for %d questions", len(answer.Results), len(items))
	}
	for i, verdict := range answer.Results {
		if err := verdict.sound(); err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	return answer.Results, nil
}

// Introspection is a verdict in the words of RFC 7662. Of a token that is not active it says nothing else.
type Introspection struct {
	Active bool
	// Scopes are the key's permissions.
	Scopes []string
	// ClientID is the key's id.
	ClientID string
	// Subject is the creator's user id.
	Subject string
	// ExpiresAt is zero for a key that never expires.
	ExpiresAt   time.Time
	IssuedAt    time.Time
	TokenType   string
	WorkspaceID string
	Environment Environment
}

// IntrospectOption demands more of a token than that it is active.
type IntrospectOption func(url.Values)

// FromEnvironment demands a key of the environment, "live" or "test".
func FromEnvironment(name string) IntrospectOption {
	return func(form url.Values) { form.Set("environment", name) }
}

// FromWorkspace demands a key of one of the workspaces. Without any it cannot be met, and the server refuses it.
func FromWorkspace(ids ...string) IntrospectOption {
	return func(form url.Values) {
		if form["workspaceId"] = ids; len(ids) == 0 {
			form["workspaceId"] = []string{""}
		}
	}
}

// PresentedFrom says from which address the token was presented. A key that is bound to addresses is not active without
// it.
func PresentedFrom(ip string) IntrospectOption {
	return func(form url.Values) { form.Set("ip", ip) }
}

// Introspect asks whether a token is active (RFC 7662), by a service key with the scope verify.
func (c *Client) Introspect(ctx context.Context, token string, opts ...IntrospectOption) (Introspection, error) {
	k := oauth("introspect", token)
	for _, opt := range opts {
		opt(k.form)
	}
	_, body, err := c.read(ctx, k)
	if err != nil {
		return Introspection{}, err
	}
	var answer struct {
		Active      *bool       `json:"active"`
		Scope       string      `json:"scope"`
		ClientID    string      `json:"client_id"`
		Subject     string      `json:"sub"`
		Expires     int64       `json:"exp"`
		Issued      int64       `json:"iat"`
		TokenType   string      `json:"token_type"`
		WorkspaceID string      `json:"workspace_id"`
		Environment Environment `json:"environment"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return Introspection{}, fmt.Errorf("keyward: decode answer: %w", err)
	}
	if answer.Active == nil {
		return Introspection{}, errors.New("keyward: the answer does not say whether the token is active")
	}
	return Introspection{
		Active: *answer.Active, Scopes: strings.Fields(answer.Scope), ClientID: answer.ClientID, Subject: answer.Subject,
		ExpiresAt: numericDate(answer.Expires), IssuedAt: numericDate(answer.Issued),
		TokenType: answer.TokenType, WorkspaceID: answer.WorkspaceID, Environment: answer.Environment,
	}, nil
}

// RevokeToken ends a key by its value (RFC 7009), for good: by a service key with the scope revoke, or by the key
// itself. An earlier value, within its overlap, ends alone. A token that is unknown is no error: it does not work,
// which was wanted. FromWorkspace and FromEnvironment leave a key of another one alone.
func (c *Client) RevokeToken(ctx context.Context, token string, opts ...IntrospectOption) error {
	k := oauth("revoke", token)
	for _, opt := range opts {
		opt(k.form)
	}
	resp, err := c.send(ctx, k)
	if err != nil {
		return err
	}
	// The standard says to look at the status alone; reading the few bytes lets the connection be used again.
	_, _ = io.CopyN(io.Discard, resp.Body, maxRefusal)
	return resp.Body.Close()
}

// oauth is a call in the standards' form. Both may be repeated: RFC 7009, section 2.2.1, says so for a 503.
func oauth(operation, token string) call {
	k := post(nil, "oauth2", operation)
	k.form = url.Values{"token": {token}}
	k.repeatable = true
	return k
}

func numericDate(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
