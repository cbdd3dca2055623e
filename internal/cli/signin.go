package cli

import (
	"context"
	"fmt"

	"github.com/keyward/keyward"
)

type signinCmd struct {
	remote
	Workspace string `short:"w" placeholder:"ID" xor:"who" help:"The workspace's id."`
	User      string `placeholder:"USER" help:"The member's user id."`
	Root      bool   `xor:"who" help:"Sign in as the root key in KEYWARD_TOKEN itself."`
}

func (signinCmd) Help() string {
	return `Prints a one-time link that signs a member in to the dashboard, alone on standard output. It works once and for ten minutes; hand
it over as you would a password. KEYWARD_TOKEN must be a service key with the scope manage, or for --root the root key.

Examples:
  keyward signin --workspace WORKSPACE --user ada
  keyward signin --root`
}

// Run prints a link.
func (c *signinCmd) Run(ctx context.Context, a *app) error {
	if !c.Root && (c.Workspace == "" || c.User == "") {
		return usageError("want --workspace and --user, or --root")
	}
	if c.Root && c.User != "" {
		return usageError("--root does not go with --user")
	}
	client, err := c.client(a)
	if err != nil {
		return err
	}
	l, err := client.CreateSignInLink(
		ctx, keyward.SignInLinkRequest{WorkspaceID: c.Workspace, UserID: c.User, Root: c.Root},
	)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Out, struct {
			keyward.SignInLink
			Code string `json:"code"`
			URL  string `json:"url"`
		}{l, l.Code.Reveal(), l.URL.Reveal()})
	}
	fmt.Fprintf(a.Err, "It works once, until %s:\n", moment(&l.ExpiresAt))
	_, err = fmt.Fprintln(a.Out, l.URL.Reveal())
	return err
}

type sessionsCmd struct {
	List sessionsList `cmd:"" help:"List who is signed in."`
	End  sessionsEnd  `cmd:"" help:"End sessions, at once."`
}

func (sessionsCmd) Help() string {
	return `Examples:
  keyward sessions list -w WORKSPACE
  keyward sessions end 019a5c60-11a8-7d0e-8c35-4b7e2f90a6d1
  keyward sessions end --user ada`
}

type sessionsList struct {
	remote
	listing
	Workspace string `short:"w" placeholder:"ID" help:"Only those in this workspace."`
	User      string `placeholder:"USER" help:"Only those of this user."`
}

// Run lists sessions.
func (c *sessionsList) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	return show(
		a,
		&c.remote,
		c.listing,
		client.AllSessions(ctx, keyward.ListSessionsOptions{WorkspaceID: c.Workspace, UserID: c.User}),
		[]string{"ID", "USER", "WORKSPACE", "BY", "FROM", "LAST SEEN", "EXPIRES"},
		func(s keyward.Session) []string {
			user := s.UserID
			if s.IsRoot {
				user = "(root)"
			}
			return []string{s.ID, user, s.WorkspaceID, s.Method, s.Address, moment(&s.LastSeenAt), moment(&s.ExpiresAt)}
		},
	)
}

type sessionsEnd struct {
	remote
	ID   string `arg:"" optional:"" help:"The session's id."`
	User string `placeholder:"USER" help:"Sign this user out everywhere."`
}

// Run ends one session, or all of a user.
func (c *sessionsEnd) Run(ctx context.Context, a *app) error {
	if (c.ID == "") == (c.User == "") {
		return usageError("want either a session's id or --user")
	}
	client, err := c.client(a)
	if err != nil {
		return err
	}
	ended := []string{c.ID}
	if c.User != "" {
		ended, err = client.EndSessions(ctx, c.User)
	} else {
		err = client.EndSession(ctx, c.ID)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Out, ended)
	}
	_, err = fmt.Fprintf(a.Out, "%d ended\n", len(ended))
	return err
}
