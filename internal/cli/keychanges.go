package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/keyward/keyward"
)

type keysUpdate struct {
	remote
	inWorkspace
	waiting
	ID          string     `arg:"" help:"The key, by id or name."`
	Name        *string    `help:"Another name."`
	Active      *bool      `api:"isActive" help:"Whether it works."`
	Expires     endFlag    `api:"expiresAt" placeholder:"WHEN" help:"A date, a time, a span from now such as 90d, or none."`
	PerMinute   limitFlag  `api:"requestsPerMinute" placeholder:"N" help:"Requests per minute; none for unlimited."`
	PerDay      limitFlag  `api:"requestsPerDay" placeholder:"N" help:"Requests per day, UTC; none for unlimited."`
	Description *string    `help:"Another description."`
	Metadata    objectFlag `placeholder:"JSON" help:"Another object, in place of the one it has."`
	AllowIP     []string   `api:"allowedIps" sep:"," xor:"addresses" placeholder:"CIDR" help:"All that it works from, from now on."`
	Anywhere    bool       `xor:"addresses" help:"It works from everywhere, from now on."`
}

// Run changes the given fields.
func (c *keysUpdate) Run(ctx context.Context, a *app) error {
	client, err := c.mayEnter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	if c.ID, err = keyID(ctx, client, c.Workspace, c.ID); err != nil {
		return err
	}
	return c.changed(ctx, a, client, []keyward.KeyUpdate{c.wanted(time.Now())}, c.options()...)
}

func (c *keysUpdate) wanted(now time.Time) keyward.KeyUpdate {
	u := keyward.KeyUpdate{
		ID: c.ID, Name: given(c.Name), IsActive: given(c.Active), Description: given(c.Description),
		ExpiresAt: c.Expires.field(now), RateLimit: wantedLimits(c.PerMinute, c.PerDay),
	}
	if c.Metadata != nil {
		u.Metadata = keyward.Set(map[string]any(c.Metadata))
	}
	if len(c.AllowIP) > 0 || c.Anywhere {
		u.AllowedIPs = keyward.Set(append([]string{}, c.AllowIP...))
	}
	return u
}

// changed sends updates and prints their outcomes.
func (r *remote) changed(ctx context.Context, a *app, client *keyward.Client, updates []keyward.KeyUpdate,
	opts ...keyward.ChangeOption) error {
	done, err := client.UpdateKeys(ctx, updates, opts...)
	if err != nil {
		return err
	}
	if r.JSON {
		if err := printJSON(a.Out, done); err != nil || len(done.Errors) == 0 {
			return err
		}
		return status(exitFailure)
	}
	for _, k := range done.Updated {
		state := "enabled"
		if !k.IsActive {
			state = "disabled"
		}
		fmt.Fprintf(a.Out, "%s  %s  %s\n", k.ID, state, visible(k.Name))
	}
	if takes(updates) && len(done.Updated) > 0 {
		tellPending(ctx, a, client, done.Revocation)
	}
	return itemErrors(a, done.Errors)
}

type keysEnable struct {
	remote
	inWorkspace
	waiting
	IDs []string `arg:"" name:"id" help:"Keys, by id or name."`
}

// Run enables keys.
func (c *keysEnable) Run(ctx context.Context, a *app) error {
	return c.switched(ctx, a, &c.inWorkspace, &c.waiting, c.IDs, true)
}

type keysDisable struct {
	remote
	inWorkspace
	waiting
	IDs []string `arg:"" name:"id" help:"Keys, by id or name."`
}

// Run disables keys.
func (c *keysDisable) Run(ctx context.Context, a *app) error {
	return c.switched(ctx, a, &c.inWorkspace, &c.waiting, c.IDs, false)
}

func (r *remote) switched(ctx context.Context, a *app, in *inWorkspace, w *waiting, names []string, active bool) error {
	client, err := in.mayEnter(ctx, a, r)
	if err != nil {
		return err
	}
	ids, err := keyIDs(ctx, client, in.Workspace, names)
	if err != nil {
		return err
	}
	updates := make([]keyward.KeyUpdate, len(ids))
	for i, id := range ids {
		updates[i] = keyward.KeyUpdate{ID: id, IsActive: keyward.Set(active)}
	}
	return r.changed(ctx, a, client, updates, w.options()...)
}

type keysRotate struct {
	remote
	inWorkspace
	waiting
	ID      string   `arg:"" help:"The key, by id or name; self is the key that calls."`
	Overlap spanFlag `api:"overlapSeconds" default:"0s" placeholder:"SPAN" help:"How long the old value works on: up to 7d. Default: not at all."`
	Once    string   `name:"idempotency-key" placeholder:"TEXT" help:"Makes a repetition answer the same value instead of another one."`
	Request bool     `help:"Ask for the new value instead of making it: prints the page on which a signed-in member confirms, and no value."`
}

// Run gives a key a new value.
func (c *keysRotate) Run(ctx context.Context, a *app) error {
	client, err := c.mayEnter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	overlap := c.Overlap.value()
	if c.ID, err = keyID(ctx, client, c.Workspace, c.ID); err != nil {
		return err
	}
	if c.Request {
		asked, err := client.RequestRotation(ctx, c.ID, overlap)
		if err != nil {
			return err
		}
		return c.requested(a, asked)
	}
	rotated, err := client.RotateKeyOnce(ctx, c.ID, overlap, c.Once, c.options()...)
	if err != nil {
		return err
	}
	tellPending(ctx, a, client, rotated.Revocation)
	return c.revealed(a, rotated)
}

type keysDelete struct {
	remote
	inWorkspace
	waiting
	IDs []string `arg:"" name:"id" help:"Keys, by id or name."`
}

// Run deletes keys.
func (c *keysDelete) Run(ctx context.Context, a *app) error {
	client, err := c.mayEnter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	ids, err := keyIDs(ctx, client, c.Workspace, c.IDs)
	if err != nil {
		return err
	}
	d, err := client.DeleteKeys(ctx, ids, c.options()...)
	if err != nil {
		return err
	}
	return c.deleted(ctx, a, client, d)
}
