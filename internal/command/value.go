package command

import (
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// value is a field that a flag or an argument fills. It implements pflag.Value.
type value struct {
	label string // as it stands in errors: --limit, <file>
	to    reflect.Value
	tag   reflect.StructTag
	enum  []string
	sep   string
	given bool // by the command line or by the environment
}

func newValue(label string, to reflect.Value, tag reflect.StructTag) *value {
	v := &value{label: label, to: to, tag: tag, sep: ","}
	if enum, ok := tag.Lookup("enum"); ok {
		v.enum = strings.Split(enum, ",")
	}
	if sep, ok := tag.Lookup("sep"); ok {
		v.sep = strings.TrimPrefix(sep, "none")
	}
	if text, ok := tag.Lookup("default"); ok {
		if err := v.fill(text); err != nil {
			panic(err)
		}
	}
	return v
}

// String is what the field holds before the command line is read: what help shows.
func (v *value) String() string {
	if v == nil || strings.Contains(v.tag.Get("help"), "efault") {
		return ""
	}
	return v.tag.Get("default")
}

// Type is the word that stands for the value in help.
func (v *value) Type() string {
	word := v.tag.Get("placeholder")
	switch {
	case v.isBool():
		return "bool"
	case word == "":
		word = strings.ToUpper(strings.TrimPrefix(v.label, "--"))
	}
	if v.to.Kind() == reflect.Slice && v.sep != "" && !strings.HasSuffix(word, ",...") {
		word += ",..."
	}
	return word
}

// help is the sentence of the tag, with the environment variable in brackets.
func (v *value) help() string {
	words := strings.NewReplacer("${default}", v.tag.Get("default"), "${enum}", v.tag.Get("enum"))
	text := words.Replace(v.tag.Get("help"))
	if env := v.tag.Get("env"); env != "" {
		text += " [" + env + "]"
	}
	return text
}

func (v *value) isBool() bool { return base(v.to.Type()).Kind() == reflect.Bool }

func base(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// Set fills the field with a word. A slice gets one more value, or several.
func (v *value) Set(text string) error {
	if v.to.Kind() == reflect.Slice && !v.given {
		v.to.Set(reflect.MakeSlice(v.to.Type(), 0, 1)) // not nil: a list that is given and empty
	}
	v.given = true
	return v.fill(text)
}

func (v *value) fill(text string) error {
	if v.to.Kind() != reflect.Slice {
		return v.convert(text, v.to)
	}
	words := []string{text}
	if v.sep != "" && strings.HasPrefix(v.label, "--") {
		words = strings.Split(text, v.sep)
		if text == "" {
			words = nil
		}
	}
	for _, word := range words {
		one := reflect.New(v.to.Type().Elem()).Elem()
		if err := v.convert(word, one); err != nil {
			return err
		}
		v.to.Set(reflect.Append(v.to, one))
	}
	return nil
}

// convert reads a word in the form that the field has.
func (v *value) convert(text string, to reflect.Value) error {
	if v.enum != nil && !slices.Contains(v.enum, text) {
		return fmt.Errorf("%s must be one of %s but got %q", v.label, quotedList(v.enum), text)
	}
	if to.Kind() == reflect.Pointer {
		to.Set(reflect.New(to.Type().Elem()))
		to = to.Elem()
	}
	var err error
	form, formed := to.Addr().Interface().(encoding.TextUnmarshaler)
	switch kind := to.Kind(); {
	case formed:
		err = form.UnmarshalText([]byte(text))
	case kind == reflect.String:
		text, err = v.path(text)
		to.SetString(text)
	case kind == reflect.Bool:
		err = setBool(to, text)
	case kind == reflect.Int || kind == reflect.Int64:
		err = setInt(to, text)
	default:
		panic(v.label + " has a type that no word is read for: " + to.Type().String())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", v.label, err)
	}
	return nil
}

func setBool(to reflect.Value, text string) error {
	switch strings.ToLower(text) {
	case "true", "1", "yes":
		to.SetBool(true)
	case "false", "0", "no":
		to.SetBool(false)
	default:
		return fmt.Errorf("bool value must be true, 1, yes, false, 0 or no but got %q", text)
	}
	return nil
}

func setInt(to reflect.Value, text string) error {
	if to.Type() == reflect.TypeFor[time.Duration]() {
		span, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("expected duration but got %q: %w", text, err)
		}
		to.SetInt(int64(span))
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("expected a valid 64 bit int but got %q", text)
	}
	to.SetInt(n)
	return nil
}

// path makes a path absolute, where the tag says that the word is one. Standard input, -, stays.
func (v *value) path(text string) (string, error) {
	kind := v.tag.Get("type")
	if kind == "" || text == "-" {
		return text, nil
	}
	if rest, ok := strings.CutPrefix(text, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			text = filepath.Join(home, rest)
		}
	}
	text, err := filepath.Abs(text)
	if err != nil || kind != "existingfile" {
		return text, err
	}
	info, err := os.Stat(text)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return text, fmt.Errorf("%w: correct the path, or put the file there", err)
	case err != nil:
		return text, err
	case info.IsDir():
		return text, fmt.Errorf("%q exists but is a directory: name a file in it", text)
	}
	return text, nil
}

// fromEnv takes the environment's word for a flag that was not given.
func (v *value) fromEnv() error {
	env := v.tag.Get("env")
	if env == "" || v.given {
		return nil
	}
	text, ok := os.LookupEnv(env)
	if !ok {
		return nil
	}
	if err := v.Set(text); err != nil {
		return errors.New(env + ": " + strings.TrimPrefix(err.Error(), v.label+": "))
	}
	return nil
}

// complete offers a shell what the word may be.
func (v *value) complete(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	switch {
	case v.enum != nil:
		words := slices.DeleteFunc(slices.Clone(v.enum), func(word string) bool { return word == "" })
		return words, cobra.ShellCompDirectiveNoFileComp
	case v.tag.Get("type") != "" || strings.Contains(v.tag.Get("placeholder"), "FILE"):
		return nil, cobra.ShellCompDirectiveDefault
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}
