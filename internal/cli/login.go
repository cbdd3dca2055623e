package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/keyward/keyward"
)

// defaultProfile is the name of a profile where none is given.
const defaultProfile = "default"

type loginCmd struct {
	remote
	inWorkspace
}

func (loginCmd) Help() string {
	return `Keeps a server and a token for it, so that commands need no KEYWARD_URL and no KEYWARD_TOKEN: in a file of yours alone, under the
user's configuration directory. The token is asked for, or read from standard input or --token-file. It is tried first, it is never
printed, and it goes to this server alone.

A command uses the profile that --profile or KEYWARD_PROFILE names. Without a name, --token-file and KEYWARD_TOKEN come first, and
then the profile of the last login.

Examples:
  keyward login --url https://keys.example.com
  keyward login --profile staging -w Acme < token.txt
  KEYWARD_PROFILE=staging keyward keys list
  keyward logout --profile staging`
}

// Run tries the token and keeps it.
func (c *loginCmd) Run(ctx context.Context, a *app) error {
	all, err := openProfiles()
	if err != nil {
		return err
	}
	name := cmp.Or(c.Profile, os.Getenv(profileEnv), defaultProfile)
	if _, err := all.path(name); err != nil {
		return err
	}
	with := profile{URL: cmp.Or(c.URL, defaultURL)}
	if with.Token, err = c.loginToken(a); err != nil {
		return err
	}
	client, err := c.dial(a, with)
	if err != nil {
		return err
	}
	if c.Workspace = cmp.Or(c.Workspace, os.Getenv(workspaceEnv)); c.Workspace != "" {
		if with.Workspace, err = workspaceID(ctx, client, c.Workspace); err != nil {
			return err
		}
	}
	me, err := client.Me(ctx, with.Workspace)
	if err != nil {
		return fmt.Errorf("the token was tried and is not kept: %w", err)
	}
	if err := all.save(name, with); err != nil {
		return fmt.Errorf("keep the profile: %w", err)
	}
	fmt.Fprintf(
		a.Out, "Signed in to %s as %s; the profile %s is used from now on.\n", visible(with.URL), visible(whoIs(&me)), name,
	)
	return nil
}

// whoIs names the caller on one line.
func whoIs(me *keyward.Me) string {
	if me.User != nil {
		return cmp.Or(me.User.Email, me.User.ID)
	}
	return strings.TrimSpace(strings.ReplaceAll(string(me.Credential.Type), "_", " ") + " " + me.Credential.Name)
}

// loginToken reads the token from the file that is named, or from standard input, where a terminal does not show it.
func (c *loginCmd) loginToken(a *app) (string, error) {
	if c.TokenFile != "" {
		return c.token()
	}
	if !isTerminal(a.In) {
		token, err := oneSecret(a.In)
		if err != nil {
			return "", fmt.Errorf("read the token from standard input: %w", err)
		}
		return token, nil
	}
	fmt.Fprint(a.Err, "Token: ")
	token, err := unseen(a, func() (string, error) { return firstLine(a.In) })
	fmt.Fprintln(a.Err)
	return token, err
}

// unseen reads from a terminal that does not show the text that is typed.
func unseen(a *app, read func() (string, error)) (string, error) {
	in, ok := a.In.(*os.File)
	stty := func(mode string) error {
		cmd := exec.Command("stty", mode)
		cmd.Stdin = in
		return cmd.Run()
	}
	if !ok || stty("-echo") != nil {
		return "", errors.New("this terminal would show the token: give it on standard input or with --token-file")
	}
	text, err := read()
	return text, errors.Join(err, stty("echo"))
}

// firstLine reads the line that a person types.
func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 4<<10)).ReadString('\n')
	if line = strings.TrimSpace(line); line == "" {
		return "", errors.Join(errors.New("no token was typed"), err)
	}
	return line, nil
}

type logoutCmd struct {
	Profile string `placeholder:"NAME" help:"The profile. Default: KEYWARD_PROFILE, else the one that is used."`
}

func (logoutCmd) Help() string {
	return `Takes a profile away, with its token. The token itself stays good: keyward sessions end, keyward keys delete and
keyward service-keys delete end one.

Example:
  keyward logout --profile staging`
}

// Run takes the profile away.
func (c *logoutCmd) Run(_ context.Context, a *app) error {
	all, err := openProfiles()
	if err != nil {
		return err
	}
	name := cmp.Or(c.Profile, os.Getenv(profileEnv), all.current())
	if name == "" {
		return errors.New("no profile is used: keyward profiles lists those that are there")
	}
	if err := all.remove(name); err != nil {
		return err
	}
	fmt.Fprintf(a.Out, "The profile %s is gone from this machine.\n", name)
	return nil
}

type profilesCmd struct {
	Use  string `placeholder:"NAME" help:"Use this profile from now on."`
	JSON bool   `name:"json" help:"Print JSON, for programs."`
}

func (profilesCmd) Help() string {
	return `Lists the profiles of keyward login, and marks the one that is used where none is named. No token is shown.

Examples:
  keyward profiles
  keyward profiles --use staging`
}

// listedProfile is a profile as it is shown: without its token.
type listedProfile struct {
	Name      string `json:"name"`
	URL       string `json:"url"`
	Workspace string `json:"workspace"`
	IsUsed    bool   `json:"isUsed"`
	Error     string `json:"error,omitempty"`
}

// Run lists the profiles.
func (c *profilesCmd) Run(_ context.Context, a *app) error {
	all, err := openProfiles()
	if err != nil {
		return err
	}
	if c.Use != "" {
		if _, err := all.load(c.Use); err != nil {
			return err
		}
		if err := all.use(c.Use); err != nil {
			return err
		}
	}
	names, err := all.names()
	if err != nil {
		return err
	}
	used := cmp.Or(os.Getenv(profileEnv), all.current())
	listed := []listedProfile{}
	for _, name := range names {
		one := listedProfile{Name: name, IsUsed: name == used}
		p, err := all.load(name)
		if err != nil {
			one.Error = oneLine(err)
		}
		one.URL, one.Workspace = p.URL, p.Workspace
		listed = append(listed, one)
	}
	if c.JSON {
		return printJSON(a.Out, listed)
	}
	t := newTable("NAME", "USED", "SERVER", "WORKSPACE")
	for _, p := range listed {
		t.row(p.Name, yesNo(p.IsUsed), cmp.Or(p.URL, p.Error), or(p.Workspace))
	}
	t.print(a.Out)
	return nil
}
