// Package command is what the commands of idp share: how they find and read the
// configuration, open the database beside a running server, and write what somebody
// else chose on a terminal. A command with subcommands that work on rows has a package
// below, called by the word that people type; the others are a file each in cmd/idp.
package command

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"idp/internal/config"
	"idp/internal/server"
)

// Line is what all commands of a command line share: the flag --config.
type Line struct{ ConfigFile string }

// Load reads the configuration that --config names.
func (l *Line) Load() (*config.Config, error) {
	return config.Load(config.Find(l.ConfigFile), os.Environ())
}

// LoadFor reads it for a command that runs nothing and needs only some keys: other
// problems, such as a file that is made later, are said and do no harm.
func (l *Line) LoadFor(cmd *cobra.Command, needed ...string) (*config.Config, error) {
	cfg, err := l.Load()
	var problems config.Problems
	if err == nil || cfg == nil || !errors.As(err, &problems) || !Legible(problems) {
		return cfg, err
	}
	var fatal config.Problems
	for _, p := range problems {
		if needs(p.Key, needed) {
			fatal = append(fatal, p)
			continue
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s (not needed here; idp serve refuses it)\n", p.Error())
	}
	if len(fatal) > 0 {
		return nil, fatal
	}
	return cfg, nil
}

// needs reports whether a key of the file, or the variable that sets it, is one of
// those needed or in one of them.
func needs(key string, needed []string) bool {
	return slices.ContainsFunc(needed, func(n string) bool {
		return key == "IDP_"+strings.ToUpper(strings.ReplaceAll(n, ".", "_")) || key == n || strings.HasPrefix(key, n+".") || strings.HasPrefix(key, n+"[")
	})
}

// LoadChecked reads it and asks every part that uses it, so that all problems are
// said at once.
func (l *Line) LoadChecked() (*config.Config, error) {
	cfg, err := l.Load()
	var problems config.Problems
	if cfg == nil || (err != nil && !errors.As(err, &problems)) {
		return nil, err
	}
	if problems = problems.With(server.Check(cfg)); len(problems) > 0 {
		return nil, problems
	}
	return cfg, nil
}

// Legible reports whether a file is YAML with keys: of one that is not, nothing
// but the defaults would be looked at.
func Legible(problems config.Problems) bool {
	for _, p := range problems {
		if p.Key == "" {
			return false
		}
	}
	return true
}
