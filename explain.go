package keyward

import (
	"context"
	"net/url"
	"strconv"
)

// ExplainRequest is a question about a key that is known by its id. It asks what VerifyRequest asks of a value.
type ExplainRequest struct {
	Permissions Demand
	// Cost is how much of the limits the request would take, 0 to 1000; nil is 1. Nothing is taken.
	Cost         *int
	IP           string
	Environment  Environment
	WorkspaceIDs []string
}

// Explanation says what a verification would say, and why.
type Explanation struct {
	Verdict VerdictCode `json:"verdict"`
	// Steps are in the order of the decision. The first that is reached and not passed gives the verdict; with
	// VerdictValid all are passed.
	Steps []ExplainedStep `json:"steps"`
}

// ExplainedStep is one question of the decision: Code is the verdict where it refuses.
type ExplainedStep struct {
	Code    VerdictCode `json:"code"`
	Reached bool        `json:"reached"`
	Passed  bool        `json:"passed"`
	// Why is a sentence for people, with the values.
	Why string `json:"why"`
}

// ExplainKey asks what a verification of a key's current value would say now, and why. It spends nothing and is no use
// of the key.
func (c *Client) ExplainKey(ctx context.Context, keyID string, req ExplainRequest) (Explanation, error) {
	if err := (VerifyRequest{Permissions: req.Permissions, WorkspaceIDs: req.WorkspaceIDs}).check(); err != nil {
		return Explanation{}, err
	}
	query := url.Values{}
	for name, values := range map[string][]string{
		"permission": req.Permissions.All, "any": req.Permissions.Any, "workspaceId": req.WorkspaceIDs,
	} {
		if len(values) > 0 {
			query[name] = values
		}
	}
	for name, value := range map[string]string{"ip": req.IP, "environment": string(req.Environment)} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if req.Cost != nil {
		query.Set("cost", strconv.Itoa(*req.Cost))
	}
	return invoke[Explanation](ctx, c, get(query, "api-keys", keyID, "explain"))
}
