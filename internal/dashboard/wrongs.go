package dashboard

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

// wrongs gathers the errors of a form's fields, so that the page shows all of them at once.
type wrongs []fault.Detail

// note keeps an error that names fields, and gives back any other.
func (w *wrongs) note(err error) error {
	if err == nil {
		return nil
	}
	f := fault.From(err)
	if f.Code != fault.InvalidRequest || len(f.Details) == 0 {
		return err
	}
	*w = append(*w, f.Details...)
	return nil
}

// err is all that was noted, nil for nothing.
func (w *wrongs) err() error {
	if len(*w) == 0 {
		return nil
	}
	all := *w
	return fault.New(fault.InvalidRequest, all[0].Field+": "+all[0].Message, all...)
}

// allWrong says everything that is wrong with a request for a key, of which first is known.
func (v *request) allWrong(in control.CreateKey, first error) error {
	_, _, err := v.draft(in, first)
	return err
}

// draft asks control for the key without the fields that are wrong, of which first is known, until nothing new comes
// up. It returns that key, whether there is one, and everything that is wrong.
func (v *request) draft(in control.CreateKey, first error) (k control.Key, known bool, err error) {
	var all wrongs
	if err := all.note(first); err != nil {
		return k, false, err
	}
	for done := 0; ; {
		for ; done < len(all); done++ {
			if !without(&in, all[done].Field) {
				return k, false, all.err()
			}
		}
		k, err = v.d.Control.DraftKey(v.r.Context(), v.Caller, in)
		if err == nil {
			return k, true, all.err()
		}
		var more wrongs
		if other := more.note(err); other != nil {
			return k, false, cmp.Or(all.err(), other)
		}
		for _, d := range more {
			if !slices.ContainsFunc(all, func(one fault.Detail) bool { return one.Field == d.Field }) {
				all = append(all, d)
			}
		}
		if done == len(all) {
			return k, false, all.err()
		}
	}
}

// without puts a value that is allowed in the place of a field. It answers false for a field that a key cannot do
// without.
func without(in *control.CreateKey, field string) bool {
	switch field {
	case "name":
		in.Name = "key"
	case "like": // where a template comes from, and no field of a key
	case "permissions":
		in.Permissions = control.Optional[[]string]{}
	case "description":
		in.Description = control.Optional[string]{}
	case "metadata":
		in.Metadata = control.Optional[json.RawMessage]{}
	case "expiresAt":
		in.ExpiresAt = control.Optional[string]{}
	case "rateLimit.requestsPerMinute":
		in.RateLimit.Value.PerMinute = control.Optional[int64]{}
	case "rateLimit.requestsPerDay":
		in.RateLimit.Value.PerDay = control.Optional[int64]{}
	default:
		if len(field) < len("allowedIps") || field[:len("allowedIps")] != "allowedIps" {
			return false
		}
		in.AllowedIPs = control.Optional[[]string]{}
	}
	return true
}
