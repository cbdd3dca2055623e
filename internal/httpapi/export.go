package httpapi

import (
	"bufio"
	"net/http"
	"time"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/text"
	"github.com/keyward/keyward/internal/wire"
)

// writeTime is how long a client may take to accept one piece of an export; the whole may take as long as it needs.
const writeTime = 30 * time.Second

const pieceSize = 64 << 10

// exporter writes events one after another in some form.
type exporter interface {
	contentType() string
	fileName() string
	head() string // before the first event
	row(wire.Log) (string, error)
}

// export streams the matching events. Nothing is written before the first page is there, so that a refusal is still an
// error answer; after that, an error breaks the answer off.
func (a *api) export(x *exchange, in control.ListLogs, e exporter) error {
	out := bufio.NewWriterSize(pieces{x}, pieceSize)
	started := false
	start := func() error {
		started = true
		h := x.w.Header()
		h.Set("Content-Type", e.contentType())
		h.Set("Content-Disposition", `attachment; filename="`+e.fileName()+`"`)
		_, err := out.WriteString(e.head())
		return err
	}
	if x.r.Method == http.MethodHead {
		in.Limit = 1 // only the headers will be sent
	}
	err := a.Control.ExportLogs(x.ctx(), x.caller, in, func(events []audit.Event) error {
		if !started {
			if err := start(); err != nil {
				return err
			}
		}
		for _, ev := range events {
			entry := event(ev)
			if ev.Seq > 0 {
				entry.Seq = ev.Seq
				entry.Hash = audit.Hex(ev.Hash)
			}
			row, err := e.row(entry)
			if err != nil {
				return err
			}
			if _, err = out.WriteString(row); err != nil {
				return err
			}
		}
		return out.Flush()
	})
	if err == nil && !started {
		err = start()
	}
	if err != nil {
		return err
	}
	return out.Flush()
}

// pieces sends to the client with a new deadline for each piece.
type pieces struct{ x *exchange }

func (p pieces) Write(b []byte) (int, error) {
	controller := http.NewResponseController(p.x.w)
	_ = controller.SetWriteDeadline(p.x.api.Now().Add(writeTime)) // a connection that knows no deadline has none to extend
	n, err := p.x.w.Write(b)
	if err == nil {
		_ = controller.Flush() // what is not flushed now is when the answer ends
	}
	return n, err
}

// csv writes RFC 4180, every cell quoted.
type csv struct{}

func (csv) contentType() string { return "text/csv; charset=utf-8; header=present" }
func (csv) fileName() string    { return "keyward-logs.csv" }
func (csv) head() string {
	return text.Record(
		"id", "workspaceId", "eventType", "eventDescription", "actorId", "actorEmail", "createdAt", "metadata",
	)
}

func (csv) row(l wire.Log) (string, error) {
	metadata := string(l.Metadata)
	if metadata == "" {
		metadata = "{}"
	}
	return text.Record(
		l.ID, orEmpty(l.WorkspaceID), l.EventType, l.EventDescription, l.ActorID, orEmpty(l.ActorEmail), l.CreatedAt.String(),
		metadata,
	), nil
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// ndjson writes one JSON object per line.
type ndjson struct{}

func (ndjson) contentType() string { return "application/x-ndjson" }
func (ndjson) fileName() string    { return "keyward-logs.ndjson" }
func (ndjson) head() string        { return "" }

func (ndjson) row(l wire.Log) (string, error) {
	line, err := wire.MarshalLine(l)
	return string(line) + "\n", err
}
