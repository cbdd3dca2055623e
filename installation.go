package keyward

import (
	"context"
	"time"
)

// Installation is the condition of the installation, as its operator sees it.
type Installation struct {
	// Version is that of the node that answers.
	Version  string   `json:"version"`
	Database Database `json:"database"`
	// CertificateEndsAt is when the TLS certificate of the node ends; nil where it speaks plain HTTP.
	CertificateEndsAt *time.Time `json:"certificateEndsAt"`
	// LastBackup is the latest that keyward backup wrote, or was told of with --record; nil where none is known.
	LastBackup *Backup    `json:"lastBackup"`
	Nodes      NodeCounts `json:"nodes"`
	// Workspaces are counted up to 10,000, and KeysWithoutExpiry up to 1,000.
	Workspaces        int64 `json:"workspaces"`
	APIKeys           int64 `json:"apiKeys"`
	KeysWithoutExpiry int64 `json:"keysWithoutExpiry"`
	// Attention lists the conditions to look at, the most pressing first.
	Attention []Attention `json:"attention"`
}

// Database is the kind of the database, and its size.
type Database struct {
	// Kind is "sqlite" or "postgres".
	Kind      string `json:"kind"`
	SizeBytes int64  `json:"sizeBytes"`
	// FreeBytes is the room on its disk; nil where that cannot be told.
	FreeBytes *int64 `json:"freeBytes"`
}

// Backup is a backup that is known of.
type Backup struct {
	At        time.Time `json:"at"`
	SizeBytes int64     `json:"sizeBytes"`
}

// NodeCounts count the nodes, and those that answer verifications.
type NodeCounts struct {
	Total int `json:"total"`
	Ready int `json:"ready"`
}

// Severity says how pressing something is.
type Severity string

// The severities.
const (
	SeverityCritical Severity = "critical"
	SeverityWarning  Severity = "warning"
	SeverityNotice   Severity = "notice"
)

// Attention is something that an operator has to look at.
type Attention struct {
	// Code names it, as the API's reference lists: "backup_old", for instance.
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	// Message is a sentence, and Action another one with the remedy.
	Message string `json:"message"`
	Action  string `json:"action"`
	// Subject is the address of the node that it is about; nil for the installation.
	Subject *string `json:"subject"`
}

// Installation gives the condition of the installation, to a service key that may manage and is bound to nothing.
func (c *Client) Installation(ctx context.Context) (Installation, error) {
	return invoke[Installation](ctx, c, get(nil, "installation"))
}

// WorkspaceUsages compares workspaces, the most used first.
type WorkspaceUsages struct {
	Workspaces []WorkspaceUsage `json:"workspaces"`
	// Complete says that every workspace was compared: beyond 2,000 only the latest are.
	Complete bool `json:"complete"`
}

// WorkspaceUsage is how much a workspace was used.
type WorkspaceUsage struct {
	WorkspaceID string                `json:"workspaceId"`
	Name        string                `json:"name"`
	Verified    int64                 `json:"verified"`
	Denied      map[VerdictCode]int64 `json:"denied"`
	Total       int64                 `json:"total"`
}

// UsageByWorkspace compares the usage of workspaces. A limit of 0 is the server's default, 20.
func (c *Client) UsageByWorkspace(ctx context.Context, opts UsageOptions, limit int) (WorkspaceUsages, error) {
	q := opts.query()
	query(q).number("limit", limit)
	return invoke[WorkspaceUsages](ctx, c, get(q, "usage", "workspaces"))
}

// KeyPermissions are the permissions that a key holds, beside those that are used.
type KeyPermissions struct {
	Permissions []KeyPermission `json:"permissions"`
	// UsedSince is the day from which on a use counts, 30 days ago: "2026-10-05".
	UsedSince string `json:"usedSince"`
	// CountedSince is since when uses are known.
	CountedSince time.Time `json:"countedSince"`
}

// KeyPermission is a permission of a key.
type KeyPermission struct {
	Permission string `json:"permission"`
	Used       bool   `json:"used"`
	// LastUsedOn is the last day of UTC on which it was demanded with success; nil where none is known.
	LastUsedOn *string `json:"lastUsedOn"`
}

// KeyPermissionUsage says which permissions of a key were used in the last 30 days.
func (c *Client) KeyPermissionUsage(ctx context.Context, id string) (KeyPermissions, error) {
	return invoke[KeyPermissions](ctx, c, get(nil, "api-keys", id, "usage", "permissions"))
}

// PermissionUsages counts the permissions demanded of the keys of a workspace, the most frequent first.
type PermissionUsages struct {
	Permissions []PermissionUsage `json:"permissions"`
	Start       time.Time         `json:"start"`
	End         time.Time         `json:"end"`
}

// PermissionUsage is how often a permission was demanded.
type PermissionUsage struct {
	Permission string `json:"permission"`
	Verified   int64  `json:"verified"`
	Denied     int64  `json:"denied"`
}

// WorkspacePermissionUsage counts by permission, on whole days. The granularity of the options is not used.
func (c *Client) WorkspacePermissionUsage(
	ctx context.Context, id string, opts UsageOptions,
) (PermissionUsages, error) {
	opts.Granularity = ""
	return invoke[PermissionUsages](ctx, c, get(opts.query(), "workspaces", id, "usage", "permissions"))
}
