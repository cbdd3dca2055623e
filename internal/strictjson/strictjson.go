// Package strictjson owns the reading of a request's JSON: to the letter. Input that a lenient decoder would guess at
// (a member in the wrong case or given twice, 1.0 for an integer, null for a list) is refused, and the field is
// named. It does not own the meaning of fields.
//
// A document that it accepts means the same to every reader: it is valid UTF-8 without NUL, no member stands twice,
// it nests at most MaxDepth deep, and every number fits a double exactly if it is an integer (RFC 8259, section 6;
// RFC 7493). An array has at most MaxElements elements.
package strictjson

import (
	"errors"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyward/keyward/internal/fault"
)

// Bounds of a document.
const (
	MaxDepth   = 32
	MaxInteger = 1 << 53
	// MaxElements bounds each array: an empty object takes two bytes of text and some hundreds in memory. The longest list
	// that an operation takes, permissions, has at most 4096.
	MaxElements = 5000
)

// Body is the field that a fault names when the document as a whole is wrong.
const Body = "body"

// Decode reads one JSON document into a pointer to a struct. The error is a *fault.Error with the code invalid_request
// that names the field as a path (apiKeys[0].rateLimit.requestsPerMinute), or "body" where the text is not JSON at all.
//
// null is taken by Nullable and Given alone. It costs two passes over the text. Each screen is shown every string,
// names of members too, and refuses the document by an error; path says where the string stands.
func Decode(data []byte, into any, screens ...Screen) error {
	if err := inspect(data, screens); err != nil {
		return err
	}
	if err := json.Unmarshal(data, into, strict); err != nil {
		return semantic(err)
	}
	return nil
}

// Screen looks at one string of a document.
type Screen func(text string, path func() string) error

var strict = json.JoinOptions(
	json.RejectUnknownMembers(true),
	json.WithUnmarshalers(json.UnmarshalFromFunc(matchKind)),
)

// mismatch is a value of the wrong JSON type.
type mismatch string

func (m mismatch) Error() string { return string(m) }

// matchKind stands in front of every value: it lets through the JSON type that belongs to the Go type and nothing else,
// where the decoder itself would take null for anything.
func matchKind(d *jsontext.Decoder, into any) error {
	if _, own := into.(json.UnmarshalerFrom); own {
		return errors.ErrUnsupported
	}
	want := expected(reflect.TypeOf(into).Elem())
	if kind := d.PeekKind(); want != nil && kind != jsontext.KindInvalid && !want.kinds[kind] {
		return mismatch(want.message)
	}
	return errors.ErrUnsupported
}

type expectation struct {
	kinds   map[jsontext.Kind]bool
	message string
}

var (
	wantText    = &expectation{map[jsontext.Kind]bool{'"': true}, "must be a string"}
	wantInteger = &expectation{map[jsontext.Kind]bool{'0': true}, "must be an integer"}
	wantBool    = &expectation{map[jsontext.Kind]bool{'t': true, 'f': true}, "must be true or false"}
	wantArray   = &expectation{map[jsontext.Kind]bool{'[': true}, "must be an array"}
	wantObject  = &expectation{map[jsontext.Kind]bool{'{': true}, "must be an object"}
)

func expected(t reflect.Type) *expectation {
	switch t.Kind() {
	case reflect.String:
		return wantText
	case reflect.Int, reflect.Int64:
		return wantInteger
	case reflect.Bool:
		return wantBool
	case reflect.Slice:
		return wantArray
	case reflect.Struct, reflect.Map:
		return wantObject
	}
	return nil
}

// semantic turns the decoder's error into a fault.
func semantic(err error) error {
	var s *json.SemanticError
	if !errors.As(err, &s) {
		return fault.Invalid(Body, "is not valid JSON").Because(err)
	}
	field := pathOf(s.JSONPointer)
	var m mismatch
	switch {
	case errors.As(err, &m):
		return fault.Invalid(field, "%s", string(m))
	case errors.Is(err, json.ErrUnknownName):
		return fault.Invalid(field, "is not a known member")
	case s.GoType != nil && expected(s.GoType) == wantInteger:
		return fault.Invalid(field, "must be an integer")
	}
	return fault.Invalid(field, "has a value that cannot be used").Because(err)
}
