package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/keyfmt"
)

type serviceKeysCmd struct {
	List   serviceKeysList   `cmd:"" help:"List service keys."`
	Create serviceKeysCreate `cmd:"" help:"Make a service key. Its value is printed once, alone on standard output."`
	Delete serviceKeysDelete `cmd:"" help:"Delete a service key. It stops at once."`
}

func (serviceKeysCmd) Help() string {
	return `Only the root key may do this. Scopes: verify asks whether keys are good, manage does everything in every workspace, root both
and service keys besides.

Examples:
  keyward service-keys create gateway --scope verify --environment live --allowed-ip 10.0.0.0/8
  keyward service-keys create provisioning --scope manage --expires 365d`
}

type serviceKeysList struct {
	remote
	listing
}

// Run lists service keys.
func (c *serviceKeysList) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	return show(a, &c.remote, c.listing, client.AllServiceKeys(ctx, keyward.ListOptions{}),
		[]string{"ID", "KEY", "NAME", "SCOPES", "BOUND TO", "EXPIRES", "CREATED"}, func(k keyward.ServiceKey) []string {
			return []string{k.ID, k.Key, k.Name, words(k.Scopes), boundTo(k), moment(k.ExpiresAt), moment(&k.CreatedAt)}
		})
}

// words lists enum values with a blank between them.
func words[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i, w := range list {
		texts[i] = string(w)
	}
	return strings.Join(texts, " ")
}

// boundTo describes the bounds of a service key in short.
func boundTo(k keyward.ServiceKey) string {
	return or(strings.Join(slices.DeleteFunc(slices.Concat(k.WorkspaceIDs, []string{words(k.Environments)}, k.AllowedIPs),
		func(s string) bool { return s == "" }), " "))
}

type serviceKeysCreate struct {
	remote
	Name        string                `arg:"" help:"What people call it."`
	Scope       []keyward.Scope       `required:"" sep:"," enum:"verify,revoke,follow,portal,manage,root" placeholder:"SCOPE" help:"${enum}; repeat it, or use commas."`
	Expires     whenFlag              `api:"expiresAt" placeholder:"WHEN" help:"A date, a time, or a span such as 90d."`
	Workspace   []string              `api:"workspaceIds" sep:"," placeholder:"ID" help:"Bind it to these workspaces."`
	Environment []keyward.Environment `api:"environments" sep:"," placeholder:"NAME" help:"Bind it to keys of these environments: live, test."`
	AllowedIP   []string              `api:"allowedIps" name:"allowed-ip" sep:"," placeholder:"CIDR" help:"Have it work from these networks alone."`

	FollowerMode []keyward.FollowerMode `sep:"," enum:"local,open" placeholder:"MODE" help:"Let followers that ask by it admit more than the limits here: ${enum}."`
}

// Run makes a service key.
func (c *serviceKeysCreate) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	req := keyward.CreateServiceKeyRequest{
		Name: c.Name, Scopes: c.Scope, WorkspaceIDs: c.Workspace, Environments: c.Environment, AllowedIPs: c.AllowedIP,
		FollowerModes: c.FollowerMode,
	}
	if at := c.Expires.at(time.Now()); !at.IsZero() {
		req.ExpiresAt = &at
	}
	created, err := client.CreateServiceKey(ctx, req)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Out, struct {
			ServiceKey keyward.ServiceKey `json:"serviceKey"`
			Key        string             `json:"key"`
		}{created.ServiceKey, created.Key.Reveal()})
	}
	k := created.ServiceKey
	facts(
		a.Err, "id", k.ID, "key", k.Key, "name", k.Name, "scopes", words(k.Scopes), "bound to", boundTo(k), "expires",
		moment(k.ExpiresAt),
	)
	fmt.Fprintln(a.Err, "\nThe value, shown this once:")
	_, err = fmt.Fprintln(a.Out, created.Key.Reveal())
	return err
}

type serviceKeysDelete struct {
	remote
	waiting
	ID string `arg:"" help:"The service key's id."`
}

// Run deletes a service key.
func (c *serviceKeysDelete) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	d, err := client.DeleteServiceKey(ctx, c.ID, c.options()...)
	if err != nil {
		return err
	}
	return c.deleted(ctx, a, client, d)
}

type rootkeyCmd struct {
	KeyPrefix string `env:"KEYWARD_KEY_PREFIX" default:"kw" placeholder:"WORD" help:"What every key of the installation begins with."`
}

func (rootkeyCmd) Help() string {
	return `Example:
  keyward rootkey > root.key && chmod 600 root.key
  KEYWARD_ROOT_KEY="$(cat root.key)" keyward serve`
}

// Run mints a root key and prints it.
func (c *rootkeyCmd) Run(_ context.Context, a *app) error {
	format, err := keyfmt.NewFormat(c.KeyPrefix)
	if err != nil {
		return usageError(err.Error())
	}
	root, err := format.Mint(rand.Reader, keyfmt.Service)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.Out, root.Reveal())
	return err
}
