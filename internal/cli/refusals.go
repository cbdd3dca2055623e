package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/keyward/keyward"
)

type refusalsCmd struct {
	remote
	inWorkspace
	ID    string `arg:"" optional:"" name:"key-id" help:"The key, by id or name. Without one, those of the workspace, or without that of the installation."`
	Limit int    `default:"50" placeholder:"N" help:"Show at most so many, up to 200."`
}

func (refusalsCmd) Help() string {
	return `Shows the latest refusals, the newest first: of the last 7 days, at most 200 of each key. The whole story of one refusal tells
keyward explain, asked the same.

Examples:
  keyward refusals KEY_ID
  keyward refusals -w WORKSPACE --limit 200 --json
  keyward refusals                                    of the installation, for a service key with manage`
}

// Run asks the server.
func (c *refusalsCmd) Run(ctx context.Context, a *app) error {
	client, err := c.mayEnter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	if c.ID == "" && c.Workspace == "" {
		return c.ofInstallation(ctx, a, client)
	}
	var all []keyward.Refusal
	if c.ID != "" {
		if c.ID, err = keyID(ctx, client, c.Workspace, c.ID); err != nil {
			return err
		}
		all, err = client.KeyRefusals(ctx, c.ID, c.Limit)
	} else {
		all, err = client.WorkspaceRefusals(ctx, c.Workspace, c.Limit)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Out, all)
	}
	t := newTable("TIME", "KEY", "CODE", "FROM", "VALUE", "DEMANDED", "WHY")
	for _, r := range all {
		key := c.ID
		if r.Name != "" {
			key = r.Name
		}
		t.row(moment(&r.At), key, string(r.Code), or(r.IP), string(r.Value), or(demandText(r.Demanded)), r.Why)
	}
	t.print(a.Out)
	return nil
}

// ofInstallation prints those of all workspaces, each with its workspace and the key's id, because names repeat.
func (c *refusalsCmd) ofInstallation(ctx context.Context, a *app, client *keyward.Client) error {
	all, err := client.Refusals(ctx, c.Limit)
	if errors.Is(err, keyward.ErrPermissionDenied) {
		return usageError(
			"want a key's id, or -w WORKSPACE for those of a workspace: all of them are for a service key with manage alone",
		)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Out, all)
	}
	t := newTable("TIME", "WORKSPACE", "KEY", "NAME", "CODE", "FROM", "WHY")
	for _, r := range all {
		t.row(moment(&r.At), r.WorkspaceID, r.KeyID, r.Name, string(r.Code), or(r.IP), r.Why)
	}
	t.print(a.Out)
	return nil
}

// demandText shows a demand on one line.
func demandText(d keyward.Demand) string {
	text := strings.Join(d.All, " ")
	if len(d.Any) > 0 {
		text += " any of: " + strings.Join(d.Any, " ")
	}
	return strings.TrimSpace(text)
}
