// Package user is `idp user`: the commands by which an administrator makes, shows and
// changes the people who log in. What a user may be is judged in internal/user, as it
// is for everybody else.
package user

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"idp/internal/command"
	"idp/internal/store"
)

// Command is `idp user`.
func Command(l *command.Line) *cobra.Command {
	c := commands{l}
	cmd := command.Group(&cobra.Command{Use: "user", Short: "Make, list and change users"})
	cmd.AddCommand(c.add(), c.list(), c.show(), c.set(), c.passwd(),
		c.change("disable NAME", "End a user's sessions and refuse new ones", func(o opened, u *store.User) (string, error) {
			return u.Name + " is disabled, and the sessions have ended", o.Store.SetDisabled(o.Ctx, u.ID, true, o.entry(u))
		}),
		c.change("enable NAME", "Let a disabled user log in again", func(o opened, u *store.User) (string, error) {
			return u.Name + " can log in again", o.Store.SetDisabled(o.Ctx, u.ID, false, o.entry(u))
		}),
		c.unlock(), c.admin(), c.sessions(), c.link(), c.unlink(), c.resetFactor(), c.invite(), c.reset(), c.importFile())
	return cmd
}

// commands are those below it.
type commands struct{ *command.Line }

// opened is what one of them gets.
type opened struct{ command.Opened }

func (c commands) withStore(run func(o opened, args []string) error) func(*cobra.Command, []string) error {
	return c.WithStore(func(o command.Opened, args []string) error { return run(opened{o}, args) })
}

func (o opened) entry(u *store.User) store.Entry {
	return store.Entry{Actor: o.Actor, UserID: u.ID, Name: u.Name}
}

// byName finds the user a command names.
func (o opened) byName(name string) (*store.User, error) {
	u, err := o.Store.UserByName(o.Ctx, name)
	if !errors.Is(err, store.ErrNotFound) {
		return u, err
	}
	switch holder, err := o.Store.NameHolder(o.Ctx, name); {
	case err == nil:
		return nil, fmt.Errorf("no user %q; there is %q", name, holder)
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	return nil, fmt.Errorf("no user %q; idp user list shows all", name)
}

// change is a command that changes one user and says what it has done.
func (c commands) change(use, short string, change func(opened, *store.User) (done string, err error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: c.withStore(func(o opened, args []string) error {
			u, err := o.byName(args[0])
			if err != nil {
				return err
			}
			done, err := change(o, u)
			if err == nil {
				fmt.Fprintln(o.Cmd.OutOrStdout(), done)
			}
			return err
		}),
	}
}

func (c commands) admin() *cobra.Command {
	remove := false
	cmd := c.change("admin NAME", "Make a user an administrator (once idp has admin pages), or with --remove an ordinary user", func(o opened, u *store.User) (string, error) {
		done := u.Name + " is an administrator"
		if remove {
			done = u.Name + " is an ordinary user"
		}
		return done, o.Store.SetAdmin(o.Ctx, u.ID, !remove, o.entry(u))
	})
	cmd.Flags().BoolVar(&remove, "remove", false, "take the right away")
	return cmd
}
