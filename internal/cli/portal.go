package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/keyward/keyward"
)

type portalCmd struct {
	Create portalCreate `cmd:"" help:"Make a portal session and print the address of its page."`
	List   portalList   `cmd:"" help:"List the portal sessions that go on."`
	End    portalEnd    `cmd:"" help:"End portal sessions, at once."`
}

func (portalCmd) Help() string {
	return `A portal session lets a page of your product act as a member: list, create and rotate their own API keys. KEYWARD_TOKEN must be a
service key with the scope portal, and the server needs KEYWARD_PUBLIC_URL.

Examples:
  keyward portal create -w WORKSPACE --user ada --can keys:read --can keys:create --origin https://app.example.com
  keyward portal list -w WORKSPACE
  keyward portal end --user ada`
}

type portalCreate struct {
	remote
	inWorkspace
	User       string   `api:"userId" required:"" placeholder:"USER" help:"The member's user id."`
	Can        []string `api:"capabilities" required:"" placeholder:"CAPABILITY" help:"A capability, such as keys:read; may be repeated."`
	Origin     []string `api:"allowedOrigins" placeholder:"ORIGIN" help:"An origin whose pages may call, such as https://app.example.com; may be repeated."`
	Permission []string `api:"permissions" placeholder:"PERMISSION" help:"A permission that may flow into a key; may be repeated. Without it all that the member holds."`
	MaxKeys    int      `placeholder:"N" help:"How many keys the member may have."`
	MaxDays    int      `api:"maxLifetimeSeconds" placeholder:"N" help:"How many days a key may live."`
	Frame      bool     `help:"Reveal values in the frame of the server alone."`
	Locale     string   `placeholder:"TAG" help:"The language of the page, such as de."`
	ReturnURL  string   `placeholder:"URL" help:"Where the page goes at its end."`
	Label      string   `placeholder:"TEXT" help:"What you call it."`
	Seconds    int      `api:"expiresInSeconds" placeholder:"N" help:"How long it lasts: 60 to 3600 seconds, 900 without it."`
}

func (c *portalCreate) request() keyward.CreatePortalSessionRequest {
	r := keyward.CreatePortalSessionRequest{
		WorkspaceID: c.Workspace, UserID: c.User, Capabilities: c.Can, AllowedOrigins: c.Origin, Locale: c.Locale,
		ReturnURL: c.ReturnURL, Label: c.Label, ExpiresInSeconds: c.Seconds,
	}
	if c.Frame {
		r.Reveal = keyward.RevealFrame
	}
	ceiling := keyward.PortalCeiling{Permissions: c.Permission}
	if c.MaxKeys != 0 {
		ceiling.MaxKeys = &c.MaxKeys
	}
	if c.MaxDays != 0 {
		seconds := c.MaxDays * 24 * 3600
		ceiling.MaxLifetimeSeconds = &seconds
	}
	if len(c.Permission) > 0 || c.MaxKeys != 0 || c.MaxDays != 0 {
		r.Ceiling = &ceiling
	}
	return r
}

// Run prints the address alone on the output, so that it can be passed on.
func (c *portalCreate) Run(ctx context.Context, a *app) error {
	client, err := c.enter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	made, err := client.CreatePortalSession(ctx, c.request())
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Out, struct {
			PortalSession keyward.PortalSession `json:"portalSession"`
			ClientSecret  string                `json:"clientSecret"`
			URL           string                `json:"url"`
		}{made.PortalSession, made.ClientSecret.Reveal(), made.URL.Reveal()})
	}
	fmt.Fprintf(
		a.Err, "It can be opened once, within five minutes. The session ends at %s.\n", moment(&made.PortalSession.ExpiresAt),
	)
	_, err = fmt.Fprintln(a.Out, made.URL.Reveal())
	return err
}

type portalList struct {
	remote
	listing
	Workspace string `short:"w" placeholder:"ID" help:"Only those in this workspace."`
	User      string `placeholder:"USER" help:"Only those of this user."`
}

// Run lists portal sessions.
func (c *portalList) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	all := client.AllPortalSessions(ctx, keyward.ListPortalSessionsOptions{WorkspaceID: c.Workspace, UserID: c.User})
	return show(
		a,
		&c.remote,
		c.listing,
		all,
		[]string{"ID", "USER", "STARTED", "CAPABILITIES", "ORIGINS", "CREATED", "ENDS"},
		func(p keyward.PortalSession) []string {
			return []string{
				p.ID, p.UserID, yesNo(p.IsStarted), strings.Join(p.Capabilities, ","), or(strings.Join(p.AllowedOrigins, ",")),
				moment(&p.CreatedAt), moment(&p.ExpiresAt),
			}
		},
	)
}

type portalEnd struct {
	remote
	ID   string `arg:"" optional:"" help:"The portal session's id."`
	User string `placeholder:"USER" help:"All of this user's."`
}

// Run ends one portal session, or all of a user.
func (c *portalEnd) Run(ctx context.Context, a *app) error {
	if (c.ID == "") == (c.User == "") {
		return usageError("want the id of a portal session, or --user")
	}
	client, err := c.client(a)
	if err != nil {
		return err
	}
	var ended keyward.EndedPortalSessions
	if c.ID != "" {
		ended, err = client.EndPortalSession(ctx, c.ID)
	} else {
		ended, err = client.EndPortalSessions(ctx, c.User)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Out, ended)
	}
	_, err = fmt.Fprintf(a.Out, "%d ended\n", len(ended.Deleted))
	return err
}
