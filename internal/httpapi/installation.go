package httpapi

import (
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/installation"
	"github.com/keyward/keyward/internal/usage"
	"github.com/keyward/keyward/internal/wire"
)

func (a *api) installation(x *exchange) (wire.Installation, error) {
	c, err := a.Installation.Read(x.ctx(), x.caller)
	if err != nil {
		return wire.Installation{}, err
	}
	out := wire.Installation{
		Version: c.Version, Database: wire.DatabaseFacts{Kind: c.Database, SizeBytes: c.Bytes},
		Nodes:      wire.NodeCounts{Total: len(c.Nodes), Ready: c.Ready()},
		Workspaces: c.Workspaces, APIKeys: int64(c.Keys), KeysNoExpiry: c.WithoutExpiry,
		Attention: mapped(c.Attention, attention),
	}
	if c.FreeKnown {
		out.Database.FreeBytes = &c.Free
	}
	if !c.Certificate.IsZero() {
		end := wire.Time(c.Certificate)
		out.CertificateEnds = &end
	}
	if !c.Backup.At.IsZero() {
		out.LastBackup = &wire.BackupFacts{At: wire.Time(c.Backup.At), SizeBytes: c.Backup.Bytes}
	}
	return out, nil
}

func attention(a installation.Attention) wire.AttentionOne {
	return wire.AttentionOne{
		Code: string(a.Code), Severity: string(a.Severity), Message: a.Message, Action: a.Action,
		Subject: wire.TextOrNull(a.Subject),
	}
}

// defaultTotals is how many workspaces a comparison lists where nothing is said.
const defaultTotals = 20

func (a *api) usageByWorkspace(x *exchange) (wire.WorkspaceUsages, error) {
	in, err := x.query.usage()
	if err != nil {
		return wire.WorkspaceUsages{}, err
	}
	limit, err := x.query.number("limit", 1, 100)
	if err != nil {
		return wire.WorkspaceUsages{}, err
	}
	if limit == 0 {
		limit = defaultTotals
	}
	all, complete, err := a.Control.UsageByWorkspace(x.ctx(), x.caller, in, limit)
	return wire.WorkspaceUsages{Workspaces: mapped(all, func(t control.WorkspaceTotal) wire.WorkspaceUsage {
		return wire.WorkspaceUsage{
			WorkspaceID: string(t.Workspace.ID), Name: t.Workspace.Name, Verified: t.Counts[usage.Verified],
			Denied: denied(&t.Counts), Total: t.Counts.Total(),
		}
	}), Complete: complete}, err
}

func (a *api) keyPermissions(x *exchange) (wire.KeyPermissions, error) {
	p, err := a.Control.KeyPermissions(x.ctx(), x.caller, x.r.PathValue("id"))
	if err != nil {
		return wire.KeyPermissions{}, err
	}
	return wire.KeyPermissions{
		UsedSince: p.From.Format(time.DateOnly), CountedSince: wire.Time(p.Since),
		Permissions: mapped(p.Permissions, func(one control.PermissionUse) wire.KeyPermission {
			out := wire.KeyPermission{Permission: one.Permission, Used: one.Used}
			if !one.Last.IsZero() {
				out.LastUsedOn = wire.TextOrNull(one.Last.Format(time.DateOnly))
			}
			return out
		}),
	}, nil
}

func (a *api) workspacePermissions(x *exchange) (wire.PermissionUsages, error) {
	in, err := x.query.usage()
	if err != nil {
		return wire.PermissionUsages{}, err
	}
	all, span, err := a.Control.WorkspacePermissions(
		x.ctx(), x.caller, x.r.PathValue("workspaceId"), control.AskDays{From: in.From, To: in.To},
	)
	return wire.PermissionUsages{
		Start: wire.Time(time.UnixMilli(span.From)), End: wire.Time(time.UnixMilli(span.To)),
		Permissions: mapped(all, func(n control.PermissionCount) wire.PermissionUsage {
			return wire.PermissionUsage{Permission: n.Permission, Verified: n.Verified, Denied: n.Refused}
		}),
	}, err
}
