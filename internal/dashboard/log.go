package dashboard

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/audit"
)

// happening is an event as people read it.
type happening struct {
	audit.Event
	When    moment
	Clock   string // the time of the day
	Day     string // a heading where another day begins
	Who     person
	Words   []word // what was done, in verbs
	Link    string // to the difference
	Open    bool   // it is shown beside the list
	Address string
	Through string // the credential
	Tone    string
	Changes []changed
}

// changed is one field, before and after.
type changed struct{ Field, Before, After string }

type eventMetadata struct {
	Credential struct{ Type, ID string }
	Address    string
	Target     string
	Before     map[string]json.RawMessage
	After      map[string]json.RawMessage
	Note       map[string]json.RawMessage
}

// eventDetails reads the metadata of an event, which says who did what without it, too.
func eventDetails(e *audit.Event) *eventMetadata {
	var m eventMetadata
	_ = json.Unmarshal([]byte(e.Metadata), &m) // what cannot be read is left out
	return &m
}

func (v *request) happenings(events []audit.Event) []happening {
	out := make([]happening, len(events))
	for i, e := range events {
		m := eventDetails(&events[i])
		h := happening{
			Event: e, When: v.moment(e.CreatedAt), Clock: e.CreatedAt.UTC().Format("15:04:05"), Address: m.Address,
			Tone: tone(e.Type), Who: v.actor(e.ActorID, m.Credential.Type),
		}
		h.Words = v.words(&events[i], m)
		if day := v.day(e.CreatedAt); i == 0 || day != v.day(events[i-1].CreatedAt) {
			h.Day = day
		}
		if h.Open = v.query("event") == string(e.ID); !h.Open {
			h.Link = v.beside(string(e.ID))
		} else {
			h.Link = v.beside("")
		}
		h.Through = strings.ReplaceAll(m.Credential.Type, "_", " ")
		h.Changes = changes(*m)
		out[i] = h
	}
	return out
}

// words tells an event in verbs, or as its description does.
func (v *request) words(e *audit.Event, m *eventMetadata) []word {
	tell, known := tellings[e.Type]
	if !known {
		return []word{{Text: e.Description}}
	}
	t := telling{v: v, event: e, m: m}
	tell(&t)
	return t.words
}

// day is the heading of a day.
func (v *request) day(at time.Time) string {
	const day = 24 * time.Hour
	switch at := at.UTC().Truncate(day); v.now.UTC().Truncate(day).Sub(at) {
	case 0:
		return "Today"
	case day:
		return "Yesterday"
	default:
		return at.Format("2 January 2006")
	}
}

// beside is the address of this page with an event beside the list; "" for none.
func (v *request) beside(event string) string {
	q := v.r.URL.Query()
	q.Del("event")
	if event != "" {
		q.Set("event", event)
	}
	return "?" + q.Encode()
}

// typeLabel is a type of event in words: "Key created".
func typeLabel(t audit.Type) string {
	text := strings.NewReplacer("api_key.", "key ", ".", " ", "_", " ").Replace(string(t))
	return strings.ToUpper(text[:1]) + text[1:]
}

func tone(t audit.Type) string {
	_, what, _ := strings.Cut(string(t), ".")
	switch what {
	case "created", "added", "started":
		return "good"
	case "deleted", "removed", "revoked":
		return "bad"
	}
	return ""
}

// changes lists fields by name, those of a new or a gone object one-sided.
func changes(m eventMetadata) []changed {
	fields := map[string]bool{}
	for f := range m.Before {
		fields[f] = true
	}
	for f := range m.After {
		fields[f] = true
	}
	var out []changed
	for f := range fields {
		c := changed{f, shown(m.Before[f]), shown(m.After[f])}
		if c.Before != c.After {
			out = append(out, c)
		}
	}
	for f, raw := range m.Note {
		out = append(out, changed{f, "", shown(raw)})
	}
	slices.SortFunc(out, func(a, b changed) int { return strings.Compare(a.Field, b.Field) })
	return out
}

// shown is a JSON value without its quotes; "" for an empty one.
func shown(raw json.RawMessage) string {
	var v any
	if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
		return ""
	}
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v]
	case float64:
		if v == 0 {
			return ""
		}
		return fmt.Sprintf("%.0f", v)
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = fmt.Sprint(v[i])
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		if len(v) == 0 {
			return ""
		}
	}
	return string(raw)
}
