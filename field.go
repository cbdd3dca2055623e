package keyward

import (
	"bytes"
	"encoding/json"
)

// Field is a member of a request that may be absent, null or a value, each of which the server understands differently.
// The zero value is absent. A struct that holds a Field tags it `omitzero`.
type Field[T any] struct {
	value T
	state fieldState
}

type fieldState uint8

const (
	fieldAbsent fieldState = iota
	fieldNull
	fieldValue
)

// Set makes a field that carries a value.
func Set[T any](value T) Field[T] { return Field[T]{value: value, state: fieldValue} }

// Null makes a field that is null: none, unlimited, or cleared, as the field's comment says.
func Null[T any]() Field[T] { return Field[T]{state: fieldNull} }

// Get gives the value, and whether there is one: false for an absent field and for null.
func (f Field[T]) Get() (T, bool) { return f.value, f.state == fieldValue }

// IsNull tells whether the field is null.
func (f Field[T]) IsNull() bool { return f.state == fieldNull }

// IsZero tells whether the field is absent. The `omitzero` tag asks it.
func (f Field[T]) IsZero() bool { return f.state == fieldAbsent }

// MarshalJSON writes null or the value. An absent field in a struct without `omitzero` is null too.
func (f Field[T]) MarshalJSON() ([]byte, error) {
	if f.state != fieldValue {
		return []byte("null"), nil
	}
	return json.Marshal(f.value)
}

// UnmarshalJSON reads null or a value; a missing member stays absent.
func (f *Field[T]) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		*f = Null[T]()
		return nil
	}
	var value T
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	*f = Set(value)
	return nil
}
