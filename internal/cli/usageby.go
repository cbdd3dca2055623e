package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/keyward/keyward"
)

// byPermission prints the permissions of a key, or those that were demanded in a workspace.
func (c *usageCmd) byPermission(
	ctx context.Context, a *app, client *keyward.Client, opts keyward.UsageOptions,
) error {
	switch {
	case c.ID != "" && c.Workspace == "":
		p, err := client.KeyPermissionUsage(ctx, c.ID)
		if err != nil || c.JSON {
			return orPrint(a, p, err)
		}
		t := newTable("PERMISSION", "USED IN 30 DAYS", "LAST USED ON")
		for _, one := range p.Permissions {
			used, last := "no", "-"
			if one.Used {
				used = "yes"
			}
			if one.LastUsedOn != nil {
				last = *one.LastUsedOn
			}
			t.row(one.Permission, used, last)
		}
		t.print(a.Out)
		fmt.Fprintf(a.Out, "Counted since %s.\n", moment(&p.CountedSince))
		return nil
	case c.ID == "" && c.Workspace != "":
		p, err := client.WorkspacePermissionUsage(ctx, c.Workspace, opts)
		if err != nil || c.JSON {
			return orPrint(a, p, err)
		}
		t := newTable("PERMISSION", "VERIFIED", "REFUSED")
		for _, one := range p.Permissions {
			t.row(one.Permission, strconv.FormatInt(one.Verified, 10), strconv.FormatInt(one.Denied, 10))
		}
		t.print(a.Out)
		return nil
	}
	return usageError("--permissions needs a key's id, or --workspace")
}

// byWorkspace prints the workspaces side by side.
func (c *usageCmd) byWorkspace(
	ctx context.Context, a *app, client *keyward.Client, opts keyward.UsageOptions,
) error {
	if c.ID != "" || c.Workspace != "" {
		return usageError("--workspaces is about the installation: leave the key and --workspace out")
	}
	u, err := client.UsageByWorkspace(ctx, opts, 100)
	if err != nil || c.JSON {
		return orPrint(a, u, err)
	}
	t := newTable("WORKSPACE", "VERIFIED", "REFUSED", "ID")
	for _, w := range u.Workspaces {
		t.row(w.Name, strconv.FormatInt(w.Verified, 10), strconv.FormatInt(w.Total-w.Verified, 10), w.WorkspaceID)
	}
	t.print(a.Out)
	if !u.Complete {
		fmt.Fprintln(a.Out, "There are more than 2000 workspaces: the latest of them are compared.")
	}
	return nil
}

// orPrint prints a value as JSON, unless there is an error.
func orPrint(a *app, value any, err error) error {
	if err != nil {
		return err
	}
	return printJSON(a.Out, value)
}
