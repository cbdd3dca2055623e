package wire

// Installation is the installation as its operator sees it.
type Installation struct {
	Version         string         `json:"version"`
	Database        DatabaseFacts  `json:"database"`
	CertificateEnds *Time          `json:"certificateEndsAt"` // null without TLS
	LastBackup      *BackupFacts   `json:"lastBackup"`        // null where none is known of
	Nodes           NodeCounts     `json:"nodes"`
	Workspaces      int64          `json:"workspaces"`
	APIKeys         int64          `json:"apiKeys"`
	KeysNoExpiry    int64          `json:"keysWithoutExpiry"`
	Attention       []AttentionOne `json:"attention"`
}

// DatabaseFacts are the kind, the size and the room of the database.
type DatabaseFacts struct {
	Kind      string `json:"kind"` // sqlite or postgres
	SizeBytes int64  `json:"sizeBytes"`
	FreeBytes *int64 `json:"freeBytes"` // null where it cannot be told
}

// BackupFacts are the time and the size of a backup.
type BackupFacts struct {
	At        Time  `json:"at"`
	SizeBytes int64 `json:"sizeBytes"`
}

// NodeCounts count the processes that serve the installation.
type NodeCounts struct {
	Total int `json:"total"`
	Ready int `json:"ready"`
}

// AttentionOne is something that an operator has to look at.
type AttentionOne struct {
	Code     string  `json:"code"`
	Severity string  `json:"severity"`
	Message  string  `json:"message"`
	Action   string  `json:"action"`
	Subject  *string `json:"subject"` // a node's address
}

// WorkspaceUsages compares the usage of workspaces.
type WorkspaceUsages struct {
	Workspaces []WorkspaceUsage `json:"workspaces"`
	Complete   bool             `json:"complete"`
}

// WorkspaceUsage is how much a workspace was used.
type WorkspaceUsage struct {
	WorkspaceID string           `json:"workspaceId"`
	Name        string           `json:"name"`
	Verified    int64            `json:"verified"`
	Denied      map[string]int64 `json:"denied"`
	Total       int64            `json:"total"`
}

// KeyPermissions are the permissions of a key beside those that are used.
type KeyPermissions struct {
	Permissions  []KeyPermission `json:"permissions"`
	UsedSince    string          `json:"usedSince"`    // a date
	CountedSince Time            `json:"countedSince"` // not before the key was made
}

// KeyPermission is one permission of a key.
type KeyPermission struct {
	Permission string  `json:"permission"`
	Used       bool    `json:"used"`
	LastUsedOn *string `json:"lastUsedOn"` // a date, null for never
}

// PermissionUsages count demanded permissions.
type PermissionUsages struct {
	Permissions []PermissionUsage `json:"permissions"`
	Start       Time              `json:"start"`
	End         Time              `json:"end"`
}

// PermissionUsage is how often a permission was demanded.
type PermissionUsage struct {
	Permission string `json:"permission"`
	Verified   int64  `json:"verified"`
	Denied     int64  `json:"denied"`
}
