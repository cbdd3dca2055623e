// Package audit owns the event: who did what, as which credential, from where, and what changed. It does not own how
// events are kept (store) or asked for (control). An event never holds a secret.
package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/id"
)

// Type is noun.verbed.
type Type string

// The types of the contract.
const (
	WorkspaceCreated  Type = "workspace.created"
	WorkspaceUpdated  Type = "workspace.updated"
	WorkspaceDeleted  Type = "workspace.deleted"
	MemberAdded       Type = "member.added"
	MemberUpdated     Type = "member.updated"
	MemberRemoved     Type = "member.removed"
	RoleCreated       Type = "role.created"
	RoleUpdated       Type = "role.updated"
	RoleDeleted       Type = "role.deleted"
	APIKeyCreated     Type = "api_key.created"
	APIKeyUpdated     Type = "api_key.updated"
	APIKeyDeleted     Type = "api_key.deleted"
	APIKeyRotated     Type = "api_key.rotated"
	APIKeyRevoked     Type = "api_key.revoked"
	ServiceKeyCreated Type = "service_key.created"
	ServiceKeyUpdated Type = "service_key.updated" // it got a second digest
	ServiceKeyDeleted Type = "service_key.deleted"
	SessionStarted    Type = "session.started"
	SessionEnded      Type = "session.ended"
)

// SignInLinkCreated is a type of our own: who lets somebody in is worth a line.
const SignInLinkCreated Type = "sign_in_link.created"

// The types of passkeys, and of those who are let in to register one.
const (
	PasskeyAdded      Type = "passkey.added"
	PasskeyRemoved    Type = "passkey.removed"
	PasskeyRefused    Type = "passkey.refused" // its counter went back: somebody may have a copy of it
	MemberInvited     Type = "member.invited"
	MemberSignInReset Type = "member.sign_in_reset"
)

// MemberRestored says that the removal of a member was undone.
const MemberRestored Type = "member.restored"

// The types of portal sessions. PortalSessionStarted is a type of our own: the client secret was exchanged, and from
// then on a page acts as the member.
const (
	PortalSessionCreated Type = "portal_session.created"
	PortalSessionStarted Type = "portal_session.started"
	PortalSessionEnded   Type = "portal_session.ended"
)

// The types of requests for keys. A request that is confirmed is in the log as APIKeyCreated or APIKeyRotated.
const (
	APIKeyRequested Type = "api_key.requested"
	APIKeyDeclined  Type = "api_key.declined"
)

// The types of webhooks. WebhookDisabled says that Keyward switched one off, because notices could not be delivered.
const (
	WebhookCreated  Type = "webhook.created"
	WebhookUpdated  Type = "webhook.updated"
	WebhookDeleted  Type = "webhook.deleted"
	WebhookRotated  Type = "webhook.secret_rotated"
	WebhookTested   Type = "webhook.tested"
	WebhookReplayed Type = "webhook.replayed"
	WebhookDisabled Type = "webhook.disabled"
)

// TimeReset is a type of our own: a command set the time by which keys expire back to the clock.
const TimeReset Type = "time.reset"

// LogArchived says that a range of events is in an archive from then on, and no longer in the log.
const LogArchived Type = "log.archived"

// Event is one line of the log. Seq and Hash are given by the store.
type Event struct {
	Seq         int64
	ID          id.Event
	Workspace   id.Workspace // "" for the installation's own events
	Type        Type
	Description string
	ActorID     string
	ActorEmail  string // "" for none
	CreatedAt   time.Time
	Metadata    string // a JSON object, compact
	// the id of what changed, by which events are found; it stands in Metadata too, and is not read back
	Target string
	Hash   [32]byte
}

// Chain is the hash of an event after another: SHA-256 over the hash before it and every field, each with its length in
// front. Changing, dropping or inserting an event breaks every hash that follows.
func (e *Event) Chain(before [32]byte) [32]byte {
	h := sha256.New()
	h.Write(before[:])
	put := func(s string) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	var n [16]byte
	binary.BigEndian.PutUint64(n[:8], uint64(e.Seq))
	binary.BigEndian.PutUint64(n[8:], uint64(e.CreatedAt.UnixMilli()))
	h.Write(n[:])
	for _, s := range []string{string(e.ID), string(e.Workspace), string(e.Type), e.Description, e.ActorID, e.ActorEmail,
		e.Metadata} {
		put(s)
	}
	return [32]byte(h.Sum(nil))
}

// separators are U+2028 and U+2029, at which many readers end a line.
var (
	escapeSeparators   = strings.NewReplacer("\u2028", `\u2028`, "\u2029", `\u2029`)
	unescapeSeparators = strings.NewReplacer(`\u2028`, "\u2028", `\u2029`, "\u2029")
)

// LineOf gives metadata in the form that stands in one line of an export. The same object results.
func LineOf(metadata string) string { return escapeSeparators.Replace(metadata) }

// Follows tells whether an event that was read from an export is as it was written, after an event with this hash. An
// export escapes separators of lines, which the metadata of earlier releases has as they are.
func (e *Event) Follows(before [32]byte) bool {
	if e.Chain(before) == e.Hash {
		return true
	}
	was := *e
	was.Metadata = unescapeSeparators.Replace(e.Metadata)
	return was.Metadata != e.Metadata && was.Chain(before) == e.Hash
}
