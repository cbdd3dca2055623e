package control

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/store"
)

// exportPage is how many events an export reads at a time.
const exportPage = 500

// logFilter decides what of the log the caller sees: a workspace, or for a service key that names none the whole installation.
func (s *Service) logFilter(v *store.View, a *actor, in ListLogs) (store.LogFilter, error) {
	f := store.LogFilter{Search: in.Search, Type: in.EventType, Actor: in.ActorID, Target: in.Target, From: in.From, To: in.To, Ascending: in.Ascending}
	if a.service != nil && in.Workspace == "" {
		f.All = true
		return f, a.manages()
	}
	ws, err := s.named(v, a, in.Workspace, account.WorkspaceLogsRead)
	f.Workspace = ws.ID
	return f, err
}

func (f ListLogs) list(ws string) string {
	return fmt.Sprintf("logs\x00%s\x00%s\x00%s\x00%s\x00%s\x00%v\x00%d\x00%d", ws, f.Search, f.EventType, f.ActorID, f.Target, f.Ascending, f.From.UnixMilli(), f.To.UnixMilli())
}

// ListLogs gives a page of the log, by offset or by cursor.
func (s *Service) ListLogs(ctx context.Context, c Caller, in ListLogs) (Logs, error) {
	var out Logs
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		f, err := s.logFilter(v, a, in)
		if err != nil {
			return err
		}
		if out.Limit, err = limit(in.Limit); err != nil {
			return err
		}
		if out.Offset = in.Offset; in.Offset < 0 || in.Offset > 0 && in.Cursor != "" {
			return fault.Invalid("offset", "must not be negative, and does not go with a cursor")
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
		if err := stretch(v, &f, in.Stretch, &out); err != nil {
			return err
		}
		if err := readLogs(v, f, f.DownTo > 0 || in.Stretch > 0 && in.Search != "" && in.Cursor != "", &out); err != nil {
			return err
		}
		if !out.Back.IsZero() {
			out.NextCursor = s.cursors.seal(list, strconv.FormatInt(f.DownTo, 10))
		}
		if len(out.Events) > out.Limit {
			out.Events, out.Back = out.Events[:out.Limit], time.Time{}
			out.NextCursor = s.cursors.seal(list, strconv.FormatInt(out.Events[out.Limit-1].Seq, 10))
		}
		return nil
	})
	return out, storageFault(err)
}

// stretch bounds a search.
func stretch(v *store.View, f *store.LogFilter, n int, out *Logs) error {
	if n == 0 || f.Search == "" || f.Ascending {
		return nil
	}
	seq, at, err := v.LogStretch(*f, n)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	f.DownTo = seq
	if f.From.IsZero() || at.After(f.From) { // else nothing that is older is asked for
		out.Back = at
	}
	return err
}

// readLogs reads one event more than the page holds, the count over all pages where it is wanted, and the types that occur.
func readLogs(v *store.View, f store.LogFilter, uncounted bool, out *Logs) error {
	var err error
	counted := f
	counted.AfterSeq = 0
	if out.Total = -1; !uncounted {
		if out.Total, err = v.LogCount(counted); err != nil {
			return err
		}
	}
	if out.Types, err = v.LogTypes(f.Workspace, f.All); err != nil {
		return err
	}
	f.Limit, f.Offset = out.Limit+1, out.Offset
	out.Events, err = v.Logs(f)
	return err
}

// ExportLogs calls emit with every event that matches, or with the first Limit of them. It reads in pages, each in a snapshot of
// its own, so that a slow reader holds nothing up; what happens meanwhile may be in it.
func (s *Service) ExportLogs(ctx context.Context, c Caller, in ListLogs, emit func(audit.Event) error) error {
	if in.Limit < 0 || in.Limit > maxLimit {
		return fault.Invalid("limit", "must be between 1 and %d", maxLimit)
	}
	left, after := in.Limit, int64(0)
	for first := true; ; first = false {
		var events []audit.Event
		err := s.view(ctx, c, func(v *store.View, a *actor) error {
			f, err := s.logFilter(v, a, in)
			if err != nil {
				return err
			}
			f.AfterSeq, f.Limit = after, exportPage
			if first {
				f.Offset = in.Offset
			}
			if left > 0 {
				f.Limit = left
			}
			events, err = v.Logs(f)
			return err
		})
		if err != nil {
			return storageFault(err)
		}
		for _, e := range events {
			if err := emit(e); err != nil {
				return err
			}
		}
		if in.Limit > 0 || len(events) < exportPage {
			return nil
		}
		after = events[len(events)-1].Seq
	}
}
