package dashboard

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/audit"
)

// happening is an event as people read it.
type happening struct {
	audit.Event
	When    moment
	Actor   string
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

func (v *request) happenings(events []audit.Event) []happening {
	out := make([]happening, len(events))
	for i, e := range events {
		var m eventMetadata
		_ = json.Unmarshal([]byte(e.Metadata), &m) // an event without it still says who did what
		h := happening{Event: e, When: v.moment(e.CreatedAt), Actor: cmp.Or(e.ActorEmail, e.ActorID), Address: m.Address, Tone: tone(e.Type)}
		h.Through = strings.ReplaceAll(m.Credential.Type, "_", " ")
		h.Changes = changes(m)
		out[i] = h
	}
	return out
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
