package dashboard

import (
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

// allWrong says everything that is wrong with a request for a key, of which first is known. It asks control for the
// same key without the fields that are wrong, until nothing new comes up.
func (v *request) allWrong(in control.CreateKey, first error) error {
	var all wrongs
	if err := all.note(first); err != nil {
		return err
	}
	for done := 0; done < len(all); {
		for ; done < len(all); done++ {
			if !without(&in, all[done].Field) {
				return all.err()
			}
		}
		var more wrongs
		if _, err := v.d.Control.DraftKey(v.r.Context(), v.Caller, in); more.note(err) != nil {
			return all.err()
		}
		for _, d := range more {
			if !slices.ContainsFunc(all, func(one fault.Detail) bool { return one.Field == d.Field }) {
				all = append(all, d)
			}
		}
	}
	return all.err()
}

// without puts a value that is allowed in the place of a field. It answers false for a field that a key cannot do
// without.
func without(in *control.CreateKey, field string) bool {
	switch field {
	case "name":
		in.Name = "x"
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
