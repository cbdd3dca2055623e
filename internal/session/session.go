// Package session owns signed-in people: the session, the one-time link that starts one, the invitation and the passkey
// of a member, the portal session through which a member acts in a page of the platform, their tokens and their ends.
// It does not own storage (store), the permissions of a person (account, control), nor cookies and pages (signin).
package session

import (
	"encoding/base64"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
)

// How long things hold.
const (
	// IdleLife ends an unused session.
	IdleLife = 8 * time.Hour
	// Life ends a session that is used without a break; a switch of the workspace does not prolong it.
	Life = 7 * 24 * time.Hour
	// LinkLife ends a one-time link.
	LinkLife = 10 * time.Minute
	// SeenEvery is how exactly the last use of a session is kept.
	SeenEvery = 5 * time.Minute
)

// Method is the way of signing in.
type Method string

// The methods.
const (
	ByLink    Method = "link"
	ByOIDC    Method = "oidc"
	ByPasskey Method = "passkey" // reaches the passkey's workspace alone
)

// Session is one browser, or one program, in which a person is signed in. Times are UTC in whole milliseconds. It
// acts as a member (User in Workspace) or, if ServiceKey is set, as that service key; Workspace is then the one on
// display, "" for none.
type Session struct {
	ID         id.Session
	ServiceKey id.ServiceKey
	Workspace  id.Workspace
	User       id.User
	Method     Method
	Address    string // from where it was started
	UserAgent  string // with what it was started
	Digest     keyfmt.Digest
	Bounds     account.Bounds // of a member's session: those of the service key that made the link
	StartedAt  time.Time
	SeenAt     time.Time // within SeenEvery
	ExpiresAt  time.Time // whatever happens
}

// leeway is how far the times of two transactions may lie apart where their nodes' clocks do.
const leeway = time.Minute

// Ended tells whether the session is past one of its ends. An end that is further away than a session lasts was set by
// a clock that was wrong: that session has ended, too.
func (s *Session) Ended(now time.Time) bool {
	return !now.Before(s.ExpiresAt) || !now.Before(s.SeenAt.Add(IdleLife)) || s.ExpiresAt.Sub(now) > Life+leeway
}

// Stale tells whether its last use is to be noted again: it was long ago, or noted by a clock that was wrong.
func (s *Session) Stale(now time.Time) bool {
	return !now.Before(s.SeenAt.Add(SeenEvery)) || s.SeenAt.Sub(now) > SeenEvery
}

// Link is a one-time link: following it signs in as the member, or as the service key. It works once and until
// ExpiresAt.
type Link struct {
	Digest     keyfmt.Digest
	ServiceKey id.ServiceKey
	Workspace  id.Workspace
	User       id.User
	Bounds     account.Bounds // those of the service key that made it, for a member's session
	ExpiresAt  time.Time
}

// Expired tells whether the link is too old. One whose end is further away than a link lasts was made by a clock that
// was wrong.
func (l *Link) Expired(now time.Time) bool {
	return !now.Before(l.ExpiresAt) || l.ExpiresAt.Sub(now) > LinkLife+leeway
}

const (
	tokenHead  = "keyward_session_"
	linkHead   = "keyward_link_"
	inviteHead = "keyward_invite_"

	portalHead      = "keyward_portal_"
	portalTokenHead = "keyward_portaltoken_"

	bodySize = 43 // 256 bits in base64url, without padding
)

// Pattern is a regular expression (RE2) that finds tokens, links, invitations and client secrets in text, whole or
// cut short.
const Pattern = `(keyward_(?:session|link|invite|portal|portaltoken)_)[0-9A-Za-z_-]{9,}`

// Begin is how every match of Pattern begins.
const Begin = keyfmt.Reserved

var form = regexp.MustCompile(`^keyward_(session|link|invite|portal|portaltoken)_[0-9A-Za-z_-]{43}$`)

var within = regexp.MustCompile(`keyward_(session|link|invite|portal|portaltoken)_[0-9A-Za-z_-]{43}`)

// Leaks tells whether a text holds a whole, well-formed credential of ours: a key, a session's token, the code of a
// link or of an invitation, the secret or the token of a portal session. Such a text is neither kept nor repeated. A
// value that was made elsewhere cannot be told by its form.
func Leaks(text string) bool {
	if from, _ := keyfmt.Find(text); from >= 0 {
		return true
	}
	return strings.Contains(text, Begin) && within.MatchString(text)
}

// NewToken makes a session's token out of 256 bits of rand.
func NewToken(rand io.Reader) (keyfmt.Secret, error) { return mint(rand, tokenHead) }

// NewLink makes a link's code out of 256 bits of rand.
func NewLink(rand io.Reader) (keyfmt.Secret, error) { return mint(rand, linkHead) }

func mint(rand io.Reader, head string) (keyfmt.Secret, error) {
	var b [32]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return keyfmt.Secret{}, fmt.Errorf("read randomness: %w", err)
	}
	return keyfmt.NewSecret(head + base64.RawURLEncoding.EncodeToString(b[:])), nil
}

// has tells whether a text is a head and a body in base64url.
func has(s, head string) bool {
	return len(s) == len(head)+bodySize && s[:len(head)] == head && form.MatchString(s)
}

// IsToken tells whether a text has the form of a session's token.
func IsToken(s string) bool { return has(s, tokenHead) }

// IsLink tells whether a text has the form of a link's code.
func IsLink(s string) bool { return has(s, linkHead) }
