package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/keyward/keyward"
)

type verifyCmd struct {
	remote
	question
	File    string `type:"path" placeholder:"FILE" help:"Read the key from a file instead of standard input."`
	Explain bool   `help:"Say step by step why. The token must also be allowed to read the key, as one with the scope manage is."`
}

func (verifyCmd) Help() string {
	return `The token is a service key with the scope verify. Ends with status 0 where the key is good, 3 where it is not, 1 where there is no
answer. With --cost 0 nothing is taken of the key's limits.

Examples:
  printf %s "$KEY" | keyward verify --environment live --permission calls:read
  keyward verify --file key --json | jq .code
  keyward verify --file key --cost 0 --explain`
}

// Run asks the server.
func (c *verifyCmd) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	if err := c.resolve(ctx, client); err != nil {
		return err
	}
	key, err := c.key(a)
	if err != nil {
		return err
	}
	asked := c.request()
	v, err := client.Verify(
		ctx,
		keyward.VerifyRequest{Key: key, IP: asked.IP, Permissions: asked.Permissions, Cost: asked.Cost,
			Environment: asked.Environment, WorkspaceIDs: asked.WorkspaceIDs},
	)
	if err != nil {
		return err
	}
	var x *keyward.Explanation
	if c.Explain {
		if x, err = c.explain(ctx, a, client, v, asked); err != nil {
			return err
		}
	}
	if err := c.printVerdict(a, v, x); err != nil {
		return err
	}
	if !v.Valid {
		return status(exitInvalid)
	}
	return nil
}

// explain asks for the steps of the verdict; nil where there is no key to ask of. Where the verdict took something of
// the limits, the steps are those of the next request.
func (c *verifyCmd) explain(
	ctx context.Context, a *app, client *keyward.Client, v keyward.Verdict, asked keyward.ExplainRequest,
) (*keyward.Explanation, error) {
	if v.KeyID == "" {
		why := "No key has this value, or the key is not of the environment or workspace asked for, or it is outside what the token reaches."
		if v.Code == keyward.VerdictMalformed {
			why = "The text has not the form of a key: a character is missing, added or mistyped."
		}
		fmt.Fprintln(a.Err, why)
		return nil, nil
	}
	x, err := client.ExplainKey(ctx, v.KeyID, asked)
	if err != nil {
		return nil, fmt.Errorf("--explain: %w", err)
	}
	return &x, nil
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
		return "", usageError(
			"standard input is a terminal, where a key stays to be read: pipe it in, or name a file with --file",
		)
	}
	key, err := oneSecret(a.In)
	if err != nil {
		return "", fmt.Errorf("read the key from standard input: %w", err)
	}
	return key, nil
}

func (c *verifyCmd) printVerdict(a *app, v keyward.Verdict, x *keyward.Explanation) error {
	if c.JSON {
		return printJSON(a.Out, struct {
			keyward.Verdict
			Explanation *keyward.Explanation `json:"explanation,omitempty"`
		}{v, x})
	}
	printVerdictCode(a.Out, v.Code)
	if v.KeyID == "" {
		return nil
	}
	pairs := []string{
		"key", v.KeyID, "name", v.Name, "creator", v.UserID, "workspace", v.WorkspaceID, "environment", string(v.Environment),
		"expires", moment(v.ExpiresAt), "permissions", or(strings.Join(v.Permissions, " ")),
	}
	if v.PreviousKeyExpiresAt != nil {
		pairs = append(pairs, "value", "an earlier one, until "+moment(v.PreviousKeyExpiresAt))
	}
	if len(v.MissingPermissions) > 0 {
		pairs = append(pairs, "missing", strings.Join(v.MissingPermissions, " "))
	}
	if v.RateLimit != nil {
		pairs = append(pairs, remains("per minute", v.RateLimit.Minute)...)
		pairs = append(pairs, remains("per day", v.RateLimit.Day)...)
		pairs = append(pairs, remains("workspace per minute", v.RateLimit.WorkspaceMinute)...)
		pairs = append(pairs, remains("workspace per day", v.RateLimit.WorkspaceDay)...)
	}
	facts(a.Out, pairs...)
	if x != nil {
		printSteps(a.Out, x.Steps)
	}
	return nil
}

// remains says how a limit stands; nothing where there is none.
func remains(name string, w *keyward.Window) []string {
	if w == nil {
		return nil
	}
	return []string{name, fmt.Sprintf("%d of %d left, all of it from %s on", w.Remaining, w.Limit, moment(&w.ResetAt))}
}
