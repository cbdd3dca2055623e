package keyward

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// Refusal is a verification that refused a key. No value of the key and no request is kept.
type Refusal struct {
	At time.Time `json:"at"`
	// KeyID and Name stand in the list of a workspace, and of the installation.
	KeyID string      `json:"keyId"`
	Name  string      `json:"name"`
	Code  VerdictCode `json:"code"`
	// Why is a sentence for people, with the values.
	Why      string `json:"why"`
	Demanded Demand `json:"demanded"`
	// IP is where the key was presented from, "" where that was not told.
	IP string `json:"ip"`
	// Value tells which value was presented: ValueCurrent or ValuePrevious.
	Value PresentedValue `json:"value"`
}

// KeyRefusals lists the latest refusals of a key, the newest first: limit of them, at most 200; 0 is as many as there
// are.
func (c *Client) KeyRefusals(ctx context.Context, keyID string, limit int) ([]Refusal, error) {
	return c.refusals(ctx, limit, "api-keys", keyID, "refusals")
}

// WorkspaceRefusals lists the latest refusals of all keys of a workspace, each with its key.
func (c *Client) WorkspaceRefusals(ctx context.Context, workspaceID string, limit int) ([]Refusal, error) {
	return c.refusals(ctx, limit, "workspaces", workspaceID, "refusals")
}

// InstallationRefusal is a Refusal of any workspace.
type InstallationRefusal struct {
	WorkspaceID string `json:"workspaceId"`
	Refusal
}

// Refusals lists the latest refusals of all keys of the installation, each with its workspace and its key. It is for
// service keys with the scope manage.
func (c *Client) Refusals(ctx context.Context, limit int) ([]InstallationRefusal, error) {
	return refusals[InstallationRefusal](ctx, c, limit, "refusals")
}

func (c *Client) refusals(ctx context.Context, limit int, path ...string) ([]Refusal, error) {
	return refusals[Refusal](ctx, c, limit, path...)
}

func refusals[R any](ctx context.Context, c *Client, limit int, path ...string) ([]R, error) {
	query := url.Values{}
	if limit != 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	answer, err := invoke[struct {
		Refusals []R `json:"refusals"`
	}](ctx, c, get(query, path...))
	return answer.Refusals, err
}
