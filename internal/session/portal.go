package session

import (
	"encoding/base64"
	"io"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/ratelimit"
)

// The lives of a portal session and of its parts.
const (
	// PortalLife is how long a portal session lasts unless its maker says otherwise.
	PortalLife = 15 * time.Minute
	// MinPortalLife and MaxPortalLife bound the life that its maker may choose.
	MinPortalLife = time.Minute
	MaxPortalLife = time.Hour
	// PortalSecretLife ends a client secret that is not exchanged.
	PortalSecretLife = 5 * time.Minute
	// PortalTokenLife ends a portal token.
	PortalTokenLife = 15 * time.Minute
	// MaxPortals bounds the portal sessions of one member: a further one ends the oldest.
	MaxPortals = 100
)

// Capability opens operations to a portal session.
type Capability string

// The capabilities.
const (
	KeysRead    Capability = "keys:read"
	KeysCreate  Capability = "keys:create"
	KeysUpdate  Capability = "keys:update"
	KeysRotate  Capability = "keys:rotate"
	KeysDisable Capability = "keys:disable" // and enable
	KeysDelete  Capability = "keys:delete"
	UsageRead   Capability = "usage:read" // with the latest refusals
	LogRead     Capability = "log:read"
)

// needs holds the permission of the member that each capability stands for.
var needs = map[Capability]string{
	KeysRead: account.APIKeysRead, KeysCreate: account.APIKeysWrite, KeysUpdate: account.APIKeysWrite,
	KeysRotate:  account.APIKeysWrite,
	KeysDisable: account.APIKeysWrite, KeysDelete: account.APIKeysDelete, UsageRead: account.APIKeysRead,
	LogRead: account.WorkspaceLogsRead,
}

// Capabilities lists all of them, in the order in which they are shown.
func Capabilities() []Capability {
	return []Capability{KeysRead, KeysCreate, KeysUpdate, KeysRotate, KeysDisable, KeysDelete, UsageRead, LogRead}
}

// Needs is the permission that the member must hold; "" for a word that is no capability.
func (c Capability) Needs() string { return needs[c] }

// Ceiling bounds the keys that may be made, or made to do more, through a portal session. It narrows the
// grants of the member and never widens them. The zero value bounds nothing.
type Ceiling struct {
	Permissions  []string // that may flow into a key; nil is all, and an empty list none
	MaxLifetime  time.Duration
	Limits       ratelimit.Limits
	Environments []keyfmt.Environment // nil is both
	MaxKeys      int64                // that the member has, whether they work or not
	RequireIPs   bool                 // a key must name its networks
}

// Portal is a portal session: a member acts through it in a page of the platform, bounded by capabilities and a
// ceiling. Times are UTC in whole milliseconds.
type Portal struct {
	ID           id.Portal
	Workspace    id.Workspace
	User         id.User
	Role         id.Role   // that the member had: another role ends the session
	Since        time.Time // when the membership began
	Maker        Maker
	Bounds       account.Bounds // of the maker
	Capabilities []Capability
	Ceiling      Ceiling
	Origins      []string // of the pages that may call
	FrameOnly    bool     // values are revealed to the server's own origin alone
	Locale       string
	Theme        string
	ReturnURL    string
	Label        string
	Secret       keyfmt.Digest
	Thumbprint   string // of the key that exchanged the secret; "" before
	CreatedAt    time.Time
	ExpiresAt    time.Time
	EndedAt      time.Time // zero while it goes on
}

// Maker is the caller that made a portal session. One of the first two is set, Session beside it where the caller was
// signed in.
type Maker struct {
	ServiceKey id.ServiceKey
	User       id.User
	Session    id.Session
}

// Ended tells whether the session was ended or is too old. One whose end is further away than a portal session lasts
// was made by a clock that was wrong.
func (p *Portal) Ended(now time.Time) bool {
	return !p.EndedAt.IsZero() || !now.Before(p.ExpiresAt) || p.ExpiresAt.Sub(now) > MaxPortalLife+leeway
}

// Exchangeable tells whether the client secret can be exchanged: once, while it is young.
func (p *Portal) Exchangeable(now time.Time) bool {
	return !p.Ended(now) && p.Thumbprint == "" && now.Before(p.CreatedAt.Add(PortalSecretLife))
}

// May tells whether the session has a capability.
func (p *Portal) May(c Capability) bool { return slices.Contains(p.Capabilities, c) }

// NewPortalSecret makes a client secret out of 256 bits of rand.
func NewPortalSecret(rand io.Reader) (keyfmt.Secret, error) { return mint(rand, portalHead) }

// IsPortalSecret tells whether a text has the form of a client secret.
func IsPortalSecret(s string) bool { return has(s, portalHead) }

// PortalToken is the token with a body of 32 bytes.
func PortalToken(body [32]byte) keyfmt.Secret {
	return keyfmt.NewSecret(portalTokenHead + base64.RawURLEncoding.EncodeToString(body[:]))
}

// PortalTokenBody reads the body of a token; ok is false for a text of another form.
func PortalTokenBody(token string) (body [32]byte, ok bool) {
	if !has(token, portalTokenHead) {
		return body, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token[len(portalTokenHead):])
	if err != nil || len(b) != len(body) {
		return body, false
	}
	return [32]byte(b), true
}
