package cli

import (
	"context"
	"time"

	"github.com/keyward/keyward/internal/mcp"
)

type mcpCmd struct {
	remote
	inWorkspace
	AllowWrite bool   `help:"Add the tools that change something: create_key, rotate_key, disable_key."`
	SecretDir  string `type:"path" placeholder:"DIR" help:"Write the values of new keys into files in this directory, instead of asking a signed-in member to confirm."`
}

func (mcpCmd) Help() string {
	return `Speaks the Model Context Protocol on standard input and output, for an agent that starts it. The tools act with the rights of the
token, and only read unless --allow-write is given. No answer holds the value of a key: create_key and rotate_key give a link, where a
signed-in member confirms; with --secret-dir they write the value into a new file, which nobody else may read, and name it.

Examples:
  KEYWARD_URL=https://keys.example.com KEYWARD_TOKEN=… keyward mcp
  keyward mcp --profile work --allow-write
  keyward mcp --allow-write --secret-dir ~/.keyward-secrets`
}

// Run serves one agent until its input ends.
func (c *mcpCmd) Run(ctx context.Context, a *app) error {
	if c.SecretDir != "" && !c.AllowWrite {
		return usageError("--secret-dir is of use with --allow-write alone: no tool that only reads makes a value")
	}
	client, err := c.mayEnter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	defer client.Close()
	o := mcp.Options{
		Client: client, AllowWrite: c.AllowWrite, Workspace: c.Workspace, Version: a.version, Now: time.Now,
	}
	if c.SecretDir != "" {
		if o.Vault, err = mcp.OpenVault(c.SecretDir); err != nil {
			return err
		}
		defer o.Vault.Close()
	}
	return mcp.Serve(ctx, o, a.In, a.Out)
}
