package strictjson

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Optional is a member that may be left out but is not null where it is given.
type Optional[T any] struct {
	Set   bool
	Value T
}

// UnmarshalJSONFrom reads the value that is given.
func (o *Optional[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	o.Set = true
	return json.UnmarshalDecode(d, &o.Value)
}

// Or is the value, or the fallback where none was given.
func (o Optional[T]) Or(fallback T) T {
	if o.Set {
		return o.Value
	}
	return fallback
}

// Nullable is a member for which left out, null and a value are three different things.
type Nullable[T any] struct {
	Set   bool // given at all
	Null  bool // given as null
	Value T
}

// UnmarshalJSONFrom reads null or the value that is given.
func (n *Nullable[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	n.Set = true
	if d.PeekKind() == 'n' {
		n.Null = true
		return d.SkipValue()
	}
	return json.UnmarshalDecode(d, &n.Value)
}

// Object is a JSON object that is kept as its text.
type Object []byte

// UnmarshalJSONFrom keeps the text, without the space between its tokens.
func (o *Object) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '{' {
		return mismatch(wantObject.message)
	}
	v, err := d.ReadValue()
	if err != nil {
		return err
	}
	plain, err := Plain(v)
	*o = Object(plain)
	return err
}

// Plain writes a JSON value without space between its tokens and without escapes that are not needed, so that a text in
// it is found as people see it. Numbers and the order of members stay as they are.
func Plain(raw []byte) ([]byte, error) {
	v := jsontext.Value(raw).Clone()
	err := v.Compact(jsontext.PreserveRawStrings(false))
	return v, err
}

// Given records that a member was present, with any value.
type Given bool

// UnmarshalJSONFrom passes over the value.
func (g *Given) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	*g = true
	return d.SkipValue()
}

// Mismatch is the error of an own UnmarshalJSONFrom for a value of the wrong JSON type: message names the right one.
func Mismatch(message string) error { return mismatch(message) }
