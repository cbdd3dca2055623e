package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/keyward/keyward"
)

type membersInvite struct {
	remote
	inWorkspace
	User string `arg:"" help:"The platform's name for them."`
}

// Run prints a link. Nothing else goes to the output, so that it can be passed on.
func (c *membersInvite) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	i, err := client.InviteMember(ctx, c.Workspace, c.User)
	if err != nil {
		return err
	}
	return c.printInvitation(a, &i)
}

// printInvitation prints the link on the output, and how it works beside it.
func (r *remote) printInvitation(a *app, i *keyward.Invitation) error {
	if r.JSON {
		return printJSON(a.Out, struct {
			WorkspaceID string    `json:"workspaceId"`
			UserID      string    `json:"userId"`
			URL         string    `json:"url"`
			ExpiresAt   time.Time `json:"expiresAt"`
		}{i.WorkspaceID, i.UserID, i.URL.Reveal(), i.ExpiresAt})
	}
	fmt.Fprintln(a.Out, i.URL.Reveal())
	fmt.Fprintf(
		a.Err, "It works once, until %s, and signs in to this workspace alone. Send it to %s and to no one else.\n",
		moment(&i.ExpiresAt), i.UserID,
	)
	return nil
}

type membersReset struct {
	remote
	inWorkspace
	User string `arg:"" help:"The platform's name for them."`
}

// Run ends what lets the member in, and prints a link for a new passkey.
func (c *membersReset) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	r, err := client.ResetSignIn(ctx, c.Workspace, c.User)
	if err != nil {
		return err
	}
	if !c.JSON {
		fmt.Fprintf(a.Err, "Passkeys ended: %d. Sessions ended: %d.\n", r.Ended.Passkeys, r.Ended.Sessions)
	}
	return c.printInvitation(a, &r.Invitation)
}
