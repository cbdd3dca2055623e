package cli

import (
	"context"

	"github.com/spf13/cobra"
)

// Tree is the tree of commands, none of which does anything.
func Tree() *cobra.Command { return commandTree(func(context.Context, any) error { return nil }) }
