package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"unicode"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// fields are the members of an object as the log shows them.
type fields map[string]any

// change is the content of an event beyond actor and time.
type change struct {
	kind      audit.Type
	workspace id.Workspace
	target    string // the id of what changed
	sentence  string
	before    fields // nil for what is new
	after     fields // nil for what is gone
	note      fields // what else there is to say
	free      bool   // takes something away, or nobody asked for it: no quota refuses it
}

type credential struct {
	Type string `json:"type"`
	ID   string `json:"id,omitempty"`
}

type eventMetadata struct {
	Credential credential `json:"credential"`
	Address    string     `json:"address,omitempty"`
	UserAgent  string     `json:"userAgent,omitempty"`
	RequestID  string     `json:"requestId,omitempty"`
	Target     string     `json:"target,omitempty"`
	Before     fields     `json:"before,omitempty"`
	After      fields     `json:"after,omitempty"`
	Note       fields     `json:"note,omitempty"`
}

// origin is the part of events that describes the caller. It is stored with a settlement, whose events go on after
// the request has been answered.
type origin struct {
	Actor      string     `json:"actor"`
	Email      string     `json:"email,omitempty"`
	Credential credential `json:"credential"`
	Address    string     `json:"address,omitempty"`
	UserAgent  string     `json:"userAgent,omitempty"`
	RequestID  string     `json:"requestId,omitempty"`
}

func (a *actor) origin() origin {
	return origin{Actor: a.id(), Email: a.email, Credential: a.credential(), Address: a.Address,
		UserAgent: printableOnly(clip(a.UserAgent, 300)), RequestID: a.RequestID}
}

// record writes the event of a change, in the change's own transaction.
func (s *Service) record(tx *store.Tx, a *actor, c change) error {
	return s.recordFor(tx, a.origin(), c)
}

func (s *Service) recordFor(tx *store.Tx, o origin, c change) error {
	if err := s.withinPlan(tx, c); err != nil {
		return err
	}
	before, after := differences(c.before, c.after)
	raw, err := jsonText(eventMetadata{
		Credential: o.Credential, Address: o.Address, UserAgent: o.UserAgent, RequestID: o.RequestID,
		Target: c.target, Before: before, After: after, Note: c.note,
	})
	if err != nil {
		return fmt.Errorf("write the event: %w", err)
	}
	return tx.Record(audit.Event{
		ID: id.Event(s.ids.Next()), Workspace: c.workspace, Type: c.kind, Description: c.sentence,
		ActorID: o.Actor, ActorEmail: o.Email, Metadata: string(raw), Target: c.target,
	})
}

// The types of credentials, as the log and Me name them.
const (
	TypeSession    = "session"
	TypeServiceKey = "service_key"
	TypeAPIKey     = "api_key"
	TypeOIDCToken  = "oidc_token"
	TypePasskey    = "passkey" // of a person who is not let in
	TypePortal     = "portal_session"
)

// jsonText writes JSON without escapes that only HTML needs, so that people find the text they see.
func jsonText(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func (a *actor) credential() credential {
	switch {
	case a.Session != "":
		return credential{TypeSession, string(a.Session)}
	case a.ServiceKey != "":
		return credential{TypeServiceKey, string(a.ServiceKey)}
	case a.APIKey != "":
		return credential{TypeAPIKey, string(a.APIKey)}
	case a.Portal != "":
		return credential{TypePortal, string(a.Portal)}
	case a.passkey != "":
		return credential{TypePasskey, string(a.passkey)}
	}
	return credential{TypeOIDCToken, clip(printableOnly(a.Token), 100)}
}

// differences leaves out the fields that an update did not change. A new or deleted object is shown whole.
func differences(before, after fields) (fields, fields) {
	if before == nil || after == nil {
		return before, after
	}
	b, a := maps.Clone(before), maps.Clone(after)
	for k := range before {
		if reflect.DeepEqual(before[k], after[k]) {
			delete(b, k)
			delete(a, k)
		}
	}
	return b, a
}

// unchanged tells whether an update left everything as it was. Such an update writes no row and no event. The members
// of an object have no order (RFC 8259, section 4).
func unchanged(before, after fields) bool {
	if reflect.DeepEqual(before, after) {
		return true
	}
	return reflect.DeepEqual(withoutOrder(before), withoutOrder(after))
}

// withoutOrder reads the objects among the fields. A number keeps its digits: 1 and 1.0 are not the same text to
// their owner.
func withoutOrder(f fields) fields {
	out := make(fields, len(f))
	for name, value := range f {
		raw, ok := value.(json.RawMessage)
		if !ok {
			out[name] = value
			continue
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		var object any
		if d.Decode(&object) != nil {
			object = string(raw)
		}
		out[name] = object
	}
	return out
}

func printableOnly(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, s)
}

// quoted puts a name into a sentence as people wrote it: names are one line and hold no control characters.
func quoted(name string) string { return `"` + name + `"` }

// clip cuts a text from outside to at most n bytes, at a rune's edge.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

func indexed(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }
