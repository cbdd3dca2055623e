package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/text"
)

// exportPage is how many events an export reads at a time.
const exportPage = 500

// logFilter decides which part of the log the caller sees: a workspace, or for a service key that names none the
// whole installation.
func (s *Service) logFilter(v *store.View, a *actor, in ListLogs) (store.LogFilter, error) {
	f := store.LogFilter{
		Search: text.Search(in.Search), Type: in.EventType, Actor: in.ActorID, Target: in.Target, From: in.From, To: in.To,
		Ascending: in.Ascending,
	}
	if a.service != nil && in.Workspace == "" {
		f.All = true
		if err := a.manages(); err != nil {
			return f, err
		}
		return f, a.unbound("a key that is bound reads the log of one workspace at a time")
	}
	ws, err := s.authorizeWorkspace(v, a, in.Workspace, account.WorkspaceLogsRead)
	f.Workspace = ws.ID
	return f, err
}

func (f ListLogs) list(ws string) string {
	return fmt.Sprintf(
		"logs\x00%s\x00%s\x00%s\x00%s\x00%s\x00%v\x00%d\x00%d", ws, f.Search, f.EventType, f.ActorID, f.Target, f.Ascending,
		f.From.UnixMilli(), f.To.UnixMilli(),
	)
}

// maxOffset bounds the events that a page by offset passes over; a cursor goes further.
const maxOffset = 10_000

// ListLogs gives a page of the log, by offset or by cursor. A page looks at maxSearched events at most: it may be empty
// where more of the log is left, and then has a cursor all the same.
func (s *Service) ListLogs(ctx context.Context, c Caller, in ListLogs) (Logs, error) {
	var out Logs
	err := s.search(ctx, c.through(session.LogRead), in.Workspace, func(v *store.View, a *actor) error {
		f, err := s.logFilter(v, a, in)
		if err != nil {
			return err
		}
		if out.Limit, err = limit(in.Limit); err != nil {
			return err
		}
		if out.Offset = in.Offset; in.Offset < 0 || in.Offset > maxOffset || in.Offset > 0 && in.Cursor != "" {
			return fault.Invalid("offset", "must be between 0 and %d, and does not go with a cursor", maxOffset)
		}
		list := in.list(string(f.Workspace))
		position, err := s.cursors.open(list, in.Cursor)
		if err != nil {
			return err
		}
		if position != "" {
			if f.AfterSeq, err = strconv.ParseInt(position, 10, 64); err != nil {
				return fault.Invalid("cursor", "is not one that this list gave")
			}
		}
		last, err := logPage(v, &f, cmp.Or(in.Stretch, maxSearched)+in.Offset, &out)
		if err != nil {
			return err
		}
		if err := readLogs(v, f, last, &out); err != nil {
			return err
		}
		if last > 0 {
			out.NextCursor = s.cursors.seal(list, strconv.FormatInt(last, 10))
		}
		if len(out.Events) > out.Limit {
			out.Events, out.Back = out.Events[:out.Limit], time.Time{}
			out.NextCursor = s.cursors.seal(list, strconv.FormatInt(out.Events[out.Limit-1].Seq, 10))
		}
		return nil
	})
	return out, storageFault(err)
}

// plain tells whether every event that the walk meets belongs to the page: then its limit bounds the page.
func plain(f *store.LogFilter) bool {
	return f.Search == "" && f.Type == "" && f.Actor == "" && f.Target == "" && f.From.IsZero() && f.To.IsZero()
}

// logPage bounds a search, and answers the Seq up to which it goes where more is left beyond it, else 0.
func logPage(v *store.View, f *store.LogFilter, n int, out *Logs) (last int64, err error) {
	if plain(f) {
		return 0, nil
	}
	seq, at, err := v.LogStretch(*f, n)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	turned, err := v.Turned(seq, f.Ascending)
	if err != nil {
		return 0, err
	}
	if f.Ascending {
		f.UpTo = seq
		if f.To.IsZero() || at.Before(f.To) || turned {
			return seq, nil
		}
		return 0, nil
	}
	f.DownTo = seq
	if f.From.IsZero() || at.After(f.From) || turned { // else nothing that is older is asked for
		out.Back = at
		return seq, nil
	}
	return 0, nil
}

// readLogs reads one event more than the page holds, the count over all pages where it costs little, and the types that
// occur.
func readLogs(v *store.View, f store.LogFilter, last int64, out *Logs) error {
	var err error
	out.Total = -1
	only := f
	only.Type, only.AfterSeq = "", 0
	switch {
	case plain(&only):
		out.Total, err = v.LogCounter(f.Workspace, f.All, f.Type)
	case last == 0 && f.DownTo == 0 && f.UpTo == 0 && f.AfterSeq == 0: // all of it was looked at
		out.Total, err = v.LogCount(f)
	}
	if err != nil {
		return err
	}
	if out.Types, err = v.LogTypes(f.Workspace, f.All); err != nil {
		return err
	}
	f.Limit, f.Offset = out.Limit+1, out.Offset
	out.Events, err = v.Logs(f)
	return err
}

// ExportLogs calls emit with all events that match, or with the first Limit of them, page by page: each page is read in
// a snapshot of its own, so that a slow reader holds nothing up; events recorded meanwhile may be included. A page is
// empty where a search has found nothing in a stretch of the log, and the first one says that the caller may read it.
// Events have their Seq and Hash for a caller that sees the whole log; to others they would tell of other workspaces.
func (s *Service) ExportLogs(ctx context.Context, c Caller, in ListLogs, emit func([]audit.Event) error) error {
	if in.Offset > maxOffset {
		return fault.Invalid("offset", "must be between 0 and %d", maxOffset)
	}
	if in.Limit < 0 || in.Limit > maxLimit {
		return fault.Invalid("limit", "must be between 1 and %d", maxLimit)
	}
	left, after := in.Limit, int64(0)
	for first := true; ; first = false {
		var events []audit.Event
		var last int64
		whole := false
		full := exportPage
		err := s.search(ctx, c, in.Workspace, func(v *store.View, a *actor) error {
			f, err := s.logFilter(v, a, in)
			if err != nil {
				return err
			}
			whole = f.All
			f.AfterSeq = after
			if first {
				f.Offset = in.Offset
			}
			if last, err = logPage(v, &f, maxSearched+f.Offset, &Logs{}); err != nil {
				return err
			}
			if left > 0 {
				full = min(left, exportPage)
			}
			f.Limit = full
			events, err = v.Logs(f)
			return err
		})
		if err != nil {
			return storageFault(err)
		}
		more := last != 0
		if len(events) == full {
			last = events[full-1].Seq
			more = true
		}
		if !whole {
			withoutNumbers(events)
		}
		if err := emit(events); err != nil {
			return err
		}
		if !more {
			return nil
		}
		after = last
		if left -= len(events); in.Limit > 0 && left <= 0 {
			return nil
		}
	}
}

func withoutNumbers(events []audit.Event) {
	for i := range events {
		events[i].Seq = 0
		events[i].Hash = [32]byte{}
	}
}
