package session

import (
	"io"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
)

const (
	// InvitationLife ends an invitation that nobody follows.
	InvitationLife = 7 * 24 * time.Hour
	// CeremonyLife ends an attempt to register a passkey or to sign in with one.
	CeremonyLife = 5 * time.Minute
	// MaxPasskeys bounds the passkeys of one member.
	MaxPasskeys = 10
)

// Passkey is a WebAuthn credential of a member. It signs in to the member's workspace and to no other one, although the
// same person may be a member elsewhere: a user id is the platform's, and the workspace alone vouches for the one who
// registered.
type Passkey struct {
	ID         id.Passkey
	Workspace  id.Workspace
	User       id.User
	Since      time.Time // when the membership began: a passkey ends with it, and not with the name of the member
	Name       string
	Credential []byte // its id, as the authenticator gave it
	PublicKey  []byte // COSE (RFC 9052)
	Handle     []byte // the user handle under which the authenticator keeps it
	Counter    uint32 // the highest signature counter that was seen; 0 for an authenticator that does not count
	Backup     bool   // may be copied to other devices (backup eligible)
	Bounds     account.Bounds
	CreatedAt  time.Time
	UsedAt     time.Time
}

// GoesBack tells whether a counter stands in contradiction to the history of the passkey: another device signs with a
// copy of its key. Authenticators that do not count say 0 each time (WebAuthn Level 3, section 7.2, step 22).
func (p *Passkey) GoesBack(counter uint32) bool {
	return (counter != 0 || p.Counter != 0) && counter <= p.Counter
}

// Invitation lets a member register a passkey, once and until ExpiresAt. The inviter is asked again when it is
// followed: an inviter who has left, or who may not invite this member any more, lets nobody in.
type Invitation struct {
	Digest    keyfmt.Digest
	Workspace id.Workspace
	User      id.User
	Since     time.Time // when the membership began
	Inviter   Inviter
	Bounds    account.Bounds // those under which the inviter called
	ExpiresAt time.Time
}

// Inviter is the caller who made an invitation. One of the three is set.
type Inviter struct {
	ServiceKey id.ServiceKey
	APIKey     id.Key
	User       id.User
}

// Expired tells whether the invitation is too old. One whose end is further away than an invitation lasts was made by a
// clock that was wrong.
func (i *Invitation) Expired(now time.Time) bool {
	return !now.Before(i.ExpiresAt) || i.ExpiresAt.Sub(now) > InvitationLife+leeway
}

// NewInvitation makes an invitation's code out of 256 bits of rand.
func NewInvitation(rand io.Reader) (keyfmt.Secret, error) { return mint(rand, inviteHead) }

// IsInvitation tells whether a text has the form of an invitation's code.
func IsInvitation(s string) bool { return has(s, inviteHead) }
