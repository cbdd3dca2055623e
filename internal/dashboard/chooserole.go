package dashboard

import (
	"slices"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

// findRole is the field of a search for roles.
const findRole = "findRole"

// mostPages bounds the look for roles that the visitor can give among those that they cannot.
const mostPages = 10

// givable lists roles that the visitor can give: the first ones or, with a word in the form's search, those whose name,
// description or id holds it. The chosen one is always among them.
func (v *request) givable(chosen string) (out []control.Role, f finder, err error) {
	f = finder{
		Name: findRole, Label: "Find a role", Word: v.form(findRole), Do: doFind, By: "name, description or id",
	}
	if f.Word == "" {
		out, f.More, err = v.firstRoles()
	} else {
		out, _, err = v.d.Control.FindRoles(v.r.Context(), v.Caller, v.workspace(), f.Word, mostOffered)
		f.More = true
	}
	f.Found = len(out)
	isChosen := func(r control.Role) bool { return string(r.ID) == chosen }
	if err != nil || chosen == "" || slices.ContainsFunc(out, isChosen) {
		return out, f, err
	}
	switch one, err := v.d.Control.GetRole(v.r.Context(), v.Caller, v.workspace(), chosen); {
	case err == nil && one.Assignable:
		return append(out, one), f, nil
	case err == nil, fault.Is(err, fault.NotFound):
		return out, f, nil
	default:
		return nil, f, err
	}
}

// firstRoles lists the first roles that the visitor can give, and tells whether there may be more.
func (v *request) firstRoles() (out []control.Role, more bool, err error) {
	cursor := ""
	for range mostPages {
		roles, next, err := v.d.Control.ListRoles(
			v.r.Context(), v.Caller, v.workspace(), control.Paging{Limit: 100, Cursor: cursor},
		)
		if err != nil {
			return nil, false, err
		}
		for _, r := range roles {
			switch {
			case !r.Assignable:
			case len(out) == mostOffered:
				return out, true, nil
			default:
				out = append(out, r)
			}
		}
		if cursor = next.NextCursor; cursor == "" {
			return out, false, nil
		}
	}
	return out, true, nil
}
