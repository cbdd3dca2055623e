package dashboard

import (
	"bufio"
	"encoding/json"
	"net/http"
	"time"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/text"
)

type logBody struct {
	Events                                []happening
	Types                                 []audit.Type
	Search, Type, Actor, From, To, Target string
	Total                                 int64
	Next, First                           string
	Back                                  moment // how far back was searched
	More                                  bool   // of the log lies before that
	Export                                string
	Filtered                              bool
	Chips                                 []choice // the kinds of event
	Only                                  []choice // the other filters, each with the address without it
	Open                                  *happening
}

// searched is how many events a page searches: the log grows without end, and a page is not to.
const searched = 10_000

// log shows the events. All of its state stands in the URL.
func (d *Dashboard) log(v *request) error {
	in, b, err := v.askLog()
	var wrong *problem
	if err == nil {
		in.Limit, in.Cursor, in.Stretch = 50, v.query("cursor"), searched
		var found control.Logs
		if found, err = d.Control.ListLogs(v.r.Context(), v.Caller, in); err == nil {
			b.Events, b.Types, b.Total = v.happenings(found.Events), found.Types, found.Total
			b.narrow(v)
			if found.NextCursor != "" {
				b.Next = v.link("cursor", found.NextCursor)
			}
			if in.Cursor != "" {
				b.First = v.link()
			}
			if b.More = !found.Back.IsZero(); b.More {
				b.Back = v.moment(found.Back)
			}
		}
	}
	if err != nil {
		if !fault.Is(err, fault.InvalidRequest) {
			return err
		}
		if wrong, err = problemOf(err, nil); err != nil {
			return err
		}
	}
	q := v.r.URL.Query()
	q.Del("cursor")
	q.Del("event")
	b.Export = q.Encode()
	return v.show(page{Title: "Log", Section: "log", Wide: true, Fault: wrong, Styles: []string{"people.css"}, Body: b})
}

// narrow lists the filters, and finds the event that stands beside the list.
func (b *logBody) narrow(v *request) {
	without := func(name, value string) string {
		q := v.r.URL.Query()
		for _, old := range []string{"cursor", "event", name} {
			q.Del(old)
		}
		if value != "" {
			q.Set(name, value)
		}
		return "/log?" + q.Encode()
	}
	b.Chips = append(b.Chips, choice{"Everything", without("type", ""), b.Type == ""})
	for _, t := range b.Types {
		b.Chips = append(b.Chips, choice{typeLabel(t), without("type", string(t)), string(t) == b.Type})
	}
	for _, one := range []struct{ name, word, value string }{
		{"actor", "by ", b.Actor}, {"about", "about ", b.Target}, {"q", "with ", b.Search}, {"from", "from ", b.From},
		{"to", "to ", b.To},
	} {
		if one.value == "" {
			continue
		}
		if one.name == "actor" || one.name == "about" {
			one.value = v.actor(one.value, "").Name
		}
		b.Only = append(b.Only, choice{Name: one.word + one.value, Link: without(one.name, "")})
	}
	for i := range b.Events {
		if b.Events[i].Open {
			b.Open = &b.Events[i]
		}
	}
}

func (v *request) askLog() (control.ListLogs, logBody, error) {
	b := logBody{
		Search: v.query("q"), Type: v.query("type"), Actor: v.query("actor"), From: v.query("from"), To: v.query("to"),
		Target: v.query("about"),
	}
	b.Filtered = b.Search != "" || b.Type != "" || b.Actor != "" || b.From != "" || b.To != "" || b.Target != ""
	in := control.ListLogs{
		Workspace: v.workspace(), Search: text.Search(b.Search), EventType: b.Type, ActorID: b.Actor, Target: b.Target,
	}
	var err error
	if in.From, err = day("from", b.From, 0); err != nil {
		return in, b, err
	}
	in.To, err = day("to", b.To, 1)
	return in, b, err
}

// day reads a day as its beginning in UTC, some days later.
func day(field, s string, later int) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return t, fault.Invalid(field, "want a day such as 2027-01-31")
	}
	return t.AddDate(0, 0, later), nil
}

// exportLog streams all that matches, as a file.
func (d *Dashboard) exportLog(v *request) error {
	in, _, err := v.askLog()
	if err != nil {
		return err
	}
	format := v.query("format")
	if format != "csv" && format != "ndjson" {
		return fault.Invalid("format", "must be csv or ndjson")
	}
	var out *bufio.Writer
	start := func() {
		h := v.w.Header()
		h.Set(
			"Content-Type",
			map[string]string{"csv": "text/csv; charset=utf-8; header=present", "ndjson": "application/x-ndjson"}[format],
		)
		h.Set("Content-Disposition", `attachment; filename="keyward-log.`+format+`"`)
		out = bufio.NewWriterSize(v.w, 32<<10)
		if format == "csv" {
			_, _ = out.WriteString(
				text.Record("id", "workspaceId", "eventType", "eventDescription", "actorId", "actorEmail", "createdAt", "metadata"),
			)
		}
	}
	connection := http.NewResponseController(v.w)
	err = d.Control.ExportLogs(v.r.Context(), v.Caller, in, func(events []audit.Event) error {
		if out == nil {
			start()
		}
		_ = connection.SetWriteDeadline(d.Wall().Add(30 * time.Second)) // one that knows no deadline has none to extend
		for i := range events {
			if _, err := out.WriteString(exported(format, &events[i])); err != nil {
				return err
			}
		}
		err := out.Flush()
		_ = connection.Flush() // a search that finds little shows that it goes on
		return err
	})
	if err != nil {
		if out != nil {
			panic(http.ErrAbortHandler) // only breaking it off tells that it is not whole
		}
		return err
	}
	return nil
}

func exported(format string, e *audit.Event) string {
	metadata := e.Metadata
	if metadata == "" {
		metadata = "{}"
	}
	at := e.CreatedAt.UTC().Format("2006-01-02T15:04:05.000Z")
	if format == "csv" {
		return text.Record(
			string(e.ID), string(e.Workspace), string(e.Type), e.Description, e.ActorID, e.ActorEmail, at, metadata,
		)
	}
	line, err := json.Marshal(struct {
		ID               string          `json:"id"`
		WorkspaceID      string          `json:"workspaceId"`
		EventType        string          `json:"eventType"`
		EventDescription string          `json:"eventDescription"`
		ActorID          string          `json:"actorId"`
		ActorEmail       string          `json:"actorEmail"`
		CreatedAt        string          `json:"createdAt"`
		Metadata         json.RawMessage `json:"metadata"`
	}{string(e.ID), string(e.Workspace), string(e.Type), e.Description, e.ActorID, e.ActorEmail, at,
		json.RawMessage(metadata)})
	if err != nil {
		return ""
	}
	return string(line) + "\n"
}
