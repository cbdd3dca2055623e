package control

import (
	"encoding/json"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
)

// Key is an API key with its creator, as it is shown: without any value.
type Key struct {
	apikey.Key
	Creator       Creator
	WorkspaceName string // of SelfKey alone
}

// Creator is the owner of a key; Email and DisplayName are "" if they are unknown.
type Creator struct {
	ID          id.User
	Email       string
	DisplayName string
}

// Revealed is an answer that shows a key's value. Replayed says that an earlier request made the change; Secret is
// zero then, unless the same credential may have the value once more.
type Revealed struct {
	Key      Key
	Secret   keyfmt.Secret
	Replayed bool
}

// LimitsInput is a rate limit as given; null means no limit.
type LimitsInput struct {
	PerMinute Optional[int64]
	PerDay    Optional[int64]
}

// CreateKey asks for a key.
type CreateKey struct {
	Workspace   string // "" for the caller's own
	User        string
	Name        string
	Permissions Optional[[]string] // absent: all that the creator holds
	Environment Optional[string]   // live (default) or test
	ExpiresAt   Optional[string]
	RateLimit   Optional[LimitsInput]
	Description Optional[string]
	Metadata    Optional[json.RawMessage]
	AllowedIPs  Optional[[]string]
	Once        Idempotency `json:"-"` // what is asked is hashed without it
}

// ListKeys asks for a page of keys.
type ListKeys struct {
	Workspace string
	User      string
	Active    *bool
	Search    string
	Standing  apikey.Standing // "" for any
	Order     apikey.Order    // "" for the newest first

	Environment    keyfmt.Environment // "" for both
	Permission     string             // that the keys hold; "" for any
	ExpiringBefore time.Time          // the keys expire, and do before it; zero for any, as for the next two
	UnusedSince    time.Time          // the keys were neither used nor made at it or later
	TriedSince     time.Time          // the keys were asked about at it or later
	Disabled       bool               // the keys are disabled: Active false, beside whatever Active says
	Along          bool               // a standing is listed in the given order, which no index of its own has
	Paging
}

// UpdateKey is one item of a bulk update.
type UpdateKey struct {
	ID          string
	Name        Optional[string]
	IsActive    Optional[bool]
	ExpiresAt   Optional[string]
	RateLimit   Optional[LimitsInput]
	Description Optional[string]
	Metadata    Optional[json.RawMessage]
	AllowedIPs  Optional[[]string]
	Permissions bool // was given, which is refused
}

// ImportKey is one item of an import: with Generate a key with a new value, else one with the value of the digest.
type ImportKey struct {
	CreateKey
	IsActive   Optional[bool]
	Generate   bool
	Digest     *ImportDigest
	TwoDigests bool             // the request gave one in two ways
	Masked     Optional[string] // how to show a key that is imported by its digest
	Rehash     bool             // our own digest takes the place of the imported one, once the value is used
}

// ImportDigest is the digest of a whole value as another system keeps it.
type ImportDigest struct {
	Algorithm string // keyfmt.SHA256, SHA512 or HMACSHA256
	Value     string
	Encoding  string // hex or base64
	Secret    Optional[string]
	Short     bool // given as the field sha256
}

// Imported is one key that an import made. Secret is zero where a digest was given.
type Imported struct {
	Index  int
	ID     id.Key
	Secret keyfmt.Secret
}

// SettingsInput are workspace settings as given.
type SettingsInput struct {
	PermissionMode        Optional[string]
	DefaultRateLimit      Optional[LimitsInput]
	MaxKeyLifetimeSeconds Optional[int64]
	RequireExpiry         Optional[bool]
	SelfRotation          Optional[string]
}

// OwnerInput is a new workspace's first member.
type OwnerInput struct {
	User        string
	Email       string
	DisplayName Optional[string]
}

// CreateWorkspace asks for a workspace.
type CreateWorkspace struct {
	Name     string
	Owner    Optional[OwnerInput]
	Settings Optional[SettingsInput]
}

// UpdateWorkspace changes the given fields.
type UpdateWorkspace struct {
	Name     Optional[string]
	IsActive Optional[bool]
	Settings Optional[SettingsInput]
}

// Member is a member with the role's name.
type Member struct {
	account.Member
	RoleName string
	IsOwner  bool
}

// PutMember adds a member or sets one's data.
type PutMember struct {
	Email       string
	DisplayName Optional[string]
	Role        string
}

// UpdateMember changes the given fields.
type UpdateMember struct {
	Role        Optional[string]
	Email       Optional[string]
	DisplayName Optional[string]
}

// RemoveMember decides about the member's keys: Keys is "", "stop", "keep" or "transfer:<userId>". Reason is "", "left"
// or "leaked".
type RemoveMember struct {
	Keys      string
	Reason    string
	DryRun    bool
	Overrides []KeyOverride // for single keys, MaxOverrides at most
}

// Removed counts the keys by their outcome.
type Removed struct {
	User        id.User
	Stopped     int
	Kept        int
	Transferred int
	// Keys are the first of them, each with its outcome; a dry run alone fills it.
	Keys []SettledKey
	// Removal is by which the removal can be undone until Until; "" where it cannot.
	Removal id.Settlement
	Until   time.Time
}

// Restored is a member who is back, and the keys by their outcome: enabled again, returned from another member or as
// an ordinary key, and those that had been disabled before the removal.
type Restored struct {
	Member    Member
	Enabled   int
	Returned  int
	Unchanged int
}

// RestorableMember is a user whose removal can be undone.
type RestorableMember struct {
	Removal     id.Settlement
	User        id.User
	DisplayName string
	At, Until   time.Time
}

// MaxSettled is how many keys a dry run names.
const MaxSettled = 200

// SettledKey is the outcome for one key of a leaving member.
type SettledKey struct {
	ID      id.Key
	Name    string
	Masked  string
	Working bool // it was enabled, and had not expired
	Used    time.Time
	Outcome string // stopped, kept or transferred
}

// Authority holds a caller's permissions in a workspace, for doors that offer operations to people. It decides
// nothing: every operation reads the caller's authority itself.
type Authority struct {
	Workspace   account.Workspace // zero where none was named
	User        id.User           // "" for a service key
	Email       string
	DisplayName string
	Role        string   // its name, "" for a service key
	Holds       perm.Set // what may be done, and the most that may be passed on
	Owner       bool
	Manages     bool // a service key that may do everything in every workspace

	Installation bool // sees the installation as a whole
	Creates      bool // may make workspaces
	Root         bool // and with service keys
	catalogue    *perm.Catalogue
}

// May tells whether an operation that needs the permission would be admitted.
func (a Authority) May(permission string) bool {
	return a.Manages || a.catalogue.Holds(a.Holds, permission)
}

// Granting holds the permissions that may flow into a new key: the creator's and the caller's.
type Granting struct{ Creator, Caller perm.Set }

// Standings count a workspace's keys. Each stops at Most.
type Standings struct {
	Total                                        int64
	Disabled, Expiring, Expired, Unused, Orphans int64
	// Others is the number of keys that the caller does not see, by the members' counts; -1 if the caller does not
	// see members. It is 0 for a caller that sees all keys.
	Others int64
}

// MostCounted is where Standings stop counting.
const MostCounted = 10_000

// Role is a role and whether the caller may give it.
type Role struct {
	account.Role
	Assignable bool
}

// CreateRole asks for a role.
type CreateRole struct {
	Name        string
	Description Optional[string]
	Permissions []string
}

// UpdateRole changes the given fields.
type UpdateRole struct {
	Name        Optional[string]
	Description Optional[string]
	Permissions Optional[[]string]
}

// CreateServiceKey asks for an operator's credential.
type CreateServiceKey struct {
	Name      string
	Scopes    []string
	ExpiresAt Optional[string]

	// The bounds; an absent one confines nothing, and an empty list is refused.
	Workspaces   Optional[[]string]
	Environments Optional[[]string]
	AllowedIPs   Optional[[]string]
	// FollowerModes need the scope follow.
	FollowerModes []string
}

// RevealedServiceKey shows a service key's value, once.
type RevealedServiceKey struct {
	ServiceKey account.ServiceKey
	Secret     keyfmt.Secret
}

// ListLogs asks for a page of the log. Zero times leave that side open.
type ListLogs struct {
	Workspace string // "" for the caller's own; for a service key the whole installation
	Limit     int
	Offset    int
	Cursor    string
	Search    string
	EventType string
	ActorID   string
	Target    string // the id of what changed
	Ascending bool
	From, To  time.Time
	// Stretch bounds the number of events that a page looks at, whether they match or not. 0 is the largest bound.
	Stretch int
}

// Logs is a page of the log.
type Logs struct {
	Events     []audit.Event
	Total      int64 // over all pages; -1 where they were not counted
	Limit      int
	Offset     int
	NextCursor string
	Types      []audit.Type
	Back       time.Time // how far back a Stretch went; zero where to the beginning
}
