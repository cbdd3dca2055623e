package api

import (
	"fmt"
	"slices"
	"strings"
)

// field is one parameter, header or member of a body, as the reference tells it.
type field struct {
	Name        string
	In          string // path, query or header; "" in a body
	Type        string
	Object      string // the object that Type ends with, told elsewhere
	Required    bool
	Description string
	Limits      []string
}

func (t tree) is(text string) bool { return t.text() == text }

func (t tree) size() int { return len(t.members()) }

func isObject(t tree) bool { return slices.Contains(t.get("type").texts(), "object") }

// link notes that an object is spoken of.
func (w *writer) link(name string) string {
	if !slices.Contains(w.objects, name) {
		w.objects = append(w.objects, name)
	}
	return name
}

// fields lists the members of an object, those of inner objects behind a dot and those of list items behind []. With
// linked, objects that have a name are not told here but linked.
func (w *writer) fields(schema tree, prefix string, linked bool) []field {
	var all []field
	required := schema.get("required").texts()
	for _, m := range schema.get("properties").members() {
		name := prefix + m.name
		f := w.field(name, m.tree, slices.Contains(required, m.name))
		inner, suffix := element(m.tree)
		if linked && inner.ref != "" && isObject(inner) && inner.get("properties").size() > 0 {
			f.Object = w.link(inner.ref)
			f.Type = strings.TrimSuffix(f.Type, "object")
			all = append(all, f)
			continue
		}
		all = append(all, f)
		all = append(all, w.fields(inner, name+suffix+".", linked)...)
	}
	for _, alternative := range slices.Concat(schema.get("oneOf").items(), schema.get("anyOf").items()) {
		all = append(all, w.fields(alternative, prefix, linked)...)
	}
	return all
}

// element returns the items of a list, through lists of lists, and the brackets that lead there.
func element(schema tree) (tree, string) {
	suffix := ""
	for schema.get("items").exists() {
		schema = schema.get("items")
		suffix += "[]"
	}
	return schema, suffix
}

func (w *writer) field(name string, schema tree, required bool) field {
	return field{
		Name: name, Type: typeOf(schema), Required: required, Description: schema.get("description").text(),
		Limits: limits(schema),
	}
}

// typeOf describes the type of a schema in words.
func typeOf(schema tree) string {
	if value := schema.get("const"); value.exists() {
		return "always " + value.text()
	}
	var names []string
	for _, name := range schema.get("type").texts() {
		if name == "array" {
			name = "list of " + typeOf(schema.get("items"))
		}
		names = append(names, name)
	}
	for _, alternative := range schema.get("oneOf").items() {
		names = append(names, typeOf(alternative))
	}
	return strings.Join(names, " or ")
}

// limits describes the other constraints of a schema in words.
func limits(schema tree) []string {
	var all []string
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	span := func(least, most, what string) {
		a, b := schema.get(least).text(), schema.get(most).text()
		switch {
		case a != "" && b != "":
			say("%s to %s%s", a, b, what)
		case a != "":
			say("at least %s%s", a, what)
		case b != "":
			say("at most %s%s", b, what)
		}
	}
	span("minimum", "maximum", "")
	span("minLength", "maxLength", " characters")
	span("minItems", "maxItems", " items")
	if values := schema.get("enum").texts(); len(values) > 0 {
		say("one of %s", strings.Join(values, ", "))
	}
	if value := schema.get("default"); value.exists() {
		say("default %s", value.text())
	}
	return all
}
