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

// Creator is who a key belongs to; Email and DisplayName are "" where nothing is known.
type Creator struct {
	ID          id.User
	Email       string
	DisplayName string
}

// Revealed is an answer that shows a key's value. Replayed says that an earlier request did what was asked; Secret is zero then,
// unless the same credential may have the value once more.
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

// UpdateWorkspace changes what is given.
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

// UpdateMember changes what is given.
type UpdateMember struct {
	Role        Optional[string]
	Email       Optional[string]
	DisplayName Optional[string]
}

// RemoveMember says what becomes of the member's keys: Keys is "", "stop", "keep" or "transfer:<userId>".
type RemoveMember struct {
	Keys   string
	DryRun bool
}

// Removed says what became of them.
type Removed struct {
	User        id.User
	Stopped     int
	Kept        int
	Transferred int
	// Keys are the first of them, each with what becomes of it; a dry run alone fills it.
	Keys []SettledKey
}

// MaxSettled is how many keys a dry run names.
const MaxSettled = 200

// SettledKey says what becomes of one key of a member who leaves.
type SettledKey struct {
	ID      id.Key
	Name    string
	Masked  string
	Working bool   // it was enabled, and had not expired
	Outcome string // stopped, kept or transferred
}

// Authority is what a caller may do in a workspace, for doors that offer operations to people. It decides nothing: every operation
// reads the caller's authority itself.
type Authority struct {
	Workspace   account.Workspace // zero where none was named
	User        id.User           // "" for a service key
	Email       string
	DisplayName string
	Role        string   // its name, "" for a service key
	Holds       perm.Set // what may be done, and the most that may be passed on
	Owner       bool
	Manages     bool // a service key that may do everything in every workspace
	Creates     bool // may make workspaces
	Root        bool // and with service keys
	catalogue   *perm.Catalogue
}

// May tells whether an operation that needs the permission would be admitted.
func (a Authority) May(permission string) bool {
	return a.Manages || a.catalogue.Holds(a.Holds, permission)
}

// Granting is what may flow into a new key: what its creator holds and what the caller holds.
type Granting struct{ Creator, Caller perm.Set }

// Standings count a workspace's keys. Each stops at Most.
type Standings struct {
	Total                                        int64
	Disabled, Expiring, Expired, Unused, Orphans int64
	// Others is the number of keys that the caller does not see, as the members' counts tell it; -1 where the caller does not see members.
	// It is 0 for a caller who sees all keys.
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

// UpdateRole changes what is given.
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

	// What it is confined to; what is absent confines nothing, and an empty list is refused.
	Workspaces   Optional[[]string]
	Environments Optional[[]string]
	AllowedIPs   Optional[[]string]
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
	// Stretch bounds what a page looks at: so many events of the log, whether they match or not. 0 is the most that any page may.
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
