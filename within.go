package keyward

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
)

// Within gives a client of the same server and token whose every call is about one workspace. Its id goes along as
// workspaceId, beside the id of an object as well: an object of another workspace is then not found (404), however
// far the token reaches. Verify, VerifyBatch, ExplainKey, Introspect and RevokeToken demand a key of it. Calls that
// belong to no workspace, such as ListServiceKeys, are refused (400), and so is an empty id.
func (c *Client) Within(workspaceID string) *Client {
	confined := *c
	confined.within = &workspaceID
	return &confined
}

// confine adds the client's workspace to a call, which may name that one itself and no other.
func (c *Client) confine(k call) (call, error) {
	if c.within == nil {
		return k, nil
	}
	var err error
	switch {
	case k.form != nil:
		k.form, err = c.named(k.form)
	case !k.demands:
		k.query, err = c.named(k.query)
	}
	return k, err
}

func (c *Client) named(in url.Values) (url.Values, error) {
	ids, err := c.demanded(in["workspaceId"])
	if err != nil {
		return nil, err
	}
	out := maps.Clone(in)
	if out == nil {
		out = url.Values{}
	}
	out["workspaceId"] = ids
	return out, nil
}

// demanded narrows the workspaces that a call names to the client's own.
func (c *Client) demanded(ids []string) ([]string, error) {
	switch {
	case c.within == nil:
		return ids, nil
	case ids == nil || slices.Contains(ids, *c.within):
		return []string{*c.within}, nil
	}
	return nil, fmt.Errorf("keyward: the call is about another workspace than %q", *c.within)
}

// question checks a request and narrows it to the client's workspace.
func (c *Client) question(r VerifyRequest) (VerifyRequest, error) {
	if err := r.check(); err != nil {
		return r, err
	}
	var err error
	r.WorkspaceIDs, err = c.demanded(r.WorkspaceIDs)
	return r, err
}
