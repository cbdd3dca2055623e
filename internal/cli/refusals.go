package cli

import (
	"context"
	"strings"

	"github.com/keyward/keyward"
)

type refusalsCmd struct {
	remote
	inWorkspace
	ID    string `arg:"" optional:"" name:"key-id" help:"The key, by id or name. Without one, those of the workspace."`
	Limit int    `default:"50" placeholder:"N" help:"Show at most so many, up to 200."`
}

func (refusalsCmd) Help() string {
	return `Shows the latest refusals, the newest first: of the last 7 days, at most 200 of each key. The whole story of one refusal tells
keyward explain, asked the same.

Examples:
  keyward refusals KEY_ID
  keyward refusals -w WORKSPACE --limit 200 --json`
}

// Run asks the server.
func (c *refusalsCmd) Run(ctx context.Context, a *app) error {
	client, err := c.mayEnter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	var all []keyward.Refusal
	switch {
	case c.ID != "":
		if c.ID, err = keyID(ctx, client, c.Workspace, c.ID); err != nil {
			return err
		}
		all, err = client.KeyRefusals(ctx, c.ID, c.Limit)
	case c.Workspace != "":
		all, err = client.WorkspaceRefusals(ctx, c.Workspace, c.Limit)
	default:
		return usageError("want a key's id, or -w WORKSPACE for those of a workspace")
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

// demandText shows a demand on one line.
func demandText(d keyward.Demand) string {
	text := strings.Join(d.All, " ")
	if len(d.Any) > 0 {
		text += " any of: " + strings.Join(d.Any, " ")
	}
	return strings.TrimSpace(text)
}
