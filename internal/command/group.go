package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// later are commands that a later version brings, by the one they are under:
// whoever read of them is told so.
var later = map[string][]string{
	"idp": {"backup"},
}

// Group makes a command of which only the subcommands do something: alone it
// explains them, and a name that is none of theirs is an error, for a script that
// misspells one must not go on.
func Group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return unknown(cmd, args[0])
	}
	return cmd
}

// unknown says what there is in place of a command that is not.
func unknown(parent *cobra.Command, name string) error {
	if slices.Contains(later[parent.CommandPath()], name) {
		return fmt.Errorf("%s %s is not there yet", parent.CommandPath(), name)
	}
	if !parent.HasAvailableSubCommands() {
		return fmt.Errorf("%s has no command %q", parent.CommandPath(), name)
	}
	var there []string
	for _, c := range parent.Commands() {
		if c.IsAvailableCommand() {
			there = append(there, c.Name())
		}
	}
	return fmt.Errorf("%s has no command %q; there are %s", parent.CommandPath(), name, strings.Join(there, ", "))
}

// Help is cobra's, but it fails where there is nothing to explain.
func Help() *cobra.Command {
	return &cobra.Command{
		Use: "help [command]", Short: "Explain a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return unknown(about, rest[0])
			}
			about.InitDefaultHelpFlag()
			about.SetOut(cmd.OutOrStdout())
			return about.Help()
		},
	}
}
