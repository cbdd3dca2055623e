package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/server"
)

type demoCmd struct {
	Short bool `help:"Print one line for each step, and no requests."`
}

func (demoCmd) Help() string {
	return `Starts a server on a free port with a database in a temporary directory, tells the story of a key request by request, and takes
everything away again. Nothing else is touched. Keys are shown shortened.

Examples:
  keyward demo
  keyward demo --short`
}

// Run tells the story.
func (c *demoCmd) Run(ctx context.Context, a *app) (err error) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "keyward-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cfg := config.Default()
	cfg.Addr, cfg.Database = "127.0.0.1:0", filepath.Join(dir, "keyward.db")
	s, err := server.New(ctx, cfg, server.Options{Version: a.version})
	if err != nil {
		return err
	}
	running, halt := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- s.Run(running) }()
	t := demoClient{out: a.Out, url: s.URL(), http: &http.Client{}, short: c.Short}
	fmt.Fprintf(a.Out, "A server with an empty database runs at %s until the end of this story.\n", t.url)
	err = t.tell(ctx, s.Minted().Reveal())
	t.http.CloseIdleConnections()
	halt()
	return errors.Join(err, <-stopped, s.Close())
}

// tell goes through the life of a key. root is the root key.
func (t *demoClient) tell(ctx context.Context, root string) error {
	t.ctx, t.token = ctx, root

	t.title("A workspace, with Ada as its owner. The root key, which the first start printed, may do that.")
	workspace := t.call(
		"POST", "/workspaces", 201, `{"name": "Acme", "owner": {"userId": "ada", "email": "ada@example.com"}}`,
	).
		at("workspace", "id")
	in := "/workspaces/" + workspace

	t.title("A role: what the support team may do.")
	role := t.call("POST", in+"/roles", 201, `{"name": "Support", "permissions": ["calls:read", "agents:read"]}`).
		at("role", "id")

	t.title("Bob joins the team.")
	t.call("PUT", in+"/members/bob", 201, fmt.Sprintf(`{"email": "bob@example.com", "roleId": %q}`, role))

	t.title("A key for Bob's script. It may do no more than Bob may; asking for more is refused, and says what.")
	t.call(
		"POST",
		"/api-keys",
		403,
		fmt.Sprintf(
			`{"workspaceId": %q, "userId": "bob", "name": "nightly report", "permissions": ["calls:read", "calls:write"]}`,
			workspace,
		),
	)

	t.title("So it asks for less. The value is in this one answer, and never again.")
	made := t.call(
		"POST",
		"/api-keys",
		201,
		fmt.Sprintf(
			`{"workspaceId": %q, "userId": "bob", "name": "nightly report", "permissions": ["calls:read"]}`, workspace,
		),
	)
	id, key := made.at("apiKey", "id"), made.at("key")

	t.title("Somebody calls the platform with that key. The platform asks: may it read calls?")
	t.verify(key, "calls:read", "VALID")
	t.title("May it write them?")
	t.verify(key, "calls:write", "INSUFFICIENT_PERMISSIONS")
	t.title("One wrong letter is found by the checksum, without a look into any table.")
	t.verify(key[:len(key)-1]+other(key[len(key)-1]), "calls:read", "MALFORMED")

	t.title("The key is disabled. From this answer on nobody is let in with it.")
	t.call("PUT", "/api-keys", 200, fmt.Sprintf(`{"apiKeys": [{"id": %q, "isActive": false}]}`, id))
	t.verify(key, "calls:read", "DISABLED")

	t.title(
		"It is enabled again, and gets a new value. The old one works for another hour, so that the script has time to change.",
	)
	t.call("PUT", "/api-keys", 200, fmt.Sprintf(`{"apiKeys": [{"id": %q, "isActive": true}]}`, id))
	renewed := t.call("POST", "/api-keys/"+id+"/rotate", 200, `{"overlapSeconds": 3600}`).at("key")
	t.verify(key, "calls:read", "VALID")
	t.verify(renewed, "calls:read", "VALID")

	t.title("Bob leaves. His keys stop in the same instant.")
	t.call("DELETE", in+"/members/bob", 200, "")
	t.verify(renewed, "calls:read", "DISABLED")

	t.title("The key is deleted. Now it is as if there had never been one.")
	t.call("DELETE", "/api-keys/"+id, 200, "")
	t.verify(renewed, "calls:read", "NOT_FOUND")

	t.title("The log has it all: who did what, as which credential.")
	t.log(workspace)
	if t.err == nil {
		fmt.Fprint(t.out, "\nThat was it; server and database are gone. Your own: keyward serve\n")
	}
	return t.err
}

// other is a letter that is not c.
func other(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}
