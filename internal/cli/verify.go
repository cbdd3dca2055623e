package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/keyward/keyward"
)

type verifyCmd struct {
	remote
	File        string   `type:"path" placeholder:"FILE" help:"Read the key from a file instead of standard input."`
	Permission  []string `short:"p" sep:"," placeholder:"NAME" help:"What it must be allowed to do: all of these."`
	Any         []string `sep:"," placeholder:"NAME" help:"At least one of these too."`
	IP          string   `name:"ip" placeholder:"ADDRESS" help:"Where the key was presented from."`
	Environment *string  `placeholder:"NAME" help:"The environment of which it must be: live or test."`
	Workspace   []string `sep:"," placeholder:"ID" help:"The workspace of which it must be; repeated, one of them."`
}

func (verifyCmd) Help() string {
	return `The token is a service key with the scope verify. Ends with status 0 where the key is good, 3 where it is not, 1 where there is no
answer.

Examples:
  printf %s "$KEY" | keyward verify --environment live --permission calls:read
  keyward verify --file key --json | jq .code`
}

// Run asks the server.
func (c *verifyCmd) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	if c.Permission != nil && len(c.Permission) == 0 { // as in --permission "$NEEDED" where the variable is empty
		return fmt.Errorf("--permission is given and names none: leave it out to ask whether the key is good at all")
	}
	if c.Workspace != nil && len(c.Workspace) == 0 {
		return fmt.Errorf("--workspace is given and names none: leave it out to ask of any")
	}
	environment := ""
	if c.Environment != nil { // also an empty one: as in --environment "$WHERE" where the variable is empty
		if environment = *c.Environment; environment != "live" && environment != "test" {
			return usageError("--environment: want live or test; leave it out to ask of either")
		}
	}
	key, err := c.key(a)
	if err != nil {
		return err
	}
	v, err := client.Verify(ctx, keyward.VerifyRequest{Key: key, IP: c.IP, Permissions: keyward.Demand{All: c.Permission, Any: c.Any},
		Environment: environment, WorkspaceIDs: c.Workspace})
	if err != nil {
		return err
	}
	if err := c.printVerdict(a, v); err != nil {
		return err
	}
	if !v.Valid {
		return status(exitInvalid)
	}
	return nil
}

// key reads the presented key. It is not asked for on a terminal, where it would stay to be read.
func (c *verifyCmd) key(a *app) (string, error) {
	if c.File != "" {
		key, err := readSecret(c.File)
		if err != nil {
			return "", fmt.Errorf("--file: %w", err)
		}
		return key, nil
	}
	if isTerminal(a.In) {
		return "", usageError("standard input is a terminal, where a key stays to be read: pipe it in, or name a file with --file")
	}
	key, err := oneSecret(a.In)
	if err != nil {
		return "", fmt.Errorf("read the key from standard input: %w", err)
	}
	return key, nil
}

func (c *verifyCmd) printVerdict(a *app, v keyward.Verdict) error {
	if c.JSON {
		return printJSON(a.Out, v)
	}
	how := green
	if !v.Valid {
		how = red
	}
	fmt.Fprintln(a.Out, paint(a.Out, how, visible(string(v.Code))))
	if v.KeyID == "" {
		return nil
	}
	pairs := []string{"key", v.KeyID, "name", v.Name, "creator", v.UserID, "workspace", v.WorkspaceID, "environment", v.Environment,
		"expires", moment(v.ExpiresAt), "permissions", or(strings.Join(v.Permissions, " "))}
	if len(v.MissingPermissions) > 0 {
		pairs = append(pairs, "missing", strings.Join(v.MissingPermissions, " "))
	}
	if v.RateLimit != nil {
		pairs = append(pairs, remains("per minute", v.RateLimit.Minute)...)
		pairs = append(pairs, remains("per day", v.RateLimit.Day)...)
	}
	facts(a.Out, pairs...)
	return nil
}

// remains says how a limit stands; nothing where there is none.
func remains(name string, w *keyward.Window) []string {
	if w == nil {
		return nil
	}
	return []string{name, fmt.Sprintf("%d of %d left, all of it from %s on", w.Remaining, w.Limit, moment(&w.ResetAt))}
}
