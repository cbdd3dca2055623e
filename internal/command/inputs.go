package command

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// inputs are the arguments and flags of a command, with what must hold of them together.
type inputs struct {
	arguments []*value
	flags     []*value
}

func (in *inputs) argument(cmd *cobra.Command, v *value) {
	if len(in.arguments) == 0 {
		cmd.ValidArgsFunction = v.complete
	}
	in.arguments = append(in.arguments, v)
}

func (in *inputs) flag(cmd *cobra.Command, name string, v *value) {
	in.flags = append(in.flags, v)
	flag := cmd.Flags().VarPF(v, name, v.tag.Get("short"), v.help())
	if v.isBool() {
		flag.NoOptDefVal = "true"
	}
	if err := cmd.RegisterFlagCompletionFunc(name, v.complete); err != nil {
		panic(err)
	}
}

// usage is the list of arguments in the first line of help.
func (in *inputs) usage() string {
	var all strings.Builder
	for _, v := range in.arguments {
		word := v.inUsage()
		if v.optional() {
			word = "[" + word + "]"
		}
		all.WriteString(" " + word)
	}
	return all.String()
}

// describe is the list of arguments with their sentences, which help shows below its text.
func (in *inputs) describe() string {
	if len(in.arguments) == 0 {
		return ""
	}
	longest := 0
	for _, v := range in.arguments {
		longest = max(longest, len(v.inUsage()))
	}
	var all strings.Builder
	all.WriteString("\n\nArguments:\n")
	for _, v := range in.arguments {
		fmt.Fprintf(&all, "  %-*s   %s\n", longest, v.inUsage(), v.help())
	}
	return all.String()
}

func (v *value) optional() bool {
	_, ok := v.tag.Lookup("optional")
	return ok
}

func (v *value) inUsage() string {
	if v.to.Kind() == reflect.Slice {
		return v.label + " ..."
	}
	return v.label
}

// check fills the arguments, takes what the environment says, and looks whether all is there. It is called when the
// flags have been read.
func (in *inputs) check(cmd *cobra.Command, words []string) error {
	left := words
	for _, v := range in.arguments {
		for len(left) > 0 {
			if err := v.Set(left[0]); err != nil {
				return err
			}
			left = left[1:]
			if v.to.Kind() != reflect.Slice {
				break
			}
		}
	}
	if len(left) > 0 {
		return unexpected(cmd, left[0])
	}
	var wrong error
	for _, v := range in.flags {
		wrong = cmp.Or(wrong, v.fromEnv())
	}
	return cmp.Or(in.exclusive(), in.missing(), wrong)
}

// exclusive refuses two flags of which only one may be given.
func (in *inputs) exclusive() error {
	first := make(map[string]*value)
	for _, v := range in.flags {
		group := v.tag.Get("xor")
		if group == "" || !v.given {
			continue
		}
		if other := first[group]; other != nil {
			return fmt.Errorf("%s and %s can't be used together", other.label, v.label)
		}
		first[group] = v
	}
	return nil
}

// missing names the flags and arguments that are not there, as they are typed.
func (in *inputs) missing() error {
	var flags []string
	for _, v := range in.flags {
		if _, ok := v.tag.Lookup("required"); ok && !v.given {
			flags = append(flags, v.label+" "+v.Type())
		}
	}
	slices.Sort(flags)
	switch n := len(flags); {
	case n == 1:
		return errors.New(flags[0] + " is missing")
	case n > 1:
		return errors.New(strings.Join(flags[:n-1], ", ") + " and " + flags[n-1] + " are missing")
	}
	var arguments []string
	for _, v := range in.arguments {
		if !v.given && !v.optional() {
			arguments = append(arguments, v.inUsage())
		}
	}
	if len(arguments) > 0 {
		return fmt.Errorf("expected %q", strings.Join(arguments, " "))
	}
	return nil
}

// wantCommand refuses a group of commands that stands alone, or before a word that names none of them.
func wantCommand(group *cobra.Command, words []string) error {
	if len(words) > 0 {
		return unexpected(group, words[0])
	}
	var names []string
	for _, c := range group.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, fmt.Sprintf("%q", c.Name()))
		}
	}
	if len(names) == 1 {
		return errors.New("expected " + names[0])
	}
	if len(names) > 5 {
		names = append(names[:5], "...")
	}
	return errors.New("expected one of " + strings.Join(names, ", "))
}

// unexpected refuses a word, and names the commands of the group that may have been meant.
func unexpected(group *cobra.Command, word string) error {
	return errors.New("unexpected argument " + word + perhaps(group, word))
}

// perhaps names the commands of a group that are spelt much like the word.
func perhaps(group *cobra.Command, word string) string {
	group.SuggestionsMinimumDistance = 2
	switch near := group.SuggestionsFor(word); len(near) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(", did you mean %q?", near[0])
	default:
		return ", did you mean one of \"" + strings.Join(near, `", "`) + `"?`
	}
}

// quotedList is "a","b".
func quotedList(words []string) string { return `"` + strings.Join(words, `","`) + `"` }

// flagError says in our words what the library found wrong with a flag.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var bare *pflag.ValueRequiredError
	var wrong *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return errors.New("unknown flag -" + unknown.GetSpecifiedName())
	case errors.As(err, &unknown):
		return unknownFlag(cmd, "--"+unknown.GetSpecifiedName())
	case errors.As(err, &bare):
		return fmt.Errorf("--%s: expected a value", bare.GetFlag().Name)
	case errors.As(err, &wrong):
		return wrong.Unwrap()
	}
	return err
}

// unknownFlag names the flags that may have been meant. The library compares words with the names of commands alone,
// so the flags are given to it as commands.
func unknownFlag(cmd *cobra.Command, name string) error {
	flags := new(cobra.Command)
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		flags.AddCommand(&cobra.Command{Use: "--" + f.Name, Run: func(*cobra.Command, []string) {}})
	})
	return errors.New("unknown flag " + name + perhaps(flags, name))
}

// swallowed refuses a flag that would take the next flag for its value, which the library allows.
func swallowed(cmd *cobra.Command, words []string) error {
	cmd.InheritedFlags() // adds those of the commands above
	for i := 0; i+1 < len(words) && words[i] != "--"; i++ {
		var flag *pflag.Flag
		if name, long := strings.CutPrefix(words[i], "--"); long {
			flag = cmd.Flags().Lookup(name)
		} else if letter, short := strings.CutPrefix(words[i], "-"); short && len(letter) == 1 {
			flag = cmd.Flags().ShorthandLookup(letter)
		}
		if flag == nil || flag.NoOptDefVal != "" {
			continue
		}
		i++
		if next := words[i]; len(next) > 1 && next[0] == '-' {
			return fmt.Errorf("--%s: expected a value but got %q; perhaps try --%s=%q?", flag.Name, next, flag.Name, next)
		}
	}
	return nil
}
