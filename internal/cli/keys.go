package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward"
)

type keysCmd struct {
	List     keysList     `cmd:"" help:"List keys, newest first."`
	Get      keysGet      `cmd:"" help:"Show a key, never its value."`
	Self     keysSelf     `cmd:"" help:"Show the key that calls."`
	Create   keysCreate   `cmd:"" help:"Make a key. Its value is printed once, alone on standard output."`
	Update   keysUpdate   `cmd:"" help:"Change a key. Its permissions are frozen."`
	Enable   keysEnable   `cmd:"" help:"Let keys work again."`
	Disable  keysDisable  `cmd:"" help:"Stop keys at once; enable brings them back."`
	Rotate   keysRotate   `cmd:"" help:"Give a key a new value, which is printed once."`
	Delete   keysDelete   `cmd:"" help:"Delete keys at once, for good."`
	Requests keysRequests `cmd:"" help:"List the requests for keys that wait until a member confirms them."`
	Import   keysImport   `cmd:"" help:"Bring keys in from NDJSON: minted here, or by the SHA-256 of values that people already hold."`
}

func (keysCmd) Help() string {
	return `Examples:
  KEY=$(keyward keys create -w WORKSPACE --user ada --name CI --permission calls:read --expires 90d)
  keyward keys list -w WORKSPACE --search ci
  keyward keys list -w WORKSPACE --unused-since 90d --sort used --asc
  keyward keys list -w WORKSPACE --status disabled --tried-since 24h
  keyward keys rotate ID --overlap 24h
  keyward keys disable ID
  keyward keys import keys.ndjson -w WORKSPACE`
}

type keysList struct {
	remote
	listing
	inWorkspace
	User           string   `api:"userId" help:"Only keys of this creator."`
	Active         *bool    `help:"Only keys that are enabled, or with =false that are not."`
	Status         string   `enum:",active,expiring,expired,disabled" default:"" help:"Only keys with this status: active, expiring (within 14 days), expired or disabled."`
	Environment    string   `enum:",live,test" default:"" help:"Only keys of this environment: live or test."`
	Permission     string   `placeholder:"NAME" help:"Only keys that hold this permission."`
	ExpiringBefore whenFlag `placeholder:"TIME" help:"Only keys that expire before this: a date, a time, or a duration from now such as 30d."`
	UnusedSince    pastFlag `placeholder:"TIME" help:"Only keys that were not used from then on: a date, a time, or how long ago, such as 90d."`
	TriedSince     pastFlag `placeholder:"TIME" help:"Only keys that were asked about from then on, with any outcome."`
	Search         string   `placeholder:"TEXT" help:"Only keys with this in the name, description, creator, id or masked value."`
	Sort           string   `enum:"created,expires,used,tried" default:"created" help:"Sort by the time of creation, expiry, last use or last try: created, expires, used or tried."`
	Asc            bool     `help:"The earliest first."`
	Count          bool     `help:"Print how many keys there are of each status, and no keys."`
}

// Run lists keys.
func (c *keysList) Run(ctx context.Context, a *app) error {
	client, err := c.mayEnter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	opts := c.options(time.Now())
	if c.Count {
		return c.count(ctx, a, client, opts)
	}
	return show(
		a,
		&c.remote,
		c.listing,
		client.AllKeys(ctx, opts),
		[]string{
			"ID", "KEY", "NAME", "USER", "ACTIVE", "LAST USED", "EXPIRES", "PERMISSIONS",
		},
		func(k keyward.APIKey) []string {
			return []string{
				k.ID, k.Key, k.Name, k.UserID, yesNo(k.IsActive), moment(k.LastUsedAt), moment(k.ExpiresAt),
				strconv.Itoa(len(k.Permissions)),
			}
		},
	)
}

// keySorts are the fields of the values of --sort.
var keySorts = map[string]keyward.KeySort{
	"created": keyward.ByCreation, "expires": keyward.ByExpiry, "used": keyward.ByLastUse, "tried": keyward.ByLastTry,
}

func (c *keysList) options(now time.Time) keyward.ListKeysOptions {
	o := keyward.ListKeysOptions{
		WorkspaceID: c.Workspace, UserID: c.User, IsActive: c.Active, Status: keyward.KeyStatus(c.Status),
		Environment: keyward.Environment(c.Environment), Permission: c.Permission, Search: c.Search,
		ExpiringBefore: c.ExpiringBefore.at(now), UnusedSince: c.UnusedSince.at(now), TriedSince: c.TriedSince.at(now),
	}
	if c.Sort != "created" {
		o.SortBy = keySorts[c.Sort]
	}
	if c.Asc {
		o.SortOrder = keyward.Ascending
	}
	return o
}

// count prints the numbers of keys; one that the server did not count is more than it counts to.
func (c *keysList) count(ctx context.Context, a *app, client *keyward.Client, opts keyward.ListKeysOptions) error {
	opts.Counts, opts.Limit = true, 1
	page, err := client.ListKeys(ctx, opts)
	if err != nil || page.Counts == nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Out, page.Counts)
	}
	n := page.Counts
	facts(
		a.Out, "total", counted(n.Total), "active", counted(n.Active), "expiring", counted(n.Expiring), "expired",
		counted(n.Expired), "disabled", counted(n.Disabled),
	)
	return nil
}

func counted(n *int) string {
	if n == nil {
		return "not counted: too many"
	}
	return strconv.Itoa(*n)
}

type keysGet struct {
	remote
	inWorkspace
	ID string `arg:"" help:"The key, by id or name."`
}

// Run shows a key.
func (c *keysGet) Run(ctx context.Context, a *app) error {
	client, err := c.mayEnter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	if c.ID, err = keyID(ctx, client, c.Workspace, c.ID); err != nil {
		return err
	}
	k, err := client.GetKey(ctx, c.ID)
	if err != nil {
		return err
	}
	if err := c.printKey(a, k); err != nil || c.JSON {
		return err
	}
	left, err := limitsLeft(client.KeyLimits(ctx, c.ID))
	if left != nil && err == nil {
		printLeft(a.Out, left, time.Now())
	}
	return err
}

type keysSelf struct{ remote }

// Run shows the key that calls.
func (c *keysSelf) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	k, err := client.SelfKey(ctx)
	if err != nil {
		return err
	}
	return c.printKey(a, k)
}

func (r *remote) printKey(a *app, k keyward.APIKey) error {
	if r.JSON {
		return printJSON(a.Out, k)
	}
	facts(a.Out, keyFacts(k)...)
	return nil
}

func keyFacts(k keyward.APIKey) []string {
	metadata, err := json.Marshal(k.Metadata)
	if err != nil || len(k.Metadata) == 0 {
		metadata = nil
	}
	pairs := []string{"id", k.ID, "key", k.Key, "name", k.Name, "creator", k.UserID, "workspace", k.WorkspaceID,
		"environment", string(k.Environment), "active", yesNo(k.IsActive), "expires", moment(k.ExpiresAt), "limits",
		limits(k.RateLimit),
		"addresses", or(strings.Join(k.AllowedIPs, " ")), "description", or(k.Description), "metadata", or(string(metadata)),
		"permissions", or(strings.Join(k.Permissions, " ")), "created", moment(&k.CreatedAt), "last used",
		moment(k.LastUsedAt),
		"last tried", moment(k.LastTriedAt)}
	if k.DisabledBy != "" {
		pairs = append(pairs, "disabled", "by "+k.DisabledBy+", "+moment(k.DisabledAt))
	}
	for _, p := range k.PreviousKeys {
		also := p.Key + " until " + moment(&p.ExpiresAt)
		if p.LastUsedAt != nil {
			also += ", last used " + moment(p.LastUsedAt)
		}
		if p.LastUsedFrom != "" {
			also += " from " + p.LastUsedFrom
		}
		pairs = append(pairs, "also", also)
	}
	return pairs
}

// revealed prints a value, this once: alone on standard output, with its object on standard error.
func (r *remote) revealed(a *app, k keyward.CreatedKey) error {
	if r.JSON {
		return printJSON(a.Out, struct {
			APIKey keyward.APIKey `json:"apiKey"`
			Key    string         `json:"key"`
		}{k.APIKey, k.Key.Reveal()})
	}
	facts(a.Err, keyFacts(k.APIKey)...)
	fmt.Fprintln(a.Err, "\nThe value, shown this once:")
	_, err := fmt.Fprintln(a.Out, k.Key.Reveal())
	return err
}

type keysCreate struct {
	remote
	inWorkspace
	User           string     `api:"userId" required:"" help:"Whose key it will be: its creator."`
	Name           string     `required:"" help:"What people call it."`
	Permission     []string   `api:"permissions" short:"p" sep:"," xor:"permissions" placeholder:"NAME" help:"What it may do; repeat it, or use commas. Default: all that the creator holds."`
	NoPermissions  bool       `xor:"permissions" help:"It may do nothing and only says who it is."`
	Expires        whenFlag   `api:"expiresAt" placeholder:"WHEN" help:"A date, a time, or a span such as 90d."`
	PerMinute      limitFlag  `api:"requestsPerMinute" placeholder:"N" help:"Requests per minute; none for unlimited."`
	PerDay         limitFlag  `api:"requestsPerDay" placeholder:"N" help:"Requests per day, UTC; none for unlimited."`
	Environment    string     `enum:"live,test" default:"live" help:"live or test."`
	Description    string     `help:"What it is for."`
	Metadata       objectFlag `placeholder:"JSON" help:"An object of your own."`
	AllowIP        []string   `api:"allowedIps" sep:"," placeholder:"CIDR" help:"Where it works from; default: everywhere."`
	IdempotencyKey string     `placeholder:"TEXT" help:"Makes a repetition answer the same key and value instead of a second one."`
	Request        bool       `help:"Ask for the key instead of making it: prints the page on which a signed-in member confirms, and no value."`
}

func (keysCreate) Help() string {
	return `The value goes to standard output, everything else to standard error, so that this keeps it:

  KEY=$(keyward keys create -w WORKSPACE --user ada --name CI --permission calls:read)`
}

// Run makes a key.
func (c *keysCreate) Run(ctx context.Context, a *app) error {
	if c.Request && c.IdempotencyKey != "" {
		return usageError("--idempotency-key is of no use with --request: a request that is not confirmed ends by itself")
	}
	client, err := c.mayEnter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	req := keyward.CreateKeyRequest{
		WorkspaceID: c.Workspace, UserID: c.User, Name: c.Name, Environment: keyward.Environment(c.Environment),
		Description: c.Description, AllowedIPs: c.AllowIP, IdempotencyKey: c.IdempotencyKey,
	}
	if len(c.Permission) > 0 || c.NoPermissions {
		req.Permissions = keyward.Permissions(c.Permission...)
	}
	if at := c.Expires.at(time.Now()); !at.IsZero() {
		req.ExpiresAt = &at
	}
	req.RateLimit = wantedLimits(c.PerMinute, c.PerDay)
	req.Metadata = c.Metadata
	if c.Request {
		asked, err := client.RequestKey(ctx, req)
		if err != nil {
			return err
		}
		return c.requested(a, asked)
	}
	created, err := client.CreateKey(ctx, req)
	if err != nil {
		return err
	}
	return c.revealed(a, created)
}

// requested prints the page on which a member confirms a request: alone on standard output, with its facts on standard
// error.
func (r *remote) requested(a *app, asked keyward.KeyRequest) error {
	if r.JSON {
		return printJSON(a.Out, asked)
	}
	facts(
		a.Err, "request", asked.ID, "key", asked.KeyID, "name", asked.Asks.Name, "permissions",
		or(strings.Join(asked.Asks.Permissions, " ")), "ends", moment(&asked.ExpiresAt),
	)
	fmt.Fprintln(a.Err, "\nA signed-in member confirms here, and alone sees the value:")
	_, err := fmt.Fprintln(a.Out, asked.URL)
	return err
}

type keysRequests struct {
	remote
	listing
	inWorkspace
}

// Run lists requests that wait.
func (c *keysRequests) Run(ctx context.Context, a *app) error {
	client, err := c.mayEnter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	all := client.AllKeyRequests(ctx, keyward.ListKeyRequestsOptions{WorkspaceID: c.Workspace})
	return show(a, &c.remote, c.listing, all, []string{"ID", "KIND", "NAME", "CREATOR", "ASKED BY", "ENDS", "PAGE"},
		func(r keyward.KeyRequest) []string {
			return []string{r.ID, r.Kind, r.Asks.Name, r.Asks.UserID, r.RequestedBy, moment(&r.ExpiresAt), r.URL}
		})
}

// wantedLimits are the limits of a request.
func wantedLimits(minute, day limitFlag) keyward.Field[keyward.Limits] {
	l := keyward.Limits{RequestsPerMinute: minute.field(), RequestsPerDay: day.field()}
	if l.RequestsPerMinute.IsZero() && l.RequestsPerDay.IsZero() {
		return keyward.Field[keyward.Limits]{}
	}
	return keyward.Set(l)
}

// limits shows limits to people.
func limits(l keyward.RateLimit) string {
	var parts []string
	if n := l.RequestsPerMinute; n != nil {
		parts = append(parts, fmt.Sprintf("%d/minute", *n))
	}
	if n := l.RequestsPerDay; n != nil {
		parts = append(parts, fmt.Sprintf("%d/day", *n))
	}
	return or(strings.Join(parts, ", "))
}
