// Command idp is a single sign-on server: Kerberos tickets and passwords in,
// OpenID Connect tokens out. `idp help` lists what it can do.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"idp/internal/command"
	"idp/internal/command/client"
	"idp/internal/command/user"
	"idp/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := root().ExecuteContext(ctx); err != nil {
		os.Exit(explain(err)) //nolint:gocritic // stop has nothing left to undo
	}
}

// explain prints what went wrong, every problem of a configuration on its line,
// and returns the exit status.
func explain(err error) int {
	var own *exit
	if errors.As(err, &own) {
		if own.err != nil {
			explain(own.err)
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

// cli has the commands that are a file each; the flag --config is every command's.
type cli struct{ *command.Line }

func root() *cobra.Command {
	c := cli{&command.Line{}}
	cmd := command.Group(&cobra.Command{
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
	cmd.SetHelpCommand(command.Help())
	cmd.CompletionOptions.HiddenDefaultCmd = true
	cmd.PersistentFlags().StringVar(&c.ConfigFile, "config", "", "configuration `FILE` (default idp.yaml, then /etc/idp/idp.yaml, then none)")
	cmd.AddCommand(c.serve(), c.check(), c.doctor(), user.Command(c.Line), c.mail(), client.Command(c.Line), c.key(), c.keytab(), c.browserPolicy(), c.token(), c.healthcheck(), version())
	return cmd
}
