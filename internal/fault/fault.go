// Package fault owns the errors that a caller sees: a stable code, a sentence for people, the fields it is about,
// and, kept apart from all of these, a cause for the log. It does not own their form on the wire.
package fault

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Code is a stable, machine-readable reason; it is part of the public contract.
type Code string

// The codes of the contract.
const (
	InvalidRequest       Code = "invalid_request"
	Unauthenticated      Code = "unauthenticated"
	PermissionDenied     Code = "permission_denied"
	PermissionEscalation Code = "permission_escalation"
	NotFound             Code = "not_found"
	MethodNotAllowed     Code = "method_not_allowed"
	Conflict             Code = "conflict"
	LimitReached         Code = "limit_reached" // a quota of the workspace; it is named
	BodyTooLarge         Code = "body_too_large"
	UnsupportedMediaType Code = "unsupported_media_type"
	RateLimited          Code = "rate_limited"
	Unavailable          Code = "unavailable"
	OutcomeUnknown       Code = "outcome_unknown" // whether the change took place is not known: look before asking again
	Internal             Code = "internal_error"
)

// statuses is the one table from code to HTTP status.
var statuses = map[Code]int{
	InvalidRequest:       400,
	Unauthenticated:      401,
	PermissionDenied:     403,
	PermissionEscalation: 403,
	NotFound:             404,
	MethodNotAllowed:     405,
	Conflict:             409,
	LimitReached:         409,
	BodyTooLarge:         413,
	UnsupportedMediaType: 415,
	RateLimited:          429,
	Unavailable:          503,
	OutcomeUnknown:       503,
	Internal:             500,
}

// Codes lists every code, in the order of their names.
func Codes() []Code { return slices.Sorted(maps.Keys(statuses)) }

// Status is the HTTP status that goes with the code, 500 for one that is not declared.
func (c Code) Status() int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return 500
}

// Detail names one field of the request and its error.
type Detail struct {
	Field   string
	Message string
}

// Error is a declared fault. Message and Details are for the caller; the cause is for the log alone.
type Error struct {
	Code    Code
	Message string
	Details []Detail
	cause   error
}

// Error gives both readers' halves, for the log.
func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Message
	for _, d := range e.Details {
		s += "; " + d.Field + ": " + d.Message
	}
	if e.cause != nil {
		s += " (" + e.cause.Error() + ")"
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// New makes a fault with a sentence for the caller.
func New(code Code, message string, details ...Detail) *Error {
	return &Error{Code: code, Message: message, Details: details}
}

// Because adds the cause that the log shall show and the caller shall not.
func (e *Error) Because(err error) *Error {
	c := *e
	c.cause = err
	return &c
}

// Invalid is an invalid_request that names one field.
func Invalid(field, format string, args ...any) *Error {
	msg := fmt.Sprintf(format, args...)
	return New(InvalidRequest, field+": "+msg, Detail{Field: field, Message: msg})
}

// All joins the errors of an input's fields, so that the caller learns of all of them at once. The first error decides
// code and message. The fields of later ones are added where both blame the input; any other error ends the list. A
// field is blamed once.
func All(errs ...error) error {
	var first *Error
	for _, err := range errs {
		switch f := (*Error)(nil); {
		case err == nil:
		case !errors.As(err, &f) || !blamesInput(f):
			if first == nil {
				return err
			}
			return first
		case first == nil:
			c := *f
			first = &c
			first.Details = slices.Clone(f.Details)
		default:
			first.add(f.Details)
		}
	}
	if first == nil {
		return nil
	}
	return first
}

func blamesInput(f *Error) bool {
	return (f.Code == InvalidRequest || f.Code == Conflict || f.Code == LimitReached) && len(f.Details) > 0
}

func (e *Error) add(details []Detail) {
	for _, d := range details {
		if !slices.ContainsFunc(e.Details, func(one Detail) bool { return one.Field == d.Field }) {
			e.Details = append(e.Details, d)
		}
	}
}

// Missing is the one answer for everything that is not there, or not there for this caller: the same bytes for both.
func Missing() *Error { return New(NotFound, "there is no such object") }

// From returns the declared fault inside err. Any other error becomes an internal error whose cause is err.
func From(err error) *Error {
	var f *Error
	if errors.As(err, &f) {
		return f
	}
	return New(Internal, "internal error").Because(err)
}

// Is tells whether err carries a fault with the code.
func Is(err error, code Code) bool {
	var f *Error
	return errors.As(err, &f) && f.Code == code
}
