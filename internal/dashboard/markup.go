package dashboard

import (
	"net/url"
	"slices"

	"github.com/a-h/templ"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
)

// when is a text where something is so, else "".
func when(is bool, text string) string {
	if is {
		return text
	}
	return ""
}

// either is one of two texts.
func either(is bool, text, other string) string {
	if is {
		return text
	}
	return other
}

// before is a text behind a word, "" for none.
func before(word, text string) string { return when(text != "", word+text) }

// attr is an attribute where something is so, else none. The value is escaped as text: a name whose value is an address
// or a script is not for attr.
func attr(is bool, name, value string) templ.Attributes {
	if !is {
		return nil
	}
	return templ.Attributes{name: value}
}

// invalid marks a field that was refused.
func invalid(p *problem, field string) templ.Attributes {
	return attr(p.Of(field) != "", "aria-invalid", "true")
}

// keyPath is the path of a key's page, or of a part or change of it.
func keyPath[T ~string](key T, part ...string) string { return pathTo("/keys/", string(key), part) }

// rolePath is the path of a role's page, or of a change of it.
func rolePath[T ~string](role T, part ...string) string { return pathTo("/roles/", string(role), part) }

// memberPath is the path of a change of a member.
func memberPath(user id.User, part ...string) string { return pathTo("/members/", string(user), part) }

func pathTo(under, name string, part []string) string {
	path := under + url.PathEscape(name)
	for _, one := range part {
		path += one
	}
	return path
}

// keysOf is the path of the list of a user's keys.
func keysOf[T ~string](user T) string { return "/keys?user=" + url.QueryEscape(string(user)) }

// keyLike is the path of a new key that begins as a copy.
func keyLike[T ~string](key T) string { return "/keys/new?like=" + url.QueryEscape(string(key)) }

func hasRole(all []control.Role, role string) bool {
	return slices.ContainsFunc(all, func(one control.Role) bool { return string(one.ID) == role })
}
