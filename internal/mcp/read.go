package mcp

import (
	"context"
	"errors"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward/keyward"
)

func (t *tools) addReading(s *sdk.Server) {
	add(s, tool{
		name: "list_keys", title: "List keys",
		about: "Lists API keys, newest first: those that the credential may see. Values are masked.",
		enums: map[string][]string{
			"status": {"active", "expiring", "expired", "disabled"}, "environment": {"live", "test"},
			"sortBy": {"createdAt", "expiresAt", "lastUsedAt", "lastTriedAt"}, "sortOrder": {"asc", "desc"},
		},
	}, t.listKeys)
	add(s, tool{
		name: "get_key", title: "Get a key",
		about: "Gives one API key by its id, or the request for it while that waits to be confirmed.",
	}, t.getKey)
	add(s, tool{
		name: "explain", title: "Explain a verdict",
		about: "Says step by step what a verification of a key would say now, and why. It spends nothing of the limits.",
		enums: map[string][]string{"environment": {"live", "test"}},
	}, t.explain)
	add(s, tool{
		name: "usage", title: "Usage",
		about: "Counts verifications of one key, or of a workspace where no key is named, with refusals by their code.",
		enums: map[string][]string{"granularity": {"minute", "hour", "day"}},
	}, t.usage)
	add(s, tool{
		name: "refusals", title: "Latest refusals",
		about: "Lists the latest refusals of one key, or of a workspace where no key is named, newest first, with the reason.",
	}, t.refusals)
	add(s, tool{
		name: "search_log", title: "Search the log",
		about: "Lists changes: who changed what, and when. A page may be empty while others follow: go on with nextCursor.",
		enums: map[string][]string{"sortOrder": {"asc", "desc"}},
	}, t.searchLog)
	add(s, tool{
		name: "hygiene_report", title: "Hygiene report",
		about: "Finds keys that want attention: expired, about to expire, unused for 90 days, disabled, without an end.",
	}, t.hygiene)
}

type listKeysIn struct {
	WorkspaceID string `json:"workspaceId,omitempty" jsonschema:"of a service key's call; others work in their own"`
	UserID      string `json:"userId,omitempty" jsonschema:"the owner"`
	Status      string `json:"status,omitempty"`
	Environment string `json:"environment,omitempty"`
	Permission  string `json:"permission,omitempty" jsonschema:"one that the keys hold, such as calls:read"`
	Search      string `json:"search,omitempty" jsonschema:"part of the name, description, user id, masked value or id"`
	SortBy      string `json:"sortBy,omitempty"`
	SortOrder   string `json:"sortOrder,omitempty"`
	Limit       int    `json:"limit,omitempty" jsonschema:"1 to 100; 50 where it is left out"`
	Cursor      string `json:"cursor,omitempty" jsonschema:"nextCursor of the page before"`
}

type listKeysOut struct {
	Keys       []key  `json:"keys"`
	NextCursor string `json:"nextCursor,omitempty"`
	HasNext    bool   `json:"hasNext"`
	Note       string `json:"note"`
}

func (t *tools) listKeys(ctx context.Context, in listKeysIn) (out listKeysOut, err error) {
	c, err := t.client(ctx)
	if err != nil {
		return out, err
	}
	page, err := c.ListKeys(ctx, keyward.ListKeysOptions{
		WorkspaceID: t.workspace(in.WorkspaceID), UserID: in.UserID, Status: keyward.KeyStatus(in.Status),
		Environment: keyward.Environment(in.Environment), Permission: in.Permission, Search: in.Search,
		SortBy: keyward.KeySort(in.SortBy), SortOrder: keyward.SortOrder(in.SortOrder), Limit: in.Limit, Cursor: in.Cursor,
	})
	return listKeysOut{
		Keys: keysOf(page.APIKeys), NextCursor: page.Pagination.NextCursor, HasNext: page.Pagination.HasNext, Note: asData,
	}, err
}

type keyIn struct {
	ID string `json:"id" jsonschema:"the id of the key"`
}

type getKeyIn struct {
	ID string `json:"id" jsonschema:"the id of the key, or of a request"`
}

type getKeyOut struct {
	Key     *key     `json:"key,omitempty"`
	Request *request `json:"request,omitempty" jsonschema:"the request of this id; absent once a key has the id"`
	Note    string   `json:"note"`
}

func (t *tools) getKey(ctx context.Context, in getKeyIn) (out getKeyOut, err error) {
	c, err := t.client(ctx)
	if err != nil {
		return out, err
	}
	out.Note = asData
	found, err := c.GetKey(ctx, in.ID)
	if err == nil {
		shown := keyOf(&found)
		out.Key = &shown
		return out, nil
	}
	if !errors.Is(err, keyward.ErrNotFound) {
		return out, err
	}
	r, missing := c.GetKeyRequest(ctx, in.ID)
	if missing != nil {
		return out, err
	}
	out.Request = requestOf(&r)
	return out, nil
}

type explainIn struct {
	ID          string   `json:"id" jsonschema:"the id of the key"`
	Permissions []string `json:"permissions,omitempty" jsonschema:"all of these are demanded"`
	Any         []string `json:"any,omitempty" jsonschema:"one of these is demanded, too"`
	IP          string   `json:"ip,omitempty" jsonschema:"where the key is presented from"`
	Environment string   `json:"environment,omitempty"`
	WorkspaceID string   `json:"workspaceId,omitempty" jsonschema:"the workspace of which the key must be"`
	Cost        *int     `json:"cost,omitempty" jsonschema:"0 to 1000; 1 where it is left out"`
}

type explainOut struct {
	Verdict string        `json:"verdict"`
	Steps   []explainStep `json:"steps"`
}

type explainStep struct {
	Code    string `json:"code"`
	Reached bool   `json:"reached"`
	Passed  bool   `json:"passed"`
	Why     string `json:"why"`
}

func (t *tools) explain(ctx context.Context, in explainIn) (out explainOut, err error) {
	c, err := t.client(ctx)
	if err != nil {
		return out, err
	}
	req := keyward.ExplainRequest{
		Permissions: keyward.Demand{All: in.Permissions, Any: in.Any}, IP: in.IP, Cost: in.Cost,
		Environment: keyward.Environment(in.Environment),
	}
	if in.WorkspaceID != "" {
		req.WorkspaceIDs = []string{in.WorkspaceID}
	}
	x, err := c.ExplainKey(ctx, in.ID, req)
	out = explainOut{Verdict: string(x.Verdict), Steps: []explainStep{}}
	for _, s := range x.Steps {
		out.Steps = append(out.Steps, explainStep{Code: string(s.Code), Reached: s.Reached, Passed: s.Passed, Why: s.Why})
	}
	return out, err
}

type usageIn struct {
	ID          string `json:"id,omitempty" jsonschema:"the id of a key; the workspace where it is left out"`
	WorkspaceID string `json:"workspaceId,omitempty"`
	Granularity string `json:"granularity,omitempty"`
	From        string `json:"from,omitempty" jsonschema:"RFC 3339"`
	To          string `json:"to,omitempty" jsonschema:"RFC 3339"`
}

type usageOut struct {
	Total  int64    `json:"total"`
	Series []bucket `json:"series" jsonschema:"buckets in which something happened"`
}

type bucket struct {
	Start    string           `json:"start"`
	Verified int64            `json:"verified"`
	Denied   map[string]int64 `json:"denied,omitempty"`
}

func (t *tools) usage(ctx context.Context, in usageIn) (out usageOut, err error) {
	c, err := t.client(ctx)
	if err != nil {
		return out, err
	}
	o := keyward.UsageOptions{Granularity: keyward.Granularity(in.Granularity)}
	if o.From, err = instant("from", in.From); err != nil {
		return out, err
	}
	if o.To, err = instant("to", in.To); err != nil {
		return out, err
	}
	var u keyward.Usage
	if in.ID != "" {
		u, err = c.KeyUsage(ctx, in.ID, o)
	} else {
		var ws string
		if ws, err = t.home(ctx, c, in.WorkspaceID); err == nil {
			u, err = c.WorkspaceUsage(ctx, ws, o)
		}
	}
	out = usageOut{Total: u.Total, Series: []bucket{}}
	for _, b := range u.Series {
		if b.Verified == 0 && len(b.Denied) == 0 {
			continue
		}
		one := bucket{Start: stamp(&b.Start), Verified: b.Verified, Denied: map[string]int64{}}
		for code, n := range b.Denied {
			one.Denied[string(code)] = n
		}
		out.Series = append(out.Series, one)
	}
	return out, err
}

type refusalsIn struct {
	ID          string `json:"id,omitempty" jsonschema:"the id of a key; the workspace where it is left out"`
	WorkspaceID string `json:"workspaceId,omitempty"`
	Limit       int    `json:"limit,omitempty" jsonschema:"1 to 200; 50 where it is left out"`
}

type refusalsOut struct {
	Refusals []refused `json:"refusals"`
	Note     string    `json:"note"`
}

type refused struct {
	At       string   `json:"at"`
	KeyID    string   `json:"keyId,omitempty"`
	Name     string   `json:"name,omitempty"`
	Code     string   `json:"code"`
	Why      string   `json:"why"`
	Demanded []string `json:"demanded,omitempty"`
	Any      []string `json:"demandedAny,omitempty"`
	IP       string   `json:"ip,omitempty"`
	Value    string   `json:"value,omitempty" jsonschema:"current, or previous for one before a rotation"`
}

func (t *tools) refusals(ctx context.Context, in refusalsIn) (out refusalsOut, err error) {
	c, err := t.client(ctx)
	if err != nil {
		return out, err
	}
	limit := in.Limit
	if limit == 0 {
		limit = 50
	}
	var found []keyward.Refusal
	if in.ID != "" {
		found, err = c.KeyRefusals(ctx, in.ID, limit)
	} else {
		var ws string
		if ws, err = t.home(ctx, c, in.WorkspaceID); err == nil {
			found, err = c.WorkspaceRefusals(ctx, ws, limit)
		}
	}
	out = refusalsOut{Refusals: []refused{}, Note: asData}
	for _, r := range found {
		out.Refusals = append(out.Refusals, refused{
			At: stamp(&r.At), KeyID: r.KeyID, Name: r.Name, Code: string(r.Code), Why: r.Why, Demanded: r.Demanded.All,
			Any: r.Demanded.Any, IP: r.IP, Value: string(r.Value),
		})
	}
	return out, err
}

type searchLogIn struct {
	WorkspaceID string `json:"workspaceId,omitempty"`
	Search      string `json:"search,omitempty" jsonschema:"part of an event's text"`
	EventType   string `json:"eventType,omitempty" jsonschema:"such as api_key.created"`
	ActorID     string `json:"actorId,omitempty" jsonschema:"a user, or the id of a service key"`
	From        string `json:"from,omitempty" jsonschema:"RFC 3339"`
	To          string `json:"to,omitempty" jsonschema:"RFC 3339"`
	SortOrder   string `json:"sortOrder,omitempty"`
	Limit       int    `json:"limit,omitempty" jsonschema:"1 to 100; 50 where it is left out"`
	Cursor      string `json:"cursor,omitempty" jsonschema:"nextCursor of the page before"`
}

type searchLogOut struct {
	Events     []event `json:"events"`
	NextCursor string  `json:"nextCursor,omitempty"`
	HasNext    bool    `json:"hasNext"`
	Note       string  `json:"note"`
}

type event struct {
	ID          string         `json:"id"`
	At          string         `json:"at"`
	Type        string         `json:"type"`
	Description string         `json:"description"`
	ActorID     string         `json:"actorId"`
	WorkspaceID string         `json:"workspaceId,omitempty"`
	Metadata    map[string]any `json:"metadata,omitempty"`
}

func (t *tools) searchLog(ctx context.Context, in searchLogIn) (out searchLogOut, err error) {
	c, err := t.client(ctx)
	if err != nil {
		return out, err
	}
	o := keyward.ListLogsOptions{
		WorkspaceID: t.workspace(in.WorkspaceID), Search: in.Search, EventType: in.EventType, ActorID: in.ActorID,
		SortOrder: keyward.SortOrder(in.SortOrder), Limit: in.Limit, Cursor: in.Cursor,
	}
	if o.From, err = instant("from", in.From); err != nil {
		return out, err
	}
	if o.To, err = instant("to", in.To); err != nil {
		return out, err
	}
	page, err := c.ListLogs(ctx, o)
	out = searchLogOut{
		Events: []event{}, NextCursor: page.Pagination.NextCursor, HasNext: page.Pagination.HasNext, Note: asData,
	}
	for _, e := range page.Logs {
		out.Events = append(out.Events, event{
			ID: e.ID, At: stamp(&e.CreatedAt), Type: e.EventType, Description: e.EventDescription, ActorID: e.ActorID,
			WorkspaceID: e.WorkspaceID, Metadata: e.Metadata,
		})
	}
	return out, err
}
