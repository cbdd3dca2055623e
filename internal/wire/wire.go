// Package wire owns the shapes of requests and answers: the members' names, their order, and the form of times and
// nulls. It does not own their meaning (control, verify) nor their transport (httpapi).
package wire

import (
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/strictjson"
)

// Success is the envelope of an answer.
type Success[R any] struct {
	Success bool    `json:"success"` // always true
	Data    Data[R] `json:"data"`
}

// Data holds a sentence for people and the result for machines.
type Data[R any] struct {
	Message string `json:"message"`
	Result  R      `json:"result"`
}

// Failure is the envelope of a refusal.
type Failure struct {
	Success bool  `json:"success"` // always false
	Error   Error `json:"error"`
}

// Error describes a failure: Code is stable, Message is for people.
type Error struct {
	Code      string   `json:"code"`
	Message   string   `json:"message"`
	Details   []Detail `json:"details"`
	RequestID string   `json:"requestId"`
}

// Detail names one field of the request and its error.
type Detail struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Pagination says where a list goes on.
type Pagination struct {
	Limit      int     `json:"limit"`
	NextCursor *string `json:"nextCursor"`
	HasNext    bool    `json:"hasNext"`
}

// ItemError is the failure of one item of a bulk operation; Error is a code of the contract.
type ItemError struct {
	ID      string   `json:"id"`
	Error   string   `json:"error"`
	Details []Detail `json:"details"`
}

// Nothing is the body of an operation that takes none.
type Nothing struct{}

// ID is the id of one of our things in a body, in its canonical form: in the request it may have capitals.
type ID string

// UnmarshalJSONFrom reads a string.
func (i *ID) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	var s string
	if err := json.UnmarshalDecode(d, &s); err != nil {
		return err
	}
	*i = ID(id.Canonical(s))
	return nil
}

// Place is the id of the workspace in which a request works. An empty one is refused: it would stand for one that
// the caller did not name.
type Place string

// UnmarshalJSONFrom reads a string that is not empty.
func (p *Place) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	var i ID
	if err := i.UnmarshalJSONFrom(d); err != nil {
		return err
	}
	if i == "" {
		return strictjson.Mismatch("must not be empty")
	}
	*p = Place(i)
	return nil
}

// TimeForm is RFC 3339 in UTC, with milliseconds always.
const TimeForm = "2006-01-02T15:04:05.000Z"

// Time is an instant as it is written: RFC 3339, UTC, three digits of milliseconds.
type Time time.Time

// String gives the text form.
func (t Time) String() string { return time.Time(t).UTC().Format(TimeForm) }

// MarshalJSONTo writes the text form.
func (t Time) MarshalJSONTo(e *jsontext.Encoder) error {
	return e.WriteToken(jsontext.String(t.String()))
}

// TimeOrNull is nil, written as null, for the zero time.
func TimeOrNull(t time.Time) *Time {
	if t.IsZero() {
		return nil
	}
	w := Time(t)
	return &w
}

// TextOrNull is nil, written as null, for the empty text.
func TextOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// LimitOrNull is nil, written as null, for 0, which stands for no limit.
func LimitOrNull(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

// Object is the text of a JSON object; the empty text is {}.
type Object string

// MarshalJSONTo writes the text as it is.
func (o Object) MarshalJSONTo(e *jsontext.Encoder) error {
	if o == "" {
		return e.WriteValue(jsontext.Value("{}"))
	}
	return e.WriteValue(jsontext.Value(o))
}

// Marshal writes an answer: members in the order of the types, lists never null, no HTML escapes, and U+FFFD where kept
// text should not be valid UTF-8.
func Marshal(v any) ([]byte, error) {
	return json.Marshal(v, jsontext.AllowInvalidUTF8(true), json.Deterministic(true))
}

// MarshalLine is Marshal for a line of NDJSON: U+2028 and U+2029 are escaped, because many readers end a line there.
// Objects keep their escapes, because the hash of an event covers them.
func MarshalLine(v any) ([]byte, error) {
	return json.Marshal(v, jsontext.AllowInvalidUTF8(true), json.Deterministic(true),
		jsontext.EscapeForJS(true), jsontext.PreserveRawStrings(true))
}
