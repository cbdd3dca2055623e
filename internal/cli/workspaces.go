package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/keyward/keyward"
)

type workspacesCmd struct {
	List   workspacesList   `cmd:"" help:"List workspaces, newest first."`
	Get    workspacesGet    `cmd:"" help:"Show a workspace."`
	Create workspacesCreate `cmd:"" help:"Make a workspace with its owner."`
	Update workspacesUpdate `cmd:"" help:"Change a workspace."`
	Plan   workspacesPlan   `cmd:"" help:"Set the plan of a workspace: limits and quotas; those that are left out end."`
	Delete workspacesDelete `cmd:"" help:"Delete a workspace and everything in it. Its keys stop at once."`
}

func (workspacesCmd) Help() string {
	return `Examples:
  keyward workspaces create Acme --owner ada --email ada@example.com
  keyward workspaces update ID --permission-mode capped --max-key-lifetime 90d
  keyward workspaces update ID --active=false      every key in it is refused from now on
  keyward workspaces delete ID --yes`
}

type workspacesList struct {
	remote
	listing
}

// Run lists workspaces.
func (c *workspacesList) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	return show(a, &c.remote, c.listing, client.AllWorkspaces(ctx, keyward.ListOptions{}),
		[]string{"ID", "NAME", "OWNER", "ACTIVE", "CREATED"}, func(w keyward.Workspace) []string {
			return []string{w.ID, w.Name, w.OwnerID, yesNo(w.IsActive), moment(&w.CreatedAt)}
		})
}

type workspacesGet struct {
	remote
	ID string `arg:"" help:"The workspace, by id or name."`
}

// Run shows a workspace.
func (c *workspacesGet) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	if c.ID, err = workspaceID(ctx, client, c.ID); err != nil {
		return err
	}
	w, err := client.GetWorkspace(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.printWorkspace(a, w)
}

func (r *remote) printWorkspace(a *app, w keyward.Workspace) error {
	if r.JSON {
		return printJSON(a.Out, w)
	}
	life := "-"
	if s := w.Settings.MaxKeyLifetimeSeconds; s != nil {
		life = fmt.Sprintf("%d s", *s)
	}
	facts(a.Out, "id", w.ID, "name", w.Name, "active", yesNo(w.IsActive), "owner", w.OwnerID,
		"permission mode", string(w.Settings.PermissionMode), "default limits", limits(w.Settings.DefaultRateLimit),
		"longest key lifetime", life, "expiry required", yesNo(w.Settings.RequireExpiry),
		"self-rotation", string(w.Settings.SelfRotation),
		"plan", quotas(w.Plan), "created", moment(&w.CreatedAt))
	return nil
}

// workspaceSettings are the flags of a workspace's rules.
type workspaceSettings struct {
	PermissionMode keyward.PermissionMode `enum:"frozen,capped," default:"" placeholder:"MODE" help:"frozen: keys keep what they were granted; capped: they lose what their creator loses."`
	MaxKeyLifetime boundFlag              `api:"maxKeyLifetimeSeconds" placeholder:"SPAN" help:"The longest that a key may live, such as 90d; none takes the bound away."`
	RequireExpiry  *bool                  `help:"Whether every key must expire."`
	SelfRotation   keyward.SelfRotation   `enum:"allowed,forbidden," default:"" placeholder:"WORD" help:"Whether a key may rotate itself without api-keys:write: allowed or forbidden."`
	PerMinute      limitFlag              `api:"requestsPerMinute" placeholder:"N" help:"Requests per minute of keys that name no limit; none for unlimited."`
	PerDay         limitFlag              `api:"requestsPerDay" placeholder:"N" help:"Requests per day of keys that name no limit; none for unlimited."`
}

func (s *workspaceSettings) update() keyward.SettingsUpdate {
	u := keyward.SettingsUpdate{
		MaxKeyLifetimeSeconds: s.MaxKeyLifetime.seconds(), DefaultRateLimit: wantedLimits(s.PerMinute, s.PerDay),
	}
	if s.PermissionMode != "" {
		u.PermissionMode = keyward.Set(s.PermissionMode)
	}
	if s.RequireExpiry != nil {
		u.RequireExpiry = keyward.Set(*s.RequireExpiry)
	}
	if s.SelfRotation != "" {
		u.SelfRotation = keyward.Set(s.SelfRotation)
	}
	return u
}

type workspacesCreate struct {
	remote
	workspaceSettings
	Name        string `arg:"" help:"What people call it."`
	Owner       string `api:"owner.userId" required:"" placeholder:"USER" help:"Its first member, who owns it."`
	Email       string `required:"" help:"The owner's e-mail address."`
	DisplayName string `help:"The owner's name."`
}

// Run makes a workspace.
func (c *workspacesCreate) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	w, err := client.CreateWorkspace(ctx, keyward.CreateWorkspaceRequest{
		Name: c.Name, Settings: c.update(),
		Owner: &keyward.Owner{UserID: c.Owner, Email: c.Email, DisplayName: c.DisplayName},
	})
	if err != nil {
		return err
	}
	return c.printWorkspace(a, w)
}

type workspacesUpdate struct {
	remote
	workspaceSettings
	waiting
	ID     string  `arg:"" help:"The workspace, by id or name."`
	Name   *string `help:"Another name."`
	Active *bool   `api:"isActive" help:"Whether its keys work."`
}

// Run changes the given fields.
func (c *workspacesUpdate) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	if c.ID, err = workspaceID(ctx, client, c.ID); err != nil {
		return err
	}
	u, err := client.UpdateWorkspace(ctx, c.ID,
		keyward.WorkspaceUpdate{Name: given(c.Name), IsActive: given(c.Active), Settings: c.update()}, c.options()...)
	if err != nil {
		return err
	}
	return c.printWorkspace(a, u.Workspace)
}

type workspacesPlan struct {
	remote
	ID              string `arg:"" help:"The workspace."`
	MaxKeys         *int64 `placeholder:"N" help:"API keys."`
	MaxMembers      *int64 `placeholder:"N" help:"Members."`
	MaxRoles        *int64 `placeholder:"N" help:"Roles beside the system roles."`
	MaxEventsPerDay *int64 `placeholder:"N" help:"Changes in a day, UTC."`

	PerMinute          *int64 `api:"requestsPerMinute" placeholder:"N" help:"Requests of all keys together, in any 60 seconds."`
	PerDay             *int64 `api:"requestsPerDay" placeholder:"N" help:"Requests of all keys together, in a day, UTC."`
	KeyPerMinute       *int64 `api:"ceilingPerKey.requestsPerMinute" placeholder:"N" help:"The most requests a minute that one key may have."`
	KeyPerDay          *int64 `api:"ceilingPerKey.requestsPerDay" placeholder:"N" help:"The most requests a day that one key may have."`
	KeyLifetimeSeconds *int64 `api:"ceilingPerKey.maxLifetimeSeconds" placeholder:"N" help:"The longest lifetime that one key may have, in seconds."`
}

// Run replaces the plan.
func (c *workspacesPlan) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	plan := keyward.Plan{
		MaxKeys: c.MaxKeys, MaxMembers: c.MaxMembers, MaxRoles: c.MaxRoles, MaxEventsPerDay: c.MaxEventsPerDay,
		RequestsPerMinute: c.PerMinute, RequestsPerDay: c.PerDay,
	}
	if c.KeyPerMinute != nil || c.KeyPerDay != nil || c.KeyLifetimeSeconds != nil {
		plan.CeilingPerKey = &keyward.Ceiling{RequestsPerMinute: c.KeyPerMinute, RequestsPerDay: c.KeyPerDay,
			MaxLifetimeSeconds: c.KeyLifetimeSeconds}
	}
	w, err := client.PutPlan(ctx, c.ID, plan)
	if err != nil {
		return err
	}
	return c.printWorkspace(a, w)
}

// quotas shows a plan to people.
func quotas(p keyward.Plan) string {
	var parts []string
	var ceiling keyward.Ceiling
	if p.CeilingPerKey != nil {
		ceiling = *p.CeilingPerKey
	}
	for _, one := range []struct {
		n    *int64
		what string
	}{{p.RequestsPerMinute, "requests a minute of all keys"}, {p.RequestsPerDay, "requests a day of all keys"},
		{ceiling.RequestsPerMinute, "a minute of one key"}, {ceiling.RequestsPerDay, "a day of one key"},
		{ceiling.MaxLifetimeSeconds, "s of one key's lifetime"}, {p.MaxKeys, "keys"}, {p.MaxMembers, "members"}, {p.MaxRoles,
			"roles"}, {p.MaxEventsPerDay, "changes a day"}} {
		if one.n != nil {
			parts = append(parts, fmt.Sprintf("%d %s", *one.n, one.what))
		}
	}
	return or(strings.Join(parts, ", "))
}

type workspacesDelete struct {
	remote
	waiting
	ID  string `arg:"" help:"The workspace, by id or name."`
	Yes bool   `help:"Say that you mean it: nothing brings it back."`
}

// Run deletes a workspace.
func (c *workspacesDelete) Run(ctx context.Context, a *app) error {
	if !c.Yes {
		return usageError("this deletes every member, role and key of the workspace, and nothing brings them back: add --yes")
	}
	client, err := c.client(a)
	if err != nil {
		return err
	}
	if c.ID, err = workspaceID(ctx, client, c.ID); err != nil {
		return err
	}
	d, err := client.DeleteWorkspace(ctx, c.ID, c.options()...)
	if err != nil {
		return err
	}
	return c.deleted(ctx, a, client, d)
}

// deleted prints the deleted objects.
func (r *remote) deleted(ctx context.Context, a *app, client *keyward.Client, d keyward.Deletion) error {
	if r.JSON {
		return printJSON(a.Out, d)
	}
	for _, id := range d.Deleted {
		fmt.Fprintf(a.Out, "deleted %s\n", visible(id))
	}
	tellPending(ctx, a, client, d.Revocation)
	return itemErrors(a, d.Errors)
}

// itemErrors prints the refused items of a request with several, and makes the command end with a failure.
func itemErrors(a *app, all []keyward.ItemError) error {
	for _, e := range all {
		fmt.Fprintf(a.Err, "%s: %s%s\n", visible(e.ID), visible(string(e.Code)), details(e.Details))
	}
	if len(all) > 0 {
		return status(exitFailure)
	}
	return nil
}

func details(all []keyward.Detail) string {
	s := ""
	for _, d := range all {
		s += "; " + visible(d.Field) + ": " + visible(d.Message)
	}
	return s
}

// given is a field that was given as a flag.
func given[T any](v *T) keyward.Field[T] {
	if v == nil {
		return keyward.Field[T]{}
	}
	return keyward.Set(*v)
}
