package dashboard

import (
	"unicode/utf8"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
)

// person is an actor as every page shows one: an initial, a name, and the id where the name is another.
type person struct {
	ID   string // of a user, or of a service key; "" for Keyward itself
	Name string
	Kind string // "user", or the word for an actor that is none
}

// Initial stands for the person in a small place.
func (p person) Initial() string {
	r, _ := utf8.DecodeRuneInString(p.Name)
	return string(r)
}

// Quiet is the id, where the name does not say it.
func (p person) Quiet() string {
	if p.Name == p.ID {
		return ""
	}
	return p.ID
}

// member makes a person of a user with a display name, which may be "".
func member(user id.User, display string) person {
	p := person{ID: string(user), Name: display, Kind: "user"}
	if display == "" {
		p.Name = p.ID
	}
	return p
}

// actor finds the person behind the id of an event: a member, one who has left, a service key, or Keyward itself.
// kind is the type of the credential, "" where only the id was kept.
func (v *request) actor(name, kind string) person {
	if p, known := v.known[name]; known {
		return p
	}
	p := v.lookUp(name, kind)
	if v.known == nil {
		v.known = make(map[string]person)
	}
	v.known[name] = p
	return p
}

func (v *request) lookUp(name, kind string) person {
	switch {
	case name == "" || name == "keyward" || name == "restore":
		return person{Name: "Keyward", Kind: "itself"}
	case kind == control.TypeServiceKey:
		return v.serviceKeyOf(name)
	}
	if !v.may.May(account.MembersRead) && name != string(v.may.User) {
		return member(id.User(name), "")
	}
	m, err := v.d.Control.GetMember(v.r.Context(), v.Caller, v.workspace(), name)
	_, ours := id.Parse(name)
	switch {
	case err != nil && kind == "" && ours: // no member, and an id that this server gives
		return v.serviceKeyOf(name)
	case err != nil: // a user who has left
		return member(id.User(name), "")
	}
	return member(id.User(name), m.DisplayName)
}

// serviceKeyOf makes a person of a service key.
func (v *request) serviceKeyOf(name string) person {
	p := person{ID: name, Name: "Service key", Kind: "service key"}
	if k, found := v.serviceKey(name); found {
		p.Name = k
	}
	return p
}

// serviceKey finds the name of a service key, which the root alone may read.
func (v *request) serviceKey(name string) (string, bool) {
	if !v.may.Root {
		return "", false
	}
	for cursor := ""; ; {
		keys, page, err := v.d.Control.ListServiceKeys(v.r.Context(), v.Caller, control.Paging{Limit: 100, Cursor: cursor})
		if err != nil {
			return "", false
		}
		for i := range keys {
			if string(keys[i].ID) == name {
				return keys[i].Name, true
			}
		}
		if cursor = page.NextCursor; cursor == "" {
			return "", false
		}
	}
}
