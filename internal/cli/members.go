package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/keyward/keyward"
)

type membersCmd struct {
	List    membersList    `cmd:"" help:"List members."`
	Get     membersGet     `cmd:"" help:"Show a member."`
	Add     membersAdd     `cmd:"" help:"Add a member, or make one that is there so."`
	Update  membersUpdate  `cmd:"" help:"Change a member's role, address or name."`
	Remove  membersRemove  `cmd:"" help:"Remove a member. Their keys stop, unless --keys says otherwise."`
	Restore membersRestore `cmd:"" help:"Undo a removal within ten minutes, with all of the member's keys."`
	Invite  membersInvite  `cmd:"" help:"Print a link by which a member creates a passkey and signs in to the dashboard."`
	Reset   membersReset   `cmd:"" name:"reset-sign-in" help:"End a member's passkeys and sessions in the workspace, and print a new invitation."`
}

func (membersCmd) Help() string {
	return `Examples:
  keyward members add bob -w WORKSPACE --email bob@example.com --role Member
  keyward members update bob -w WORKSPACE --role Admin
  keyward members remove bob -w WORKSPACE --dry-run
  keyward members remove bob -w WORKSPACE --keys transfer:ada
  keyward members restore bob REMOVAL_ID -w WORKSPACE
  keyward members invite bob -w WORKSPACE
  keyward members reset-sign-in bob -w WORKSPACE`
}

type membersList struct {
	remote
	inWorkspace
	listing
}

// Run lists members.
func (c *membersList) Run(ctx context.Context, a *app) error {
	client, err := c.enter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	return show(a, &c.remote, c.listing, client.AllMembers(ctx, c.Workspace, keyward.ListOptions{}),
		[]string{"USER", "EMAIL", "NAME", "ROLE", "KEYS", "SINCE"}, func(m keyward.Member) []string {
			return []string{m.UserID, m.Email, or(m.DisplayName), m.RoleName, strconv.Itoa(m.KeyCount), moment(&m.CreatedAt)}
		})
}

type membersGet struct {
	remote
	inWorkspace
	User string `arg:"" help:"The platform's name for them; or their address, or their display name."`
}

// Run shows a member.
func (c *membersGet) Run(ctx context.Context, a *app) error {
	client, err := c.enter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	if c.User, err = memberID(ctx, client, c.Workspace, c.User); err != nil {
		return err
	}
	m, err := client.GetMember(ctx, c.Workspace, c.User)
	if err != nil {
		return err
	}
	return c.printMember(a, m)
}

func (r *remote) printMember(a *app, m keyward.Member) error {
	if r.JSON {
		return printJSON(a.Out, m)
	}
	facts(
		a.Out, "user", m.UserID, "e-mail", m.Email, "name", or(m.DisplayName), "role",
		fmt.Sprintf("%s (%s)", m.RoleName, m.RoleID), "owner", yesNo(m.IsOwner), "keys", strconv.Itoa(m.KeyCount), "since",
		moment(&m.CreatedAt),
	)
	return nil
}

// roleID finds a role by its name where s is not an id: people know names.
func roleID(ctx context.Context, client *keyward.Client, workspace, s string) (string, error) {
	if isID(s) {
		return s, nil
	}
	for role, err := range client.AllRoles(ctx, workspace, keyward.ListOptions{Limit: 100}) {
		if err != nil {
			return "", err
		}
		if role.Name == s {
			return role.ID, nil
		}
	}
	return "", fmt.Errorf("there is no role %q in the workspace: keyward roles list -w %s", s, workspace)
}

// isID tells the canonical form of a UUID from a name.
func isID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range s {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (r == '-') {
			return false
		}
	}
	return true
}

type membersAdd struct {
	remote
	inWorkspace
	User        string  `arg:"" help:"The platform's name for them."`
	Email       string  `required:"" help:"E-mail address."`
	Role        string  `api:"roleId" required:"" help:"Name or id of the role."`
	DisplayName *string `help:"What people call them."`
}

// Run adds a member.
func (c *membersAdd) Run(ctx context.Context, a *app) error {
	client, err := c.enter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	role, err := roleID(ctx, client, c.Workspace, c.Role)
	if err != nil {
		return err
	}
	m, _, err := client.PutMember(ctx, c.Workspace, c.User,
		keyward.PutMemberRequest{Email: c.Email, DisplayName: given(c.DisplayName), RoleID: role})
	if err != nil {
		return err
	}
	return c.printMember(a, m)
}

type membersUpdate struct {
	remote
	inWorkspace
	User        string  `arg:"" help:"The platform's name for them."`
	Role        string  `api:"roleId" help:"Name or id of another role."`
	Email       *string `help:"Another e-mail address."`
	DisplayName *string `help:"Another name."`
}

// Run changes the given fields.
func (c *membersUpdate) Run(ctx context.Context, a *app) error {
	client, err := c.enter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	if c.User, err = memberID(ctx, client, c.Workspace, c.User); err != nil {
		return err
	}
	u := keyward.MemberUpdate{Email: given(c.Email), DisplayName: given(c.DisplayName)}
	if c.Role != "" {
		role, err := roleID(ctx, client, c.Workspace, c.Role)
		if err != nil {
			return err
		}
		u.RoleID = keyward.Set(role)
	}
	m, err := client.UpdateMember(ctx, c.Workspace, c.User, u)
	if err != nil {
		return err
	}
	return c.printMember(a, m)
}

type membersRemove struct {
	remote
	inWorkspace
	User   string   `arg:"" help:"The platform's name for them."`
	Keys   string   `default:"stop" placeholder:"WHAT" help:"What becomes of their keys: stop, keep, or transfer:USER."`
	Key    []string `api:"overrides" placeholder:"ID=WHAT" help:"For one key otherwise: its id, and stop, keep or transfer:USER. May be repeated."`
	Reason string   `enum:"left,leaked" default:"left" help:"Why: left, or leaked, after which the removal cannot be undone."`
	DryRun bool     `help:"Say what would be, and change nothing."`
	waiting
}

// Run removes a member.
func (c *membersRemove) Run(ctx context.Context, a *app) error {
	client, err := c.enter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	if c.User, err = memberID(ctx, client, c.Workspace, c.User); err != nil {
		return err
	}
	var overrides []keyward.KeyOverride
	for _, one := range c.Key {
		name, what, ok := strings.Cut(one, "=")
		if !ok {
			return usageError("--key: want ID=stop, ID=keep or ID=transfer:USER")
		}
		overrides = append(overrides, keyward.KeyOverride{ID: name, Keys: keyward.KeysMode(what)})
	}
	removed, err := client.RemoveMember(
		ctx,
		c.Workspace,
		c.User,
		keyward.RemoveMemberOptions{Keys: keyward.KeysMode(c.Keys),
			Reason: keyward.RemovalReason(c.Reason), DryRun: c.DryRun, Overrides: overrides},
		c.options()...)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Out, removed)
	}
	verb := "removed"
	if c.DryRun {
		verb = "would remove"
	}
	fmt.Fprintf(a.Out, "%s %s; keys: %d stopped, %d kept, %d transferred\n", verb, visible(removed.UserID),
		removed.Keys.Stopped, removed.Keys.Kept, removed.Keys.Transferred)
	if removed.RemovalID != "" {
		fmt.Fprintf(
			a.Out, "until %s it can be undone: keyward members restore %s %s -w %s\n", moment(removed.RestorableUntil),
			inShell(removed.UserID), removed.RemovalID, c.Workspace,
		)
	}
	if !c.DryRun {
		tellPending(ctx, a, client, removed.Revocation)
	}
	return nil
}

// inShell writes a user's id as a word of a command.
func inShell(user string) string {
	if strings.ContainsRune(user, '|') { // the one character of an id that has a meaning in shells
		return "'" + user + "'"
	}
	return visible(user)
}

type membersRestore struct {
	remote
	inWorkspace
	User    string `arg:"" help:"The platform's name for them."`
	Removal string `arg:"" name:"removal-id" help:"The removal, as the command that removed them printed it."`
}

// Run undoes a removal.
func (c *membersRestore) Run(ctx context.Context, a *app) error {
	client, err := c.enter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	back, err := client.RestoreMember(ctx, c.Workspace, c.User, c.Removal)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Out, back)
	}
	fmt.Fprintf(
		a.Out, "%s is a member again, as %s; keys: %d enabled, %d returned, %d unchanged\n", visible(back.Member.UserID),
		visible(back.Member.RoleName), back.Keys.Enabled, back.Keys.Returned, back.Keys.Unchanged,
	)
	return nil
}
