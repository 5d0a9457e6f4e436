// Command idp is a single sign-on server: Kerberos tickets and passwords in,
// OpenID Connect tokens out. `idp help` lists what it can do.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"idp/internal/config"
	"idp/internal/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := root().ExecuteContext(ctx); err != nil {
		os.Exit(report(err)) //nolint:gocritic // stop has nothing left to undo
	}
}

// report prints what went wrong, every problem of a configuration on its line,
// and returns the exit status.
func report(err error) int {
	var own *exit
	if errors.As(err, &own) {
		if own.err != nil {
			report(own.err)
		}
		return own.status
	}
	var problems config.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Fprintln(os.Stderr, p.Error())
		}
		fmt.Fprintf(os.Stderr, "idp: %d problem(s) in the configuration; nothing was started or changed\n", len(problems))
		return 1
	}
	fmt.Fprintln(os.Stderr, "idp:", err)
	return 1
}

// cli is what all commands share: the flag --config.
type cli struct{ configFile string }

func root() *cobra.Command {
	c := &cli{}
	cmd := group(&cobra.Command{
		Use:   "idp",
		Short: "Single sign-on by Kerberos ticket or password, for OpenID Connect sites",
		Long: "idp logs people in by Kerberos ticket, by a password that the KDC or idp itself checks,\n" +
			"and gives sites OpenID Connect tokens.\n\n" +
			"Without a configuration file (idp.yaml here, or /etc/idp/idp.yaml) it serves\n" +
			"http://localhost:8080 with its data in ./idp.db, to try it out.",
		Version:       versionText(),
		SilenceErrors: true, SilenceUsage: true,
	})
	cmd.SetVersionTemplate("{{.Version}}\n")
	cmd.SetHelpCommand(help())
	cmd.CompletionOptions.HiddenDefaultCmd = true
	cmd.PersistentFlags().StringVar(&c.configFile, "config", "", "configuration `FILE` (default idp.yaml, then /etc/idp/idp.yaml, then none)")
	cmd.AddCommand(c.serve(), c.check(), c.doctor(), c.user(), c.mail(), c.client(), c.key(), c.keytab(), c.browserPolicy(), c.token(), c.healthcheck(), version())
	return cmd
}

// load reads the configuration that --config names.
func (c *cli) load() (*config.Config, error) {
	return config.Load(config.Find(c.configFile), os.Environ())
}

// loadFor reads it for a command that runs nothing and needs only some keys: other
// problems, such as a file that is made later, are said and do no harm.
func (c *cli) loadFor(cmd *cobra.Command, needed ...string) (*config.Config, error) {
	cfg, err := c.load()
	var problems config.Problems
	if err == nil || cfg == nil || !errors.As(err, &problems) || !legible(problems) {
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

// loadChecked reads it and asks every part that uses it, so that all problems are
// said at once.
func (c *cli) loadChecked() (*config.Config, error) {
	cfg, err := c.load()
	var problems config.Problems
	if cfg == nil || (err != nil && !errors.As(err, &problems)) {
		return nil, err
	}
	if problems = problems.With(server.Check(cfg)); len(problems) > 0 {
		return nil, problems
	}
	return cfg, nil
}
