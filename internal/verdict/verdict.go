// Package verdict owns the codes of a verification's outcome: their words, their order, the refusal that a door
// answers, and the column in which each is counted. It does not own the decision itself (verify).
package verdict

import (
	"slices"

	"github.com/keyward/keyward/internal/fault"
)

// Code is the outcome of a verification, a word of the wire contract.
type Code string

// The codes, in the order in which they are checked: the first that applies is the answer.
const (
	Malformed               Code = "MALFORMED"
	NotFound                Code = "NOT_FOUND"
	Disabled                Code = "DISABLED"
	Expired                 Code = "EXPIRED"
	IPForbidden             Code = "IP_FORBIDDEN"
	InsufficientPermissions Code = "INSUFFICIENT_PERMISSIONS"
	RateLimited             Code = "RATE_LIMITED"   // the minute
	QuotaExceeded           Code = "QUOTA_EXCEEDED" // the day
	Valid                   Code = "VALID"
	// nothing can be said now: 503, or the word of one item of a batch; nothing was spent
	Unavailable Code = "UNAVAILABLE"
)

// outcome is a code with all that follows from it.
type outcome struct {
	code    Code
	fault   fault.Code // "" for Valid
	message string
	detail  fault.Detail // none where its field is ""
	known   bool         // the key was found, so the answer says which one it is
}

const notGood = "the credential is not valid"

// outcomes is the one list of the codes.
var outcomes = [...]outcome{
	{code: Malformed, fault: fault.Unauthenticated, message: notGood},
	{code: NotFound, fault: fault.Unauthenticated, message: notGood},
	{code: Disabled, fault: fault.Unauthenticated, message: notGood, known: true},
	{code: Expired, fault: fault.Unauthenticated, message: notGood, known: true},
	{code: IPForbidden, fault: fault.PermissionDenied, message: "this key may not be used from this address",
		detail: fault.Detail{Field: "allowedIps", Message: "do not hold the address of the request"}, known: true},
	{code: InsufficientPermissions, fault: fault.PermissionDenied, message: "the key lacks a permission", known: true},
	{code: RateLimited, fault: fault.RateLimited, message: "the limit per minute is used up", known: true},
	{code: QuotaExceeded, fault: fault.RateLimited, message: "the limit per day is used up", known: true},
	{code: Valid, known: true},
	{code: Unavailable, fault: fault.Unavailable, message: "this cannot be answered now; ask again shortly"},
}

// Codes lists the codes in the order in which they are checked, Unavailable last.
func Codes() []Code {
	all := make([]Code, len(outcomes))
	for i := range outcomes {
		all[i] = outcomes[i].code
	}
	return all
}

// Refusals lists the codes with which a key that was found is refused, in the order in which they are checked.
func Refusals() []Code {
	var all []Code
	for _, o := range outcomes {
		if o.known && o.fault != "" {
			all = append(all, o.code)
		}
	}
	return all
}

// Refusal is what a door answers instead of letting the request pass, and nil for Valid. It tells a stranger no more of
// a key than that it is not good. A code that is not in the list is refused, too.
func (c Code) Refusal() *fault.Error {
	i := slices.IndexFunc(outcomes[:], func(o outcome) bool { return o.code == c })
	if i < 0 {
		return fault.New(fault.Unauthenticated, notGood)
	}
	o := &outcomes[i]
	if o.fault == "" {
		return nil
	}
	f := fault.New(o.fault, o.message)
	if o.detail.Field != "" {
		f.Details = append(f.Details, o.detail)
	}
	return f
}

// Counter is a code that is counted, and its column of usage_counts.
type Counter struct {
	Code   Code
	Column string
}

// Counted lists the codes that are counted: Valid first, and last the two of which no key is known. Unavailable says
// nothing of a key.
var Counted = [...]Counter{
	{Valid, "verified"},
	{Disabled, "disabled"},
	{Expired, "expired"},
	{IPForbidden, "ip_forbidden"},
	{InsufficientPermissions, "insufficient"},
	{RateLimited, "rate_limited"},
	{QuotaExceeded, "quota_exceeded"},
	{NotFound, "not_found"},
	{Malformed, "malformed"},
}
