package user

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"idp/internal/command"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/server"
	"idp/internal/store"
	"idp/internal/user"
)

func (c commands) passwd() *cobra.Command {
	var passwordFile string
	cmd := &cobra.Command{
		Use: "passwd NAME --password-file FILE|-", Short: "Set a local user's password", Args: cobra.ExactArgs(1),
		RunE: c.withStore(func(o opened, args []string) error {
			u, err := o.byName(args[0])
			if err != nil {
				return err
			}
			if u.PasswordHash == "" {
				return fmt.Errorf("%s logs in by Kerberos; the password is the KDC's", u.Name)
			}
			password, err := o.newPassword(passwordFile, u)
			if err != nil {
				return err
			}
			if err := server.SetPassword(o.Ctx, o.Store, u, password, o.Actor); err != nil {
				return err
			}
			fmt.Fprintf(o.Cmd.OutOrStdout(), "%s has a new password, and the sessions have ended\n", u.Name)
			return nil
		}),
	}
	cmd.Flags().StringVar(&passwordFile, "password-file", "", "`FILE` with the password on its first line, - for standard input (a terminal asks twice and does not show it)")
	_ = cmd.MarkFlagRequired("password-file")
	return cmd
}

// newPassword reads a password for a user and judges it. Where nobody has configured a
// length, one that is merely short is taken, with a warning: scripts have always been
// able to set it.
func (o opened) newPassword(file string, u *store.User) (secret.String, error) {
	policy, err := server.PasswordPolicy(o.Config)
	if err != nil {
		return "", err
	}
	password, err := command.ReadSecret(o.Cmd, file, "password of "+command.Plain(u.Name), true)
	if err != nil {
		return "", err
	}
	err = policy.Check(u, password)
	var weak *user.PasswordError
	if errors.As(err, &weak) && weak.Reason == reason.PasswordTooShort && o.Config.Passwords.MinLength == 0 && utf8.RuneCountInString(user.Normal(password)) >= user.LeastLength {
		fmt.Fprintln(o.Cmd.ErrOrStderr(), "warning:", weak.Text, "It is taken, for it is you who sets it. idp user invite lets people choose their own.")
		err = nil
	}
	return password, err
}
