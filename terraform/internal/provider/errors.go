package provider

import (
	"errors"
	"strings"
	"unicode"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/keyward/keyward"
)

// renamed are the fields of the API whose attribute has another name.
var renamed = map[string]string{
	"sha256": "value_wo", "maskedKey": "value_wo", "digest": "value_wo", "settings": "", "id": "",
}

// explain adds an error for a refused call. Each detail of the refusal goes to the attribute that it names, so that the
// message points at the line of the configuration.
func explain(diags *diag.Diagnostics, action string, err error) {
	var refused *keyward.Error
	if !errors.As(err, &refused) {
		diags.AddError("Cannot "+action, err.Error()+"\n\nNo whole answer came. If the call had reached the server, the change may have taken "+
			"place: look there before you apply again.")
		return
	}
	explainDetails(diags, action, refused.Code, err.Error(), refused.Details)
}

// explainDetails is explain for the parts of a refusal. whole is its text.
func explainDetails(diags *diag.Diagnostics, action string, code keyward.ErrorCode, whole string,
	details []keyward.Detail) {
	switch code {
	case keyward.CodePermissionDenied:
		diags.AddError("Cannot "+action+": the token lacks a permission", whole)
		return
	case keyward.CodeLimitReached: // the detail names a quota, and no attribute
		diags.AddError("Cannot "+action+": the plan of the workspace has no room", whole)
		return
	case keyward.CodeOutcomeUnknown:
		diags.AddError("Cannot tell whether this took place: "+action,
			whole+"\n\nLook at the server before you apply again. If the object is there, import it.")
		return
	}
	pointed := false
	for _, d := range details {
		if at, ok := attributeOf(d.Field); ok {
			diags.AddAttributeError(at, "Cannot "+action, sentence(code, at, d)+"\n\n"+whole)
			pointed = true
		}
	}
	if !pointed {
		diags.AddError("Cannot "+action, whole)
	}
}

// sentence says in the words of the configuration what a detail says in those of the API.
func sentence(code keyward.ErrorCode, at path.Path, d keyward.Detail) string {
	if code == keyward.CodePermissionEscalation && strings.HasPrefix(d.Field, "permissions") {
		return d.Message + " may not be granted: the user, or the token, does not hold it."
	}
	return at.String() + " " + d.Message + "."
}

// attributeOf turns the field of a refusal, "rateLimit.requestsPerDay" for instance, into the path of its attribute. An
// index is left out, because the elements of a set have none.
func attributeOf(field string) (at path.Path, ok bool) {
	for _, part := range strings.Split(field, ".") {
		part, _, _ = strings.Cut(part, "[")
		name, known := renamed[part]
		if !known {
			name = snake(part)
		}
		switch {
		case name == "" || name == "api_keys":
		case !ok:
			at, ok = path.Root(name), true
		case name == "value" && at.Equal(path.Root("value_wo")):
		default:
			at = at.AtName(name)
		}
	}
	return at, ok
}

// snake turns requestsPerDay into requests_per_day.
func snake(s string) string {
	var b strings.Builder
	for i, r := range s {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// gone reports whether the server says that the object does not exist.
func gone(err error) bool { return errors.Is(err, keyward.ErrNotFound) }
