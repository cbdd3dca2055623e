// Package account owns workspaces, members, roles and service keys, the caller's identity, and the grant rule: a
// caller passes on only permissions that they hold. It does not own storage (store) nor the operations (control).
package account

import (
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
)

// PermissionMode decides how a key's frozen set works after its creator's role has changed.
type PermissionMode string

// The modes: Frozen keeps the set as it was granted, Capped intersects it with the creator's current permissions.
const (
	Frozen PermissionMode = "frozen"
	Capped PermissionMode = "capped"
)

// Settings are a workspace's rules for new keys.
type Settings struct {
	PermissionMode   PermissionMode
	DefaultRateLimit ratelimit.Limits
	MaxKeyLifetime   time.Duration // 0: no longest lifetime
	RequireExpiry    bool
	NoSelfRotation   bool // no key rotates itself without the right to write keys
}

// The words for whether a key may rotate itself without the right to write keys.
const (
	SelfRotationAllowed   = "allowed"
	SelfRotationForbidden = "forbidden"
)

// SelfRotation is the word for NoSelfRotation.
func (s *Settings) SelfRotation() string {
	if s.NoSelfRotation {
		return SelfRotationForbidden
	}
	return SelfRotationAllowed
}

// SetSelfRotation takes the word, and tells whether it is one of the two.
func (s *Settings) SetSelfRotation(word string) bool {
	if word != SelfRotationAllowed && word != SelfRotationForbidden {
		return false
	}
	s.NoSelfRotation = word == SelfRotationForbidden
	return true
}

// Workspace is a tenant. Times are UTC in whole milliseconds.
type Workspace struct {
	ID        id.Workspace
	Name      string
	IsActive  bool
	Off       SwitchedOff // where it is not active
	OwnerID   id.User
	Settings  Settings
	Plan      Plan
	CreatedAt time.Time
	UpdatedAt time.Time
}

// SwitchedOff records the caller that switched a workspace off. By is "" if the caller is unknown, as for a workspace
// that was off before this was recorded.
type SwitchedOff struct {
	By       string // a user, or a service key: the actor of the event
	At       time.Time
	Operator bool // a service key, so that only one with the scope manage switches it on
}

// Strong reports whether only a service key may switch the workspace on again. An unknown caller counts as strong.
func (o SwitchedOff) Strong() bool { return o.Operator || o.By == "" }

// SwitchOff stops the workspace's keys. An operator's mark replaces the mark of a person.
func (w *Workspace) SwitchOff(o SwitchedOff) {
	known := w.Off.By != ""
	if !w.IsActive && (!o.Operator || known && w.Off.Operator) {
		return
	}
	w.IsActive, w.Off = false, o
}

// SwitchOn lets them work again.
func (w *Workspace) SwitchOn() { w.IsActive, w.Off = true, SwitchedOff{} }

// Member is a user's place in a workspace.
type Member struct {
	Workspace   id.Workspace
	User        id.User
	Email       string
	DisplayName string // "" for none
	Role        id.Role
	KeyCount    int64 // kept by the store
	Period      int64 // counts the user's memberships in the workspace; the store's own
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// SystemRole names a role that every workspace has and that cannot be changed; "" for a workspace's own roles.
type SystemRole string

// The system roles.
const (
	Owner      SystemRole = "Owner"
	Admin      SystemRole = "Admin"
	MemberRole SystemRole = "Member"
	Viewer     SystemRole = "Viewer"
	NotASystem SystemRole = ""
)

// SystemRoles lists them from the most powerful.
func SystemRoles() []SystemRole { return []SystemRole{Owner, Admin, MemberRole, Viewer} }

// Permissions returns the system role's set in a catalogue.
func (s SystemRole) Permissions(c *perm.Catalogue) perm.Set {
	switch s {
	case Owner:
		return c.All()
	case Admin:
		return c.All().Without(c.Known([]string{WorkspaceDelete, BillingManage}))
	case MemberRole:
		return c.Reads().Or(c.Known([]string{APIKeysWrite, APIKeysDelete}))
	case Viewer:
		return c.Reads()
	}
	return perm.Set{}
}

// Describe returns one sentence about the purpose of the system role.
func (s SystemRole) Describe() string {
	switch s {
	case Owner:
		return "Everything, and the only one who can change an owner."
	case Admin:
		return "Everything but deleting the workspace and managing billing."
	case MemberRole:
		return "Sees everything; makes and deletes keys of their own."
	case Viewer:
		return "Sees everything, changes nothing."
	}
	return ""
}

// Role is a named set of permissions. A system role's Permissions follow the catalogue.
type Role struct {
	ID          id.Role
	Workspace   id.Workspace
	Name        string
	Description string // "" for none
	Permissions perm.Set
	System      SystemRole
	MemberCount int64 // counted by the store
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Scope is a permission of a service key.
type Scope string

// The scopes. ScopeManage holds those before it, ScopeRoot holds all.
const (
	ScopeVerify Scope = "verify" // ask whether keys are good
	ScopeRevoke Scope = "revoke" // take a key away by its value
	ScopeFollow Scope = "follow" // read the feed
	ScopePortal Scope = "portal" // make portal sessions
	ScopeManage Scope = "manage" // everything in every workspace
	ScopeRoot   Scope = "root"   // all of it, and service keys
)

// Scopes lists the scopes, the least first.
func Scopes() []Scope {
	return []Scope{ScopeVerify, ScopeRevoke, ScopeFollow, ScopePortal, ScopeManage, ScopeRoot}
}

// ServiceKey is an operator's credential. Times are UTC in whole milliseconds; a zero ExpiresAt means "never".
type ServiceKey struct {
	ID        id.ServiceKey
	Name      string
	Scopes    []Scope
	FromEnv   bool // set by KEYWARD_ROOT_KEY
	Masked    string
	Digest    keyfmt.Stored
	Second    keyfmt.Stored // under the key of a workspace that it is bound to, for followers that are; zero for none
	Bounds    Bounds
	CreatedAt time.Time
	ExpiresAt time.Time
	// FollowerModes are the ways in which followers that ask by this key may admit more than the limits at its source.
	FollowerModes []FollowerMode
}

// FollowerMode is a way in which a follower may admit more than the limits at its source.
type FollowerMode string

// The modes. LocalMode counts minutes at the follower alone, and OpenMode admits everything while the source is away.
const (
	LocalMode FollowerMode = "local"
	OpenMode  FollowerMode = "open"
)

// Expired tells whether the key is past its expiry.
func (k *ServiceKey) Expired(now time.Time) bool {
	return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt)
}

// Has tells whether the scope is held: ScopeRoot holds every scope, ScopeManage every one but ScopeRoot.
func (k *ServiceKey) Has(s Scope) bool {
	for _, h := range k.Scopes {
		if h == s || h == ScopeRoot || h == ScopeManage && s != ScopeRoot {
			return true
		}
	}
	return false
}

// The permissions that Keyward's own operations ask for.
const (
	APIKeysRead            = "api-keys:read"
	APIKeysWrite           = "api-keys:write"
	APIKeysDelete          = "api-keys:delete"
	APIKeysManageOthers    = "api-keys:manage-others"
	MembersRead            = "members:read"
	MembersInvite          = "members:invite"
	MembersMFAReset        = "members:mfa-reset" // a catalogue without it leaves the reset of a sign-in to service keys
	MembersRemove          = "members:remove"
	MembersRoleChange      = "members:role-change"
	RolesRead              = "roles:read"
	RolesWrite             = "roles:write"
	RolesDelete            = "roles:delete"
	WorkspaceRead          = "workspace:read"
	WorkspaceSettingsWrite = "workspace:settings-write"
	WorkspaceDelete        = "workspace:delete"
	WorkspaceLogsRead      = "workspace:logs-read"
	AnalyticsRead          = "analytics:read"
	BillingManage          = "billing:manage" // named by the Admin role alone
	IntegrationsRead       = "integrations:read"
	IntegrationsWebhook    = "integrations:webhook" // a catalogue without the two leaves webhooks to service keys
)

// OwnPermissions lists the permissions that Keyward's operations ask for, to compare a custom catalogue with.
func OwnPermissions() []string {
	return []string{
		APIKeysRead, APIKeysWrite, APIKeysDelete, APIKeysManageOthers, MembersRead, MembersInvite, MembersRemove,
		MembersRoleChange, RolesRead, RolesWrite, RolesDelete, WorkspaceRead, WorkspaceSettingsWrite, WorkspaceDelete,
		WorkspaceLogsRead, AnalyticsRead,
	}
}
