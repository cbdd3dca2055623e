package httpapi

import (
	"math"
	"regexp"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/wire"
)

// logs answers a page of the log, or exports all that matches.
func (a *api) logs(x *exchange) error {
	in, err := x.query.logs()
	if err != nil {
		return err
	}
	format, err := x.query.oneOf("format", "json", "csv", "ndjson")
	if err != nil {
		return err
	}
	if in.Cursor != "" && format != "" && format != "json" {
		return fault.Invalid("cursor", "goes with pages alone: %s exports all that matches", format)
	}
	switch format {
	case "csv":
		return a.export(x, in, csv{})
	case "ndjson":
		return a.export(x, in, ndjson{})
	}
	return show(func(x *exchange) (wire.LogList, error) {
		page, err := a.Control.ListLogs(x.ctx(), x.caller, in)
		return logList(page, in.Cursor), err
	})(x)
}

var eventTypeForm = regexp.MustCompile(`^[a-z_]{1,32}\.[a-z_]{1,32}$`)

func (q query) logs() (in control.ListLogs, err error) {
	if in.Workspace, err = q.word("workspaceId"); err != nil {
		return in, err
	}
	if in.Limit, err = q.number("limit", 1, maxPage); err != nil {
		return in, err
	}
	if in.Offset, err = q.number("offset", 0, math.MaxInt32); err != nil {
		return in, err
	}
	if in.Cursor, err = q.word("cursor"); err != nil {
		return in, err
	}
	if in.Search, err = q.search(); err != nil {
		return in, err
	}
	if in.EventType, err = q.word("eventType"); err != nil {
		return in, err
	}
	if in.EventType != "" && !eventTypeForm.MatchString(in.EventType) {
		return in, fault.Invalid("eventType", "must be of the form noun.verbed")
	}
	if in.ActorID, err = q.word("actorId"); err != nil {
		return in, err
	}
	order, err := q.oneOf("sortOrder", "asc", "desc")
	if err != nil {
		return in, err
	}
	in.Ascending = order == "asc"
	if in.From, err = q.instant("from"); err != nil {
		return in, err
	}
	in.To, err = q.instant("to")
	return in, err
}

func logList(page control.Logs, cursor string) wire.LogList {
	var total *int64
	if page.Total >= 0 {
		total = &page.Total
	}
	return wire.LogList{
		Logs: mapped(page.Events, event),
		Pagination: wire.LogPagination{
			Total: total, Limit: page.Limit, Offset: page.Offset,
			HasNext: page.NextCursor != "", HasPrevious: page.Offset > 0 || cursor != "",
			NextCursor: wire.TextOrNull(page.NextCursor),
		},
		UniqueEventTypes: mapped(page.Types, func(t audit.Type) string { return string(t) }),
	}
}

func event(e audit.Event) wire.Log {
	return wire.Log{
		ID: string(e.ID), WorkspaceID: wire.TextOrNull(string(e.Workspace)), EventType: string(e.Type),
		EventDescription: e.Description,
		ActorID:          e.ActorID, ActorEmail: wire.TextOrNull(e.ActorEmail), CreatedAt: wire.Time(e.CreatedAt),
		Metadata: wire.Object(e.Metadata),
	}
}
