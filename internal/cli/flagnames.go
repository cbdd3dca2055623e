package cli

import (
	"errors"
	"reflect"
	"regexp"
	"strings"

	"github.com/keyward/keyward"
)

// refusedFlag is a server's refusal of a request, with the flags of the command in place of the fields of the API.
type refusedFlag struct {
	error
	text string
}

// Error is the refusal with the names of flags.
func (r refusedFlag) Error() string { return r.text }

// Unwrap gives the refusal itself.
func (r refusedFlag) Unwrap() error { return r.error }

// position is an index within the name of a field: allowedIps[0].
var position = regexp.MustCompile(`\[\d+\]`)

// withFlags names the flags of a command where a server names fields of its request: the flag whose tag api names the
// field or the end of its path, or that is called like the field.
func withFlags(cmd any, err error) error {
	var refused *keyward.Error
	if !errors.As(err, &refused) {
		return err
	}
	text := err.Error()
	for _, d := range refused.Details {
		if label := flagOf(reflect.ValueOf(cmd).Elem().Type(), position.ReplaceAllString(d.Field, "")); label != "" {
			text = strings.ReplaceAll(text, d.Field+": ", label+": ")
		}
	}
	if text == err.Error() {
		return err
	}
	return refusedFlag{err, text}
}

// flagOf is the flag, or the argument, that fills a field of a request; "" for none. Of several the one counts that
// names most of the field's path.
func flagOf(of reflect.Type, field string) (label string) {
	longest := 0
	var look func(reflect.Type)
	look = func(of reflect.Type) {
		for i := range of.NumField() {
			f := of.Field(i)
			if f.Anonymous && f.Type.Kind() == reflect.Struct && f.Tag == "" {
				look(f.Type)
				continue
			}
			if f.Tag.Get("help") == "" {
				continue
			}
			for _, name := range fieldNames(f) {
				if len(name) > longest && (name == field || strings.HasSuffix(field, "."+name)) {
					longest = len(name)
					label = labelOf(f)
				}
			}
		}
	}
	look(of)
	return label
}

// fieldNames are the fields of the API that a flag fills.
func fieldNames(f reflect.StructField) []string {
	if names := f.Tag.Get("api"); names != "" {
		return strings.Split(names, ",")
	}
	return []string{strings.ToLower(f.Name[:1]) + f.Name[1:]}
}

var humps = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// labelOf is a flag, or an argument, as it is typed.
func labelOf(f reflect.StructField) string {
	name := f.Tag.Get("name")
	if name == "" {
		name = strings.ToLower(humps.ReplaceAllString(f.Name, "$1-$2"))
	}
	if _, is := f.Tag.Lookup("arg"); is {
		return "<" + name + ">"
	}
	return "--" + name
}
