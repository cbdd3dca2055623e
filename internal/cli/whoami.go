package cli

import (
	"context"
	"strings"

	"github.com/keyward/keyward"
)

type whoamiCmd struct {
	remote
	inWorkspace
}

func (whoamiCmd) Help() string {
	return `Tells as whom the token works: the credential, the person, the workspaces, what the caller may do and pass on.

Examples:
  keyward whoami
  keyward whoami --json | jq -r .credential.type`
}

// Run asks the server.
func (c *whoamiCmd) Run(ctx context.Context, a *app) error {
	client, err := c.mayEnter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	me, err := client.Me(ctx, c.Workspace)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Out, me)
	}
	facts(a.Out, meFacts(me)...)
	return nil
}

func meFacts(me keyward.Me) []string {
	kind := strings.ReplaceAll(string(me.Credential.Type), "_", " ")
	pairs := []string{"credential", strings.Join(strings.Fields(kind+" "+me.Credential.Name+" "+me.Credential.ID), " ")}
	if me.User != nil {
		pairs = append(pairs, "person", strings.Join(strings.Fields(me.User.ID+" "+me.User.Email), " "))
	}
	if len(me.Credential.Scopes) > 0 {
		pairs = append(pairs, "scopes", words(me.Credential.Scopes))
	}
	for _, w := range me.Workspaces {
		name := "workspace"
		if !w.IsCurrent {
			name = "also in"
		}
		pairs = append(pairs, name, strings.Join(strings.Fields(w.ID+" "+w.Name+" "+w.RoleName), " "))
	}
	return append(pairs, "expires", moment(me.Credential.ExpiresAt), "permissions", or(strings.Join(me.Permissions, " ")),
		"may pass on", or(strings.Join(me.Grantable, " ")))
}
