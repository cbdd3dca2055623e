package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/keyward/keyward"
)

// question holds the parameters of a question about a key, beside the key.
type question struct {
	Permission  []string `api:"permissions,all" short:"p" sep:"," placeholder:"NAME" help:"What it must be allowed to do: all of these."`
	Any         []string `sep:"," placeholder:"NAME" help:"At least one of these too."`
	IP          string   `api:"ip" name:"ip" placeholder:"ADDRESS" help:"Where the key was presented from."`
	Environment *string  `placeholder:"NAME" help:"The environment of which it must be: live or test."`
	Workspace   []string `api:"workspaceId,workspaceIds" short:"w" sep:"," placeholder:"WORKSPACE" help:"The workspace of which it must be; repeated, one of them."`
	Cost        *int     `placeholder:"N" help:"What the request takes of the limits; 0 asks and takes nothing. Default: 1."`
}

// check refuses an empty value: as in --permission "$NEEDED" with an empty variable.
func (q *question) check() error {
	switch {
	case q.Permission != nil && len(q.Permission) == 0:
		return fmt.Errorf("--permission is given and names none: leave it out to ask whether the key is good at all")
	case q.Workspace != nil && len(q.Workspace) == 0:
		return fmt.Errorf("--workspace is given and names none: leave it out to ask of any")
	case q.Environment != nil && *q.Environment != "live" && *q.Environment != "test":
		return usageError("--environment: want live or test; leave it out to ask of either")
	}
	return nil
}

// resolve turns the names of demanded workspaces into ids.
func (q *question) resolve(ctx context.Context, client *keyward.Client) (err error) {
	for i, name := range q.Workspace {
		if q.Workspace[i], err = workspaceID(ctx, client, name); err != nil {
			return err
		}
	}
	return nil
}

func (q *question) request() keyward.ExplainRequest {
	req := keyward.ExplainRequest{
		Permissions: keyward.Demand{All: q.Permission, Any: q.Any}, IP: q.IP, Cost: q.Cost, WorkspaceIDs: q.Workspace,
	}
	if q.Environment != nil {
		req.Environment = keyward.Environment(*q.Environment)
	}
	return req
}

type explainCmd struct {
	remote
	question
	ID string `arg:"" name:"key-id" help:"The key, by id or name."`
}

func (explainCmd) Help() string {
	return `Says step by step what a verification of the key's current value would say now. It takes nothing of the limits and is no use of the
key. The token needs to read the key. Ends with status 0 where the key is good, 3 where it is not.

Examples:
  keyward explain KEY_ID --permission calls:write
  keyward explain KEY_ID --ip 203.0.113.7 --environment live --json`
}

// Run asks the server.
func (c *explainCmd) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	if err := c.find(ctx, client); err != nil {
		return err
	}
	x, err := client.ExplainKey(ctx, c.ID, c.request())
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(a.Out, x)
	} else {
		printVerdictCode(a.Out, x.Verdict)
		printSteps(a.Out, x.Steps)
	}
	if err == nil && x.Verdict != keyward.VerdictValid {
		return status(exitInvalid)
	}
	return err
}

// find turns names into ids. A key is looked for in the one workspace that is demanded, or that of the environment.
func (c *explainCmd) find(ctx context.Context, client *keyward.Client) error {
	if err := c.resolve(ctx, client); err != nil {
		return err
	}
	in := inWorkspace{Workspace: os.Getenv(workspaceEnv)}
	if len(c.Workspace) == 1 {
		in.Workspace = c.Workspace[0]
	}
	var err error
	if in.Workspace != "" && !isID(c.ID) {
		if in.Workspace, err = workspaceID(ctx, client, in.Workspace); err != nil {
			return err
		}
	}
	c.ID, err = keyID(ctx, client, in.Workspace, c.ID)
	return err
}

func printVerdictCode(w io.Writer, code keyward.VerdictCode) {
	how := green
	if code != keyward.VerdictValid {
		how = red
	}
	fmt.Fprintln(w, paint(w, how, visible(string(code))))
}

func printSteps(w io.Writer, steps []keyward.ExplainedStep) {
	t := newTable("STEP", "PASSED", "WHY")
	for _, s := range steps {
		passed := "-"
		if s.Reached {
			passed = yesNo(s.Passed)
		}
		t.row(string(s.Code), passed, s.Why)
	}
	t.print(w)
}
