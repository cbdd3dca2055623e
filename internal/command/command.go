// Package command makes commands of structs: a tree of cobra commands, in which each field with a tag is a command, an
// argument or a flag. Nothing here finds a method by its name, because one such look-up makes the linker keep every
// exported method of the program. These are the tags:
//
//	cmd:""              a command; a struct that holds such fields is a group of commands
//	arg:""              an argument; a slice takes all that are left
//	name:"…"            its name, where that is not the field's name in lower case with hyphens
//	help:"…"            one sentence; ${default} and ${enum} stand for these tags
//	group:"…"           the heading under which a command of the root is listed
//	hidden:""           a command that no list shows
//	default:"…"         the value of a flag that is left out; on a command: its group runs it where none is named
//	env:"…"             an environment variable that stands for a flag that is left out
//	placeholder:"…"     the word that stands for the value in help
//	short:"x"           a flag's single letter
//	sep:"…"             what separates the values of a slice in one word: a comma without the tag; "none": not at all
//	enum:"a,b"          the values that are allowed
//	type:"…"            path, or existingfile: the path of a file that is there
//	required:""         a flag that must be given
//	optional:""         an argument that may be left out
//	xor:"…"             of the flags with the same word, at most one is given
//
// A field of a type that reads text (encoding.TextUnmarshaler) refuses words by its own rule, and the error names the
// flag. A struct without a tag that another one embeds adds its fields to it.
package command

import (
	"context"
	"reflect"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Spec says what the tree of commands is.
type Spec struct {
	Name    string
	Help    string
	Groups  []*cobra.Group // for the tag group, in the order of help
	Library string         // the ID of the group that the commands of the library itself belong to
	Run     func(ctx context.Context, command any) error
}

// Helper is a command that has more to say than one sentence.
type Helper interface{ Help() string }

// Flagger is a command with flags that no field stands for.
type Flagger interface{ AddFlags(flags *pflag.FlagSet) }

func init() { // the library has these two for the whole program
	cobra.EnableCommandSorting = false
	cobra.MousetrapHelpText = ""
}

// New makes the tree of the commands in root, a pointer to a struct.
func New(root any, spec Spec) *cobra.Command {
	t := tree{run: spec.Run}
	cmd := t.command(spec.Name, reflect.ValueOf(root).Elem(), "")
	cmd.Long = spec.Help
	cmd.AddGroup(spec.Groups...)
	cmd.SetHelpCommandGroupID(spec.Library)
	cmd.SetCompletionCommandGroupID(spec.Library)
	cmd.SilenceErrors = true
	cmd.SilenceUsage = true
	cmd.PersistentFlags().BoolP("help", "h", false, "Show help.")
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) { printHelp(cmd) })
	cmd.SetFlagErrorFunc(flagError)
	cmd.InitDefaultCompletionCmd()
	if completion, _, err := cmd.Find([]string{"completion"}); err == nil && completion != cmd {
		completion.Short = "Print a shell's completion script."
		completion.Args = wantCommand
		completion.RunE = func(*cobra.Command, []string) error { return nil }
	}
	return cmd
}

// Execute runs the command that the arguments name. It returns the path of that command, for an error that says
// where to look.
func Execute(ctx context.Context, root *cobra.Command, args []string) (path string, err error) {
	if cmd, rest, err := root.Find(args); err == nil {
		if err := swallowed(cmd, rest); err != nil {
			return cmd.CommandPath(), err
		}
	}
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	return cmd.CommandPath(), err
}

type tree struct {
	run func(ctx context.Context, command any) error
}

// command makes the command of a struct, with the commands below it.
func (t *tree) command(name string, of reflect.Value, help string) *cobra.Command {
	words := of.Addr().Interface()
	cmd := &cobra.Command{Use: name, Short: help, Long: help, ValidArgsFunction: cobra.NoFileCompletions}
	cmd.Flags().SortFlags = false
	if h, ok := words.(Helper); ok {
		cmd.Long = strings.TrimSpace(help + "\n\n" + h.Help())
	}
	in := new(inputs)
	t.fields(cmd, in, of)
	if f, ok := words.(Flagger); ok {
		f.AddFlags(cmd.Flags())
	}
	if cmd.RunE == nil {
		cmd.Args = in.check
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return t.run(cmd.Context(), words) }
		cmd.Use += in.usage()
		cmd.Long += in.describe()
	}
	return cmd
}

// fields adds what the fields of a struct stand for.
func (t *tree) fields(cmd *cobra.Command, in *inputs, of reflect.Value) {
	for i := range of.NumField() {
		field := of.Type().Field(i)
		tag := field.Tag
		name := tag.Get("name")
		if name == "" {
			name = hyphenated(field.Name)
		}
		_, isCommand := tag.Lookup("cmd")
		_, isArgument := tag.Lookup("arg")
		switch {
		case isCommand:
			t.child(cmd, name, of.Field(i), tag)
		case isArgument:
			in.argument(cmd, newValue("<"+name+">", of.Field(i), tag))
		case tag.Get("help") != "":
			in.flag(cmd, name, newValue("--"+name, of.Field(i), tag))
		case field.Anonymous && field.Type.Kind() == reflect.Struct:
			t.fields(cmd, in, of.Field(i))
		}
	}
}

// child adds a command to its group. A group runs the default one of its commands, and has its flags; one without a
// default wants one of its commands.
func (t *tree) child(group *cobra.Command, name string, of reflect.Value, tag reflect.StructTag) {
	child := t.command(name, of, tag.Get("help"))
	child.GroupID = tag.Get("group")
	_, child.Hidden = tag.Lookup("hidden")
	group.AddCommand(child)
	switch _, isDefault := tag.Lookup("default"); {
	case isDefault:
		group.Args = child.Args
		group.RunE = child.RunE
		child.Flags().VisitAll(group.Flags().AddFlag)
	case group.RunE == nil:
		group.Args = wantCommand
		group.RunE = func(*cobra.Command, []string) error { return nil }
	}
}

var humps = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// hyphenated turns the name of a field into the name of a flag: TokenFile into token-file.
func hyphenated(name string) string {
	return strings.ToLower(humps.ReplaceAllString(name, "$1-$2"))
}
