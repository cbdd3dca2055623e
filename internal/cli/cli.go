// Package cli owns the command: its words, its output, and its exit status. Commands about a server's objects call it
// over HTTP through the public client; commands about a database file open that. It owns no rule of the product.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/keyward/keyward/internal/command"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/store/postgres"
)

// The statuses with which the command ends.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitInvalid = 3 // verify: the key is not good
	// serve: a setting or the database is wrong, and starting again would not help (EX_CONFIG of sysexits.h)
	exitConfig = 78
)

// Streams are the command's input and outputs.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// root is the command with its words, in the order in which help shows them.
type root struct {
	Serve  serveCmd  `cmd:"" group:"server" help:"Run a server."`
	Follow followCmd `cmd:"" group:"server" help:"Run a follower: verifications beside a service, without a database."`
	Demo   demoCmd   `cmd:"" group:"server" help:"Show the whole story on a throw-away database."`
	Health healthCmd `cmd:"" group:"server" help:"Ask whether a server can verify keys: the status is 0 or 1."`

	Login       loginCmd       `cmd:"" group:"objects" help:"Keep a server and a token for it, so that commands need neither."`
	Logout      logoutCmd      `cmd:"" group:"objects" help:"Take a kept token away from this machine."`
	Profiles    profilesCmd    `cmd:"" group:"objects" help:"The servers that login has kept, and which one is used."`
	Whoami      whoamiCmd      `cmd:"" group:"objects" help:"As whom the token works, and what that may do."`
	Workspaces  workspacesCmd  `cmd:"" group:"objects" help:"Tenants: list, make, change, delete."`
	Members     membersCmd     `cmd:"" group:"objects" help:"Who is in a workspace, and with which role."`
	Roles       rolesCmd       `cmd:"" group:"objects" help:"What members may do."`
	Keys        keysCmd        `cmd:"" group:"objects" help:"API keys: make, look at, change, rotate, delete, import."`
	ServiceKeys serviceKeysCmd `cmd:"" group:"objects" help:"Operators' credentials."`
	Sessions    sessionsCmd    `cmd:"" group:"objects" help:"Who is signed in to the dashboard."`
	Portal      portalCmd      `cmd:"" group:"objects" help:"Pages of your product in which a member keeps their own keys."`
	Webhooks    webhooksCmd    `cmd:"" group:"objects" help:"Signed notices of what happens to keys."`
	Signin      signinCmd      `cmd:"" group:"objects" help:"Print a one-time link that signs a member in to the dashboard."`
	Status      statusCmd      `cmd:"" group:"objects" help:"The condition of the installation, and what needs attention."`
	Nodes       nodesCmd       `cmd:"" group:"objects" help:"The processes that serve the installation, and how far each is."`
	Permissions permissionsCmd `cmd:"" group:"objects" help:"The server's catalogue of permissions."`
	Verify      verifyCmd      `cmd:"" group:"objects" help:"Ask whether a key is good. Reads the key from standard input or a file."`
	Explain     explainCmd     `cmd:"" group:"objects" help:"Say step by step what a verification of a key would say, and why."`
	Refusals    refusalsCmd    `cmd:"" group:"objects" help:"The latest refusals of a key or a workspace, and why."`
	Usage       usageCmd       `cmd:"" group:"objects" help:"How often keys were verified and refused, drawn in the terminal."`
	Logs        logsCmd        `cmd:"" group:"objects" help:"Who changed what, and when."`
	MCP         mcpCmd         `cmd:"" name:"mcp" group:"objects" help:"Tools for agents, over standard input and output."`

	Routes  routesCmd  `cmd:"" group:"gateways" help:"Route tables: check, explain, make a first one."`
	Gateway gatewayCmd `cmd:"" group:"gateways" help:"Print a proxy's configuration that asks this server."`

	Backup       backupCmd       `cmd:"" group:"files" help:"Write a consistent copy of the database, also while a server runs."`
	Restore      restoreCmd      `cmd:"" group:"files" help:"Put a backup in the database's place."`
	Migrate      migrateCmd      `cmd:"" group:"files" help:"Bring the database up to this version. A server does it by itself when it starts."`
	MigrateStore migrateStoreCmd `cmd:"" group:"files" help:"Move everything from SQLite to PostgreSQL while a server runs."`
	Time         timeCmd         `cmd:"" group:"files" help:"The time by which keys expire."`
	Doctor       doctorCmd       `cmd:"" group:"files" help:"Check settings, database, clock and files, and say what to do."`
	Catalogue    catalogueCmd    `cmd:"" group:"files" help:"Catalogues of permissions."`
	Rootkey      rootkeyCmd      `cmd:"" group:"files" help:"Make a root key for KEYWARD_ROOT_KEY. It is printed and kept nowhere."`

	Version versionCmd `cmd:"" group:"shell" help:"Print the version."`
}

const description = `API keys that are minted within their creator's permissions, verified on every call, and revoked at once.

Commands about objects call the server at KEYWARD_URL (default http://127.0.0.1:8080) with the token in KEYWARD_TOKEN or --token-file,
or a server and a token that keyward login has kept (--profile, KEYWARD_PROFILE).
KEYWARD_WORKSPACE stands for -w. Workspaces, roles, members and keys are named by their ids or their names.

Examples:
  keyward serve
  keyward demo
  keyward workspaces create Acme --owner ada --email ada@example.com
  keyward keys create -w WORKSPACE --user ada --name "CI" --permission calls:read
  printf %s "$KEY" | keyward verify --permission calls:read`

// app holds the data that every command gets beside its own flags.
type app struct {
	Streams
	version string
}

// runner is a command without commands below it.
type runner interface {
	Run(ctx context.Context, a *app) error
}

// status ends the command with a status of its own, without an error's line.
type status int

func (s status) Error() string { return fmt.Sprintf("status %d", int(s)) }

// Main runs the command with its arguments, without its own name, and answers the status to end with. Errors are one
// line each on Streams.Err.
func Main(ctx context.Context, args []string, s Streams, version string) int {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	a := &app{Streams: s, version: version}
	began := false
	tree := commandTree(func(ctx context.Context, cmd any) error {
		began = true
		return withFlags(cmd, cmd.(runner).Run(ctx, a))
	})
	tree.SetIn(s.In)
	tree.SetOut(s.Out)
	tree.SetErr(s.Err)
	where, err := command.Execute(ctx, tree, args)
	if err != nil && !began {
		fmt.Fprintf(s.Err, "keyward: %s\nSee %s --help\n", oneLine(err), where)
		return exitUsage
	}
	return ended(s.Err, err)
}

// commandTree is the tree of commands.
func commandTree(run func(ctx context.Context, cmd any) error) *cobra.Command {
	all := new(root)
	all.Serve.serverFlags = newServerFlags()
	all.Follow.serverFlags = newFollowFlags()
	all.Doctor.Look.serverFlags = newServerFlags()
	return command.New(all, command.Spec{
		Name: "keyward", Help: description, Run: run, Library: "shell",
		Groups: []*cobra.Group{
			{ID: "server", Title: "Server:"}, {ID: "objects", Title: "Objects of a server:"},
			{ID: "gateways", Title: "Gateways:"}, {ID: "files", Title: "Files:"}, {ID: "shell", Title: "The command itself:"},
		},
	})
}

func ended(w io.Writer, err error) int {
	var code status
	var wrong usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &wrong):
		fmt.Fprintf(w, "keyward: %s\n", oneLine(err))
		return exitUsage
	case wantsWorkspace(err):
		fmt.Fprintf(w, "keyward: %s\n", noWorkspace)
		return exitUsage
	case errors.As(err, new(misconfigured)):
		fmt.Fprintf(w, "keyward: %s\n", oneLine(remedied(err)))
		return exitConfig
	}
	if url, ok := unanswered(err); ok {
		fmt.Fprintf(w, "keyward: nothing answers there: is `keyward serve` running at %s?\n", url)
		return exitFailure
	}
	fmt.Fprintf(w, "keyward: %s\n", oneLine(remedied(err)))
	return exitFailure
}

// remedied adds to an error of a database or of a file what to do about it.
func remedied(err error) error {
	if do := postgres.Remedy(err); do != "" {
		return fmt.Errorf("%w: %s", err, do)
	}
	var file *fs.PathError
	if errors.As(err, &file) {
		return config.Explained(file.Path, err)
	}
	return err
}

// unanswered tells where a server was asked that does not listen.
func unanswered(err error) (base string, ok bool) {
	var asked *url.Error
	if !errors.Is(err, syscall.ECONNREFUSED) || !errors.As(err, &asked) {
		return "", false
	}
	u, err := url.Parse(asked.URL)
	if err != nil {
		return "", false
	}
	return visible(u.Scheme + "://" + u.Host), true
}

// usageError is a wrong use that only the command itself can see.
type usageError string

func (e usageError) Error() string { return string(e) }

// misconfigured is an error of serve that another start would meet again.
type misconfigured struct{ error }

// Unwrap gives the error itself.
func (m misconfigured) Unwrap() error { return m.error }

// oneLine keeps an error on the one line it has and from steering the terminal, and leaves out the name that stands
// before it anyway.
func oneLine(err error) string {
	return visible(strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", "; "), "keyward: "))
}
