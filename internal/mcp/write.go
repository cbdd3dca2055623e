package mcp

import (
	"context"
	"errors"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward/keyward"
)

func (t *tools) addWriting(s *sdk.Server) {
	create, rotate := "Asks for an API key. It is not active and has no value before a signed-in member confirms it at confirmUrl, "+
		"within 15 minutes: show the link to the user.",
		"Asks for a new value of a key. The present value works until a signed-in member confirms at confirmUrl, within 15 minutes: "+
			"show the link to the user."
	if t.Vault != nil {
		create = "Makes an API key. Its value is written into a new file on this machine, which the answer names, and is shown nowhere."
		rotate = "Gives a key a new value, which is written into a new file on this machine. The present value ends after the overlap."
	}
	add(s, tool{
		name: "create_key", title: "Create a key", about: create, changes: true,
		enums: map[string][]string{"environment": {"live", "test"}},
	}, t.createKey)
	add(s, tool{name: "rotate_key", title: "Rotate a key", about: rotate, changes: true, destroys: true}, t.rotateKey)
	add(s, tool{
		name: "disable_key", title: "Disable a key", changes: true, destroys: true, repeatable: true,
		about: "Stops a key at once, whatever uses it. It can be enabled again by people, and by no tool.",
	}, t.disableKey)
}

type createKeyIn struct {
	Name        string         `json:"name" jsonschema:"what people call the key"`
	Permissions []string       `json:"permissions" jsonschema:"all that the key may do, such as calls:read; an empty list identifies only"`
	UserID      string         `json:"userId,omitempty" jsonschema:"the owner; the caller's own user where it is left out"`
	WorkspaceID string         `json:"workspaceId,omitempty"`
	Environment string         `json:"environment,omitempty" jsonschema:"live where it is left out"`
	ExpiresAt   string         `json:"expiresAt,omitempty" jsonschema:"RFC 3339; the workspace's default where it is left out"`
	PerMinute   *int           `json:"requestsPerMinute,omitempty"`
	PerDay      *int           `json:"requestsPerDay,omitempty"`
	Description string         `json:"description,omitempty"`
	Metadata    map[string]any `json:"metadata,omitempty"`
	AllowedIPs  []string       `json:"allowedIps,omitempty" jsonschema:"networks from which the key works, such as 203.0.113.0/24"`
}

type madeOut struct {
	Request *request `json:"request,omitempty" jsonschema:"what a signed-in member confirms"`
	Key     *key     `json:"key,omitempty" jsonschema:"the key that was made"`
	File    string   `json:"file,omitempty" jsonschema:"the file on this machine that holds the value; do not read it"`
	Next    string   `json:"next" jsonschema:"what to tell the user"`
}

const confirmNext = "Show confirmUrl to the user. They confirm there, signed in, before endsAt, and alone see the value. " +
	"get_key with the id of this request says what became of it."

const fileNext = "Tell the user the name of the file. It holds the value, and nothing else knows it."

func (t *tools) createKey(ctx context.Context, in createKeyIn) (out madeOut, err error) {
	c, err := t.client(ctx)
	if err != nil {
		return out, err
	}
	req := keyward.CreateKeyRequest{
		WorkspaceID: t.workspace(in.WorkspaceID), UserID: in.UserID, Name: in.Name,
		Permissions: keyward.Permissions(in.Permissions...), Environment: keyward.Environment(in.Environment),
		Description: in.Description, Metadata: in.Metadata, AllowedIPs: in.AllowedIPs,
	}
	end, err := instant("expiresAt", in.ExpiresAt)
	if err != nil {
		return out, err
	}
	if !end.IsZero() {
		req.ExpiresAt = &end
	}
	if in.PerMinute != nil || in.PerDay != nil {
		var limits keyward.Limits
		if in.PerMinute != nil {
			limits.RequestsPerMinute = keyward.Set(*in.PerMinute)
		}
		if in.PerDay != nil {
			limits.RequestsPerDay = keyward.Set(*in.PerDay)
		}
		req.RateLimit = keyward.Set(limits)
	}
	if req.UserID == "" {
		if req.UserID, err = self(ctx, c); err != nil {
			return out, err
		}
	}
	if t.Vault != nil {
		return t.Vault.keep(in.Name, func() (keyward.CreatedKey, error) { return c.CreateKey(ctx, req) })
	}
	r, err := c.RequestKey(ctx, req)
	if err != nil {
		return out, err
	}
	return madeOut{Request: requestOf(&r), Next: confirmNext}, nil
}

// self is the user of the caller.
func self(ctx context.Context, c *keyward.Client) (string, error) {
	me, err := c.Me(ctx, "")
	if err != nil {
		return "", err
	}
	if me.User == nil {
		return "", fieldError("userId", "must be given: a service key is no user")
	}
	return me.User.ID, nil
}

type rotateKeyIn struct {
	ID             string `json:"id" jsonschema:"the id of the key"`
	OverlapSeconds int    `json:"overlapSeconds,omitempty" jsonschema:"for how long the present value works on, 0 to 604800"`
}

func (t *tools) rotateKey(ctx context.Context, in rotateKeyIn) (out madeOut, err error) {
	c, err := t.client(ctx)
	if err != nil {
		return out, err
	}
	overlap := time.Duration(in.OverlapSeconds) * time.Second
	if t.Vault != nil {
		k, err := c.GetKey(ctx, in.ID)
		if err != nil {
			return out, err
		}
		return t.Vault.keep(k.Name, func() (keyward.CreatedKey, error) { return c.RotateKey(ctx, in.ID, overlap) })
	}
	r, err := c.RequestRotation(ctx, in.ID, overlap)
	if err != nil {
		return out, err
	}
	return madeOut{Request: requestOf(&r), Next: confirmNext}, nil
}

type disableKeyOut struct {
	Key  key    `json:"key"`
	Note string `json:"note"`
}

func (t *tools) disableKey(ctx context.Context, in keyIn) (out disableKeyOut, err error) {
	c, err := t.client(ctx)
	if err != nil {
		return out, err
	}
	done, err := c.UpdateKeys(ctx, []keyward.KeyUpdate{{ID: in.ID, IsActive: keyward.Set(false)}})
	switch {
	case err != nil:
		return out, err
	case len(done.Errors) > 0:
		e := done.Errors[0]
		return out, &keyward.Error{Code: e.Code, Message: "the key was not disabled", Details: e.Details}
	case len(done.Updated) == 0:
		return out, errors.New("the server answered for no key")
	}
	return disableKeyOut{Key: keyOf(&done.Updated[0]), Note: asData}, nil
}
