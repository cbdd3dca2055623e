package cli

import (
	"os"
	"reflect"
	"strconv"

	"github.com/alecthomas/kong"

	"github.com/keyward/keyward/internal/config"
)

// serverFlags are the settings of a server that may be given as flags. They are made of the table of settings.
type serverFlags struct {
	kong.Plugins
}

// configHelp describes the flag that is no setting.
const configHelp = "A YAML file with settings, named as the flags with _ for -. [KEYWARD_CONFIG]"

// newServerFlags makes a flag of each setting that is no secret, and one for the file.
func newServerFlags() serverFlags {
	return serverFlags{kong.Plugins{flagsOf(config.Settings(), true)}}
}

// flagsOf makes a struct with a flag for each setting that is no secret, and one for the file.
func flagsOf(list []config.Setting, file bool) any {
	var fields []reflect.StructField
	add := func(of reflect.Type, name, form, help string) {
		tag := "name:" + strconv.Quote(name) + " help:" + strconv.Quote(help)
		if form != "" {
			tag += " placeholder:" + strconv.Quote(form)
		}
		fields = append(
			fields, reflect.StructField{Name: "F" + strconv.Itoa(len(fields)), Type: of, Tag: reflect.StructTag(tag)},
		)
	}
	for _, s := range list {
		switch {
		case s.Secret:
		case s.IsSwitch():
			add(reflect.TypeFor[*bool](), s.Flag(), "", s.Usage())
		default:
			add(reflect.TypeFor[*string](), s.Flag(), s.Form, s.Usage())
		}
	}
	if file {
		add(reflect.TypeFor[*string](), config.ConfigFlag, "FILE", configHelp)
	}
	return reflect.New(reflect.StructOf(fields)).Interface()
}

// load reads flags, environment and file.
func (f *serverFlags) load() (config.Config, error) { return loadWith(f.given()) }

// given are the flags that stand in the command, by their names.
func (f *serverFlags) given() map[string]string {
	given := map[string]string{}
	for _, p := range f.Plugins {
		v := reflect.ValueOf(p).Elem()
		for i := range v.NumField() {
			name := v.Type().Field(i).Tag.Get("name")
			switch value := v.Field(i).Interface().(type) {
			case *bool:
				if value != nil {
					given[name] = strconv.FormatBool(*value)
				}
			case *string:
				if value != nil {
					given[name] = *value
				}
			}
		}
	}
	return given
}

// loadWith reads some flags, by their names, environment and file.
func loadWith(flags map[string]string) (config.Config, error) {
	return config.Load(config.Sources{Flags: flags, Environ: os.Environ()})
}
