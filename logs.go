package keyward

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// LogEntry is one event: the actor, the change, and the time.
type LogEntry struct {
	ID string `json:"id"`
	// WorkspaceID is empty for an event of the installation itself.
	WorkspaceID string `json:"workspaceId"`
	// EventType is noun.verbed: api_key.created.
	EventType        string `json:"eventType"`
	EventDescription string `json:"eventDescription"`
	// ActorID is the user's, else the service key's id.
	ActorID string `json:"actorId"`
	// ActorEmail is empty when there is none.
	ActorEmail string    `json:"actorEmail"`
	CreatedAt  time.Time `json:"createdAt"`
	// Metadata holds, as "credential", the key or session of the actor, and the data of the event.
	Metadata map[string]any `json:"metadata"`
	// Seq is the event's number and Hash covers the event and the hash before it. Both are in a line of the NDJSON export
	// of the whole log alone, and zero elsewhere.
	Seq  int64  `json:"seq,omitempty"`
	Hash string `json:"hash,omitempty"`
}

// LogPagination says where a page stands in the log, and how much there is.
type LogPagination struct {
	Pagination
	// Total is nil where the server did not count.
	Total       *int `json:"total"`
	Offset      int  `json:"offset"`
	HasPrevious bool `json:"hasPrevious"`
}

// LogPage is a page of the log.
type LogPage struct {
	Logs             []LogEntry    `json:"logs"`
	Pagination       LogPagination `json:"pagination"`
	UniqueEventTypes []string      `json:"uniqueEventTypes"`
}

// SortOrder is the order of a list.
type SortOrder string

// The orders of the log by time; the server's default is Descending.
const (
	Ascending  SortOrder = "asc"
	Descending SortOrder = "desc"
)

// ListLogsOptions choose events and a page of them. The zero value is the first page of all, newest first.
type ListLogsOptions struct {
	// WorkspaceID is for a service key; without it the log is the whole installation's.
	WorkspaceID string
	Search      string
	EventType   string
	ActorID     string
	SortOrder   SortOrder
	// From and To bound the time; a zero time leaves that side open.
	From, To time.Time
	// Limit is 1 to 100; 0 leaves it to the server for a page, and is no limit for an export.
	Limit int
	// Offset and Cursor say where to begin; give one of them.
	Offset int
	Cursor string
}

func (o ListLogsOptions) query() query {
	q := query{}.text("workspaceId", o.WorkspaceID).text("search", o.Search).text("eventType", o.EventType)
	q = q.text("actorId", o.ActorID).text("sortOrder", string(o.SortOrder)).time("from", o.From).time("to", o.To)
	return q.number("limit", o.Limit).number("offset", o.Offset).text("cursor", o.Cursor)
}

// ListLogs gives one page of the log.
func (c *Client) ListLogs(ctx context.Context, opts ListLogsOptions) (LogPage, error) {
	return invoke[LogPage](ctx, c, get(url.Values(opts.query()), "workspaces", "logs"))
}

// AllLogs yields every event from opts.Cursor or opts.Offset on, page after page, and ends with the first error.
func (c *Client) AllLogs(ctx context.Context, opts ListLogsOptions) iter.Seq2[LogEntry, error] {
	return walk(opts.Cursor, func(cursor string) ([]LogEntry, Pagination, error) {
		at := opts
		at.Cursor = cursor
		if cursor != opts.Cursor {
			at.Offset = 0 // the cursor has passed it
		}
		page, err := c.ListLogs(ctx, at)
		return page.Logs, page.Pagination.Pagination, err
	})
}

// ExportFormat is how an export is written.
type ExportFormat string

// The formats: RFC 4180 with a header line, or one JSON object per line.
const (
	ExportCSV    ExportFormat = "csv"
	ExportNDJSON ExportFormat = "ndjson"
)

// ExportLogs streams every event that matches, without holding it in memory and without bound: the caller closes the
// reader, and ctx bounds the whole reading. A stream that the server broke off ends with an error, never with io.EOF.
func (c *Client) ExportLogs(
	ctx context.Context, opts ListLogsOptions, format ExportFormat,
) (io.ReadCloser, error) {
	k := get(url.Values(opts.query().text("format", string(format))), "workspaces", "logs")
	k.header = http.Header{"Accept": {"*/*"}}
	resp, err := c.send(ctx, k)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}
