package command

import (
	"fmt"
	"go/doc/comment"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// columns is how wide help is.
const columns = 100

// printHelp writes the help of a command: how it is called, its text, its commands under their headings, its flags.
func printHelp(cmd *cobra.Command) {
	w := cmd.OutOrStdout()
	usage := cmd.CommandPath() + strings.TrimPrefix(cmd.Use, cmd.Name())
	if cmd.HasAvailableSubCommands() {
		usage += " <command>"
	} else {
		usage += " [flags]"
	}
	fmt.Fprintf(w, "Usage: %s\n\n%s", usage, wrapped(cmd.Long, ""))
	printCommands(w, cmd)
	fmt.Fprintf(w, "\nFlags:\n%s", cmd.Flags().FlagUsagesWrapped(columns))
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\nRun \"%s <command> --help\" for more about a command.\n", cmd.CommandPath())
	}
}

// wrapped breaks the lines of prose. Lines that are indented stay as they are.
func wrapped(text, prefix string) string {
	printer := comment.Printer{TextWidth: columns - len(prefix), TextPrefix: prefix, TextCodePrefix: prefix + "    "}
	return string(printer.Text(new(comment.Parser).Parse(text)))
}

func printCommands(w io.Writer, cmd *cobra.Command) {
	groups := cmd.Groups()
	if len(groups) == 0 && cmd.HasAvailableSubCommands() {
		groups = []*cobra.Group{{Title: "Commands:"}}
	}
	for _, group := range groups {
		fmt.Fprintf(w, "\n%s\n", group.Title)
		for _, c := range cmd.Commands() {
			if (group.ID == "" || c.GroupID == group.ID) && c.IsAvailableCommand() {
				text := wrapped(c.Short, strings.Repeat(" ", c.NamePadding()+5))
				fmt.Fprintf(w, "  %-*s   %s", c.NamePadding(), c.Name(), strings.TrimLeft(text, " "))
			}
		}
	}
}
