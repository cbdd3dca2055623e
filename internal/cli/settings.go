package cli

import (
	"os"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/keyward/keyward/internal/config"
)

// serverFlags are the settings of a server that may be given as flags. They are made of the table of settings.
type serverFlags struct {
	settings []config.Setting
	file     bool              // there is a flag for the file, too
	given    map[string]string // the flags that stand in the command, by their names
}

// configHelp describes the flag that is no setting.
const configHelp = "A YAML file with settings, named as the flags with _ for -. [KEYWARD_CONFIG]"

// newServerFlags makes a flag of each setting that is no secret, and one for the file.
func newServerFlags() serverFlags {
	return serverFlags{settings: config.Settings(), file: true, given: map[string]string{}}
}

// AddFlags adds a flag for each setting that is no secret, and one for the file.
func (f *serverFlags) AddFlags(flags *pflag.FlagSet) {
	for _, s := range f.settings {
		switch {
		case s.Secret:
		case s.IsSwitch():
			flags.VarPF(&serverFlag{name: s.Flag(), form: "bool", given: f.given}, s.Flag(), "", s.Usage()).NoOptDefVal = "true"
		default:
			flags.Var(&serverFlag{name: s.Flag(), form: s.Form, given: f.given}, s.Flag(), s.Usage())
		}
	}
	if f.file {
		flags.Var(&serverFlag{name: config.ConfigFlag, form: "FILE", given: f.given}, config.ConfigFlag, configHelp)
	}
}

// serverFlag is the flag of one setting. It keeps the word as it is given: config reads it.
type serverFlag struct {
	name  string
	form  string // the word that stands for the value in help
	given map[string]string
}

// String is the default, which the help's sentence says already.
func (f *serverFlag) String() string { return "" }

// Type is the word that stands for the value in help.
func (f *serverFlag) Type() string { return f.form }

// Set keeps the word.
func (f *serverFlag) Set(text string) error {
	if f.form == "bool" {
		on, err := strconv.ParseBool(text)
		if err != nil {
			return usageError("--" + f.name + ": bool value must be true or false but got " + strconv.Quote(text))
		}
		text = strconv.FormatBool(on)
	}
	f.given[f.name] = text
	return nil
}

// load reads flags, environment and file.
func (f *serverFlags) load() (config.Config, error) { return loadWith(f.given) }

// loadWith reads some flags, by their names, environment and file.
func loadWith(flags map[string]string) (config.Config, error) {
	return config.Load(config.Sources{Flags: flags, Environ: os.Environ()})
}
