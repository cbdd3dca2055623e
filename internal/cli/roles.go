package cli

import (
	"context"
	"strconv"
	"strings"

	"github.com/keyward/keyward"
)

type rolesCmd struct {
	List   rolesList   `cmd:"" help:"List roles, the system's first."`
	Get    rolesGet    `cmd:"" help:"Show a role and what it holds."`
	Create rolesCreate `cmd:"" help:"Make a role."`
	Update rolesUpdate `cmd:"" help:"Change a role. Keys that exist keep what they were granted."`
	Delete rolesDelete `cmd:"" help:"Delete a role that nobody holds."`
}

func (rolesCmd) Help() string {
	return `A role is named by its id or its name.

Examples:
  keyward roles create Support -w WORKSPACE --permission calls:read --permission agents:read
  keyward roles update Support -w WORKSPACE --permission calls:read
  keyward roles delete Support -w WORKSPACE`
}

type rolesList struct {
	remote
	inWorkspace
	listing
}

// Run lists roles.
func (c *rolesList) Run(ctx context.Context, a *app) error {
	client, err := c.enter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	return show(a, &c.remote, c.listing, client.AllRoles(ctx, c.Workspace, keyward.ListOptions{}),
		[]string{"ID", "NAME", "SYSTEM", "MEMBERS", "PERMISSIONS", "ASSIGNABLE"}, func(r keyward.Role) []string {
			return []string{
				r.ID, r.Name, yesNo(r.IsSystem), strconv.Itoa(r.MemberCount), strconv.Itoa(len(r.Permissions)), yesNo(r.Assignable),
			}
		})
}

// oneRole is a command about a role of a workspace.
type oneRole struct {
	remote
	inWorkspace
	Role string `arg:"" help:"Name or id."`
}

// find gives a client, and the role's id.
func (c *oneRole) find(ctx context.Context, a *app) (*keyward.Client, string, error) {
	client, err := c.enter(ctx, a, &c.remote)
	if err != nil {
		return nil, "", err
	}
	id, err := roleID(ctx, client, c.Workspace, c.Role)
	return client, id, err
}

type rolesGet struct{ oneRole }

// Run shows a role.
func (c *rolesGet) Run(ctx context.Context, a *app) error {
	client, id, err := c.find(ctx, a)
	if err != nil {
		return err
	}
	role, err := client.GetRole(ctx, c.Workspace, id)
	if err != nil {
		return err
	}
	return c.printRole(a, role)
}

func (r *remote) printRole(a *app, role keyward.Role) error {
	if r.JSON {
		return printJSON(a.Out, role)
	}
	facts(a.Out, "id", role.ID, "name", role.Name, "description", or(role.Description), "system", yesNo(role.IsSystem),
		"members", strconv.Itoa(role.MemberCount), "permissions", or(strings.Join(role.Permissions, " ")))
	return nil
}

type rolesCreate struct {
	remote
	inWorkspace
	Name        string   `arg:"" help:"What people call it."`
	Description string   `help:"What it is for."`
	Permission  []string `api:"permissions" short:"p" sep:"," placeholder:"NAME" help:"What it holds; repeat it, or use commas."`
}

// Run makes a role.
func (c *rolesCreate) Run(ctx context.Context, a *app) error {
	client, err := c.enter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	role, err := client.CreateRole(ctx, c.Workspace,
		keyward.CreateRoleRequest{Name: c.Name, Description: c.Description, Permissions: c.Permission})
	if err != nil {
		return err
	}
	return c.printRole(a, role)
}

type rolesUpdate struct {
	oneRole
	Name          *string  `help:"Another name."`
	Description   *string  `help:"Another description."`
	Permission    []string `api:"permissions" short:"p" sep:"," xor:"permissions" placeholder:"NAME" help:"All that it holds from now on."`
	NoPermissions bool     `xor:"permissions" help:"It holds nothing from now on."`
}

// Run changes the given fields.
func (c *rolesUpdate) Run(ctx context.Context, a *app) error {
	client, id, err := c.find(ctx, a)
	if err != nil {
		return err
	}
	u := keyward.RoleUpdate{Name: given(c.Name), Description: given(c.Description)}
	if len(c.Permission) > 0 || c.NoPermissions {
		u.Permissions = keyward.Set(append([]string{}, c.Permission...))
	}
	role, err := client.UpdateRole(ctx, c.Workspace, id, u)
	if err != nil {
		return err
	}
	return c.printRole(a, role)
}

type rolesDelete struct{ oneRole }

// Run deletes a role.
func (c *rolesDelete) Run(ctx context.Context, a *app) error {
	client, id, err := c.find(ctx, a)
	if err != nil {
		return err
	}
	d, err := client.DeleteRole(ctx, c.Workspace, id)
	if err != nil {
		return err
	}
	return c.deleted(ctx, a, client, d)
}

type permissionsCmd struct {
	List permissionsList `cmd:"" default:"withargs" help:"List the catalogue, in its order."`
}

type permissionsList struct{ remote }

// Run lists the catalogue.
func (c *permissionsList) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	all, err := client.ListPermissions(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Out, all)
	}
	t := newTable("NAME", "DESCRIPTION")
	for _, p := range all {
		t.row(p.Name, or(p.Description))
	}
	t.print(a.Out)
	return nil
}
